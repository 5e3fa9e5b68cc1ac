//! Asking CMake about a package: what it would compile and link with, in its own words.
//!
//! CMake's own generator evaluates everything: targets that need other targets, generator expressions, what a static library
//! in C++ needs. So a project of one program is configured with the package, and the commands that were generated for that
//! program are read. The files that CMake read are listed in what it generates, too; where it looked in vain it says itself.

mod around;
mod find;
mod project;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use around::{Around, Searches};
use project::{NAMES, project};
use serde::{Deserialize, Serialize};

use super::job::Trace;
use super::need::Called;
use super::settings::Settings;
use super::surroundings::Surroundings;
use super::told::{Problem, Step, kept};
use crate::fs::Scratch;
use crate::process::{Command, Output, Status};
use crate::toolchain::{Language, SearchPath, Trouble, trouble};

pub(super) use around::still_so;
pub(super) use find::{Search, variables};

/// What CMake is asked; without a name: whether it can configure an empty project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct CMakeCall {
    pub(crate) name: String,
    pub(crate) components: Vec<String>,
    /// Those that are linked; none: what the package has.
    pub(crate) targets: Vec<String>,
    /// Where it and what it needs may be, before all other places.
    pub(crate) prefixes: Vec<String>,
    /// The file that describes the package.
    pub(crate) config: PathBuf,
}

/// Where CMake looks first, for this package's own requirements, too.
pub(crate) const PREFIXES: &str = "CMAKE_PREFIX_PATH";

/// One run.
#[derive(Debug)]
pub(super) struct CMakeJob {
    scratch: Scratch,
    command: Command,
    trace: Trace,
    /// Else it is an empty project.
    is_of_package: bool,
    prefixes: Vec<PathBuf>,
}

const OBJECT: &str = "p.c.o";
const PROGRAM: &str = "dijitso_probe";

impl CMakeJob {
    /// # Errors
    /// There is no place to work in.
    pub(super) fn new(
        around: &Surroundings,
        call: &CMakeCall,
        cmake: &Path,
        absent: Vec<PathBuf>,
    ) -> Result<CMakeJob, String> {
        let io = |error: std::io::Error| format!("there is no place to work in: {error}; set TMPDIR to one");
        let scratch = Scratch::new(&around.fs, &around.places).map_err(io)?;
        let (source, build) = (scratch.path().join("source"), scratch.path().join("build"));
        around.fs.create_dir_all_private(&source).map_err(io)?;
        around.fs.write(&source.join("p.c"), b"int main(void) { return 0; }\n").map_err(io)?;
        around.fs.write(&source.join("CMakeLists.txt"), project(call, around).as_bytes()).map_err(io)?;
        let mut command = Command::new(cmake, scratch.path(), around.timeout).alone();
        for (name, value) in around.run_environment(&[PREFIXES.to_owned()]) {
            command = command.set(name, value);
        }
        command = command.arg("-S").arg(&source).arg("-B").arg(&build).args(["-G", "Unix Makefiles"]);
        for (language, name) in NAMES {
            let Some(compiler) = around.compilers.get(&language) else { continue };
            command = command
                .arg(format!("-DCMAKE_{name}_COMPILER={}", compiler.toolchain.words_elsewhere().join(";")));
            let flags: Vec<String> = compiler.flags.compile_words().map(|flag| flag.text).collect();
            command = command.arg(format!("-DCMAKE_{name}_FLAGS={}", flags.join(" ")));
        }
        let trace = Trace {
            started: std::time::SystemTime::now(),
            files: vec![cmake.to_owned()],
            asked: absent.into_iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            search: SearchPath::default(),
            incomplete: false,
        };
        let prefixes = call.prefixes.iter().map(PathBuf::from).collect();
        Ok(CMakeJob { scratch, command, trace, is_of_package: !call.name.is_empty(), prefixes })
    }

    pub(super) fn command(&self) -> &Command {
        &self.command
    }

