//! The compiler: found, identified by content, and asked as little as possible.
//!
//! A [`Toolchain`] knows which files it consists of, what its flags mean on this machine and how to compile
//! and link with it. What it learned is kept on disk, so a warm start runs no process at all: a few `stat`
//! calls show that nothing has changed.

mod ask;
mod configured;
pub(crate) mod cpu;
pub(crate) mod depfile;
mod diagnose;
mod discover;
mod driver;
mod flags;
mod language;
mod level;
mod line;
mod link;
mod linker;
mod loader;
mod native;
mod predefined;
mod programs;
mod question;
mod record;
pub(crate) mod search;
mod template;
#[cfg(test)]
mod tests;
mod tools;
mod words;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use configured::KernelCompiler;
pub(crate) use cpu::CpuFeatures;
pub(crate) use diagnose::{Trouble, blames_the_text, may_pass, trouble, undefined_symbols};
pub(crate) use driver::which;
pub(crate) use flags::{FlagSet, STRICT_C, dialect};
pub use language::Language;
pub(crate) use level::native_digest;
pub(crate) use line::{Line, absolute_paths};
pub(crate) use link::{LinkNeeds, LinkRequest, traced_files};
pub(crate) use linker::Linker;
pub(crate) use loader::{all_libraries, interpreter_of, is_run_time, missing_libraries, run_paths};
pub(crate) use native::host_name;
pub(crate) use question::Surround;
pub(crate) use record::{Family, memo_is_outdated};
pub(crate) use search::{Place, SearchDir, SearchPath};
pub(crate) use words::{checked as checked_flags, is_only_for_link, takes_a_word};

use ask::Asker;
use discover::Discovered;
use driver::{Driver, text_of};
use flags::{Asked, OfKernel, optimizes_at_link};
use link::Link;
use record::{Record, Shelf};
use template::in_template;
use tools::Now;

use crate::config::origin::Origin;
use crate::config::{Config, Sourced};
use crate::cxx;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::process::Command;
use crate::signature::Signature;
use crate::source::Parts;
use crate::stats::Counters;

/// A usable compiler with everything that belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    driver: Driver,
    fs: Fs,
    shelf: Option<Shelf>,
    /// Grows by answers to new questions; identity and tools stay.
    record: Mutex<Record>,
    identity: Signature,
    family: Family,
    target: String,
    timeout: std::time::Duration,
}

impl Toolchain {
    /// The first usable compiler; else every candidate with the reason why it was refused.
    ///
    /// What is learned is kept in `memo_dir`; without one, or where it cannot be written, it is asked again
    /// by every process.
    pub(crate) fn find(
        config: &Config,
        fs: &Fs,
        counters: &Counters,
        memo_dir: Option<&Path>,
    ) -> Result<Toolchain, Vec<(String, String)>> {
        Toolchain::of(Language::Cxx, config.build.cxx.as_ref(), config, fs, counters, memo_dir)
    }

    /// The same for any language, and a compiler that somebody `named` or one that is usual.
    pub(crate) fn of(
        language: Language,
        named: Option<&Sourced<Vec<String>>>,
        config: &Config,
        fs: &Fs,
        counters: &Counters,
        memo_dir: Option<&Path>,
    ) -> Result<Toolchain, Vec<(String, String)>> {
        let Discovered { driver, record, shelf } =
            discover::discover(language, named, config, fs, counters, memo_dir)?;
        Ok(Toolchain(Arc::new(Inner {
            driver,
            fs: fs.clone(),
            shelf,
            identity: record.identity,
            family: record.family,
            target: record.target.clone(),
            timeout: config.build.timeout.value,
            record: Mutex::new(record),
        })))
    }

    /// Digest over the contents of everything that takes part in compiling and linking.
    pub(crate) fn identity(&self) -> Signature {
        self.0.identity
    }

    /// Whether all files of the toolchain are still as they were; at most one `stat` each.
    pub(crate) fn unchanged(&self, fs: &Fs) -> bool {
        let mut record = self.record();
        match record.check(fs) {
            Now::Same => true,
            Now::Restamped => {
                self.keep(&record);
                true
            }
            Now::Changed => false,
        }
    }

    pub(crate) fn family(&self) -> Family {
        self.0.family
    }

    /// `x86_64-linux-gnu`.
    pub(crate) fn target(&self) -> &str {
        &self.0.target
    }

    /// The compiler's words: `["ccache", "g++"]`.
    pub(crate) fn words(&self) -> &[String] {
        &self.0.driver.words
    }

