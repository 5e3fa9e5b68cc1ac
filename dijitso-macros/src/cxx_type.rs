//! `#[derive(CxxType)]`.
//!
//! ```text
//! unsafe impl<T: ::dijitso::CxxType> ::dijitso::CxxType for Pair<T> {
//!     fn expr(layouts: &mut ::dijitso::private::Layouts) -> ::dijitso::private::CxxExpr {
//!         layouts.structure::<Self>(
//!             "Pair",
//!             |arguments| { arguments.type_argument::<T>(); },
//!             |fields| { fields.field::<T>("first", ::core::mem::offset_of!(Self, first)); .. },
//!         )
//!     }
//! }
//! unsafe impl<T: ::dijitso::CxxType> ::dijitso::CxxArgument for Pair<T> {}
//! unsafe impl<T: ::dijitso::CxxType> ::dijitso::ByValue for Pair<T>
//! where for<'field> ::dijitso::private::Member<'field, T>: ::dijitso::private::Plain, .. {}
//! ```
//!
//! The last one exists exactly if every field is by-value data. A bound on a concrete type that does
//! not hold is an error in stable Rust; on a type with a lifetime of the bound's own it is not, the
//! impl then just does not apply. That lifetime is all `Member` is for.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Generics, Ident, Meta, Token};

use crate::generics::bounded;
use crate::krate::Krate;
use crate::names::Named;
use crate::report::Report;
use crate::settings::{CRATE, Key, read_helpers};

const TYPE_KEYS: [Key; 2] = [Key { name: "name", example: "name = \"geometry::Point\"" }, CRATE];
const FIELD_KEYS: [Key; 1] = [Key { name: "name", example: "name = \"x\"" }];

/// The whole derive.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut report = Report::default();
    let structure = Structure::read(&input, &mut report);
    let implementations = structure.filter(|_| report.is_empty()).map(|structure| structure.expand(&input));
    let errors = report.into_tokens();
    quote!(#implementations #errors)
}

/// A struct that C++ can have too.
struct Structure<'a> {
    krate: Krate,
    name: String,
    /// With their names in C++.
    fields: Vec<(&'a Field, &'a Ident, String)>,
}

impl<'a> Structure<'a> {
    fn read(input: &'a DeriveInput, report: &mut Report) -> Option<Structure<'a>> {
        let mut krate = Krate::default();
        let mut renamed = None;
        for setting in read_helpers(&input.attrs, "cxx", &TYPE_KEYS, report) {
            match setting.key() {
                "name" => renamed = setting.string(report),
                _ => krate = Krate(setting.path(report)),
            }
        }
        let name = Named::Struct.name(&input.ident, renamed.as_ref(), report);
        let named = named_fields(input, report)?;
        check_representation(input, report);
        for lifetime in input.generics.lifetimes() {
            report.at(
                lifetime,
                "C++ keeps no lifetimes; hold a raw pointer (`*const T`) instead of a reference",
            );
        }
        let fields = named.into_iter().map(|(field, ident)| {
            let settings = read_helpers(&field.attrs, "cxx", &FIELD_KEYS, report);
            let renamed = settings.iter().find_map(|setting| setting.string(report));
            let name = Named::Field.name(ident, renamed.as_ref(), report);
            (field, ident, name)
        });
        let fields = fields.collect();
        Some(Structure { krate, name, fields })
    }

    fn expand(&self, input: &DeriveInput) -> TokenStream {
        let Structure { krate, name, fields } = self;
        let ident = &input.ident;
        let members: Vec<&Field> = fields.iter().map(|(field, ..)| *field).collect();
        let generics = bounded(&input.generics, &members, &quote!(#krate::CxxType));
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let arguments = arguments(&input.generics);
        let fields = fields.iter().map(|(Field { ty, .. }, ident, name)| {
            quote!(fields.field::<#ty>(#name, ::core::mem::offset_of!(Self, #ident));)
        });
        let types = members.iter().map(|field| &field.ty);
        let bounds = where_clause.map(|clause| clause.predicates.iter()).into_iter().flatten();
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            unsafe impl #impl_generics #krate::CxxType for #ident #type_generics #where_clause {
                fn expr(layouts: &mut #krate::private::Layouts) -> #krate::private::CxxExpr {
                    layouts.structure::<Self>(#name, |_arguments| { #arguments }, |fields| { #(#fields)* })
                }
            }
            #[automatically_derived]
            unsafe impl #impl_generics #krate::CxxArgument for #ident #type_generics #where_clause {}
            #[automatically_derived]
            unsafe impl #impl_generics #krate::ByValue for #ident #type_generics
            where
                #(#bounds,)*
                #(for<'field> #krate::private::Member<'field, #types>: #krate::private::Plain,)*
            {}
        }
    }
}

/// What distinguishes `Pair<f64>` from `Pair<f32>`: they are two structs in C++.
fn arguments(generics: &Generics) -> TokenStream {
    let argument = |parameter: &GenericParam| match parameter {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(parameter) => {
            let ident = &parameter.ident;
            Some(quote!(_arguments.type_argument::<#ident>();))
        }
        GenericParam::Const(parameter) => {
            let ident = &parameter.ident;
            Some(quote!(_arguments.constant(#ident);))
        }
    };
    generics.params.iter().filter_map(argument).collect()
}

fn named_fields<'a>(input: &'a DeriveInput, report: &mut Report) -> Option<Vec<(&'a Field, &'a Ident)>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => {
                Some(fields.named.iter().filter_map(|field| Some((field, field.ident.as_ref()?))).collect())
            }
            Fields::Unnamed(fields) if !fields.unnamed.is_empty() => {
                report.at(fields, "a C++ struct's fields have names; write `{ name: Type, .. }`");
                None
            }
            _ => {
                report.at(
                    &input.ident,
                    "a struct without fields has no size, and C++ has no such struct; leave it out",
                );
                None
            }
        },
        Data::Enum(data) => {
            report.at(
                data.enum_token,
                "C++ may leave any number in an enum, and Rust must never see one that is no variant; \
                 pass an integer and convert it (`TryFrom`)",
            );
            None
        }
        Data::Union(data) => {
            report.at(
                data.union_token,
                "a union does not say which of its fields is alive; pass a struct, or a pointer",
            );
            None
        }
    }
}

/// `repr(C)`, and nothing that C++ would lay out otherwise.
fn check_representation(input: &DeriveInput, report: &mut Report) {
    let mut c = false;
    let mut refused = false;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        // What `repr` does not know, the compiler reports itself.
        let words = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        for word in words.into_iter().flatten() {
            c |= word.path().is_ident("C");
            if word.path().is_ident("packed") {
                refused = true;
                report.at(&word, "C++ has no packed structs; order the fields by size instead");
            }
        }
    }
    if !c && !refused {
        report.at(
            &input.ident,
            "Rust may order the fields as it likes, and C++ could not know how; add `#[repr(C)]`",
        );
    }
}
