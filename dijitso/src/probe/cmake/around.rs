//! What lies around a package: what CMake would find there another time, beside the files that it read.
//!
//! A package's file may ask for another package and do without it, and it may take every file of a kind beside itself. What is
//! not there leaves nothing in the list of what was read. So an answer is kept with the names of the packages that were asked
//! for, and with a digest of where they are and of what is beside the files; that is made again before the answer is believed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::find::{Named, Search};
use crate::fs::Fs;
use crate::probe::need::Called;
use crate::probe::session::Session;
use crate::signature::Signer;
use crate::toolchain::Language;

/// What is looked at again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Around {
    /// Packages that were asked for, found or not.
    names: Vec<String>,
    /// Where they were looked for, beside the usual places.
    prefixes: Vec<PathBuf>,
    /// With the files of packages.
    dirs: BTreeSet<PathBuf>,
    seen: String,
}

/// Begins the line that has it, behind all that CMake generated.
const LINE: &str = "# around ";

impl Around {
    pub(super) fn new(names: Vec<String>, prefixes: Vec<PathBuf>, dirs: BTreeSet<PathBuf>) -> Around {
        Around { names, prefixes, dirs, seen: String::new() }
    }

    fn look(&self, fs: &Fs, path: &std::ffi::OsStr, target: &str) -> String {
        let search = Search { fs, first: &self.prefixes, path, target };
        let mut signer = Signer::quiet("dijitso cmake 1");
        let mut add = |path: &Path| signer.bytes(path.as_os_str().as_encoded_bytes());
        for name in &self.names {
            search.each(name, Named::No).for_each(|path| add(&path));
            add(Path::new(""));
        }
        for dir in &self.dirs {
            let mut entries = fs.list(dir).unwrap_or_default();
            entries.sort();
            entries.iter().for_each(|entry| add(&dir.join(entry)));
        }
        signer.finish().to_hex()
    }

    /// As a line, with what is there now.
    pub(super) fn line(mut self, fs: &Fs, path: &std::ffi::OsStr, target: &str) -> String {
        self.seen = self.look(fs, path, target);
        format!("\n{LINE}{}", serde_json::to_string(&self).unwrap_or_default())
    }
}

/// Whether all that lies around is as it was when CMake said this. Of other programs' words it is.
pub(in crate::probe) fn still_so(called: &Called, session: &Session) -> bool {
    let Some(line) = called.step.stdout.lines().find_map(|line| line.strip_prefix(LINE)) else {
        return true;
    };
    let (Ok(around), Ok(compiler)) = (serde_json::from_str::<Around>(line), session.compiler(Language::C))
    else {
        return false;
    };
    let path = session.config.path.clone().unwrap_or_default();
    around.look(&session.fs, &path, compiler.toolchain.target()) == around.seen
}

/// What CMake says of its searches, and what it says beside.
#[derive(Debug, Default)]
pub(super) struct Searches {
    pub(super) said: String,
    /// Places that were looked at, in their order.
    pub(super) places: Vec<PathBuf>,
}

impl Searches {
    /// Divides what CMake printed with `CMAKE_FIND_DEBUG_MODE`.
    pub(super) fn of(printed: &str) -> Searches {
        let mut searches = Searches::default();
        let mut inside = false;
        for line in printed.lines() {
            if line.starts_with("CMake Debug Log at") {
                inside = true;
            } else if inside
                && (line.is_empty() || line.starts_with([' ', '\t']) || line.starts_with("Call Stack"))
            {
                let place = line.strip_prefix("    ").filter(|place| place.starts_with('/'));
                searches.places.extend(place.into_iter().flat_map(expanded));
            } else {
                inside = false;
                searches.said.push_str(line);
                searches.said.push('\n');
            }
        }
        searches
    }
}

/// `/usr/lib/(lib)x(\.so|\.a)` are `/usr/lib/libx.so`, `/usr/lib/libx.a`, and by its full name `/usr/lib/x`.
fn expanded(place: &str) -> Vec<PathBuf> {
    let (dir, name) = place.rsplit_once('/').unwrap_or_default();
    let parts: Option<(&str, &str, &str)> = name.strip_prefix('(').and_then(|rest| {
        let (begin, rest) = rest.split_once(')')?;
        let (name, ends) = rest.rsplit_once('(')?;
        Some((begin, name, ends.strip_suffix(')')?))
    });
    let Some((begin, name, ends)) = parts else { return vec![PathBuf::from(place)] };
    let dir = PathBuf::from(format!("{dir}/"));
    let plain = |text: &str| text.replace('\\', "");
    let mut all = vec![dir.join(name)];
    for begin in begin.split('|').map(plain) {
        all.extend(ends.split('|').map(plain).map(|end| dir.join(format!("{begin}{name}{end}"))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_divided_from_what_is_said_beside() {
        let printed = "before\nCMake Debug Log at x.cmake:1 (find_library):\n  find_library called:\n\n    VAR: A\n  considered:\n\n    \
                       /a b/lib/(lib)q(\\.so|\\.a)\n    /a/q.h\n\n  The item was not found.\n\nCall Stack (most recent call \
                       first):\n  CMakeLists.txt:7 (find_package)\n\n\nCMake Warning at y:1:\n  text\n";
        let searches = Searches::of(printed);
        assert_eq!(searches.said, "before\nCMake Warning at y:1:\n  text\n");
        let places = ["/a b/lib/q", "/a b/lib/libq.so", "/a b/lib/libq.a", "/a/q.h"];
        assert_eq!(searches.places, places.map(PathBuf::from));
    }
}
