//! The path under which the user's crate knows dijitso.
//!
//! A procedural macro cannot ask for it: a crate that renames or re-exports dijitso says
//! `crate = its::path`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;

/// The path of the runtime crate in an expansion; `::dijitso` unless set.
#[derive(Default)]
pub(crate) struct Krate(pub(crate) Option<Path>);

impl Krate {
    /// The path with its tokens moved to `place`, which is where the compiler shows an error about
    /// what follows them.
    pub(crate) fn at(&self, place: Span) -> TokenStream {
        match &self.0 {
            // Only the place moves: a `$crate` still means the crate that it meant.
            Some(path) => path.to_token_stream().into_iter().map(|tree| moved(tree, place)).collect(),
            None => quote_spanned!(place=> ::dijitso),
        }
    }
}

fn moved(mut tree: TokenTree, place: Span) -> TokenTree {
    tree.set_span(place.resolved_at(tree.span()));
    tree
}

impl ToTokens for Krate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.0 {
            Some(path) => path.to_tokens(tokens),
            None => tokens.extend(quote!(::dijitso)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expansion_stays_with_the_crate_it_was_given() {
        let expansions = [
            crate::kernel::kernel(
                quote!(crate = my::runtime),
                quote!(
                    fn f((a, b): (u8, u8), c: T) -> S {}
                ),
            ),
            crate::sign::derive(quote!(
                #[sign(crate = my::runtime)]
                enum E<T, const N: usize> {
                    A(T),
                    B { x: T::Item },
                }
            )),
            crate::cxx_type::derive(quote!(
                #[repr(C)]
                #[cxx(crate = my::runtime)]
                struct S<T, const N: usize> {
                    x: T,
                    y: T::Item,
                }
            )),
        ];
        for expansion in expansions {
            let text = expansion.to_string();
            assert!(text.contains("my :: runtime") && !text.contains("dijitso"), "{text}");
        }
    }
}
