//! Where a configuration is at home, and what a module looks at by itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Cx;
use crate::configure::options::Opt;

/// Every configuration has it.
pub(in crate::configure) const PREFIX: Opt<Option<PathBuf>> =
    Opt::path("prefix", "/usr/local", "where the project is installed");

impl Cx<'_> {
    /// The project's name.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// println!("{}", cx.project());
    /// # }
    /// ```
    pub fn project(&self) -> &str {
        &self.framework.project
    }

    /// The name of this configuration, where several lie side by side.
    ///
    /// BuildSystem: `PETSC_ARCH`, and `archProvider`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// println!("{}", cx.name().unwrap_or("the only one"));
    /// # }
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.framework.name.as_deref()
    }

    /// Where the configuration is written, if anywhere.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// println!("{:?}", cx.dir());
    /// # }
    /// ```
    pub fn dir(&self) -> Option<&Path> {
        self.framework.dir.as_deref()
    }

    /// Where the project will be installed (`--prefix`).
    ///
    /// BuildSystem: `installDirProvider`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.substitute("plugins", cx.prefix().join("lib/plugins").to_string_lossy(), "below --prefix");
    /// # }
    /// ```
    pub fn prefix(&self) -> PathBuf {
        self.get(&PREFIX).ok().flatten().unwrap_or_default()
    }

    /// A variable of the environment. What was read so is among the variables that cargo is told of, and a build script that
    /// configures runs again when it changes.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// let home = cx.reads_variable("METIS_HOME").filter(|home| !home.is_empty());
    /// # }
    /// ```
    pub fn reads_variable(&self, name: &str) -> Option<OsString> {
        self.framework.reads_variable(name);
        crate::config::env::named(name)
    }

    /// Notes a directory in which what was missing may come to be.
    pub(in crate::configure) fn looks_into(&self, dir: &Path) {
        self.framework.looks_into(dir);
    }

    /// Notes a file or directory that this module reads by itself: a build script that configures runs again when it changes.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) -> std::io::Result<()> {
    /// let text = std::fs::read_to_string("/etc/metis.conf")?;
    /// cx.reads_file("/etc/metis.conf");
    /// # Ok(()) }
    /// ```
    pub fn reads_file(&self, path: impl AsRef<Path>) {
        self.framework.reads_file(path.as_ref().to_owned());
    }
}
