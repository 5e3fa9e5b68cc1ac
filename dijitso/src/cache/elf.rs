//! What a library says about itself, read from its bytes: its name, what it needs, and what it exports.

use object::LittleEndian;
use object::SectionIndex;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _, SectionTable, Sym as _};
use serde::{Deserialize, Serialize};

use super::seal::MACHINE;

type Header = FileHeader64<LittleEndian>;
const LITTLE: LittleEndian = LittleEndian;

/// A symbol that a library defines for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Export {
    pub(crate) name: String,
    pub(crate) kind: SymbolKind,
}

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SymbolKind {
    Function,
    Data {
        /// In bytes.
        size: u64,
    },
}

/// The functions and variables that a library exports, in the order of its symbol table; empty if the
/// bytes are no library.
///
/// Thread-local variables are left out: their address holds for one thread only.
pub(crate) fn exports(elf: &[u8]) -> Vec<Export> {
    try_exports(elf).unwrap_or_default()
}

fn try_exports(elf: &[u8]) -> object::Result<Vec<Export>> {
    let sections = Header::parse(elf)?.sections(LITTLE, elf)?;
    let symbols = sections.symbols(LITTLE, elf, elf::SHT_DYNSYM)?;
    let mut exports = Vec::new();
    for symbol in symbols.iter() {
        let visible = matches!(symbol.st_visibility(), elf::STV_DEFAULT | elf::STV_PROTECTED);
        // Special sections: undefined symbols, and the absolute ones that name versions.
        let Some(section) = symbol.st_shndx(LITTLE).index().filter(|_| visible && !symbol.is_local()) else {
            continue;
        };
        let size = symbol.st_size(LITTLE);
        let kind = match symbol.st_type() {
            elf::STT_FUNC | elf::STT_GNU_IFUNC => SymbolKind::Function,
            // Hand-written assembly often names no types.
            elf::STT_NOTYPE if is_code(&sections, section) => SymbolKind::Function,
            elf::STT_OBJECT | elf::STT_NOTYPE => SymbolKind::Data { size },
            _ => continue,
        };
        let name = symbol.name(LITTLE, symbols.strings())?;
        exports.push(Export { name: String::from_utf8_lossy(name).into_owned(), kind });
    }
    Ok(exports)
}

fn is_code(sections: &SectionTable<'_, Header>, index: u16) -> bool {
    let section = sections.section(SectionIndex(index.into()));
    section.is_ok_and(|section| section.sh_flags(LITTLE).contains(elf::SHF_EXECINSTR))
}

/// What the dynamic loader reads of a library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dynamic {
    /// The name under which others need it.
    pub(super) soname: Option<String>,
    /// The libraries that are loaded with it (`DT_NEEDED`), in their order.
    pub(super) needed: Vec<String>,
}

/// What the loader would read, without running it (nor `ldd`, which runs it).
///
/// # Errors
/// In words that continue "its library ..".
pub(super) fn dynamic(bytes: &[u8]) -> Result<Dynamic, String> {
    let header = Header::parse(bytes).map_err(|error| format!("is no ELF file ({error})"))?;
    if header.e_type.get(LITTLE) != elf::ET_DYN {
        return Err("is no shared object".to_owned());
    }
    let machine = header.e_machine(LITTLE).0;
    if machine != MACHINE {
        return Err(format!("is for another architecture (ELF machine {machine})"));
    }
    try_dynamic(header, bytes).map_err(|error| format!("is damaged ({error})"))
}

fn try_dynamic(header: &Header, bytes: &[u8]) -> object::Result<Dynamic> {
    let table = header.sections(LITTLE, bytes)?.dynamic_table(LITTLE, bytes)?;
    let mut found = Dynamic::default();
    for item in &table {
        let text = || table.string(item).map(|text| String::from_utf8_lossy(text).into_owned());
        match item.tag {
            elf::DT_SONAME => found.soname = Some(text()?),
            elf::DT_NEEDED => found.needed.push(text()?),
            _ => {}
        }
    }
    Ok(found)
}
