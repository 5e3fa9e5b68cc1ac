//! What an object file says about the constants and functions in it, without running anything.
//!
//! A size is the initial value of a constant in an object: that works for any target, and costs no link and no run.

use std::collections::BTreeMap;

use object::{Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionKind};

/// Everything that questions put into objects has a name that begins so.
pub(crate) const PREFIX: &str = "dijitso_q";

/// The constants in it, and what each function in it refers to and does not define.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) values: BTreeMap<String, i64>,
    pub(crate) undefined: BTreeMap<String, Vec<String>>,
}

/// # Errors
/// In words that continue "the object file ..".
pub(crate) fn contents(bytes: &[u8]) -> Result<Contents, String> {
    let file = object::File::parse(bytes).map_err(|error| format!("cannot be read ({error})"))?;
    let mut contents = Contents::default();
    for symbol in file.symbols() {
        let Some(name) = symbol.name().ok().filter(|name| name.starts_with(PREFIX)) else { continue };
        let Some(index) = symbol.section_index() else { continue };
        let section = file.section_by_index(index).map_err(|error| format!("is damaged ({error})"))?;
        if !section.name().is_ok_and(|name| name.starts_with(".text")) {
            let at = symbol.address().saturating_sub(section.address());
            let value = match (section.kind(), section.data_range(section.address() + at, 8)) {
                // Zeros take no room in the file.
                (SectionKind::UninitializedData, _) => 0,
                (_, Ok(Some(bytes))) => {
                    let bytes = bytes.try_into().map_err(|_| format!("holds no whole value of {name}"))?;
                    match file.endianness() {
                        Endianness::Little => i64::from_le_bytes(bytes),
                        Endianness::Big => i64::from_be_bytes(bytes),
                    }
                }
                _ => return Err(format!("holds no whole value of {name}")),
            };
            contents.values.insert(name.to_owned(), value);
        }
    }
    for section in file.sections() {
        let Some(function) = section.name().ok().and_then(|name| name.strip_prefix(".text.")) else {
            continue;
        };
        if !function.starts_with(PREFIX) {
            continue;
        }
        let refers = contents.undefined.entry(function.to_owned()).or_default();
        for (_, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let Ok(symbol) = file.symbol_by_index(index) else { continue };
            if let Some(name) = symbol.name().ok().filter(|name| symbol.is_undefined() && !name.is_empty()) {
                refers.push(name.to_owned());
            }
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn object(text: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t.c"), text).unwrap();
        let flags = ["-O0", "-ffunction-sections", "-fno-lto", "-c", "t.c"];
        assert!(Command::new("cc").current_dir(&dir).args(flags).status().unwrap().success());
        std::fs::read(dir.path().join("t.o")).unwrap()
    }

    #[test]
    fn constants_and_references_are_read() {
        let bytes = object(
            "const long long dijitso_q0 = sizeof(int); const long long dijitso_q1 = -7;\n\
             const long long dijitso_q2 = 0; int f(void); int g(void);\n\
             void dijitso_q3(void) { f(); } void dijitso_q4(void) { g(); f(); }",
        );
        let contents = contents(&bytes).unwrap();
        assert_eq!(contents.values.into_values().collect::<Vec<_>>(), [4, -7, 0]);
        assert_eq!(contents.undefined["dijitso_q3"], ["f"]);
        assert_eq!(contents.undefined["dijitso_q4"], ["g", "f"]);
    }

    #[test]
    fn constants_are_read_in_the_order_of_bytes_of_their_machine() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("t.c"),
            "const long long dijitso_q0 = 258; const long long dijitso_q1 = -7;\n",
        )
        .unwrap();
        for (flag, machine) in [("-mlittle-endian", "little"), ("-mbig-endian", "big")] {
            let compiler =
                Command::new("aarch64-linux-gnu-gcc").current_dir(&dir).args([flag, "-c", "t.c"]).status();
            assert!(compiler.unwrap().success(), "{machine}");
            let contents = contents(&std::fs::read(dir.path().join("t.o")).unwrap()).unwrap();
            assert_eq!(contents.values.into_values().collect::<Vec<_>>(), [258, -7], "{machine}");
        }
    }

    #[test]
    fn a_constant_that_is_not_whole_is_no_zero() {
        let problem = contents(&object("const int dijitso_q0 = 7;")).unwrap_err();
        assert!(problem.contains("dijitso_q0"), "{problem}");
    }

    #[test]
    fn garbage_is_told_and_never_a_panic() {
        assert!(contents(b"garbage").is_err());
        let good = object("const long long dijitso_q0 = 3; void dijitso_q1(void) {}");
        for len in 0..good.len() {
            let _ = contents(&good[..len]);
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = !bad[at];
            let _ = contents(&bad);
        }
    }
}
