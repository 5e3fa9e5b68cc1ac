//! The archive that the linker takes the kernels from, and the libraries that they need.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cargo::Cargo;
use super::compiler::{Compiler, Compilers, TIMEOUT, cannot_start, own_flags, resolve};
use super::plan::Plan;
use super::symbols::Linked;
use crate::cxx::Language;
use crate::error::{Error, Result};
use crate::process::{Command, Running};
use crate::signature::{Signature, Signer};
use crate::toolchain::undefined_symbols;

/// A library that the program is linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Library {
    /// As after `-l`.
    Named(String),
    /// A shared one by its file's name, in a directory of the search path.
    File(String),
}

impl Library {
    fn word(&self) -> String {
        match self {
            Library::Named(name) => format!("-l{name}"),
            Library::File(name) => format!("-l:{name}"),
        }
    }
}

/// Everything that is outside of the kernels.
#[derive(Debug, Default)]
pub(super) struct Libraries {
    pub(super) all: Vec<Library>,
    dirs: Vec<PathBuf>,
    /// Which kernel named what.
    wanted: Vec<(usize, Library)>,
}

/// Writes the archive, and tells cargo where it and the libraries are.
pub(super) fn write(
    cargo: &Cargo,
    plan: &Plan,
    compilers: &Compilers<'_>,
    linked: &[Linked],
) -> Result<Libraries, Vec<Error>> {
    if linked.is_empty() {
        return Ok(Libraries::default());
    }
    let one = |error| vec![error];
    let cxx = plan.kernels.iter().any(|kernel| kernel.parts.language == Language::Cxx);
    let compiler = compilers.of(if cxx { Language::Cxx } else { Language::C }).map_err(one)?;
    let libraries = Libraries::of(cargo, plan, compiler, linked).map_err(one)?;
    let archive = cargo.out_dir.join(format!("lib{}.a", cargo.library()));
    let known = cargo.shelf().join("archive");
    let key = key(linked, &libraries).to_hex();
    let same = cargo.fs.exists(&archive) && cargo.fs.read(&known).is_ok_and(|then| then == key.as_bytes());
    if !same {
        for linked in linked {
            cargo.write(&cargo.shelf().join(object_name(linked)), &linked.bytes).map_err(one)?;
        }
        check(cargo, plan, compiler, linked, &libraries)?;
        assemble(cargo, compilers, &archive, linked).map_err(one)?;
        cargo.write(&known, key.as_bytes()).map_err(one)?;
    }
    cargo.search_dir(&cargo.out_dir);
    for dir in &libraries.dirs {
        cargo.search_dir(dir);
    }
    Ok(libraries)
}

fn object_name(linked: &Linked) -> String {
    format!("{}.o", linked.symbol)
}

fn key(linked: &[Linked], libraries: &Libraries) -> Signature {
    let mut signer = Signer::quiet("dijitso prebuilt archive 1");
    for linked in linked {
        signer.field("symbol", &linked.symbol);
        signer.field("content", &linked.content);
    }
    signer.field("libraries", &libraries.words());
    signer.finish()
}

impl Libraries {
    fn of(cargo: &Cargo, plan: &Plan, compiler: &Compiler, linked: &[Linked]) -> Result<Libraries> {
        let mut libraries = Libraries::default();
        for (number, kernel) in plan.kernels.iter().enumerate() {
            let parts = &kernel.parts;
            parts.link_dirs.iter().for_each(|dir| libraries.dir(dir));
            let mut flags = own_flags(kernel)?.into_iter();
            while let Some(flag) = flags.next() {
                let mut value = |name: &str| match flag.strip_prefix(name)? {
                    "" => flags.next(),
                    joined => Some(joined.to_owned()),
                };
                if let Some(dir) = value("-L") {
                    libraries.dir(Path::new(&dir));
                } else if let Some(name) = value("-l") {
                    libraries.want(number, Library::Named(name));
                }
            }
            for link in parts.links.iter().filter(|link| !super::merge::is_merged(link)) {
                match Path::new(link) {
                    path if path.is_absolute() => {
                        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                        path.parent().into_iter().for_each(|dir| libraries.dir(dir));
                        libraries.want(number, Library::File(name));
                    }
                    _ => libraries.want(number, Library::Named(link.clone())),
                }
            }
        }
        // What the driver would add by itself, by what is asked for.
        let undefined: BTreeSet<&str> =
            linked.iter().flat_map(|linked| linked.undefined.iter().map(String::as_str)).collect();
        let any =
            |starts: &[&str]| undefined.iter().any(|name| starts.iter().any(|start| name.starts_with(start)));
        if any(&["GOMP_", "omp_"]) {
            libraries.add(Library::Named(if compiler.clang { "omp" } else { "gomp" }.to_owned()));
        } else if any(&["__kmpc_"]) {
            libraries.add(Library::Named("omp".to_owned()));
        }
        if any(&["_Z", "__cxa_", "__gxx_"]) {
            let default = if compiler.uses_libcxx() { "c++" } else { "stdc++" };
            let named = cargo.for_target("CXXSTDLIB").unwrap_or_else(|| default.to_owned());
            if !named.is_empty() {
                libraries.add(Library::Named(named));
            }
        }
        if !undefined.is_empty() {
            libraries.add(Library::Named("m".to_owned()));
        }
        Ok(libraries)
    }

    fn want(&mut self, kernel: usize, library: Library) {
        self.wanted.push((kernel, library.clone()));
        self.add(library);
    }

