//! Kernels that name archives or objects (`.link("/opt/lib/libx.a")`): these become part of the kernel, as they do
//! in a library of its own. What two kernels link to cannot clash, even if it has the same names.

use std::path::{Path, PathBuf};

use super::cargo::Cargo;
use super::compiler::{Compiler, cannot_start};
use super::plan::Planned;
use crate::error::{Error, Result};
use crate::process::Running;

/// Whether a library is put into the kernel.
pub(super) fn is_merged(link: &str) -> bool {
    Path::new(link).is_absolute() && (link.ends_with(".a") || link.ends_with(".o"))
}

/// The object `unit.o` in `dir`, together with what it needs of the archives that the kernel names.
pub(super) fn merge(
    cargo: &Cargo,
    compiler: &Compiler,
    planned: &Planned,
    dir: &Path,
    object: Vec<u8>,
) -> Result<Vec<u8>> {
    let with: Vec<PathBuf> =
        planned.parts.links.iter().filter(|link| is_merged(link)).map(PathBuf::from).collect();
    if with.is_empty() {
        return Ok(object);
    }
    cargo.rerun_for_files(&with);
    let at = planned.spec.at();
    let command = compiler.driver(dir).args(["-r", "-nostdlib", "-o", "merged.o", "unit.o"]).args(&with);
    let output = command.spawn(cargo.fs.counters()).map(Running::into_output);
    let output = output.map_err(|error| cannot_start(&command, &error, &at))?;
    let merged = dir.join("merged.o");
    if !output.status.success() {
        return Err(Error::Link {
            kernel: at,
            log: String::from_utf8_lossy(&output.stderr).into_owned(),
            undefined: Vec::new(),
            command: command.to_string(),
            bundle: None,
        });
    }
    cargo.fs.read(&merged).map_err(|error| Error::io("cannot read", &merged, &error))
}
