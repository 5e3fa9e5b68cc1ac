//! An object that several units were compiled into, seen from each of them.

use std::collections::{HashMap, HashSet};

use object::elf;
use object::read::SectionIndex;
use object::read::elf::{FileHeader as _, Rela as _, SectionHeader as _, Sym as _};

use super::elf::{Header, LITTLE, link_needs};
use crate::toolchain::LinkNeeds;

/// What the units of one object ask of their links.
#[derive(Debug)]
pub(crate) struct Shared {
    all: LinkNeeds,
    /// The section that a symbol is in.
    homes: HashMap<String, SectionIndex>,
    /// Sections and undefined symbols that a section refers to.
    references: HashMap<SectionIndex, (Vec<SectionIndex>, Vec<String>)>,
    /// The functions in a section.
    functions: HashMap<SectionIndex, Vec<String>>,
}

impl Shared {
    /// Reads an object that was compiled with a section for each function and variable.
    ///
    /// # Errors
    /// In words that continue "the object file ..".
    pub(crate) fn read(object: &[u8]) -> Result<Shared, String> {
        let all = link_needs(object)?;
        let damaged = |error: object::Error| format!("is damaged ({error})");
        let mut shared =
            Shared { all, homes: HashMap::new(), references: HashMap::new(), functions: HashMap::new() };
        shared.read_references(object).map_err(damaged)?;
        Ok(shared)
    }

    fn read_references(&mut self, object: &[u8]) -> object::Result<()> {
        let sections = Header::parse(object)?.sections(LITTLE, object)?;
        let symbols = sections.symbols(LITTLE, object, elf::SHT_SYMTAB)?;
        for (index, symbol) in symbols.enumerate() {
            let Some(home) = symbols.symbol_section(LITTLE, symbol, index)? else { continue };
            let name = || -> object::Result<String> {
                Ok(String::from_utf8_lossy(symbol.name(LITTLE, symbols.strings())?).into_owned())
            };
            if symbol.st_type() == elf::STT_FUNC {
                self.functions.entry(home).or_default().push(name()?);
            }
            if !symbol.is_local() {
                self.homes.insert(name()?, home);
            }
        }
        for section in sections.iter() {
            let Some((relocations, _)) = section.rela(LITTLE, object)? else { continue };
            let from = SectionIndex(section.sh_info(LITTLE) as usize);
            let (targets, undefined) = self.references.entry(from).or_default();
            for relocation in relocations {
                let Some(index) = relocation.symbol(LITTLE, false) else { continue };
                let symbol = symbols.symbol(index)?;
                match symbols.symbol_section(LITTLE, symbol, index)? {
                    Some(target) => targets.push(target),
                    None => {
                        let name = symbol.name(LITTLE, symbols.strings())?;
                        if symbol.is_undefined(LITTLE) && !name.is_empty() {
                            undefined.push(String::from_utf8_lossy(name).into_owned());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether something in it runs when a library made from it is loaded: nobody can say for which unit.
    pub(crate) fn has_constructors(&self) -> bool {
        self.all.constructors
    }

    /// What the unit with this entry needs; `None` if the object has no such entry, or if the entry reaches a
    /// function without `own` in its name. Such a function of a header may have more callers here than in the
    /// unit alone, and with one caller the compiler would have put it into that one, with other roundings.
    pub(crate) fn needs_of(&self, entry: &str, own: &str) -> Option<LinkNeeds> {
        let home = *self.homes.get(entry)?;
        let (mut seen, mut next) = (HashSet::from([home]), vec![home]);
        let mut needed = HashSet::new();
        while let Some(section) = next.pop() {
            let Some((targets, undefined)) = self.references.get(&section) else { continue };
            needed.extend(undefined.iter());
            next.extend(targets.iter().copied().filter(|target| seen.insert(*target)));
        }
        let foreign = |name: &&String| !name.contains(own) && *name != "__clang_call_terminate";
        let mut functions = seen.iter().filter_map(|section| self.functions.get(section)).flatten();
        if let Some(foreign) = functions.find(foreign) {
            log::debug!("{entry} shares {foreign} with others");
            return None;
        }
        // Tables for exceptions refer to functions, and not the other way round.
        if self.all.undefined.iter().any(|symbol| symbol.contains("personality")) {
            return Some(self.all.clone());
        }
        let undefined = self.all.undefined.iter().filter(|name| needed.contains(name)).cloned().collect();
        Some(LinkNeeds { undefined, constructors: self.all.constructors })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn object(text: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.cpp");
        std::fs::write(&path, text).unwrap();
        let flags = ["-O2", "-fPIC", "-ffunction-sections", "-fdata-sections", "-c", "t.cpp"];
        let status = Command::new("c++").current_dir(&dir).args(flags).status().unwrap();
        assert!(status.success());
        std::fs::read(dir.path().join("t.o")).unwrap()
    }

    fn undefined(shared: &Shared, entry: &str) -> Vec<String> {
        let needs = shared.needs_of(entry, "").unwrap();
        needs.undefined.into_iter().filter(|name| name != "_GLOBAL_OFFSET_TABLE_").collect()
    }

    #[test]
    fn each_entry_needs_what_it_reaches() {
        let shared = Shared::read(&object(
            "extern \"C\" double sin(double) noexcept; extern \"C\" double cos(double) noexcept;\n\
             namespace { double (*volatile by)(double) = sin;\n\
             __attribute__((noinline)) double deep(double x) { return by(x) + 1; } }\n\
             extern \"C\" double a(double x) { return deep(x) * 2; }\n\
             extern \"C\" double b(double x) { return cos(x); }\n\
             extern \"C\" double c(double x) { return x; }\n",
        ))
        .unwrap();
        assert!(!shared.has_constructors());
        assert_eq!(undefined(&shared, "a"), ["sin"]);
        assert_eq!(undefined(&shared, "b"), ["cos"]);
        assert!(undefined(&shared, "c").is_empty());
        assert!(shared.needs_of("d", "").is_none());
        // `deep` is not `a`'s own.
        assert!(shared.needs_of("a", "a").is_none());
    }

    #[test]
    fn constructors_and_exceptions_concern_all() {
        let shared = Shared::read(&object(
            "extern \"C\" int f(); namespace { const int at = f(); }\n\
             extern \"C\" int a() { return at; }\n\
             extern \"C\" int b(int x) { try { if (x) throw x; } catch (int) {} return 0; }\n",
        ))
        .unwrap();
        assert!(shared.has_constructors());
        assert!(undefined(&shared, "a").iter().any(|name| name == "__cxa_throw"));
    }

    #[test]
    fn garbage_is_told() {
        assert!(Shared::read(b"garbage").is_err());
        let good = object("extern \"C\" int a() { return 1; }");
        for len in 0..good.len() {
            let _ = Shared::read(&good[..len]);
        }
    }
}
