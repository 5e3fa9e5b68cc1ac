//! `cxx!(r"..")`: C++ text that knows where it stands in the Rust file.
//!
//! ```text
//! ::dijitso::Text::located(r"..", "src/kernels.rs", 12)
//! ```

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{ParseStream, Parser as _};
use syn::{LitStr, Path, Token};

use crate::report::Report;

/// The whole macro. `dijitso::cxx!` puts its own path in front (`$crate; ..`), so that it works under
/// any name of the crate.
pub(crate) fn cxx(tokens: TokenStream) -> TokenStream {
    match call.parse2(tokens) {
        Ok(text) => text,
        Err(error) => error.into_compile_error(),
    }
}

fn call(input: ParseStream) -> syn::Result<TokenStream> {
    let krate: Path = input.parse()?;
    input.parse::<Token![;]>()?;
    let Some(literal) = literal(input)? else {
        // An expression stays an expression: the text is wrong, its type is not.
        let rest: TokenStream = input.parse()?;
        let mut report = Report::default();
        report.at(
            &rest,
            "`cxx!` takes one string literal, `cxx!(r\"..\")`, because its lines are those of this file; \
             text that is put together at run time is `Text::from(..)`",
        );
        let error = report.into_tokens();
        return Ok(quote!({ #error #krate::Text::from("") }));
    };
    // On stable since Rust 1.88. The text begins behind the opening quote, on the literal's line.
    let place = literal.span().unwrap().start();
    let (file, line) = (place.file(), place.line() as u32);
    Ok(quote!(#krate::Text::located(#literal, #file, #line)))
}

fn literal(input: ParseStream) -> syn::Result<Option<LitStr>> {
    let ahead = input.fork();
    let Ok(literal) = ahead.parse::<LitStr>() else { return Ok(None) };
    ahead.parse::<Option<Token![,]>>()?;
    if !ahead.is_empty() {
        return Ok(None);
    }
    let written = literal.token().to_string();
    if !written.starts_with('r') && written.contains('\\') {
        return Err(syn::Error::new(
            literal.span(),
            "write it as a raw string, `cxx!(r\"..\")` or `r#\"..\"#`: Rust's own escapes would change the lines, \
             and C++ has its own",
        ));
    }
    input.parse::<TokenStream>()?;
    Ok(Some(literal))
}
