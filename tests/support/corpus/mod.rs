//! Real kernels with trusted results: the corpus of generated finite element code (see its README).
//!
//! It is not part of the repository; [`root`] says where it is looked for.

pub mod ffcx;
pub mod modules;
pub mod reference;
pub mod ufc;

use std::path::{Path, PathBuf};

use dijitso::Jit;

use crate::protocol::Loaded;

/// `DIJITSO_CORPUS`, else `../shared/corpus` beside the repository; `None` where there is none.
#[allow(clippy::disallowed_methods)] // the tests' own variable, which the library does not know
pub fn root() -> Option<PathBuf> {
    let root = match std::env::var_os("DIJITSO_CORPUS") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
    };
    let root = root.canonicalize().ok()?;
    root.join("include/ufc.h").is_file().then_some(root)
}

/// Loads every kernel of one part and compares every tensor with its reference; `value` of each kernel
/// is its largest difference, relative to the largest entry.
///
/// # Errors
/// What could not be loaded, or the first tensor that differs.
pub fn check(part: &str, root: &Path, jit: &Jit) -> Result<Vec<Loaded>, String> {
    match part {
        "ufc" => ufc::check(root, jit),
        "ffc_jit" => modules::check(root, jit, modules::Dependencies::Declared),
        "ffc_jit_recursive" => modules::check(root, jit, modules::Dependencies::LoadedByGenerator),
        "ffcx" => ffcx::check(root, jit),
        _ => Err(format!("the corpus has no part `{part}`")),
    }
}

/// Writes every kernel of one part into a site cache.
///
/// # Errors
/// What could not be built or written.
pub fn export(part: &str, root: &Path, jit: &Jit, path: &Path) -> Result<(), String> {
    match part {
        "ffc_jit" => modules::export(root, jit, path),
        _ => Err(format!("no export of the part `{part}`")),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

/// The folders below `dir`, sorted.
fn folders(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(dir).map_err(|e| format!("cannot read {}: {e}", dir.display()))?;
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
