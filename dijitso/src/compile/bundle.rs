//! A failure on disk: sources, headers, the log, and a script that fails in the same way.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::env::COMPILER_VARIABLES;
use crate::fs::{Fs, Scratch};
use crate::process::Command;

pub(super) struct Contents<'a> {
    /// Directory name: the kernel's name and the beginning of its unit signature.
    pub(super) name: &'a str,
    pub(super) at: &'a str,
    pub(super) texts: &'a [(&'a str, &'a str)],
    pub(super) binaries: &'a [(&'a str, &'a [u8])],
    /// Every command of the build, in order; the last one failed.
    pub(super) commands: &'a [String],
    pub(super) environment: &'a [(String, String)],
    /// The build's own directory, which is gone when somebody reads this.
    pub(super) cwd: &'a Path,
    pub(super) log: &'a str,
    pub(super) last: &'a Command,
}

/// Writes the bundle beside its final place and moves it there whole, replacing an older one.
///
/// dijitso writes such a directory to its `fail_dir_root`, without the script.
pub(super) fn save(fs: &Fs, failures: &Path, contents: &Contents<'_>) -> std::io::Result<PathBuf> {
    fs.create_dir_all_private(failures)?;
    // In a directory that is swept if we are killed, on the same file system.
    let scratch = Scratch::new(fs, &[failures.with_file_name("tmp")])?;
    let beside = scratch.path().join("bundle");
    std::fs::create_dir(&beside)?;
    for (name, text) in contents.texts {
        fs.write(&beside.join(name), text.as_ref())?;
    }
    for (name, bytes) in contents.binaries {
        fs.write(&beside.join(name), bytes.as_ref())?;
    }
    fs.write(&beside.join("error.log"), contents.log.as_ref())?;
    let script = beside.join("command.sh");
    fs.write(&script, script_text(contents).as_ref())?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700))?;

    let place = failures.join(contents.name);
    fs.remove_tree(&place)?;
    match fs.rename(&beside, &place) {
        // Another process had the same failure at the same time, and was faster.
        Err(_) if place.join("command.sh").exists() => Ok(place),
        result => result.map(|()| place),
    }
}

fn script_text(contents: &Contents<'_>) -> String {
    let mut text = format!(
        "#!/bin/sh\n# Repeats the failed build of {}\ncd \"$(dirname \"$0\")\" || exit 1\nexport LC_ALL=C\n",
        contents.at.replace('\n', " ")
    );
    for name in COMPILER_VARIABLES.iter().filter(|name| contents.environment.iter().all(|(n, _)| n != *name))
    {
        let _ = writeln!(text, "unset {name}");
    }
    for (name, value) in contents.environment {
        let value = shlex::try_quote(value).unwrap_or_default();
        let _ = writeln!(text, "export {name}={value}");
    }
    // The directory of the build appears in flags that map it away; here the bundle stands in for it.
    let cwd = contents.cwd.display().to_string();
    let here = |command: &str| if cwd.is_empty() { command.to_owned() } else { command.replace(&cwd, ".") };
    let last = contents.last.to_string();
    for command in contents.commands.iter().filter(|c| **c != last) {
        let _ = writeln!(text, "{} || exit", here(command));
    }
    let _ = writeln!(text, "exec {}", here(&last));
    text
}
