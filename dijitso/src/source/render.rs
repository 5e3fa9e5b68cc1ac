//! The files of one translation unit.
//!
//! The generated text is a file of its own, so that a compiler's message shows the text as the
//! generator wrote it, with its own line numbers; a second file includes it and holds what surrounds
//! it:
//!
//! ```text
//! axpy.cpp         the generated text
//! axpy_unit.cpp    macros, includes, preambles,
//!                  namespace { struct definitions, #include "axpy.cpp" },
//!                  assertions about every type that crosses the border,
//!                  the exported function, which calls the generated one through a pointer of the exact type
//! <header>         as the generator named them
//! ```

use std::fmt::Write as _;

use super::lines::Lines;
use super::parts::{Kind, Parts, Preamble};
use super::structs::{Structs, each_scalar};
use crate::cxx::{CxxExpr, FnAbi, Language, is_identifier, parameters};
use crate::signature::{Sign, Signer};

/// Warnings of C compilers that are errors of C++ ones. With them a wrong prototype or an undeclared
/// function cannot slip through in C either.
const C_STRICT: &[&str] = &["incompatible-pointer-types", "int-conversion", "implicit-function-declaration"];

/// What is compiled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rendered {
    /// File name (without directory) and contents.
    pub(crate) files: Vec<(String, String)>,
    /// Which of them is given to the compiler.
    pub(crate) main: String,
    /// The symbols that the library exports: the entry's own first, if there is one.
    pub(crate) exports: Vec<String>,
    /// The linker's version script that keeps all others inside.
    pub(crate) version_script: String,
}

impl Sign for Rendered {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("Rendered", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.structure("Rendered", |signer| {
            signer.field("files", &self.files);
            signer.field("main", &self.main);
            signer.field("exports", &self.exports);
        });
    }
}

/// Renders kernel `name`, whose entry is exported as `symbol`
/// (`dijitso_<name>_<64 hexadecimal digits>`, or a placeholder when the text is to be hashed). With
/// `lines`, text that knows its Rust file says so to the compiler; such lines are never hashed, or a
/// comment above a generator would make another kernel.
pub(crate) fn render(parts: &Parts, name: &str, symbol: &str, lines: bool) -> Rendered {
    let extension = parts.language.extension();
    let text_file = format!("{name}.{extension}");
    let main = format!("{name}_unit.{extension}");

    let mut text = Lines::new(&text_file, lines);
    text.text(&parts.text);
    text.end_line();
    let text = text.finish();
    let unit = Unit::new(parts, name, symbol).render(&main, &text_file, lines);

    let mut files = vec![(text_file, text), (main.clone(), unit)];
    files.extend(parts.headers.iter().cloned());

    let exports = exports(parts, symbol);
    let version_script = version_script(&exports);
    Rendered { files, main, exports, version_script }
}

impl Rendered {
    /// The same with the entry exported as `symbol`: the text, megabytes with some generators, is not written
    /// again. Only for text that does not know its lines.
    pub(crate) fn with_symbol(mut self, parts: &Parts, name: &str, symbol: &str) -> Rendered {
        let text_file = format!("{name}.{}", parts.language.extension());
        let unit = Unit::new(parts, name, symbol).render(&self.main, &text_file, false);
        if let Some((_, text)) = self.files.iter_mut().find(|(file, _)| *file == self.main) {
            *text = unit;
        }
        self.exports = exports(parts, symbol);
        self.version_script = version_script(&self.exports);
        self
    }
}

fn exports(parts: &Parts, symbol: &str) -> Vec<String> {
    let entry = parts.entry.as_ref().map(|_| symbol.to_owned());
    entry.into_iter().chain(parts.exports.iter().cloned()).collect()
}

/// `{ global: a; b; local: *; };`, each name literally unless it is a pattern.
fn version_script(exports: &[String]) -> String {
    let mut script = String::from("{\n");
    if !exports.is_empty() {
        script.push_str("  global:\n");
    }
    for export in exports {
        // Plain names need no quotes; others (`$`, and the script's own words) do.
        let words = ["global", "local", "extern"];
        if export.contains('*') || (is_identifier(export) && !words.contains(&export.as_str())) {
            let _ = writeln!(script, "    {export};");
        } else {
            let _ = writeln!(script, "    \"{export}\";");
        }
    }
    // Linkers do not agree on what two equal patterns mean.
    if !exports.iter().any(|export| export == "*") {
        script.push_str("  local:\n    *;\n");
    }
    script.push_str("};\n");
    script
}

/// The file that includes the generated text.
struct Unit<'a> {
    parts: &'a Parts,
    name: &'a str,
    symbol: &'a str,
    language: Language,
    namespace: String,
}

