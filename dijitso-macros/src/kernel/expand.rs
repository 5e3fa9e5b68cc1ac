//! What `#[dijitso::kernel]` makes of a generator.
//!
//! ```text
//! pub fn axpy(shape: Loop) -> ::dijitso::private::Declared<Source<Axpy>> {
//!     fn __generator(shape: Loop) -> Source<Axpy> { .. }
//!     ::dijitso::private::kernel::<_, Source<Axpy>, _>(
//!         const { &::dijitso::private::Declaration { name: "axpy", .. } },
//!         (::dijitso::private::argument::<Loop>(shape),),
//!         |(argument_0,)| __generator(argument_0.value()),
//!     )
//! }
//! ```
//!
//! One item, so that `cfg` and the other attributes on it act on all of it. No type is looked at:
//! the kernel's type is an associated type of whatever the generator returns.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Ident, Pat, PatIdent, PatType, Type};

use super::args::Args;
use super::parse::Generator;
use crate::krate::Krate;
use crate::tokens;

pub(super) fn expand(args: &Args, name: &str, generator: &Generator) -> TokenStream {
    let krate = &args.krate;
    let Generator { attributes, visibility, signature, arguments, output, body } = generator;
    let function = &signature.ident;
    let version = args.version;
    let digest = tokens::digest(quote!(#function(#(#arguments),*) -> #output #body));

    let outer: Vec<Ident> =
        arguments.iter().enumerate().map(|(i, argument)| outer_name(i, argument)).collect();
    let values: Vec<Ident> = (0..arguments.len()).map(kept_name).collect();
    let types: Vec<_> = arguments.iter().map(|argument| &argument.ty).collect();
    let kept = outer.iter().zip(&types).map(|(name, ty)| kept(krate, name, ty));

    // The place of the function's name in the user's file; `line!()` expands to where its tokens are.
    let place = function.span();
    let file = quote_spanned!(place=> ::core::file!());
    let line = quote_spanned!(place=> ::core::line!());
    let column = quote_spanned!(place=> ::core::column!());

    let declared = declared(krate, output);

    quote! {
        #(#attributes)*
        #visibility fn #function(#(#outer: #types),*) -> #declared {
            fn __generator(#(#arguments),*) -> #output #body
            #krate::private::kernel::<_, #output, _>(
                const {
                    &#krate::private::Declaration {
                        name: #name,
                        package: #krate::private::package(::core::option_env!("CARGO_PKG_NAME")),
                        package_version: #krate::private::package(::core::option_env!("CARGO_PKG_VERSION")),
                        version: #version,
                        tokens: #digest,
                        file: #file,
                        line: #line,
                        column: #column,
                    }
                },
                (#(#kept,)*),
                |(#(#values,)*)| __generator(#(#values.value()),*),
            )
        }
    }
}

/// `Declared<Output>`, all of it at the place of `Output`: when that is no kernel's source, the
/// compiler points at what the user wrote, not at the attribute.
fn declared(krate: &Krate, output: &Type) -> TokenStream {
    let (first, last) = ends(output);
    let krate = krate.at(first);
    let path = quote_spanned!(first=> #krate::private::Declared<);
    let close = quote_spanned!(last=> >);
    quote!(#path #output #close)
}

/// `argument::<Type>(name)`, at the place of `Type` for the same reason.
fn kept(krate: &Krate, name: &Ident, ty: &Type) -> TokenStream {
    let (first, last) = ends(ty);
    let krate = krate.at(first);
    let path = quote_spanned!(first=> #krate::private::argument::<);
    let call = quote_spanned!(last=> >(#name));
    quote!(#path #ty #call)
}

/// Where a type begins and ends.
fn ends(ty: &Type) -> (Span, Span) {
    let mut places = ty.to_token_stream().into_iter().map(|tree| tree.span());
    let first = places.next().unwrap_or_else(Span::call_site);
    let last = places.last().unwrap_or(first);
    (first, last)
}

/// The argument's own name where it has one, for the documentation.
fn outer_name(index: usize, argument: &PatType) -> Ident {
    match &*argument.pat {
        Pat::Ident(PatIdent { ident, by_ref: None, subpat: None, .. }) => ident.clone(),
        _ => kept_name(index),
    }
}

/// A name that no token of the user's can mean.
fn kept_name(index: usize) -> Ident {
    format_ident!("argument_{}", index, span = Span::mixed_site())
}
