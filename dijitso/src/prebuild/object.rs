//! Object files: what they define and need, and giving their symbols other names.
//!
//! Many units share one program, and each may have a class of the same name, in another version. Linkers merge
//! what C++ may define more than once (inline functions, virtual tables, static members of templates) by name
//! alone, so everything that a unit defines gets a name of its own: then there is nothing to merge, to clash or
//! to be seen by others. `ld -r` and `objcopy` could make the symbols local instead, but they would have to be
//! there, cost two processes for each kernel, and leave what GNU compilers define as "unique" global.
//!
//! The names are changed in the symbol table itself; its strings move to the end of the file. Code, relocations
//! and the order of symbols stay as they are.

use std::collections::HashMap;

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};
use object::{LittleEndian, SectionIndex};

type Header = FileHeader64<LittleEndian>;
const LITTLE: LittleEndian = LittleEndian;

/// One symbol that others can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) definition: Definition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Definition {
    Function,
    Data {
        /// In bytes.
        size: u64,
    },
    /// Thread-local variables, and what has no address.
    Other,
    /// Somebody else must define it.
    Missing,
    /// Somebody else may.
    MissingWeak,
}

impl Definition {
    pub(super) fn is_here(self) -> bool {
        !matches!(self, Definition::Missing | Definition::MissingWeak)
    }
}

/// The symbols of an object that are not local.
///
/// # Errors
/// In words that continue "the object file ..".
pub(super) fn symbols(object: &[u8]) -> Result<Vec<Symbol>, String> {
    read(object).map_err(|error| format!("cannot be read ({error}); is it for another kind of machine?"))
}

fn read(object: &[u8]) -> object::Result<Vec<Symbol>> {
    let sections = Header::parse(object)?.sections(LITTLE, object)?;
    let table = sections.symbols(LITTLE, object, elf::SHT_SYMTAB)?;
    let mut symbols = Vec::new();
    for symbol in table.iter().skip(1).filter(|symbol| !symbol.is_local()) {
        let name = String::from_utf8_lossy(symbol.name(LITTLE, table.strings())?).into_owned();
        let code = |index: u16| {
            let section = sections.section(SectionIndex(index.into()));
            section.is_ok_and(|section| section.sh_flags(LITTLE).contains(elf::SHF_EXECINSTR))
        };
        let section = symbol.st_shndx(LITTLE).index();
        let definition = match symbol.st_type() {
            _ if symbol.is_undefined(LITTLE) && symbol.st_bind() == elf::STB_WEAK => Definition::MissingWeak,
            _ if symbol.is_undefined(LITTLE) => Definition::Missing,
            elf::STT_FUNC | elf::STT_GNU_IFUNC => Definition::Function,
            elf::STT_NOTYPE if section.is_some_and(code) => Definition::Function,
            elf::STT_OBJECT | elf::STT_COMMON | elf::STT_NOTYPE => {
                Definition::Data { size: symbol.st_size(LITTLE) }
            }
            _ => Definition::Other,
        };
        symbols.push(Symbol { name, definition });
    }
    Ok(symbols)
}

const SYMBOL: usize = 24;
const GROUP_SHARED: u32 = 1;

/// The object with the names of `renamed` in the place of others. What it defines can be seen by the rest of the
/// program only, and is never merged with anything.
///
/// # Errors
/// As for [`symbols`].
pub(super) fn separate(object: &[u8], renamed: &HashMap<String, String>) -> Result<Vec<u8>, String> {
    edit(object, renamed).ok_or_else(|| "is damaged".to_owned())
}

