//! Names for everything that the objects define, so that they can share a program.

use std::collections::HashMap;

use super::cargo::Cargo;
use super::compiler::Compilers;
use super::merge::merge;
use super::object::{self, Definition};
use super::plan::{Plan, Planned};
use super::shelf::Shelf;
use super::side_by_side::Object;
use crate::error::Error;
use crate::signature::{Signature, Signer, digest};
use crate::toolchain::CpuFeatures;

/// An object that is ready to be part of a program.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) kernel: usize,
    pub(super) symbol: String,
    pub(super) features: CpuFeatures,
    pub(super) content: Signature,
    pub(super) bytes: Vec<u8>,
    pub(super) has_entry: bool,
    pub(super) exports: Vec<Export>,
    /// What others must define, by its new name.
    pub(super) undefined: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Export {
    /// As the source has it.
    pub(super) name: String,
    /// As the program has it.
    pub(super) symbol: String,
    pub(super) definition: Definition,
}

/// Gives what each object defines names of its own, and what it takes from its dependencies the names that it has
/// there.
pub(super) fn separate(
    cargo: &Cargo,
    plan: &Plan,
    compilers: &Compilers<'_>,
    shelf: &Shelf,
    objects: Vec<Object>,
) -> Result<Vec<Linked>, Vec<Error>> {
    let mut linked: Vec<Linked> = Vec::with_capacity(objects.len());
    let mut errors = Vec::new();
    // In the order of the plan for each processor, so what a kernel depends on comes before it.
    let mut places: HashMap<(usize, Option<String>), usize> = HashMap::new();
    for mut object in objects {
        let planned = &plan.kernels[object.kernel];
        let dir = shelf.dir(&object.symbol);
        let merged = compilers
            .of(planned.parts.language)
            .and_then(|compiler| merge(cargo, compiler, planned, &dir, std::mem::take(&mut object.bytes)));
        match merged {
            Ok(bytes) => object.bytes = bytes,
            Err(error) => {
                errors.push(error);
                continue;
            }
        }
        let place = |kernel: usize| places.get(&(kernel, object.cpu.clone())).copied();
        let below: Vec<&Linked> =
            planned.dependencies.iter().filter_map(|kernel| linked.get(place(*kernel)?)).collect();
        match separate_one(planned, &object, &below) {
            Ok(one) => {
                places.insert((object.kernel, object.cpu.clone()), linked.len());
                linked.push(one);
            }
            Err(problem) => errors.push(Error::Compiler {
                kernel: planned.spec.at(),
                problem: format!("the object file of the compiler {problem}"),
                log: String::new(),
                bundle: None,
            }),
        }
    }
    if errors.is_empty() { Ok(linked) } else { Err(errors) }
}

fn separate_one(planned: &Planned, object: &Object, below: &[&Linked]) -> Result<Linked, String> {
    let symbols = object::symbols(&object.bytes)?;
    // Names that people see in profiles: a demangler shows what follows the dot as a clone.
    let digits = object.symbol.rsplit('_').next().unwrap_or_default();
    let suffix = format!("{}_{}", planned.spec.name(), digits.get(..16).unwrap_or(digits));
    let (mut renamed, mut exports, mut undefined) = (HashMap::new(), Vec::new(), Vec::new());
    let mut has_entry = false;
    for symbol in symbols {
        let name = symbol.name;
        if name == object.symbol {
            has_entry = true;
            exports.push(Export { symbol: name.clone(), name, definition: symbol.definition });
        } else if symbol.definition.is_here() {
            let new = format!("{name}.{suffix}");
            if planned.parts.exports.iter().any(|pattern| matches(pattern, &name)) {
                exports.push(Export {
                    name: name.clone(),
                    symbol: new.clone(),
                    definition: symbol.definition,
                });
            }
            renamed.insert(name, new);
        } else {
            let theirs = below.iter().find_map(|linked| linked.exports.iter().find(|e| e.name == name));
            match theirs {
                Some(export) => {
                    renamed.insert(name, export.symbol.clone());
                }
                // The linker would give it what all kernels of the program have there, and some linkers nothing.
                None if name.starts_with("__start_") || name.starts_with("__stop_") => {
                    return Err(format!(
                        "uses `{name}`, a section that linkers collect from the whole program; leave this kernel to the \
                         run time"
                    ));
                }
                None if symbol.definition == Definition::Missing => undefined.push(name),
                None => {}
            }
        }
    }
    if planned.parts.abi.is_some() && !has_entry {
        return Err(format!(
            "does not define `{}`; is there a flag that keeps functions from being seen (-fwhole-program)?",
            object.symbol
        ));
    }
    let bytes = object::separate(&object.bytes, &renamed)?;
    let mut signer = Signer::quiet("dijitso prebuilt content 1");
    signer.field("spec", &planned.spec.signature());
    signer.field("object", &digest(&bytes));
    signer.field("below", &below.iter().map(|linked| linked.content).collect::<Vec<_>>());
    Ok(Linked {
        kernel: object.kernel,
        symbol: object.symbol.clone(),
        features: object.features,
        content: signer.finish(),
        bytes,
        has_entry,
        exports,
        undefined,
    })
}

/// Whether a linker's pattern, in which `*` stands for any characters, fits a name.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(middle) = last.replace(piece) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + middle.len()..],
                None => return false,
            }
        }
    }
    match last {
        Some(end) => rest.ends_with(end),
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, name) in [
            ("f", "f"),
            ("*", ""),
            ("*", "abc"),
            ("create_*", "create_form"),
            ("*form*", "create_form_0"),
            ("_ZN*poisson*C*Ev", "_ZN7poissonC1Ev"),
            ("a**b", "ab"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("f", "ff"), ("", "f"), ("create_*", "form"), ("*a*b", "b_a"), ("ab*b", "ab"), ("a*", "")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
