//! The item under `#[dijitso::kernel]`, and everything that a generator cannot be.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::visit::{self, Visit};
use syn::{Attribute, FnArg, Lifetime, PatType, ReturnType, Safety, Signature, Token, Type, Visibility};

use crate::report::Report;

/// More arguments than this belong in a struct; the runtime signs tuples up to here.
const MOST_ARGUMENTS: usize = 16;

/// A function that can be a generator.
pub(crate) struct Generator {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) arguments: Vec<PatType>,
    pub(crate) output: Type,
    /// Braces and what is between them, not parsed: the compiler reports mistakes in it better.
    pub(crate) body: TokenTree,
}

impl Generator {
    /// Reads the item; everything that is wrong with it goes to `report`.
    pub(crate) fn read(tokens: TokenStream, report: &mut Report) -> Option<Generator> {
        let function = match (|input: ParseStream| Function::parse(input)).parse2(tokens) {
            Ok(function) => function,
            Err(error) => {
                report.push(error);
                return None;
            }
        };
        let mut problems = Report::default();
        refuse_qualifiers(&function.signature, &mut problems);
        let arguments = arguments(&function.signature, &mut problems);
        let output = output(&function.signature, &mut problems);
        let Function { attributes, visibility, signature, body } = function;
        let generator = match output {
            Some(output) if problems.is_empty() => {
                Some(Generator { attributes, visibility, signature, arguments, output, body })
            }
            _ => None,
        };
        report.append(problems);
        generator
    }
}

/// Any function with a body.
struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: TokenTree,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> syn::Result<Function> {
        const WANTED: &str =
            "`#[kernel]` goes on a function that returns the kernel's source: `fn axpy(..) -> Source<Axpy>`";
        let attributes = input.call(Attribute::parse_outer)?;
        let start = input.cursor();
        let visibility = input.parse()?;
        // Only a function has these words up to its `fn`; anything else would end in a syntax error
        // about what the user never meant to write.
        if !is_function(&input.fork()) {
            return Err(syn::Error::new(start.span(), WANTED));
        }
        let signature = input.parse()?;
        if !input.peek(syn::token::Brace) {
            return Err(syn::Error::new_spanned(signature, format!("this function has no body; {WANTED}")));
        }
        let body = input.parse()?;
        Ok(Function { attributes, visibility, signature, body })
    }
}

fn is_function(input: ParseStream) -> bool {
    while !input.peek(Token![fn]) {
        let qualifier = input.peek(Token![const])
            || input.peek(Token![async])
            || input.peek(Token![unsafe])
            || input.peek(Token![extern])
            || input.peek(syn::LitStr);
        if !qualifier || input.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    true
}

fn refuse_qualifiers(signature: &Signature, report: &mut Report) {
    if let Some(word) = &signature.constness {
        report.at(
            word,
            "a generator runs when its kernel is first needed, not at compile time; remove `const`",
        );
    }
    if let Some(word) = &signature.asyncness {
        report.at(word, "a generator is called without an executor; remove `async`");
    }
    if let Safety::Unsafe(word) = &signature.safety {
        report.at(
            word,
            "a generator is called by dijitso, which cannot keep a promise for you; remove `unsafe`: \
             the promise about the generated text is at `unsafe { Source::new(..) }`",
        );
    }
    if let Some(abi) = &signature.abi {
        report.at(
            abi,
            "the generator itself is Rust; only the kernel's type, in `Source<..>`, says `extern \"C\"`",
        );
    }
    if !signature.generics.params.is_empty() {
        report.at(
            &signature.generics,
            "a generator has no generic parameters: a kernel is known by its name and its arguments' values; \
             pass what differs as an argument, for example an enum with `#[derive(Sign)]`",
        );
    }
    if let Some(clause) = &signature.generics.where_clause {
        report.at(clause, "a generator has no generic parameters, so nothing to put into a `where`");
    }
    if let Some(variadic) = &signature.variadic {
        report.at(variadic, "a generator takes a fixed list of arguments; pass a `Vec`");
    }
}

fn arguments(signature: &Signature, report: &mut Report) -> Vec<PatType> {
    let mut arguments = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                report.at(
                    receiver,
                    "a generator is a free function, without `self`; pass what it needs as arguments",
                );
            }
            FnArg::Typed(argument) => {
                refuse_conditional(&argument.attrs, report);
                Storable { report }.visit_type(&argument.ty);
                arguments.push(argument.clone());
            }
        }
    }
    if let Some(first) = arguments.get(MOST_ARGUMENTS) {
        report.at(
            first,
            format!("a generator has at most {MOST_ARGUMENTS} arguments; put them into a struct with `#[derive(Sign)]`"),
        );
    }
    arguments
}