    /// The same for a program that calls the compiler in another directory: `./cc` means the one that was found here.
    pub(crate) fn words_elsewhere(&self) -> Vec<String> {
        let driver = &self.0.driver;
        let mut words = driver.words.clone();
        for (n, word) in words.iter_mut().enumerate() {
            if !word.contains('/') || word.starts_with(['/', '-']) {
                continue;
            }
            let path = if n == 0 { Ok(driver.program.clone()) } else { std::path::absolute(&*word) };
            if let Some(path) = path.ok().filter(|path| self.0.fs.is_file(path)) {
                *word = path.to_string_lossy().into_owned();
            }
        }
        words
    }

    /// What the identity consists of, in words, for `explain`.
    pub(crate) fn ingredients(&self) -> Vec<(String, String)> {
        let inner = &self.0;
        let mut ingredients = vec![
            ("compiler".to_owned(), inner.driver.words.join(" ")),
            ("compiler target".to_owned(), inner.target.clone()),
        ];
        let record = self.record();
        ingredients.push(("compiler version".to_owned(), record.version.clone()));
        let linker = record.template(&[]).map(|template| &template.tools);
        for file in [Some(&record.tools), linker].into_iter().flatten().flat_map(|tools| &tools.files) {
            let text = format!("{} {}", file.fingerprint.short(), file.path.display());
            ingredients.push((format!("tool {}", file.role), text));
        }
        ingredients
    }

    /// The flags for a kernel: collected, `native` written out, and what they make the compiler do.
    pub(crate) fn flags(
        &self,
        config: &Config,
        kernel: &str,
        parts: &Parts,
        counters: &Counters,
    ) -> Result<FlagSet> {
        let of_kernel = OfKernel {
            name: kernel,
            std: parts.std.as_deref(),
            flags: &parts.flags,
            include_dirs: &parts.include_dirs,
        };
        self.flags_of(config, parts.language, Some(&of_kernel), counters)
    }

    /// What the compiler makes of the configuration's own flags, beyond their words: the processor that
    /// `native` is, a linker of their choice, the content of files they name. Known before any generator
    /// runs.
    pub(crate) fn resolved_cpu(&self, config: &Config, counters: &Counters) -> Result<String> {
        let flags = self.flags_of(config, cxx::Language::Cxx, None, counters)?;
        let mut words = flags.predefined_key();
        words.extend(flags.files().iter().map(|(name, digest)| format!("{name}={digest}")));
        Ok(words.join(" "))
    }

    fn flags_of(
        &self,
        config: &Config,
        language: cxx::Language,
        kernel: Option<&OfKernel<'_>>,
        counters: &Counters,
    ) -> Result<FlagSet> {
        let inner = &self.0;
        let asked = Asked::collect(config, &inner.driver, language, kernel)?;
        let ask = Asker { driver: &inner.driver, config, fs: &inner.fs, counters };
        let mut record = self.record();
        let mut learned = false;
        if native::asks_for_native(&asked.compile) && record.native(&host_name()).is_none() {
            let (native, predefined) = ask.native().map_err(|error| self.broken(&error))?;
            record.add_native(native);
            record.add_predefined(predefined);
            learned = true;
        }
        let mut flags = asked.resolve(record.native(&host_name()));
        let key = flags.predefined_key();
        if record.predefined(&key).is_none() {
            let predefined = ask.predefined(key.clone()).map_err(|error| self.refuses(&flags, &error))?;
            record.add_predefined(predefined);
            learned = true;
        }
        if let Some(predefined) = record.predefined(&key) {
            flags.set_predefined(predefined, config);
        }
        let key = flags.template_key();
        if record.template(&key).is_none()
            && let Ok(Some(template)) = ask.template(key.clone(), &record.all_tools())
        {
            record.add_template(template);
            learned = true;
        }
        if learned {
            self.keep(&record);
        }
        // What the configuration calls for is known before any generator runs; what a kernel does is one of its inputs.
        let calls =
            |is: fn(&str) -> bool| kernel.is_some_and(|kernel| kernel.flags.iter().any(|flag| is(flag)));
        if let Some(template) = record.template(&key) {
            // The default linker is part of the identity already.
            if !key.is_empty() {
                let digests = template.tools.sorted().into_iter();
                digests.for_each(|(role, digest)| flags.add_file(role.to_owned(), digest));
                let linker = template.tools.files.iter().filter(|file| file.role == "ld");
                let linker = linker.filter(|_| calls(in_template)).map(|file| file.path.clone());
                flags.programs.extend(linker);
            }
            flags.set_template(template);
        }
        let mut named: Vec<(String, PathBuf)> =
            flags.named_files().into_iter().map(|path| (text_of(&path), path)).collect();
        let compiles = flags.link.iter().map(|flag| &flag.text).chain(inner.driver.own_flags());
        if compiles.into_iter().any(|text| optimizes_at_link(text))
            && let Some((name, program)) = record.compiler_at_link()
        {
            flags.programs.extend(Some(program.clone()).filter(|_| calls(optimizes_at_link)));
            named.push((name.to_owned(), program));
        }
        let mut read = false;
        for (name, path) in named {
            if let Ok((digest, new)) = record.named(&path, &inner.fs) {
                flags.add_file(name, digest);
                read |= new;
            }
        }
        if read {
            self.keep(&record);
        }
        Ok(flags)
    }