    /// # Errors
    /// Nobody can say: it did not end by itself, or the machine was in trouble.
    pub(super) fn ended(
        mut self,
        around: &Surroundings,
        output: &Output,
    ) -> Result<(Called, Trace), Problem> {
        let dir = self.scratch.path().to_owned();
        let printed = String::from_utf8_lossy(&output.stderr);
        let searches = Searches::of(&printed);
        let said = without_made_up(kept(searches.said.as_bytes(), &dir.to_string_lossy()));
        let (status, elapsed) = (output.status, output.elapsed);
        let beside = Output {
            status,
            elapsed,
            cut: output.cut,
            stdout: output.stdout.clone(),
            stderr: searches.said.into_bytes(),
        };
        let command = self.command.to_string().replace(&*dir.to_string_lossy(), ".");
        if let Some(Trouble::Machine(text) | Trouble::Space(text)) =
            trouble("CMake program", &beside, around.timeout)
        {
            return Err(Problem { text, commands: vec![command], said });
        }
        let status = match output.status {
            Status::Exited(status) => status,
            other => return Err(Problem::from(format!("cmake {}", other.describe()))),
        };
        let build = dir.join("build");
        let read = |name: &str| {
            let bytes = around.fs.read_at_most(&build.join(name), 4 << 20).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let generated = |name: &str| read(&format!("CMakeFiles/{PROGRAM}.dir/{name}"));
        let why = match (status, read("refused")) {
            (0, Some(why)) => without_made_up(why.replace(&*dir.to_string_lossy(), ".")),
            (0, None) => String::new(),
            _ => error_of(&said),
        };
        let mut stdout = match (why.is_empty(), generated("link.txt"), generated("flags.make")) {
            (true, Some(link), Some(flags)) => {
                let version = read("version").unwrap_or_default();
                format!("{}\n{}\n{flags}", version.trim(), link.trim())
            }
            _ => String::new(),
        };
        let listed = read("CMakeFiles/Makefile.cmake").unwrap_or_default();
        self.trace.files.extend(files_in(&listed).filter(|path| !path.starts_with(&dir)));
        let libraries = stdout.lines().nth(1).and_then(shlex::split).unwrap_or_default();
        self.trace.files.extend(
            libraries
                .iter()
                .skip(1)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute() && !path.starts_with(&dir) && around.fs.is_file(path)),
        );
        // What ended with an error has listed nothing.
        self.trace.incomplete |= status != 0 || listed.is_empty();
        if let (Some(packages), Some(root), true) = (read("packages"), read("root"), self.is_of_package) {
            stdout.push_str(&self.lies_around(around, &packages, Path::new(root.trim()), searches.places));
            // Before 3.17 CMake does not say where it looks, and of very many searches some are cut out.
            let told = read("searches_are_told").is_some() && !printed.contains(" bytes omitted ..]");
            self.trace.incomplete |= !told;
        } else {
            self.trace.incomplete |= self.is_of_package;
        }
        let step =
            Step { command, status, stdout: stdout.replace(&*dir.to_string_lossy(), "."), stderr: said };
        let path = Some(self.command.program.to_string_lossy().into_owned());
        Ok((Called { path, why, step }, self.trace))
    }

    /// Notes what was looked for in vain, and what has to be looked at again as a line of the answer.
    fn lies_around(
        &mut self,
        around: &Surroundings,
        packages: &str,
        root: &Path,
        places: Vec<PathBuf>,
    ) -> String {
        let dir = self.scratch.path();
        let names: BTreeSet<&str> =
            packages.split(';').map(str::trim).filter(|name| !name.is_empty()).collect();
        // It runs pkg-config, and nobody tells which of its files that reads.
        self.trace.incomplete |= names.contains("PkgConfig");
        let theirs = self.trace.files.iter().filter(|path| !path.starts_with(root));
        let theirs = theirs.filter(|path| path.extension().is_some_and(|end| end == "cmake"));
        let dirs = theirs.filter_map(|path| path.parent().map(Path::to_owned)).collect();
        let mut prefixes = self.prefixes.clone();
        for place in places.into_iter().filter(|place| !place.starts_with(dir)) {
            if around.fs.is_file(&place) {
                self.trace.files.push(place);
            } else if !around.fs.exists(&place) {
                self.trace.asked.push(place.to_string_lossy().into_owned());
            } else if !prefixes.contains(&place) {
                prefixes.push(place);
            }
        }
        let names = names.into_iter().map(str::to_owned).collect();
        let path = around.config.path.clone().unwrap_or_default();
        let target = around.compiler(Language::C).toolchain.target();
        Around::new(names, prefixes, dirs).line(&around.fs, &path, target)
    }
}

/// Without the names of the projects that CMake makes up to try something: they are others each time.
fn without_made_up(text: String) -> String {
    ["cmTC_", "TryCompile-"].iter().fold(text, |text, mark| {
        let mut parts = text.split(mark);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |all, part| {
            format!("{all}{mark}x{}", part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()))
        })
    })
}

