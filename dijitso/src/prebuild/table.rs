//! The file that `include_prebuilt!` includes: Rust that leads from spec signatures to addresses.
//!
//! Every symbol is referred to by name, in the same item that names the archive. So whatever crate or target
//! includes it links what it needs, and no linker can drop a kernel that the program can ask for.

use std::fmt::Write as _;

use super::archive::{Libraries, Library};
use super::cargo::Cargo;
use super::object::Definition;
use super::plan::Plan;
use super::symbols::Linked;
use crate::error::Result;

/// Must be what `__prebuilt_table!` takes. Another one whenever the form of the table or the way in which specs
/// are signed changes.
const FORMAT: u32 = 1;

pub(super) fn write(cargo: &Cargo, plan: &Plan, libraries: &Libraries, linked: &[Linked]) -> Result<()> {
    let mut rows: Vec<(&[u8; 32], usize, Vec<&Linked>)> = Vec::new();
    let signatures: Vec<_> = plan.kernels.iter().map(|kernel| kernel.spec.signature()).collect();
    for (kernel, signature) in signatures.iter().enumerate() {
        let mut variants: Vec<&Linked> = linked.iter().filter(|linked| linked.kernel == kernel).collect();
        // The first that runs is taken.
        variants.sort_by_key(|linked| std::cmp::Reverse(linked.features.bits().count_ones()));
        rows.push((signature.as_bytes(), kernel, variants));
    }
    rows.sort_by_key(|(signature, ..)| *signature);

    let mut names = Names::default();
    let mut table = String::new();
    for (signature, kernel, variants) in &rows {
        let _ = writeln!(table, "        // {}", plan.kernels[*kernel].spec.description().replace('\n', " "));
        let _ = writeln!(table, "        Row {{ spec: *b\"{}\", variants: &[", bytes(*signature));
        for linked in variants {
            let entry = match linked.has_entry {
                true => names.address(&linked.symbol, Definition::Function),
                false => "::core::ptr::null()".to_owned(),
            };
            let _ = writeln!(
                table,
                "            Variant {{ content: *b\"{}\", features: {}, entry: Address({entry}), exports: &[",
                bytes(linked.content.as_bytes()),
                number(linked.features.bits())
            );
            // A thread-local variable is for kernels that depend on this one; it has no address of its own.
            for export in linked.exports.iter().filter(|export| export.definition != Definition::Other) {
                let size = match export.definition {
                    Definition::Data { size } => format!("Some({})", number(size.into())),
                    _ => "None".to_owned(),
                };
                let address = names.address(&export.symbol, export.definition);
                let _ = writeln!(
                    table,
                    "                Exported {{ name: {:?}, size: {size}, address: Address({address}) }},",
                    export.name
                );
            }
            table.push_str("            ] },\n");
        }
        table.push_str("            ] },\n");
    }

    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("// Written by build.rs, with dijitso {version}.\n");
    let _ = writeln!(text, "dijitso_table! {{\n    format {FORMAT}; {version:?};");
    if !linked.is_empty() {
        let _ = writeln!(text, "    #[link(name = {:?}, kind = \"static\")]", cargo.library());
        for library in &libraries.all {
            let _ = match library {
                Library::Named(name) => writeln!(text, "    #[link(name = {name:?})]"),
                Library::File(name) => {
                    writeln!(
                        text,
                        "    #[link(name = {name:?}, kind = \"dylib\", modifiers = \"+verbatim\")]"
                    )
                }
            };
        }
    }
    let _ = writeln!(text, "    {{\n{}    }}", names.declarations);
    text.push_str("    #[allow(unused_imports)]\n    use dijitso_prebuilt::{Address, Exported, Prebuilt, Row, Variant};\n");
    let _ = writeln!(text, "    static ROWS: [Row; {}] = [\n{table}    ];", rows.len());
    text.push_str("    Prebuilt::new(&ROWS)\n}\n");
    cargo.write(&cargo.out_dir.join("dijitso_prebuilt.rs"), text.as_bytes())
}

/// A table for crates that do without.
pub(super) fn write_without_kernels(cargo: &Cargo) -> Result<()> {
    write(cargo, &Plan { kernels: Vec::new() }, &Libraries::default(), &[])
}

/// What the table refers to.
#[derive(Default)]
struct Names {
    declarations: String,
    count: usize,
    known: std::collections::HashMap<String, String>,
}

impl Names {
    /// The address of a symbol, as an expression.
    fn address(&mut self, symbol: &str, definition: Definition) -> String {
        if let Some(known) = self.known.get(symbol) {
            return known.clone();
        }
        let name = format!("s{}", self.count);
        self.count += 1;
        let (declaration, address) = match definition {
            Definition::Data { .. } => {
                (format!("static {name}: u8;"), format!("&raw const {name} as *const ()"))
            }
            _ => (format!("fn {name}();"), format!("{name} as *const ()")),
        };
        let _ = writeln!(
            self.declarations,
            "        #[allow(non_upper_case_globals)]\n        #[link_name = {symbol:?}]\n        {declaration}"
        );
        self.known.insert(symbol.to_owned(), address.clone());
        address
    }
}

/// `0x0180_3fff`: as crates with many lints want it.
fn number(number: u128) -> String {
    let digits = format!("{number:x}");
    let digits = format!("{}{digits}", "0".repeat((4 - digits.len() % 4) % 4));
    let groups: Vec<&str> = (0..digits.len()).step_by(4).filter_map(|at| digits.get(at..at + 4)).collect();
    format!("0x{}", groups.join("_"))
}

fn bytes(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(4 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_written_as_lints_want_them() {
        for (n, text) in [(0, "0x0000"), (0x12345, "0x0001_2345"), (0xfff_ffff, "0x0fff_ffff")] {
            assert_eq!(number(n), text);
        }
        assert_eq!(number(u128::MAX).matches("_ffff").count(), 7);
    }
}
