//! `#[derive(Sign)]`.
//!
//! ```text
//! impl<T: ::dijitso::Sign> ::dijitso::Sign for Point<T> {
//!     fn sign_type(signer: &mut ::dijitso::Signer) {
//!         signer.type_named("Point", |signer| { <T as ::dijitso::Sign>::sign_type(signer); });
//!     }
//!     fn sign(&self, signer: &mut ::dijitso::Signer) {
//!         <Self as ::dijitso::Sign>::sign_type(signer);      // only where there are generic parameters
//!         signer.structure("Point", |signer| { signer.field::<T>("x", &self.x); });
//!     }
//! }
//! ```

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Generics, Ident, Member};

use crate::generics::bounded;
use crate::krate::Krate;
use crate::report::Report;
use crate::settings::{CRATE, Key, read_helpers, refuse_helpers};

const KEYS: [Key; 1] = [CRATE];

/// The whole derive.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let mut report = Report::default();
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let krate = krate(&input, &mut report);
    let implementation = implementation(&input, &krate, &mut report);
    let errors = report.into_tokens();
    quote!(#implementation #errors)
}

fn krate(input: &DeriveInput, report: &mut Report) -> Krate {
    let settings = read_helpers(&input.attrs, "sign", &KEYS, report);
    Krate(settings.iter().find_map(|setting| setting.path(report)))
}

fn implementation(input: &DeriveInput, krate: &Krate, report: &mut Report) -> Option<TokenStream> {
    let ident = &input.ident;
    let name = ident.unraw().to_string();
    let mut fields = Vec::new();
    let body = match &input.data {
        Data::Struct(data) => {
            fields.extend(&data.fields);
            let signed = signed(&data.fields, krate, |member, _| quote!(&self.#member));
            quote!(signer.structure(#name, |signer| { #signed });)
        }
        Data::Enum(data) if data.variants.is_empty() => quote!(match *self {}),
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                refuse_helpers(&variant.attrs, "sign", report);
                fields.extend(&variant.fields);
                let ident = &variant.ident;
                let variant_name = ident.unraw().to_string();
                let bindings = variant.fields.members().enumerate().map(|(i, member)| {
                    let binding = binding(i);
                    quote!(#member: #binding)
                });
                let signed = signed(&variant.fields, krate, |_, i| {
                    let binding = binding(i);
                    quote!(#binding)
                });
                quote!(Self::#ident { #(#bindings),* } => signer.variant(#name, #variant_name, |signer| { #signed }),)
            });
            quote!(match self { #(#arms)* })
        }
        Data::Union(data) => {
            report.at(
                data.union_token,
                "a union does not know which of its fields is alive, so it cannot be signed; use an enum",
            );
            return None;
        }
    };
    for field in &fields {
        refuse_helpers(&field.attrs, "sign", report);
    }

    let generics = bounded(&input.generics, &fields, &quote!(#krate::Sign));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let parameters: Vec<TokenStream> = parameters(&input.generics, krate);
    // `Order<2>` and `Order<3>` may hold the same values, or none.
    let own_type = (!parameters.is_empty()).then(|| quote!(<Self as #krate::Sign>::sign_type(signer);));
    Some(quote! {
        #[automatically_derived]
        #[allow(unused_variables, deprecated)]
        impl #impl_generics #krate::Sign for #ident #type_generics #where_clause {
            fn sign_type(signer: &mut #krate::Signer) {
                signer.type_named(#name, |signer| { #(#parameters)* });
            }
            fn sign(&self, signer: &mut #krate::Signer) {
                #own_type
                #body
            }
        }
    })
}

fn binding(index: usize) -> Ident {
    format_ident!("field_{}", index, span = Span::mixed_site())
}

/// Signs each field, found by `value`. The field's type is spelled out, so that the compiler points
/// at it when it is not `Sign`.
fn signed(fields: &Fields, krate: &Krate, value: impl Fn(Member, usize) -> TokenStream) -> TokenStream {
    let statements =
        fields.iter().zip(fields.members()).enumerate().map(|(i, (Field { ty, .. }, member))| {
            let value = value(member.clone(), i);
            match member {
                Member::Named(name) => {
                    let name = name.unraw().to_string();
                    quote!(signer.field::<#ty>(#name, #value);)
                }
                Member::Unnamed(_) => quote!(<#ty as #krate::Sign>::sign(#value, signer);),
            }
        });
    quote!(#(#statements)*)
}

/// What tells `Order<2>` from `Order<3>`.
fn parameters(generics: &Generics, krate: &Krate) -> Vec<TokenStream> {
    let parameter = |parameter: &GenericParam| match parameter {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(parameter) => {
            let ident = &parameter.ident;
            Some(quote!(<#ident as #krate::Sign>::sign_type(signer);))
        }
        GenericParam::Const(parameter) => {
            let ident = &parameter.ident;
            Some(quote!(#krate::Sign::sign(&#ident, signer);))
        }
    };
    generics.params.iter().filter_map(parameter).collect()
}
