//! Names that C++ accepts: refused here, they are shown where they are written; refused by the C++
//! compiler, they would be syntax errors in text that nobody wrote.

use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::{Ident, LitStr};

use crate::report::Report;

/// The longest kernel name; a symbol and file names are made of it.
const LONGEST: usize = 128;

/// What a name is for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Named {
    Kernel,
    Struct,
    Field,
}

impl Named {
    fn what(self) -> &'static str {
        match self {
            Named::Kernel => "kernel",
            Named::Struct => "struct",
            Named::Field => "field",
        }
    }

    fn attribute(self) -> &'static str {
        match self {
            Named::Kernel => "#[kernel(name = \"..\")]",
            Named::Struct | Named::Field => "#[cxx(name = \"..\")]",
        }
    }

    /// The name that `given` or else `ident` gives; a bad one goes to `report`.
    pub(crate) fn name(self, ident: &Ident, given: Option<&LitStr>, report: &mut Report) -> String {
        let (name, at): (String, &dyn ToTokens) = match given {
            Some(literal) => (literal.value(), literal),
            None => (ident.unraw().to_string(), ident),
        };
        if let Err(problem) = self.check(&name) {
            let hint = match given {
                Some(_) => String::new(),
                None => format!("; give the {} another one: `{}`", self.what(), self.attribute()),
            };
            report.at(at, format!("{problem}{hint}"));
        }
        name
    }

    fn check(self, name: &str) -> Result<(), String> {
        let what = self.what();
        if self == Named::Kernel && name.len() > LONGEST {
            let long = name.chars().count();
            return Err(format!("a kernel's name has at most {LONGEST} characters; this one has {long}"));
        }
        match self {
            // A struct that a header defines may be in a namespace.
            Named::Struct => {
                let mut parts = name.strip_prefix("::").unwrap_or(name).split("::");
                parts.try_for_each(|part| identifier(what, part))
            }
            Named::Kernel | Named::Field => identifier(what, name),
        }
    }
}

fn identifier(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("a {what}'s name cannot be empty"));
    }
    let odd =
        |(i, c): &(usize, char)| !(c.is_ascii_alphabetic() || *c == '_' || (*i > 0 && c.is_ascii_digit()));
    if let Some((i, c)) = name.chars().enumerate().find(odd) {
        let cannot = if i == 0 { "begin with" } else { "contain" };
        return Err(format!(
            "a {what}'s name is a name in C++ too: ASCII letters, digits and `_`; it cannot {cannot} `{}`",
            c.escape_debug()
        ));
    }
    if KEYWORDS.binary_search(&name).is_ok() {
        return Err(format!("a {what}'s name is a name in C++ too, where `{name}` is a keyword"));
    }
    Ok(())
}

/// The keywords of C++23 and C17, the alternative operators, and what compilers reserve besides; sorted.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "_Alignas", "_Alignof", "_Atomic", "_Bool", "_Complex", "_Generic", "_Imaginary", "_Noreturn", "_Static_assert",
    "_Thread_local", "__asm__", "__attribute__", "__typeof__", "alignas", "alignof", "and", "and_eq", "asm", "auto",
    "bitand", "bitor", "bool", "break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class",
    "co_await", "co_return", "co_yield", "compl", "concept", "const", "const_cast", "consteval", "constexpr",
    "constinit", "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum",
    "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long",
    "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private",
    "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return", "short", "signed",
    "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local",
    "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "union", "unsigned", "using", "virtual",
    "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_named_like_a_cxx_function() {
        for good in ["axpy", "_", "a1", "A_b", &"x".repeat(128)] {
            assert_eq!(Named::Kernel.check(good), Ok(()), "{good}");
        }
        for bad in ["", "..", "a/b", "1a", "größe", "a b", "a\0", "a::b", "double", "xor", &"x".repeat(129)]
        {
            assert!(Named::Kernel.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_struct_may_be_in_a_namespace_and_a_field_may_not() {
        for good in ["Point", "geo::Point", "::geo::Point"] {
            assert_eq!(Named::Struct.check(good), Ok(()), "{good}");
        }
        for bad in ["", "::", "geo::", "geo:Point", "class", "geo::class::x"] {
            assert!(Named::Struct.check(bad).is_err(), "{bad}");
        }
        assert!(Named::Field.check("a::b").is_err());
    }

    #[test]
    fn the_keywords_are_sorted_as_the_search_needs_them() {
        assert!(KEYWORDS.is_sorted());
    }
}
