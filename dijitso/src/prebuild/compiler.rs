//! The compiler that the crate is built with, as the `cc` crate finds it, and what it is told.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use once_cell::unsync::OnceCell;

use super::Prebuild;
use super::cargo::{Cargo, misused};
use super::plan::Planned;
use super::searched::Searched;
use crate::config::origin::{Flag, Origin};
use crate::cxx::Language;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::process::{Command, Output, Running};
use crate::signature::Signer;
use crate::toolchain::{CpuFeatures, STRICT_C, checked_flags, dialect, is_only_for_link};

/// Cargo has none either: who builds sees what hangs.
pub(super) const TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The C++ and the C compiler, each looked for when a kernel needs it.
pub(super) struct Compilers<'a> {
    cargo: &'a Cargo,
    asked: &'a Prebuild,
    cxx: OnceCell<Result<Compiler>>,
    c: OnceCell<Result<Compiler>>,
    /// By command line; `None` where the compiler refused it.
    answers: HashMap<Vec<OsString>, Option<Answer>>,
}

/// What a compiler says about itself under some flags.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// What the code may use.
    pub(super) features: CpuFeatures,
    pub(super) searched: Rc<Searched>,
}

#[derive(Debug, Clone)]
pub(super) struct Compiler {
    pub(super) program: PathBuf,
    /// Before all flags: the compiler itself, if the program is a wrapper.
    words: Vec<OsString>,
    flags: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    pub(super) clang: bool,
}

impl<'a> Compilers<'a> {
    pub(super) fn new(cargo: &'a Cargo, asked: &'a Prebuild) -> Compilers<'a> {
        Compilers { cargo, asked, cxx: OnceCell::new(), c: OnceCell::new(), answers: HashMap::new() }
    }

    /// The processors to compile for; `None`: whatever the flags say.
    pub(super) fn cpus(&self) -> Vec<Option<&'a str>> {
        if self.asked.cpus.is_empty() {
            return vec![None];
        }
        self.asked.cpus.iter().map(|cpu| Some(cpu.as_str())).collect()
    }

    pub(super) fn of(&self, language: Language) -> Result<&Compiler> {
        let cell = match language {
            Language::Cxx => &self.cxx,
            Language::C => &self.c,
        };
        cell.get_or_init(|| Compiler::find(self.cargo, self.asked, language)).as_ref().map_err(Error::clone)
    }

    /// What makes archives.
    pub(super) fn archiver(&self) -> Result<std::process::Command> {
        let mut build = cc::Build::new();
        build.cargo_metadata(false).cargo_warnings(false).cargo_output(false).cargo_debug(false);
        build.try_get_archiver().map_err(|error| misused(&format!("there is no archiver: {error}")))
    }

    /// The compiler with all flags of a kernel, without what names files.
    pub(super) fn command(&self, planned: &Planned, cpu: Option<&str>, dir: &Path) -> Result<Command> {
        let parts = &planned.parts;
        let compiler = self.of(parts.language)?;
        let own = own_flags(planned)?;
        let mut command = Command::new(&compiler.program, dir, TIMEOUT).args(compiler.words.iter().cloned());
        let here = |dir: &PathBuf| std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
        for dir in parts.include_dirs.iter().chain(&self.asked.include_dirs) {
            command = command.arg("-I").arg(here(dir));
        }
        command = command.args(compiler.flags.iter().cloned());
        // What the caller names is what a processor is asked for at run time: nothing may widen it.
        let name = if self.cargo.target.starts_with("aarch64") { "-mcpu=" } else { "-march=" };
        command = command.args(cpu.map(|cpu| format!("{name}{cpu}")));
        let std = match parts.language {
            Language::Cxx => parts.std.as_ref().or(self.asked.std.as_ref()),
            Language::C => parts.std.as_ref(),
        };
        command = command.args(std.map(|std| format!("-std={std}")));
        command = command.args(own.into_iter().filter(|flag| !is_only_for_link(flag)));
        if parts.language == Language::C {
            command = command.args(STRICT_C);
        }
        // Intermediate code could not be told apart by name.
        command = command.args(["-fPIC", "-fno-lto"]);
        command.env.extend(compiler.env.iter().cloned());
        Ok(command)
    }

    /// What the compiled code may use, and where headers are looked for, in the compiler's own word. `None` if it refused
    /// these flags before: then that was told, and need not be told for each kernel.
    pub(super) fn ask(
        &mut self,
        command: &Command,
        language: Language,
        kernel: &str,
    ) -> Result<Option<Answer>> {
        if let Some(known) = self.answers.get(&command.args) {
            return Ok(known.clone());
        }
        let answer = self.ask_anew(command, language, kernel);
        self.answers.insert(command.args.clone(), answer.as_ref().ok().cloned());
        answer.map(Some)
    }

    fn ask_anew(&self, command: &Command, language: Language, kernel: &str) -> Result<Answer> {
        let of_nothing = ["-E", "-x", dialect(language), "/dev/null"];
        // Apart, because `-v` says much more, in front of what may be wrong.
        let macros = self.question(command.clone().arg("-dM").args(of_nothing), kernel)?;
        let said = self.question(command.clone().arg("-v").args(of_nothing), kernel)?;
        let environment = &self.cargo.compiler_environment;
        let searched = Searched::read(command, environment, &String::from_utf8_lossy(&said.stderr));
        let macros = String::from_utf8_lossy(&macros.stdout);
        let features = CpuFeatures::of_macros_for(&self.cargo.target, &macros);
        Ok(Answer { features, searched: Rc::new(searched) })
    }

    fn question(&self, mut question: Command, kernel: &str) -> Result<Output> {
        // The kernel's own directory is made when it is compiled.
        question.cwd.clone_from(&self.cargo.out_dir);
        let output = question.spawn(self.cargo.fs.counters()).map(Running::into_output);
        let output = output.map_err(|error| cannot_start(&question, &error, kernel))?;
        if output.status.success() {
            return Ok(output);
        }
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        let (kernel, bundle) = (kernel.to_owned(), None);
        Err(match log.trim().is_empty() {
            false => Error::Compile { kernel, log, command: question.to_string(), bundle },
            true => Error::Compiler {
                kernel,
                problem: format!(
                    "`{}` {} and said nothing when it was asked about itself; is it a compiler?",
                    question.program.display(),
                    output.status.describe()
                ),
                log,
                bundle,
            },
        })
    }
}