impl<'a> Unit<'a> {
    fn new(parts: &'a Parts, name: &'a str, symbol: &'a str) -> Unit<'a> {
        let prefix = format!("dijitso_{name}_");
        let digits = symbol.strip_prefix(&prefix).unwrap_or(symbol);
        let namespace = format!("{prefix}{}", digits.get(..8).unwrap_or(digits));
        Unit { parts, name, symbol, language: parts.language, namespace }
    }

    fn render(&self, main: &str, text_file: &str, lines: bool) -> String {
        let mut out = Lines::new(main, lines);
        out.code(&format!(
            "// Kernel {}: what surrounds the generated text, which is in {text_file}.\n",
            self.name
        ));
        self.preamble(&mut out);
        let abi = self.parts.abi.as_ref();
        let namespace = (self.parts.kind == Kind::Enclosed).then_some(self.namespace.as_str());
        let structs = abi.map(|abi| Structs { abi, language: self.language, namespace });
        let definitions = structs.as_ref().map(Structs::definitions).unwrap_or_default();
        let include = format!("#include \"{text_file}\"\n");
        match (self.parts.kind, self.language) {
            (Kind::Whole, _) => out.code(&include),
            (Kind::Enclosed, Language::Cxx) => {
                let namespace = &self.namespace;
                out.code(&format!("namespace {namespace} {{\n{definitions}namespace {{\n"));
                out.code(&include);
                out.code(&format!("}}  // namespace\n}}  // namespace {namespace}\n"));
            }
            (Kind::Enclosed, Language::C) => {
                out.code(&definitions);
                if let (Some(abi), Some(entry)) = (abi, &self.parts.entry) {
                    // A first declaration as `static` keeps the function inside, and tells its type.
                    let function =
                        abi.ret.declare(self.language, &format!("{entry}({})", self.parameters(abi)));
                    out.code(&format!("static {function};\n"));
                }
                out.code(&include);
            }
        }
        if let (Some(abi), Some(entry), Some(structs)) = (abi, &self.parts.entry, &structs) {
            out.code(&structs.same_type());
            out.code(&structs.assertions());
            out.code(&self.entry(abi, entry, structs));
        }
        out.finish()
    }

    fn preamble(&self, out: &mut Lines<'_>) {
        if self.language == Language::C {
            for warning in C_STRICT {
                out.code(&format!("#pragma GCC diagnostic error \"-W{warning}\"\n"));
            }
        }
        for (name, value) in &self.parts.defines {
            out.code(&format!("#define {name} {value}\n"));
        }
        for preamble in &self.parts.preamble {
            match preamble {
                Preamble::Include(header) => out.code(&format!("#include {header}\n")),
                Preamble::Text(text) => {
                    out.text(text);
                    out.end_line();
                }
            }
        }
        // After the preamble, which may hold macros that a header looks at.
        for include in self.needed_includes() {
            out.code(&format!("#include {include}\n"));
        }
    }

    /// Headers of the types themselves (`<complex>`), unless the source includes them.
    fn needed_includes(&self) -> Vec<&'static str> {
        let mut needed = Vec::new();
        if self.language == Language::Cxx
            && let Some(abi) = &self.parts.abi
        {
            each_scalar(abi, &mut |scalar| {
                if let Some(include) = scalar.include
                    && !needed.contains(&include)
                {
                    needed.push(include);
                }
            });
        }
        needed.retain(|include| !self.parts.preamble.contains(&Preamble::Include((*include).to_owned())));
        needed
    }

    /// The types of the arguments, as seen in front of the generated text.
    fn parameters(&self, abi: &FnAbi) -> String {
        parameters(self.language, &abi.args, &str::to_owned)
    }

    /// The exported function. It calls the generated one through a pointer whose type is the
    /// kernel's, so that a text with another prototype does not compile, and overloads and templates
    /// are resolved. The compiler inlines it away.
    fn entry(&self, abi: &FnAbi, entry: &str, structs: &Structs<'_>) -> String {
        let outside = |name: &str| structs.qualified(name);
        let symbol = self.symbol;
        let declare = |declarator: &str| abi.ret.declare_with(self.language, declarator, &outside);
        let types = parameters(self.language, &abi.args, &outside);
        let numbered = abi.args.iter().enumerate();
        let named: Vec<String> = numbered
            .map(|(i, arg)| arg.declare_with(self.language, &format!("dijitso_a{i}"), &outside))
            .collect();
        let values: Vec<String> = (0..abi.args.len()).map(|i| format!("dijitso_a{i}")).collect();
        let values = values.join(", ");
        let named = if named.is_empty() { types.clone() } else { named.join(", ") };

        // noexcept: an exception that escapes would unwind into Rust; so it terminates instead.
        // static_cast: the conversion of a pointer alone is but a warning under -fpermissive.
        let cast = declare(&format!("(*)({types})"));
        let (prefix, suffix, target) = match (self.language, self.parts.kind) {
            (Language::Cxx, kind) => {
                let scope = if kind == Kind::Enclosed { self.namespace.as_str() } else { "" };
                ("extern \"C\" ", " noexcept", format!("static_cast<{cast}>(&{scope}::{entry})"))
            }
            (Language::C, _) => ("", "", format!("&{entry}")),
        };
        let function = declare(&format!("{symbol}({named}){suffix}"));
        let pointer = declare(&format!("(*const dijitso_entry)({types})"));
        let shown = declare(&format!("({types})"));
        let back = if abi.ret == CxxExpr::Void { "" } else { "return " };

        let mut text = String::new();
        if self.language == Language::Cxx {
            // clang's doubt about structs returned from `extern "C"` functions: they are plain data.
            text.push_str(
                "#ifdef __clang__\n#pragma clang diagnostic ignored \"-Wreturn-type-c-linkage\"\n#endif\n",
            );
        } else {
            let _ = writeln!(
                text,
                "_Static_assert(__builtin_types_compatible_p(__typeof__({entry}), {shown}), \
                 \"the text must define {entry} with the type {shown}\");"
            );
        }
        let _ = write!(
            text,
            "{prefix}__attribute__((visibility(\"default\"))) {function};\n\
             {prefix}{function} {{\n  \
               {pointer} = {target};  // the text must define {entry} with the type {shown}\n  \
               {back}dijitso_entry({values});\n\
             }}\n"
        );
        text
    }
}
