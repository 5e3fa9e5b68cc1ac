//! What object files and libraries need and export.

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};

use crate::cache::MACHINE;
pub(crate) use crate::cache::elf::{Export, SymbolKind, exports};
use crate::toolchain::LinkNeeds;

pub(super) type Header = FileHeader64<LittleEndian>;
pub(super) const LITTLE: LittleEndian = LittleEndian;

/// What an object file asks of the link.
///
/// # Errors
/// In words that continue "the object file ..".
pub(crate) fn link_needs(object: &[u8]) -> Result<LinkNeeds, String> {
    // With `-flto` the symbols are inside intermediate code, which only the driver can link.
    const INTERMEDIATE: &str = "__gnu_lto_slim";
    if object.starts_with(b"BC\xc0\xde") {
        return Ok(LinkNeeds { undefined: vec![INTERMEDIATE.to_owned()], constructors: true });
    }
    let header = Header::parse(object).map_err(|error| format!("is no ELF file ({error})"))?;
    let machine = header.e_machine(LITTLE);
    if machine.0 != MACHINE {
        return Err(format!("is for another architecture (ELF machine {})", machine.0));
    }
    read_needs(header, object, INTERMEDIATE).map_err(|error| format!("is damaged ({error})"))
}

fn read_needs(header: &Header, object: &[u8], intermediate: &str) -> object::Result<LinkNeeds> {
    let sections = header.sections(LITTLE, object)?;
    let symbols = sections.symbols(LITTLE, object, elf::SHT_SYMTAB)?;
    let mut undefined = Vec::new();
    for symbol in symbols.iter().skip(1) {
        let name = symbol.name(LITTLE, symbols.strings())?;
        if (symbol.is_undefined(LITTLE) && !name.is_empty()) || name == intermediate.as_bytes() {
            undefined.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    let mut constructors = false;
    for section in sections.iter() {
        let runs = matches!(
            section.sh_type(LITTLE),
            elf::SHT_INIT_ARRAY | elf::SHT_FINI_ARRAY | elf::SHT_PREINIT_ARRAY
        );
        let name = sections.section_name(LITTLE, section)?;
        let named = [&b".ctors"[..], b".dtors", b".init", b".fini"];
        constructors |=
            runs || named.contains(&name) || name.starts_with(b".ctors.") || name.starts_with(b".dtors.");
    }
    Ok(LinkNeeds { undefined, constructors })
}

#[cfg(test)]
mod tests {
    use super::super::tiny::tiny;
    use super::*;

    #[test]
    fn garbage_is_told_and_never_a_panic() {
        assert!(exports(b"garbage").is_empty());
        assert!(link_needs(b"").unwrap_err().contains("no ELF"));
        assert!(link_needs(b"BC\xc0\xde...").unwrap().constructors);
        let good = tiny("garbage.so", 1);
        let mut foreign = good.clone();
        foreign[18] ^= 0xff;
        assert!(link_needs(&foreign).unwrap_err().contains("architecture"));
        for len in 0..good.len() {
            let _ = (exports(&good[..len]), link_needs(&good[..len]));
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = !bad[at];
            let _ = (exports(&bad), link_needs(&bad));
        }
    }
}
