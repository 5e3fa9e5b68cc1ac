//! Structs: what the derive tells about them, and what C++ must agree with.

use std::any::{TypeId, type_name};
use std::fmt::Display;
use std::sync::Arc;

use super::Language;
use super::types::{CxxExpr, CxxType};
use crate::signature::{Sign, Signer};

/// One struct, as Rust has laid it out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StructLayout {
    /// The C++ name. One with `::` names a struct that a header of the user defines.
    pub(crate) name: Arc<str>,
    pub(crate) size: usize,
    pub(crate) align: usize,
    pub(crate) fields: Vec<FieldLayout>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldLayout {
    pub(crate) name: String,
    pub(crate) expr: CxxExpr,
    pub(crate) offset: usize,
    pub(crate) align: usize,
}

impl StructLayout {
    /// Defined by a header of the user's rather than by us.
    pub(crate) fn external(&self) -> bool {
        self.name.contains("::")
    }

    /// More than its fields need: `#[repr(C, align(64))]`.
    pub(crate) fn overaligned(&self) -> bool {
        self.fields.iter().all(|field| field.align < self.align)
    }
}

/// Collects the structs that a kernel's type needs, each once.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Layouts {
    structs: Vec<(TypeId, StructLayout)>,
    problems: Vec<String>,
}

/// The fields of one struct, in order.
#[doc(hidden)]
pub struct Fields<'a> {
    layouts: &'a mut Layouts,
    of: &'static str,
    fields: Vec<FieldLayout>,
}

/// The generic arguments that distinguish two instances of one generic struct.
#[doc(hidden)]
pub struct Arguments<'a> {
    layouts: &'a mut Layouts,
    suffix: String,
}

impl Layouts {
    /// Describes the struct `T` (once; a struct that holds pointers to itself meets itself again).
    pub fn structure<T: CxxType>(
        &mut self,
        name: &str,
        arguments: impl FnOnce(&mut Arguments<'_>),
        fields: impl FnOnce(&mut Fields<'_>),
    ) -> CxxExpr {
        if let Some(known) = self.known::<T>() {
            return known;
        }
        let mut named = Arguments { layouts: self, suffix: String::new() };
        arguments(&mut named);
        let name: Arc<str> = format!("{name}{}", named.suffix).into();
        // Its own arguments may have met it: `struct A { next: *const Wrapper<A> }`.
        if let Some(known) = self.known::<T>() {
            return known;
        }
        let rust = type_name::<T>();
        self.check_struct(&name, rust, size_of::<T>());
        let at = self.structs.len();
        let layout = StructLayout {
            name: name.clone(),
            size: size_of::<T>(),
            align: align_of::<T>(),
            fields: Vec::new(),
        };
        self.structs.push((TypeId::of::<T>(), layout));
        let mut collected = Fields { layouts: self, of: rust, fields: Vec::new() };
        fields(&mut collected);
        self.structs[at].1.fields = collected.fields;
        CxxExpr::Struct(name)
    }

    fn known<T: CxxType>(&self) -> Option<CxxExpr> {
        let id = TypeId::of::<T>();
        self.structs
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, layout)| CxxExpr::Struct(layout.name.clone()))
    }

    fn check_struct(&mut self, name: &str, rust: &str, size: usize) {
        if size == 0 {
            self.problem(format!("struct `{rust}` has no size, and C++ has no such struct; leave it out"));
        }
        if let Some(wrong) = name.split("::").skip_while(|part| part.is_empty()).find(|part| !is_name(part)) {
            self.problem(format!(
                "struct `{rust}` cannot be called `{name}` in C++ (`{wrong}` is no C++ name); \
                 give it another with `#[cxx(name = \"..\")]`"
            ));
        }
        if self.structs.iter().any(|(_, other)| *other.name == *name) {
            self.problem(format!(
                "two different structs are called `{name}` in C++, one of them `{rust}`; \
                 give one another name with `#[cxx(name = \"..\")]`"
            ));
        }
    }

    pub(super) fn refuse_void(&mut self, expr: &CxxExpr, place: &str) {
        if *expr == CxxExpr::Void {
            self.problem(format!("{place} holds `c_void`, which has no size; use a pointer to it"));
        }
    }