    fn add(&mut self, library: Library) {
        if !self.all.contains(&library) {
            self.all.push(library);
        }
    }

    fn dir(&mut self, dir: &Path) {
        if !self.dirs.iter().any(|known| known == dir) {
            self.dirs.push(dir.to_owned());
        }
    }

    fn words(&self) -> Vec<String> {
        let dirs = self.dirs.iter().map(|dir| format!("-L{}", dir.display()));
        dirs.chain(self.all.iter().map(Library::word)).collect()
    }
}

/// Links everything once, for nothing but to see that everything is there: a symbol that nobody defines, or a library
/// that nobody has, must be told here, with its kernel, and not by the linker of some program.
fn check(
    cargo: &Cargo,
    plan: &Plan,
    compiler: &Compiler,
    all: &[Linked],
    libraries: &Libraries,
) -> Result<(), Vec<Error>> {
    let link = |names: &'static str| {
        let command =
            compiler.driver(&cargo.shelf()).args(["-shared", "-Wl,-z,defs", names, "-o", "check.so"]);
        command.args(all.iter().map(object_name)).args(libraries.words())
    };
    let at = format!("archive {}", cargo.name);
    let run = |command: &Command| match command.spawn(cargo.fs.counters()).map(Running::into_output) {
        Ok(output) => Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())),
        Err(error) => Err(vec![cannot_start(command, &error, &at)]),
    };
    let command = link("-Wl,--no-demangle");
    let (success, log) = run(&command)?;
    let _ = cargo.fs.remove(&cargo.shelf().join("check.so"));
    if success {
        return Ok(());
    }
    // Object files know symbols, people know functions.
    let missing = undefined_symbols(&log);
    let (_, readable) = run(&link("-Wl,--demangle"))?;
    let functions = undefined_symbols(&readable);
    let command = command.to_string();
    let mut errors = Vec::new();
    let mut told = BTreeSet::new();
    for linked in all {
        let of_it = |name: &&String| linked.undefined.contains(name);
        let undefined: Vec<String> = if functions.len() == missing.len() {
            missing
                .iter()
                .zip(&functions)
                .filter(|(name, _)| of_it(name))
                .map(|(_, name)| name.clone())
                .collect()
        } else {
            missing.iter().filter(of_it).cloned().collect()
        };
        if undefined.is_empty() || !told.insert(linked.kernel) {
            continue;
        }
        errors.push(Error::Link {
            kernel: plan.kernels[linked.kernel].spec.at(),
            log: lines_about(linked, &undefined, &readable, all).join("\n"),
            undefined,
            command: command.clone(),
            bundle: None,
        });
    }
    // GNU: cannot find -lx: No such file or directory; lld: unable to find library -lx
    let lost = |line: &&str| line.contains("cannot find -l") || line.contains("unable to find library -l");
    for (kernel, library) in &libraries.wanted {
        let word = library.word();
        let names_it =
            |line: &&str| line.split([' ', ',']).any(|part| part.strip_suffix(':').unwrap_or(part) == word);
        let log: Vec<&str> = log.lines().filter(lost).filter(names_it).collect();
        if !log.is_empty() && told.insert(*kernel) {
            let kernel = plan.kernels[*kernel].spec.at();
            let log = log.join("\n");
            errors.push(Error::Link {
                kernel,
                log,
                undefined: Vec::new(),
                command: command.clone(),
                bundle: None,
            });
        }
    }
    if errors.is_empty() {
        errors.push(Error::Link { kernel: at, log, undefined: Vec::new(), command, bundle: None });
    }
    Err(errors)
}

/// What a linker said about the symbols that one object misses, not what it said about the same of others.
fn lines_about<'a>(linked: &Linked, undefined: &[String], log: &'a str, all: &[Linked]) -> Vec<&'a str> {
    let names_it = |line: &str| undefined.iter().any(|name| line.contains(name.as_str()));
    let of_others = |line: &str| {
        !line.contains(&linked.symbol)
            && line.contains("dijitso_")
            && all.iter().any(|other| line.contains(&other.symbol))
    };
    let mut lines = Vec::new();
    for line in log.lines().filter(|line| names_it(line) && !of_others(line)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn assemble(cargo: &Cargo, compilers: &Compilers<'_>, archive: &Path, linked: &[Linked]) -> Result<()> {
    let at = format!("archive {}", cargo.name);
    let problem =
        |problem: String, log: String| Error::Compiler { kernel: at.clone(), problem, log, bundle: None };
    let archiver = compilers.archiver()?;
    let Some(program) = resolve(&cargo.fs, archiver.get_program(), cargo.path.as_deref()) else {
        let name = archiver.get_program().to_string_lossy().into_owned();
        return Err(problem(format!("there is no `{name}`; install binutils, or set AR"), String::new()));
    };
    let shelf = cargo.shelf();
    let new = shelf.join("new.a");
    let _ = cargo.fs.remove(&new);
    let command = Command::new(program, &shelf, TIMEOUT).args(archiver.get_args());
    // Without times and owners: the same kernels make the same archive.
    let command = command.args(["crsD", "new.a"]).args(linked.iter().map(object_name));
    let output = command.spawn(cargo.fs.counters()).map(Running::into_output);
    let output = output.map_err(|error| cannot_start(&command, &error, &at))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(problem(format!("`{}` {}", command.program.display(), output.status.describe()), log));
    }
    let bytes = cargo.fs.read(&new).map_err(|error| Error::io("cannot read", &new, &error))?;
    let _ = cargo.fs.remove(&new);
    cargo.write(archive, &bytes)
}
