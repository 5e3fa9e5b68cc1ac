//! The shared libraries that a program of the toolchain is made of, asked of the dynamic loader.
//!
//! The loader is run itself, with `--list`: asking the program (as `ldd` does) would run it.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{DT_RPATH, DT_RUNPATH, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use crate::fs::Fs;

/// A larger one is a compiler's, which its identity covers.
const LARGEST: u64 = 64 << 20;

/// The C and C++ run-time libraries. They are no compiler, and a security update of libc must not rebuild
/// every kernel.
const RUNTIME: [&str; 9] = [
    "libc.so",
    "libm.so",
    "libdl.so",
    "librt.so",
    "libpthread.so",
    "libmvec.so",
    "libgcc_s.so",
    "libstdc++.so",
    "ld-linux",
];

/// The loader that a program names; `None` if it is a script or has no libraries.
pub(crate) fn interpreter_of(program: &Path, fs: &Fs) -> Option<PathBuf> {
    let opened = fs.open(program).ok()?;
    // The headers and the name are at the beginning.
    let bytes = opened.read_at(0, opened.stamp.size.min(64 * 1024)).ok()?;
    let header = FileHeader64::<Endianness>::parse(&*bytes).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &*bytes).ok()?;
    let name = segments.iter().find_map(|segment| segment.interpreter(endian, &*bytes).ok()?)?;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(name));
    path.is_absolute().then_some(path)
}

/// Name and path of each library in the loader's list, but the run-time libraries.
pub(super) fn libraries(list: &[u8]) -> Vec<(String, PathBuf)> {
    let mut libraries = all_libraries(list);
    libraries.retain(|(name, _)| !is_run_time(name));
    libraries
}

/// Whether a library is one of C's and C++'s own.
pub(crate) fn is_run_time(name: &str) -> bool {
    RUNTIME.iter().any(|runtime| name.starts_with(runtime))
}

/// The libraries in the loader's list that are nowhere.
pub(crate) fn missing_libraries(list: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(list);
    text.lines().filter_map(|line| line.trim().strip_suffix(" => not found")).map(str::to_owned).collect()
}

/// Where a program or library says that its libraries are looked for (`RPATH`, `RUNPATH`), as absolute paths.
pub(crate) fn run_paths(file: &Path, fs: &Fs) -> Vec<PathBuf> {
    let dirs = || -> Option<Vec<PathBuf>> {
        let bytes = fs.read_at_most(file, LARGEST).ok()?;
        let header = FileHeader64::<Endianness>::parse(&*bytes).ok()?;
        let endian = header.endian().ok()?;
        let sections = header.sections(endian, &*bytes).ok()?;
        let (entries, strings) = sections.dynamic(endian, &*bytes).ok()??;
        let strings = sections.strings(endian, &*bytes, strings).ok()?;
        let origin = fs.canonical(file)?.parent()?.to_string_lossy().into_owned();
        let paths = entries.iter().filter(|entry| [DT_RPATH, DT_RUNPATH].contains(&entry.d_tag(endian)));
        let lists = paths.filter_map(|entry| entry.string(endian, strings).ok());
        let dirs = lists.flat_map(|list| list.split(|byte| *byte == b':')).map(|dir| {
            let dir = String::from_utf8_lossy(dir).replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
            PathBuf::from(dir)
        });
        Some(dirs.filter(|dir| dir.is_absolute()).collect())
    };
    dirs().unwrap_or_default()
}

/// Name and path of every library in the loader's list.
pub(crate) fn all_libraries(list: &[u8]) -> Vec<(String, PathBuf)> {
    let text = String::from_utf8_lossy(list);
    let lines = text.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let path = Path::new(rest.rsplit_once(" (").map_or(rest, |(path, _)| path));
        path.is_absolute().then(|| (name.to_owned(), path.to_owned()))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_list_is_read_without_the_run_time_libraries() {
        let list =
            b"\tlinux-vdso.so.1 (0x7f)\n\tlibLLVM-14.so.1 => /lib/libLLVM-14.so.1 (0x7f)\n\tlibc.so.6 => \
                     /lib/libc.so.6 (0x7f)\n\tlibx.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        assert_eq!(libraries(list), [("libLLVM-14.so.1".to_owned(), PathBuf::from("/lib/libLLVM-14.so.1"))]);
    }

    #[test]
    fn programs_name_their_loader_and_scripts_do_not() {
        let fs = Fs::new(Arc::default());
        let loader = interpreter_of(&std::env::current_exe().unwrap(), &fs).unwrap();
        assert!(loader.to_string_lossy().contains("ld-linux"));
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), "#!/bin/sh\n").unwrap();
        assert_eq!(interpreter_of(script.path(), &fs), None);
    }
}
