//! Everything that can be written of a configuration.

use std::path::{Path, PathBuf};

use super::Configuration;
use crate::configure::emit;
use crate::configure::failed::Failed;
use crate::configure::record::Record;
use crate::error::Error;

impl Configuration {
    /// Writes the header of macros; whether it changed.
    ///
    /// Every macro is guarded, has the prefix, and a comment that says why; they are sorted, so that two configurations
    /// can be compared.
    ///
    /// BuildSystem: `framework.outputHeader`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_header("demo_config.h")?;
    /// # Ok(()) }
    /// ```
    pub fn write_header(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::header(&self.project, path.as_ref(), &self.outputs))
    }

    /// Writes the header of types and prototypes; whether it changed.
    ///
    /// BuildSystem: `framework.outputCHeader`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_types("demo_types.h")?;
    /// # Ok(()) }
    /// ```
    pub fn write_types(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::types(&self.project, path.as_ref(), &self.outputs))
    }

    /// Writes the header from a template of `#undef` lines, as Autoconf does; whether it changed.
    ///
    /// The names in it have the [prefix](crate::configure::Configure::define_prefix). Where a module
    /// [undefines](crate::configure::Cx::undefine) a macro, a comment takes its place.
    ///
    /// BuildSystem: its mode for Autoconf's files.
    ///
    /// # Errors
    /// The template cannot be read, has a macro that no module defines or undefines, or the file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_header_from("config.h.in", "config.h")?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn write_header_from(
        &self,
        template: impl AsRef<Path>,
        path: impl AsRef<Path>,
    ) -> Result<bool, Failed> {
        let text = self.read_source(template.as_ref())?;
        self.write(path.as_ref(), &emit::undefs(template.as_ref(), &text, &place(), &self.outputs)?)
    }

    /// Writes the macros for Make, with compilers and flags; whether it changed.
    ///
    /// BuildSystem: `framework.outputMakeMacros`.
    ///
    /// Flags reach the compiler as they are: they are quoted for the shell that Make calls.
    ///
    /// # Errors
    /// A flag has a line break, or the file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_make_macros("demo_variables")?;
    /// # Ok(()) }
    /// ```
    pub fn write_make_macros(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::make_macros(&self.project, &self.record, &self.outputs)?)
    }

    /// Writes the rules for Make; whether it changed.
    ///
    /// BuildSystem: `framework.outputMakeRules`.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_make_rules("demo_rules")?;
    /// # Ok(()) }
    /// ```
    pub fn write_make_rules(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::make_rules(&self.project, &self.outputs))
    }

    /// Fills in all templates that modules named; how many files changed.
    ///
    /// BuildSystem: `framework.substituteFile`.
    ///
    /// # Errors
    /// A template cannot be read, has a placeholder that nobody gives a value to, or a file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_templates()?;
    /// # Ok(()) }
    /// ```
    pub fn write_templates(&self) -> Result<usize, Failed> {
        let mut changed = 0;
        for template in &self.outputs.templates {
            changed += usize::from(self.fill(&template.from, &template.to, &template.by)?);
        }
        Ok(changed)
    }

    /// Fills in one template; whether the file changed.
    ///
    /// # Errors
    /// As [`write_templates`](Self::write_templates).
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_template("demo.conf.in", "demo.conf")?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn write_template(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<bool, Failed> {
        self.fill(from.as_ref(), to.as_ref(), &place())
    }

    fn fill(&self, from: &Path, to: &Path, by: &str) -> Result<bool, Failed> {
        let text = self.read_source(from)?;
        let filled = emit::template(from, &text, by, &self.record, &self.outputs)?;
        self.write(to, &filled)
    }

    /// Writes the pkg-config file that a module described; whether it changed.
    ///
    /// # Errors
    /// No module described one, or the file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_pkg_config("demo.pc")?;
    /// # Ok(()) }
    /// ```
    pub fn write_pkg_config(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::pkg_config(&self.record, &self.outputs)?)
    }

    /// Writes a Rust module with a constant for each macro; whether it changed.
    ///
    /// Features are `bool`, numbers `i64` or `f64`, texts `&str`: as they were [defined](crate::configure::Cx::define),
    /// whatever the value. What is not defined is `false`.
    ///
    /// # Errors
    /// Two macros have names that differ in capitals only, or the file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_rust("config.rs")?; // include!(concat!(env!("OUT_DIR"), "/config.rs"))
    /// # Ok(()) }
    /// ```
    pub fn write_rust(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        self.write(path.as_ref(), &emit::rust(&self.project, &self.outputs)?)
    }

    /// The lines for cargo, for a build script to print: what to link, `cfg`s, metadata for dependent packages, and what
    /// the answers rest on, compilers among it.
    ///
    /// Cargo looks at times of change, so the script runs again when a file changes that was read, when something appears
    /// in a directory of your own (of up to 2,000 files, and not one to which cargo writes: a warning says so) where it was missing, and when the system's package manager has
    /// installed, upgraded or removed anything. The files of a system without `dpkg`, `rpm`, `apk` or `pacman` are looked at
    /// themselves. Running again costs some milliseconds, and what did not change is not written again.
    ///
    /// Features are `cfg(have_x)`, other macros `cfg(level = "2")`; one whose name rustc has itself, such as `TEST`, has the
    /// prefix of macros before it. Cargo passes libraries on to whatever depends on this package, and other flags for the link not:
    /// if the manifest has `links = "x"`, build scripts of dependent packages find them in `DEP_X_LINK_ARGS`, and the
    /// directories of headers in `DEP_X_INCLUDE`.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// for line in configuration.cargo() {
    ///     println!("{line}");
    /// }
    /// # }
    /// ```
    pub fn cargo(&self) -> Vec<String> {
        let told = self.watched.told(&self.fs, self.dir.as_deref());
        let mut lines = emit::cargo(&self.outputs, &told.paths, &self.variables);
        lines.extend(told.unseen.iter().map(|(place, why)| {
            format!("cargo::warning=what appears in {} is not noticed by cargo, since {why}", place.display())
        }));
        lines
    }

    /// The record of machine, process, options and results, as JSON.
    ///
    /// BuildSystem: `Dump`, and the information about machine and process that PETSc adds.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) {
    /// println!("{}", configuration.dump());
    /// # }
    /// ```
    pub fn dump(&self) -> String {
        self.record.text()
    }

    /// Writes the script that configures again with the same options; called with `--diff` it only tells what
    /// [changed](Self::changes) since, and writes nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// ```no_run
    /// # fn f(configuration: &dijitso::configure::Configuration) -> Result<(), dijitso::configure::Failed> {
    /// configuration.write_reconfigure("reconfigure")?;
    /// # Ok(()) }
    /// ```
    pub fn write_reconfigure(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        let written = self.write(path.as_ref(), &emit::reconfigure(&self.record))?;
        let path = self.place(path.as_ref());
        if !self.only_looks {
            let made = self.fs.make_executable(&path);
            made.map_err(|error| Error::io("cannot make executable", &path, &error))?;
        }
        Ok(written)
    }

    fn place(&self, path: &Path) -> PathBuf {
        self.dir.as_ref().map_or_else(|| path.to_owned(), |dir| dir.join(path))
    }

    fn read_source(&self, path: &Path) -> Result<String, Failed> {
        let path = self.source_dir.join(path);
        let bytes = self.fs.read(&path).map_err(|error| Error::io("cannot read", &path, &error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Only if it is another text: who depends on the file need not be built again. Whether it is.
    fn write(&self, path: &Path, text: &str) -> Result<bool, Failed> {
        let path = self.place(path);
        if self.fs.read(&path).is_ok_and(|known| known == text.as_bytes()) {
            return Ok(false);
        }
        if self.only_looks {
            return Ok(true);
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written =
            self.fs.create_dir_all_public(dir).and_then(|()| self.fs.replace(dir, &path, text.as_bytes()));
        written.map_err(|error| Error::io("cannot write", &path, &error))?;
        Ok(true)
    }

    /// Logs that cannot be written are no reason to fail; the card and the events are there in any case.
    pub(in crate::configure) fn write_logs(&self) {
        if self.dir.is_some() {
            for (name, text) in [("configure.log", &self.readable), ("configure.events", &self.events)] {
                if let Err(failed) = self.write(Path::new(name), text) {
                    log::warn!("the log is not written: {failed}");
                }
            }
        }
    }

    pub(in crate::configure) fn write_record(&self) {
        let Some(dir) = &self.dir else { return };
        // Who ran it, and when, is no change.
        let known =
            Record::read(&self.fs, dir).map(|known| Record { process: self.record.process.clone(), ..known });
        if known.as_ref() == Some(&self.record) {
            return;
        }
        if let Err(failed) = self.write(Path::new(Record::FILE), &self.record.text()) {
            log::warn!("the record is not written: {failed}");
        }
    }
}

/// Who asks.
#[track_caller]
fn place() -> String {
    let at = std::panic::Location::caller();
    format!("{}:{}", at.file(), at.line())
}
