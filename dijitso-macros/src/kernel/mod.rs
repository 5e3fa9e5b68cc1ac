//! `#[dijitso::kernel]`: a function that writes C++ becomes one that declares a kernel.

mod args;
mod expand;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;

use crate::report::Report;

/// The whole attribute. An item that cannot be a generator stays as it was written, beside the
/// errors, so that an editor still completes inside it. With a usable generator and unusable
/// arguments the kernel is declared all the same: its callers then report nothing that is not wrong.
pub(crate) fn kernel(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut report = Report::default();
    let args = args::Args::read(attribute, &mut report);
    let item = match parse::Generator::read(item.clone(), &mut report) {
        Some(generator) => {
            let name = args.kernel_name(&generator.signature.ident, &mut report);
            expand::expand(&args, &name, &generator)
        }
        None => item,
    };
    let errors = report.into_tokens();
    quote!(#item #errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest that an item's expansion carries.
    fn tokens(item: &str) -> String {
        let expansion = kernel(TokenStream::new(), item.parse().unwrap()).to_string();
        let (_, after) = expansion.split_once("tokens : \"").unwrap();
        after.split_once('"').unwrap().0.to_owned()
    }

    #[test]
    fn attributes_visibility_and_documentation_are_not_part_of_the_kernel_and_the_rest_is() {
        let plain = tokens("fn f(n: u32) -> S { g(n) }");
        assert_eq!(plain, tokens("/// Doc.\n#[inline] pub fn f(n: u32) -> S { //! Inner.\n g(n) }"));
        let others =
            ["fn f(m: u32) -> S { g(n) }", "fn f(n: i32) -> S { g(n) }", "fn f(n: u32) -> R { g(n) }"];
        for other in others.into_iter().chain(["fn f(n: u32) -> S { g(-n) }", "fn h(n: u32) -> S { g(n) }"]) {
            assert_ne!(plain, tokens(other), "{other}");
        }
    }

    #[test]
    fn all_mistakes_are_collected_and_the_item_stays() {
        let item = quote!(
            async fn f<T>(name: &str) {}
        );
        let text = kernel(quote!(nmae = "x", version = -1), item.clone()).to_string();
        assert_eq!(text.matches("compile_error").count(), 6, "{text}");
        assert!(text.starts_with(&item.to_string()));
    }
}