/// A kernel's own flags, with those of a link of its own refused.
pub(super) fn own_flags(planned: &Planned) -> Result<Vec<String>> {
    let origin = || Origin::Spec(planned.spec.name().to_owned());
    let flags = checked_flags(planned.parts.flags.iter().map(|flag| Flag::new(flag, origin())))?;
    for flag in &flags {
        if flag.text.starts_with("-Wl,") || flag.text == "-Xlinker" {
            return Err(Error::Declaration {
                kernel: planned.spec.at(),
                problem: format!(
                    "the flag `{}` is for a link of its own, but a prebuilt kernel is linked into the program: leave \
                     it out, and print `cargo::rustc-link-arg={}` in build.rs if the program needs it",
                    flag.text, flag.text
                ),
            });
        }
    }
    Ok(flags.into_iter().map(|flag| flag.text).collect())
}

/// The flags of cargo, the script and the environment, as the engine takes them: nothing that makes something else than
/// an object, and absolute paths, because the compiler runs in a directory of its own.
fn checked(
    cargo: &Cargo,
    asked: &Prebuild,
    language: Language,
    flags: Vec<OsString>,
) -> Result<Vec<OsString>> {
    let variable = match language {
        Language::Cxx => "CXXFLAGS",
        Language::C => "CFLAGS",
    };
    let flag = |word: OsString| {
        let text = word.into_string().map_err(|word| {
            misused(&format!("the flag `{}` in {variable} must be valid UTF-8", word.to_string_lossy()))
        })?;
        let origin = match asked.flags.contains(&text) {
            true => Origin::Builder,
            false => Origin::Environment(cargo.set_form(variable)),
        };
        Ok(Flag { text, origin })
    };
    let flags: Vec<Flag> = flags.into_iter().map(flag).collect::<Result<_>>()?;
    Ok(checked_flags(flags)?.into_iter().map(|flag| flag.text.into()).collect())
}