    fn broken(&self, problem: &str) -> Error {
        Error::NoCompiler { kernel: None, candidates: vec![(self.words().join(" "), problem.to_owned())] }
    }

    /// The compiler does not take its flags; those who set any are named.
    fn refuses(&self, flags: &FlagSet, problem: &str) -> Error {
        let key = flags.predefined_key();
        let asked = flags.compile.iter().filter(|flag| key.contains(&flag.text));
        let mut origins: Vec<String> = Vec::new();
        for flag in asked.filter(|flag| !matches!(flag.origin, Origin::Probe(_) | Origin::Default)) {
            let text = flag.to_string();
            if !origins.contains(&text) {
                origins.push(text);
            }
        }
        Error::Config {
            problem: format!(
                "the compiler `{}` cannot be used with these flags: it {problem}",
                self.words().join(" ")
            ),
            origin: if origins.is_empty() { Origin::Default.to_string() } else { origins.join(", ") },
        }
    }

    /// Compiles `main` to `object`, both names in `cwd`, and writes what it read to `depfile`. Debug
    /// information names `cwd` as `known_as`.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn compile_command(
        &self,
        flags: &FlagSet,
        language: cxx::Language,
        main: &str,
        object: &str,
        depfile: &str,
        cwd: &Path,
        known_as: &Path,
    ) -> Command {
        // The directory's name is another one every time, and must not get into the object.
        let mut map = OsString::from("-ffile-prefix-map=");
        map.push(cwd);
        map.push("=");
        map.push(known_as);
        let mut command = self.driver(flags, cwd).arg(map).arg(format!("-frandom-seed={main}"));
        if self.family() == Family::Gcc {
            // The assembler reads while the compiler still writes, and nothing goes through the disk.
            command = command.arg("-pipe");
        }
        command.args(["-MD", "-MF", depfile, "-x", dialect(language), "-c", main, "-o", object])
    }

    /// Flags for units that can be compiled together with others: a section for each function, so that each
    /// can be linked without the others, and nothing that depends on how much or what else is in the file.
    pub(crate) fn apart(&self) -> &'static [&'static str] {
        match self.family() {
            // It inlines and clones less where a file has become large: each unit alone would be small. And a
            // helper that is the same in many units must not become one with many callers: what is inlined
            // decides which products and sums become one instruction, and so the last digit of a result.
            Family::Gcc => &[
                "-ffunction-sections",
                "-fdata-sections",
                "-fno-ipa-icf",
                "--param=large-unit-insns=100000000",
                "--param=ipa-cp-large-unit-insns=100000000",
            ],
            Family::Clang => &["-ffunction-sections", "-fdata-sections"],
        }
    }

    /// Writes to `depfile` what `main` reads, with headers that are nowhere by their bare names.
    pub(crate) fn dependency_command(
        &self,
        flags: &FlagSet,
        language: cxx::Language,
        main: &str,
        depfile: &str,
        cwd: &Path,
    ) -> Command {
        self.driver(flags, cwd).args(["-M", "-MG", "-MF", depfile, "-x", dialect(language), main])
    }

    /// The ways to link, in the order of trial: the next one only if one fails.
    pub(crate) fn link_commands(&self, flags: &FlagSet, request: &LinkRequest<'_>) -> Vec<Command> {
        let sanitized = flags.link.iter().any(|flag| flag.text.starts_with("-fsanitize="));
        let link = Link {
            template: flags.template.as_deref(),
            driver_only: flags.needs_driver_link,
            flags: &flags.link,
            libraries: &flags.libraries,
            allow_undefined: sanitized && self.family() == Family::Clang,
            timeout: self.0.timeout,
        };
        link::commands(&self.0.driver, &link, request)
    }

    fn driver(&self, flags: &FlagSet, cwd: &Path) -> Command {
        // Their temporary files go where they are removed, even if they are killed.
        let command = self.0.driver.command(cwd, self.0.timeout).set("TMPDIR", Some(cwd));
        // ccache looks at the driver only, and would serve what an earlier cc1plus made.
        let command = command.set("CCACHE_COMPILERCHECK", Some(format!("string:{}", self.identity())));
        command.args(flags.compile.iter().map(|flag| flag.text.clone()))
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, record: &Record) {
        if let Some(shelf) = &self.0.shelf {
            shelf.write(record, &self.0.fs);
        }
    }
}
