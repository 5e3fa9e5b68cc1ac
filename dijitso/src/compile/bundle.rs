//! A failure on disk: sources, headers, the log, and a script that fails in the same way.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::cache::{script, without_directory};
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
    let command = beside.join("command.sh");
    fs.write(&command, script_text(contents).as_ref())?;
    std::fs::set_permissions(&command, std::fs::Permissions::from_mode(0o700))?;

    let place = failures.join(contents.name);
    fs.remove_tree(&place)?;
    match fs.rename(&beside, &place) {
        // Another process had the same failure at the same time, and was faster.
        Err(_) if place.join("command.sh").exists() => Ok(place),
        result => result.map(|()| place),
    }
}

fn script_text(contents: &Contents<'_>) -> String {
    let last = contents.last.to_string();
    let mut commands: Vec<String> = contents.commands.iter().filter(|c| **c != last).cloned().collect();
    commands.push(last);
    let commands = without_directory(&commands, &contents.cwd.display().to_string());
    script(&format!("the failed build of {}", contents.at), contents.environment, &commands)
}
