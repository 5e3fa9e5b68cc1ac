//! Structs and scalars in the rendered text: definitions, and assertions that C++ agrees with Rust.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cxx::{FnAbi, Language, Scalar, StructLayout};

/// What is rendered about the types of one kernel.
pub(super) struct Structs<'a> {
    pub(super) abi: &'a FnAbi,
    pub(super) language: Language,
    /// The namespace of the definitions, `None` where the source has its own ones.
    pub(super) namespace: Option<&'a str>,
}

impl Structs<'_> {
    /// The name of a struct, as seen from outside of the namespace.
    pub(super) fn qualified(&self, name: &str) -> String {
        match self.namespace {
            Some(namespace) if self.language == Language::Cxx && !name.contains("::") => {
                format!("{namespace}::{name}")
            }
            _ => name.to_owned(),
        }
    }

    fn defined_here(&self) -> impl Iterator<Item = &StructLayout> {
        let here = self.namespace.is_some();
        self.abi.structs.iter().filter(move |layout| here && !layout.external())
    }

    fn defined_elsewhere(&self) -> impl Iterator<Item = &StructLayout> {
        let here = self.namespace.is_some();
        self.abi.structs.iter().filter(move |layout| !here || layout.external())
    }

    /// The definitions; all names first, since structs may point to each other.
    pub(super) fn definitions(&self) -> String {
        let mut text = String::new();
        for StructLayout { name, .. } in self.defined_here() {
            match self.language {
                Language::Cxx => writeln!(text, "struct {name};"),
                Language::C => writeln!(text, "typedef struct {name} {name};"),
            }
            .ok();
        }
        for layout in self.defined_here() {
            let aligned = match layout.overaligned() {
                true => format!("__attribute__((aligned({}))) ", layout.align),
                false => String::new(),
            };
            let _ = writeln!(text, "struct {aligned}{} {{", layout.name);
            for field in &layout.fields {
                let _ = writeln!(text, "  {};", field.expr.declare(self.language, &field.name));
            }
            text.push_str("};\n");
        }
        text
    }

    /// For structs that the source defines itself: that every field has the type that Rust gives it
    /// (equal size and offset would not tell `long` from `double`).
    pub(super) fn same_type(&self) -> String {
        let mut text = String::new();
        let outside = |name: &str| self.qualified(name);
        for layout in self.defined_elsewhere() {
            let name = &layout.name;
            for field in &layout.fields {
                let ty = field.expr.declare_with(self.language, "", &outside);
                let message =
                    format!("struct {name}: field {} is not of the type {ty} that Rust has", field.name);
                let _ = match self.language {
                    Language::Cxx => writeln!(
                        text,
                        "static_assert(dijitso_same<decltype({name}::{}), {ty}>::value, \"{message}\");",
                        field.name
                    ),
                    Language::C => writeln!(
                        text,
                        "_Static_assert(__builtin_types_compatible_p(__typeof__((({name} *)0)->{}), {ty}), \"{message}\");",
                        field.name
                    ),
                };
            }
        }
        if self.language == Language::Cxx && !text.is_empty() {
            let same = "namespace {\n\
                        template <class A, class B> struct dijitso_same { static const bool value = false; };\n\
                        template <class A> struct dijitso_same<A, A> { static const bool value = true; };\n\
                        }  // namespace\n";
            text.insert_str(0, same);
        }
        text
    }

    /// Sizes of scalars; size, alignment, offsets and triviality of structs.
    pub(super) fn assertions(&self) -> String {
        let (assert, alignof) = match self.language {
            Language::Cxx => ("static_assert", "alignof"),
            Language::C => ("_Static_assert", "_Alignof"),
        };
        let mut text = String::new();
        let mut sizes = BTreeMap::new();
        each_scalar(self.abi, &mut |scalar| {
            sizes.insert(scalar.name(self.language), scalar.size);
        });
        for (name, size) in sizes {
            let _ = writeln!(
                text,
                "{assert}(sizeof({name}) == {size}, \"{name} has another size in Rust: {size}\");"
            );
        }
        for layout in &self.abi.structs {
            let StructLayout { name, size, align, .. } = layout;
            let qualified = self.qualified(name);
            let _ = writeln!(
                text,
                "{assert}(sizeof({qualified}) == {size}, \"struct {name} has another size in Rust: {size}\");"
            );
            let _ = writeln!(
                text,
                "{assert}({alignof}({qualified}) == {align}, \"struct {name} has another alignment in Rust: {align}\");"
            );
            for field in &layout.fields {
                let _ = writeln!(
                    text,
                    "{assert}(__builtin_offsetof({qualified}, {field}) == {offset}, \
                     \"struct {name}: field {field} is elsewhere in Rust: at byte {offset}\");",
                    field = field.name,
                    offset = field.offset,
                );
            }
            if self.language == Language::Cxx {
                let _ = writeln!(
                    text,
                    "static_assert(__is_trivially_copyable({qualified}) && __is_standard_layout({qualified}), \
                     \"struct {name} must be plain data: no constructors or destructors, no virtual functions\");"
                );
            }
        }
        text
    }
}

/// Calls `visit` with every scalar that the kernel's type mentions.
pub(super) fn each_scalar(abi: &FnAbi, visit: &mut dyn FnMut(&'static Scalar)) {
    abi.args.iter().for_each(|arg| arg.scalars(visit));
    abi.ret.scalars(visit);
    let fields = abi.structs.iter().flat_map(|layout| &layout.fields);
    fields.for_each(|field| field.expr.scalars(visit));
}
