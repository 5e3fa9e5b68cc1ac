//! `key = value, ..`: the arguments of the attribute and of the derives' helper attributes.
//!
//! One reader for all of them, so that each reports unknown, repeated and malformed keys alike,
//! and all of them at once.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Path, Token};

use crate::report::{Report, closest};

/// A key that an attribute knows, with the way it is written.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
}

/// `crate = path`, which every macro takes.
pub(crate) const CRATE: Key = Key { name: "crate", example: "crate = path::to::dijitso" };

/// One `key = value`.
pub(crate) struct Setting {
    key: &'static Key,
    word: Ident,
    value: Expr,
}

impl Setting {
    pub(crate) fn key(&self) -> &'static str {
        self.key.name
    }

    pub(crate) fn value(&self) -> &Expr {
        &self.value
    }

    /// The value as a string literal.
    pub(crate) fn string(&self, report: &mut Report) -> Option<LitStr> {
        match &self.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
            other => self.wrong(other, "a string", report),
        }
    }

    /// The value as a path, without quotes.
    pub(crate) fn path(&self, report: &mut Report) -> Option<Path> {
        match &self.value {
            Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => Some(path.path.clone()),
            other => self.wrong(other, "a path without quotes", report),
        }
    }

    /// Reports that the value is not `wanted`.
    pub(crate) fn wrong<T>(&self, at: impl ToTokens, wanted: &str, report: &mut Report) -> Option<T> {
        report.at(at, format!("`{}` takes {wanted}: `{}`", self.key.name, self.key.example));
        None
    }
}

/// Reads the arguments of an attribute macro.
pub(crate) fn read(
    tokens: TokenStream,
    attribute: &str,
    known: &'static [Key],
    report: &mut Report,
) -> Vec<Setting> {
    let mut settings = Vec::new();
    collect(tokens, attribute, known, &mut settings, report);
    settings
}

/// Reads every `#[helper(..)]` among `attributes`.
pub(crate) fn read_helpers(
    attributes: &[Attribute],
    helper: &str,
    known: &'static [Key],
    report: &mut Report,
) -> Vec<Setting> {
    let mut settings = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(helper)) {
        match attribute.meta.require_list() {
            Ok(list) => collect(list.tokens.clone(), helper, known, &mut settings, report),
            Err(_) => report
                .at(attribute, format!("write it with its arguments: `#[{helper}({})]`", known[0].example)),
        }
    }
    settings
}

/// Reports `#[helper(..)]` in a place where nobody reads it; silence would look like consent.
pub(crate) fn refuse_helpers(attributes: &[Attribute], helper: &str, report: &mut Report) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(helper)) {
        report.at(
            attribute,
            format!("`#[{helper}(..)]` goes on the type, above its `derive`; fields and variants take none"),
        );
    }
}

fn collect(
    tokens: TokenStream,
    attribute: &str,
    known: &'static [Key],
    settings: &mut Vec<Setting>,
    report: &mut Report,
) {
    let parser = |input: ParseStream| {
        while !input.is_empty() {
            if let Err(error) = one(input, attribute, known, settings, report) {
                report.push(error);
            }
            // After a mistake the next argument is behind the next comma.
            while !input.is_empty() && !input.peek(Token![,]) {
                input.parse::<TokenTree>()?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        report.push(error);
    }
}

fn one(
    input: ParseStream,
    attribute: &str,
    known: &'static [Key],
    settings: &mut Vec<Setting>,
    report: &mut Report,
) -> syn::Result<()> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format!("expected {}", list(known))));
    }
    let word = input.call(Ident::parse_any)?;
    let Some(key) = known.iter().find(|key| word == key.name) else {
        let names: Vec<&str> = known.iter().map(|key| key.name).collect();
        let meant = match closest(&word.to_string(), &names) {
            Some(name) => format!("did you mean `{name}`? "),
            None => String::new(),
        };
        return Err(syn::Error::new(
            word.span(),
            format!("`{attribute}` knows no `{word}`; {meant}it takes {}", list(known)),
        ));
    };
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(word.span(), format!("`{word}` needs a value: `{}`", key.example)));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(word.span(), format!("`{word}` needs a value: `{}`", key.example)));
    }
    let value: Expr = input.parse()?;
    if settings.iter().any(|earlier| earlier.word == word) {
        report.at(&word, format!("`{word}` is given twice; keep one"));
        return Ok(());
    }
    if !input.is_empty() && !input.peek(Token![,]) {
        report.push(input.error("expected `,`"));
    }
    settings.push(Setting { key, word, value });
    Ok(())
}

fn list(known: &[Key]) -> String {
    known.iter().map(|key| format!("`{}`", key.example)).collect::<Vec<_>>().join(", ")
}