/// The first thing that CMake complains about, and where.
fn error_of(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.starts_with("CMake Error"));
    let first = lines.next().unwrap_or("cmake failed").trim().trim_end_matches(':');
    let rest = lines
        .take_while(|line| !line.starts_with("CMake ") && !line.starts_with("Call Stack"))
        .map(str::trim);
    let words: Vec<&str> = rest.filter(|line| !line.is_empty()).take(4).collect();
    format!("{} ({first})", words.join(" "))
}

/// What `Makefile.cmake` says that it was made from.
fn files_in(listed: &str) -> impl Iterator<Item = PathBuf> {
    let begin = listed.lines().skip_while(|line| !line.starts_with("set(CMAKE_MAKEFILE_DEPENDS")).skip(1);
    let lines = begin.take_while(|line| line.trim() != ")");
    lines.map(|line| PathBuf::from(line.trim().trim_matches('"'))).filter(|path| path.is_absolute())
}

/// Version and settings, of what [`CMakeJob::ended`] wrote down.
pub(super) fn read(told: &str) -> (String, Settings) {
    let mut lines = told.lines();
    let version = lines.next().unwrap_or_default().to_owned();
    let link = lines.next().and_then(shlex::split).unwrap_or_default();
    let mut settings = Settings::new();
    for line in lines {
        let Some((name, words)) = line.split_once(" = ").or_else(|| line.split_once(" =")) else { continue };
        let mut words = shlex::split(words).unwrap_or_default().into_iter();
        if !matches!(name, "C_DEFINES" | "C_INCLUDES" | "C_FLAGS") {
            continue;
        }
        while let Some(word) = words.next() {
            settings = match word.strip_prefix("-I") {
                Some(dir) => settings.include_dir(dir),
                None if word == "-isystem" => match words.next() {
                    Some(dir) => settings.include_dir(dir),
                    None => settings,
                },
                // Whoever asks chooses the dialect.
                None if word.starts_with("-std=") => settings,
                None => settings.compile_flag(word),
            };
        }
    }
    let object = link.iter().position(|word| word.ends_with(OBJECT)).unwrap_or(link.len());
    let (before, behind) = link.split_at(object);
    // The compiler's own words come first, and none of them is a flag.
    for word in before.iter().skip_while(|word| !word.starts_with('-')) {
        settings = settings.link_flag(word);
    }
    let mut words = behind.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "-o" {
            words.next();
            continue;
        }
        settings = match (word.strip_prefix("-L"), word.strip_prefix("-l")) {
            (Some(dir), _) => settings.lib_dir(dir),
            (_, Some(name)) => settings.lib(name),
            _ if word.starts_with("-Wl,-rpath") => settings.link_flag(word),
            _ => settings.lib(word),
        };
    }
    (version, settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cmake_generated_is_read_as_settings() {
        let told = "1.2\n/usr/bin/gcc -Wl,-z,now CMakeFiles/x.dir/p.c.o -o x -L/opt/b -Wl,-rpath,/opt/x/lib \
                    /opt/x/lib/libx.so -lm\n# text\nC_DEFINES = -DX=\\\"a\\\" -DY\n\nC_INCLUDES = -I/opt/x/include -isystem /opt/y\n\
                    C_FLAGS = -fopenmp -std=gnu11\n";
        let (version, settings) = read(told);
        assert_eq!(version, "1.2");
        let words = "'-DX=\"a\"' -DY -fopenmp -I/opt/x/include -I/opt/y -Wl,-z,now -Wl,-rpath,/opt/x/lib -L/opt/b \
                     /opt/x/lib/libx.so -lm";
        assert_eq!(settings.to_string(), words);
    }

    #[test]
    fn complaints_and_lists_of_files_are_found_in_what_cmake_says() {
        let said = "junk\nCMake Error at x.cmake:3 (find):\n  No such thing.\n\nCall Stack (most recent call first):\nCMake Generate step failed.\n";
        assert_eq!(error_of(said), "No such thing. (CMake Error at x.cmake:3 (find))");
        let said = "CMake Error at x:1 (y):\n  CMake 3.99 or higher is required.\n";
        assert!(error_of(said).starts_with("CMake 3.99 or higher is required."));
        let list = "# x\nset(CMAKE_MAKEFILE_DEPENDS\n  \"CMakeCache.txt\"\n  \"/a/b.cmake\"\n  )\n\"/no\"\n";
        assert_eq!(files_in(list).collect::<Vec<_>>(), [PathBuf::from("/a/b.cmake")]);
    }
}