fn refuse_conditional(attributes: &[Attribute], report: &mut Report) {
    for attribute in attributes.iter().filter(|a| a.path().is_ident("cfg") || a.path().is_ident("cfg_attr")) {
        report.at(attribute, "a single argument of a generator cannot be conditional; write the function twice, each under `#[cfg(..)]`");
    }
}

fn output(signature: &Signature, report: &mut Report) -> Option<Type> {
    match &signature.output {
        ReturnType::Type(_, output) => {
            Nameable { report }.visit_type(output);
            Some(Type::clone(output))
        }
        ReturnType::Default => {
            let parentheses = signature.paren_token.span;
            report.push(syn::Error::new(
                parentheses.close(),
                "a generator returns the kernel's source: add `-> Source<F>` or `-> Result<Source<F>, E>`, \
                 with F the kernel's type, such as `unsafe extern \"C\" fn(usize, *mut f64)`",
            ));
            None
        }
    }
}

/// Reports, inside an argument's type, what cannot be kept until the kernel is generated.
struct Storable<'r> {
    report: &'r mut Report,
}

impl Visit<'_> for Storable<'_> {
    fn visit_type_reference(&mut self, reference: &syn::TypeReference) {
        if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static") {
            return visit::visit_type_reference(self, reference);
        }
        let instead = owned(&reference.elem);
        self.report.at(
            reference,
            format!("a generator may run after its caller has returned, so it cannot borrow; take {instead}"),
        );
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.report.at(
                lifetime,
                "a generator may run after its caller has returned, so it cannot borrow; \
                 take an owned value, an `Arc`, or something `'static`",
            );
        }
    }

    fn visit_type_impl_trait(&mut self, anonymous: &syn::TypeImplTrait) {
        self.report.at(
            anonymous,
            "`impl Trait` is a generic parameter, and a generator has none; name the type, \
             or use an enum with `#[derive(Sign)]`",
        );
    }

    // Lifetimes inside a function's type are its own, not borrowed from the caller.
    fn visit_type_fn_ptr(&mut self, _: &syn::TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments(&mut self, _: &syn::ParenthesizedGenericArguments) {}
}

/// Reports, in the return type, what leaves the kernel's type unknown.
struct Nameable<'r> {
    report: &'r mut Report,
}

impl Visit<'_> for Nameable<'_> {
    fn visit_type_impl_trait(&mut self, anonymous: &syn::TypeImplTrait) {
        self.report.at(
            anonymous,
            "the kernel's type must be known from the outside; write `Source<F>` or `Result<Source<F>, E>`",
        );
    }
}

/// What to take instead of a reference to `referent`.
fn owned(referent: &Type) -> String {
    let last = match referent {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        Type::Slice(slice) => return format!("`Vec<{}>`", shown(&slice.elem)),
        Type::TraitObject(_) => return format!("`Arc<{}>`", shown(referent)),
        _ => None,
    };
    match last.as_deref() {
        Some("str") => "`String` (or `Arc<str>`)".to_owned(),
        Some("Path") => "`PathBuf`".to_owned(),
        Some("OsStr") => "`OsString`".to_owned(),
        _ => format!("`{0}` (or `Arc<{0}>`)", shown(referent)),
    }
}

/// A type as one writes it; the spaces of a token stream's text would look odd in a message.
fn shown(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    text.replace(" < ", "<")
        .replace(" <", "<")
        .replace(" >", ">")
        .replace(" :: ", "::")
        .replace(" ,", ",")
        .replace(" ;", ";")
}