impl Compiler {
    fn find(cargo: &Cargo, asked: &Prebuild, language: Language) -> Result<Compiler> {
        let mut build = cc::Build::new();
        // Its lines on standard output are of another form, and say what is said here already.
        build.cargo_metadata(false).cargo_warnings(false).cargo_output(false).cargo_debug(false);
        // Neither `-Wall`, for texts that nobody wrote, nor `-w`, which is what this adds and what is taken out below:
        // in C the errors that guard the entry's prototype are warnings.
        build.cpp(language == Language::Cxx).warnings(false).extra_warnings(false);
        if cargo.optimizes {
            build.flag("-fno-math-errno").flag("-fno-trapping-math");
        }
        build.flags(&asked.flags);
        let missing = |reason: String, tried: String| Error::NoCompiler {
            kernel: None,
            candidates: vec![(tried, reason)],
        };
        let tool = build.try_get_compiler().map_err(|error| missing(error.to_string(), "cc".to_owned()))?;
        let command = tool.to_command();
        let words: Vec<OsString> = command.get_args().map(OsStr::to_owned).collect();
        let first_flag = words.len() - tool.args().len().min(words.len());
        let Some(program) = resolve(&cargo.fs, command.get_program(), cargo.path.as_deref()) else {
            let tried = command.get_program().to_string_lossy().into_owned();
            let variable = format!("CXX_{}", cargo.target.replace(['-', '.'], "_"));
            let reason = if cargo.is_cross() {
                format!(
                    "not found on PATH; it is the compiler for {}, or name another one in {variable}",
                    cargo.target
                )
            } else {
                "not found on PATH".to_owned()
            };
            return Err(missing(reason, tried));
        };
        if tool.is_like_msvc() {
            return Err(misused("compilers with the manners of cl.exe are not supported"));
        }
        let mut silent = 0;
        let mut of_user = |flag: &&OsString| {
            let quiet = flag.as_os_str() == "-w";
            silent += u32::from(quiet);
            !quiet || (silent > 1 && language == Language::Cxx)
        };
        // Static or not is decided by the link.
        let compiles = |flag: &&OsString| of_user(flag) && flag.as_os_str() != "-static";
        let flags: Vec<OsString> = words[first_flag..].iter().filter(compiles).cloned().collect();
        Ok(Compiler {
            program,
            flags: checked(cargo, asked, language, flags)?,
            words: words[..first_flag].to_vec(),
            env: command
                .get_envs()
                .map(|(name, value)| (name.to_owned(), value.map(OsStr::to_owned)))
                .collect(),
            clang: tool.is_like_clang(),
        })
    }

    /// The compiler's own files, as far as cargo can notice that they change.
    pub(super) fn files(&self, fs: &Fs) -> Vec<PathBuf> {
        let words = self.words.first().map(PathBuf::from).filter(|path| path.is_absolute());
        words.into_iter().chain([self.program.clone()]).filter_map(|path| fs.canonical(&path)).collect()
    }

    /// A link that only shows whether everything is there.
    pub(super) fn driver(&self, dir: &Path) -> Command {
        let mut command = Command::new(&self.program, dir, TIMEOUT).args(self.words.iter().cloned());
        // Of the flags those that choose a machine or a library.
        let chosen = ["-m64", "--target=", "--sysroot", "-stdlib=", "-B", "--gcc-toolchain", "-fuse-ld="];
        let decisive =
            |flag: &&OsString| chosen.iter().any(|start| flag.to_string_lossy().starts_with(start));
        command = command.args(self.flags.iter().filter(decisive).cloned());
        command.env.extend(self.env.iter().cloned());
        command
    }

    pub(super) fn uses_libcxx(&self) -> bool {
        self.flags.iter().any(|flag| flag == "-stdlib=libc++")
    }

    pub(super) fn sign(&self, signer: &mut Signer, fs: &Fs) {
        for file in self.files(fs) {
            signer.field("file", &file);
            let stamp = fs.stamp(&file).ok().flatten();
            signer.field("size", &stamp.map(|stamp| stamp.size));
            signer.field("time", &stamp.map(|stamp| stamp.mtime_ns));
        }
    }
}

pub(super) fn resolve(fs: &Fs, program: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        return std::path::absolute(program).ok().filter(|path| fs.is_file(path));
    }
    std::env::split_paths(path?)
        .map(|dir| dir.join(program))
        .find(|path| path.is_absolute() && fs.is_file(path))
}

pub(super) fn cannot_start(command: &Command, error: &std::io::Error, kernel: &str) -> Error {
    Error::Compiler {
        kernel: kernel.to_owned(),
        problem: format!("cannot start `{}`: {error}", command.program.display()),
        log: String::new(),
        bundle: None,
    }
}