    pub(super) fn problem(&mut self, problem: String) {
        // A type is met as often as it is used.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// The structs, each after those that it holds by value, and what is wrong with them.
    pub(super) fn finish(self) -> (Vec<StructLayout>, Vec<String>) {
        let mut ordered = Vec::with_capacity(self.structs.len());
        let mut waiting: Vec<StructLayout> = self.structs.into_iter().map(|(_, layout)| layout).collect();
        while !waiting.is_empty() {
            let open: Vec<Arc<str>> = waiting.iter().map(|layout| layout.name.clone()).collect();
            let ready = |layout: &StructLayout| {
                let mut held = layout.fields.iter().filter_map(|field| field.expr.held_by_value());
                held.all(|name| *layout.name == *name || !open.iter().any(|open| **open == *name))
            };
            let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
            if now.is_empty() {
                // Only two structs of one name can seem to hold each other; that is reported already.
                ordered.extend(later);
                break;
            }
            ordered.extend(now);
            waiting = later;
        }
        (ordered, self.problems)
    }
}

impl Fields<'_> {
    /// The next field: its type, its C++ name, and where Rust puts it (`offset_of!`).
    pub fn field<T: CxxType>(&mut self, name: &str, offset: usize) {
        let expr = T::expr(self.layouts);
        let of = self.of;
        self.layouts.refuse_void(&expr, &format!("field `{name}` of struct `{of}`"));
        if !is_name(name) {
            self.layouts.problem(format!(
                "field `{name}` of struct `{of}` is no C++ name; give it another with `#[cxx(name = \"..\")]`"
            ));
        }
        self.fields.push(FieldLayout { name: name.to_owned(), expr, offset, align: align_of::<T>() });
    }
}

impl Arguments<'_> {
    /// The next type argument.
    pub fn type_argument<T: CxxType>(&mut self) {
        let spelled = T::expr(self.layouts).declare(Language::Cxx, "");
        self.push(&spelled);
    }

    /// The next constant argument.
    pub fn constant(&mut self, value: impl Display) {
        self.push(&value.to_string());
    }

    /// `*` and `[` must not all become the same: `Pair<f64>` and `Pair<*const f64>` are two structs.
    fn push(&mut self, spelled: &str) {
        self.suffix.push('_');
        for c in spelled.replace(" *", "*").chars() {
            match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' => self.suffix.push(c),
                '*' => self.suffix.push_str("_p"),
                '-' => self.suffix.push_str("_m"),
                '[' | '(' => self.suffix.push_str("_of_"),
                ')' | ']' | ':' | '>' => {}
                _ => self.suffix.push('_'),
            }
        }
    }
}

/// An ASCII identifier that is not reserved in C++ or C.
pub(crate) fn is_name(text: &str) -> bool {
    is_identifier(text) && !KEYWORDS.contains(&text)
}

/// `[A-Za-z_][A-Za-z0-9_]*`.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The keywords of C++23 and C17, the alternative tokens, what compilers reserve besides, and the
/// namespace that no other name may hide.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch",
    "char", "char8_t", "char16_t", "char32_t", "class", "compl", "concept", "const", "consteval", "constexpr",
    "constinit", "const_cast", "continue", "co_await", "co_return", "co_yield", "decltype", "default", "delete",
    "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for",
    "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq",
    "nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
    "requires", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast",
    "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid",
    "typename", "typeof", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor",
    "xor_eq", "std", "_Alignas", "_Alignof", "_Atomic", "_Bool", "_Complex", "_Generic", "_Imaginary", "_Noreturn",
    "_Static_assert", "_Thread_local", "__asm__", "__attribute__", "__typeof__",
];

impl Sign for StructLayout {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("StructLayout", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.structure("StructLayout", |signer| {
            signer.field("name", &self.name);
            signer.field("size", &self.size);
            signer.field("align", &self.align);
            signer.field("fields", &self.fields);
        });
    }
}

impl Sign for FieldLayout {
    fn sign_type(signer: &mut Signer) {
        signer.type_named("FieldLayout", |_| {});
    }
    fn sign(&self, signer: &mut Signer) {
        signer.structure("FieldLayout", |signer| {
            signer.field("name", &self.name);
            signer.field("expr", &self.expr);
            signer.field("offset", &self.offset);
            signer.field("align", &self.align);
        });
    }
}
