//! Other kernels, as the build of one that depends on them needs them.

use std::collections::HashMap;

use super::unit::Unit;

/// A dependency as the build needs it.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) name: String,
    pub(crate) soname: String,
    pub(crate) elf: Vec<u8>,
    pub(crate) headers: Vec<(String, String)>,
    /// Only its headers are wanted: it is needed by a dependency, not by the unit itself.
    pub(crate) headers_only: bool,
}

/// Two dependencies that bring different headers under one name: only one of them can lie in the
/// directory of the build, and whoever includes the other would silently get the wrong one.
pub(crate) fn clash(linked: &[Linked], unit: &Unit) -> Option<String> {
    let mut known: HashMap<&str, (&Linked, &str)> = HashMap::new();
    for one in linked {
        for (header, text) in &one.headers {
            let (first, other) = *known.entry(header).or_insert((one, text));
            // A header of the unit itself takes the place of both.
            if other != text && !unit.headers.iter().any(|(own, _)| own == header) {
                return Some(format!(
                    "it depends on `{}` and `{}`, which bring two different headers `{header}`; \
                     give one of them another name",
                    first.name, one.name
                ));
            }
        }
    }
    None
}