fn edit(object: &[u8], renamed: &HashMap<String, String>) -> Option<Vec<u8>> {
    let header = Header::parse(object).ok()?;
    let sections = header.sections(LITTLE, object).ok()?;
    let table = sections.symbols(LITTLE, object, elf::SHT_SYMTAB).ok()?;
    let strings = sections.section(table.string_section()).ok()?;
    // Section names may be among them, and have to stay.
    let mut names = strings.data(LITTLE, object).ok()?.to_vec();
    let first = sections.section(table.section()).ok()?.sh_offset(LITTLE) as usize;
    let mut edited = object.to_vec();

    for (index, symbol) in table.iter().enumerate().skip(1).filter(|(_, symbol)| !symbol.is_local()) {
        let at = first + index * SYMBOL;
        let name = String::from_utf8_lossy(symbol.name(LITTLE, table.strings()).ok()?);
        if let Some(new) = renamed.get(&*name) {
            put(&mut edited, at, &(names.len() as u32).to_le_bytes())?;
            names.extend_from_slice(new.as_bytes());
            names.push(0);
        }
        if !symbol.is_undefined(LITTLE) {
            // Weak or unique is what others could define as well.
            let info = elf::STB_GLOBAL.0 << 4 | symbol.st_info.0 & 0xf;
            put(&mut edited, at + 4, &[info, elf::STV_HIDDEN.0])?;
        }
    }
    for section in sections.iter().filter(|section| section.sh_type(LITTLE) == elf::SHT_GROUP) {
        let at = section.sh_offset(LITTLE) as usize;
        let flags = object.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        put(&mut edited, at, &(flags.unwrap_or_default() & !GROUP_SHARED).to_le_bytes())?;
    }

    let section = header.e_shoff.get(LITTLE) as usize + table.string_section().0 * 64;
    let end = edited.len() as u64;
    put(&mut edited, section + 24, &end.to_le_bytes())?;
    put(&mut edited, section + 32, &(names.len() as u64).to_le_bytes())?;
    edited.extend_from_slice(&names);
    Some(edited)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..at.checked_add(value.len())?)?.copy_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the compiler of this machine makes of a text, without optimization.
    fn compiled(text: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.cpp"), text).unwrap();
        let done = std::process::Command::new("c++")
            .args(["-O0", "-fPIC", "-c", "x.cpp", "-o", "x.o"])
            .current_dir(&dir)
            .status()
            .unwrap();
        assert!(done.success());
        std::fs::read(dir.path().join("x.o")).unwrap()
    }

    const TEXT: &str =
        "template <class T> struct S { static T value; }; template <class T> T S<T>::value = 3;
        inline int both() { static int calls; return ++calls; }
        extern int elsewhere(); extern int maybe() __attribute__((weak)); thread_local int mine;
        extern \"C\" { extern const double weights[2]; const double weights[2] = {1, 2};
        int entry() { return S<int>::value + both() + elsewhere() + (maybe ? maybe() : mine); } }";

    #[test]
    fn names_kinds_and_sizes_are_read() {
        let symbols = symbols(&compiled(TEXT)).unwrap();
        let of =
            |name: &str| symbols.iter().find(|symbol| symbol.name == name).map(|symbol| symbol.definition);
        assert_eq!(of("entry"), Some(Definition::Function));
        assert_eq!(of("weights"), Some(Definition::Data { size: 16 }));
        assert_eq!(of("mine"), Some(Definition::Other));
        assert_eq!(of("_Z9elsewherev"), Some(Definition::Missing));
        assert_eq!(of("_Z5maybev"), Some(Definition::MissingWeak));
        assert_eq!(of("_Z4bothv"), Some(Definition::Function));
        assert_eq!(of("_ZN1SIiE5valueE"), Some(Definition::Data { size: 4 }));
    }

    #[test]
    fn what_is_renamed_is_hidden_and_merged_with_nothing() {
        let object = compiled(TEXT);
        let names: HashMap<String, String> = symbols(&object)
            .unwrap()
            .into_iter()
            .filter(|symbol| symbol.definition.is_here())
            .map(|symbol| (symbol.name.clone(), format!("{}.x", symbol.name)))
            .collect();
        let edited = separate(&object, &names).unwrap();
        let after = symbols(&edited).unwrap();
        for symbol in &after {
            assert_eq!(symbol.definition.is_here(), symbol.name.ends_with(".x"), "{symbol:?}");
        }
        assert_eq!(after.len(), symbols(&object).unwrap().len());
        let header = Header::parse(&*edited).unwrap();
        let sections = header.sections(LITTLE, &*edited).unwrap();
        let table = sections.symbols(LITTLE, &*edited, elf::SHT_SYMTAB).unwrap();
        for symbol in table.iter().skip(1).filter(|s| !s.is_local() && !s.is_undefined(LITTLE)) {
            assert_eq!((symbol.st_bind(), symbol.st_visibility()), (elf::STB_GLOBAL, elf::STV_HIDDEN));
        }
        let groups: Vec<&[u8]> = sections
            .iter()
            .filter(|section| section.sh_type(LITTLE) == elf::SHT_GROUP)
            .map(|section| &section.data(LITTLE, &*edited).unwrap()[..4])
            .collect();
        assert!(groups.len() >= 2 && groups.iter().all(|flags| *flags == [0; 4]), "{groups:?}");
    }

    #[test]
    fn garbage_is_told_and_never_a_panic() {
        assert!(symbols(b"garbage").unwrap_err().contains("cannot be read"));
        let good = compiled("int f() { return 1; }");
        let names = HashMap::from([("_Z1fv".to_owned(), "g".to_owned())]);
        for len in (0..good.len()).step_by(3) {
            let _ = (symbols(&good[..len]), separate(&good[..len], &names));
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = !bad[at];
            let _ = (symbols(&bad), separate(&bad, &names));
        }
    }
}
