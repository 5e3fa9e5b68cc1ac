//! What a program is loaded with, and what it would be loaded with if it were there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::job::Trace;
use crate::fs::Fs;
use crate::toolchain::{all_libraries, is_run_time, missing_libraries, run_paths};

impl Trace {
    /// Notes what the loader listed (`--list`) for a program, in whose environment `LD_LIBRARY_PATH` is `library_path`.
    pub(super) fn is_loaded_with(
        &mut self,
        program: &Path,
        list: &[u8],
        library_path: Option<&OsStr>,
        fs: &Fs,
    ) {
        let found = all_libraries(list);
        let mut dirs: Vec<PathBuf> = std::env::split_paths(library_path.unwrap_or_default()).collect();
        let own = |path: &&PathBuf| {
            !["/lib", "/lib64", "/usr/lib", "/usr/lib64"].iter().any(|dir| path.starts_with(dir))
        };
        let named = found.iter().map(|(_, path)| path).filter(own).map(PathBuf::as_path);
        dirs.extend([program].into_iter().chain(named).flat_map(|file| run_paths(file, fs)));
        dirs.retain(|dir| dir.is_absolute());
        dirs.sort();
        dirs.dedup();
        let missing = missing_libraries(list);
        // Where nothing else says where a library is, the loader's own table does.
        let by_table = |(name, path): &(String, PathBuf)| {
            !is_run_time(name) && !path.parent().is_some_and(|dir| dirs.iter().any(|known| known == dir))
        };
        if !missing.is_empty() || found.iter().any(by_table) {
            self.asked.push("/etc/ld.so.cache".to_owned());
        }
        let names = found.iter().map(|(name, _)| name).chain(&missing).filter(|name| !name.contains('/'));
        for name in names {
            // Nothing tells in which order: it may be found in any of these earlier.
            self.asked.extend(dirs.iter().map(|dir| dir.join(name).to_string_lossy().into_owned()));
        }
        let for_processors = dirs.iter().map(|dir| dir.join("glibc-hwcaps")).filter(|dir| !fs.exists(dir));
        self.asked.extend(for_processors.map(|dir| dir.to_string_lossy().into_owned()));
        self.files.extend(found.into_iter().map(|(_, path)| path));
    }
}
