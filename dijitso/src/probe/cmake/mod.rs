//! Asking CMake about a package: what it would compile and link with, in its own words.
//!
//! CMake's own generator evaluates everything: targets that need other targets, generator expressions, what a static library
//! in C++ needs. So a project of one program is configured with the package, and the commands that were generated for that
//! program are read. The files that CMake read are listed in what it generates, too.

mod find;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::job::Trace;
use super::need::Called;
use super::settings::Settings;
use super::surroundings::Surroundings;
use super::told::{Step, kept};
use crate::fs::Scratch;
use crate::process::{Command, Output, Status};
use crate::toolchain::{Language, SearchPath};

pub(super) use find::find;

/// What CMake is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
            command =
                command.arg(format!("-DCMAKE_{name}_COMPILER={}", compiler.toolchain.words().join(";")));
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
        Ok(CMakeJob { scratch, command, trace })
    }

    pub(super) fn command(&self) -> &Command {
        &self.command
    }

    /// # Errors
    /// Nobody can say: it did not end by itself.
    pub(super) fn ended(mut self, around: &Surroundings, output: &Output) -> Result<(Called, Trace), String> {
        let dir = self.scratch.path().to_owned();
        let Status::Exited(status) = output.status else {
            let ended = output.status.describe();
            return Err(format!("cmake {ended}; DIJITSO_TIMEOUT says how long it may take"));
        };
        let build = dir.join("build");
        let read = |name: &str| {
            let bytes = around.fs.read_at_most(&build.join(name), 4 << 20).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let generated = |name: &str| read(&format!("CMakeFiles/{PROGRAM}.dir/{name}"));
        let said = kept(&output.stderr, &dir.to_string_lossy());
        let why = match (status, read("refused")) {
            (0, Some(why)) => why,
            (0, None) => String::new(),
            _ => error_of(&said),
        };
        let stdout = match (why.is_empty(), generated("link.txt"), generated("flags.make")) {
            (true, Some(link), Some(flags)) => {
                let version = read("version").unwrap_or_default();
                format!("{}\n{}\n{flags}", version.trim(), link.trim())
            }
            // Nobody lists where CMake looked in vain.
            _ => {
                self.trace.incomplete = true;
                String::new()
            }
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
        let step = Step {
            command: self.command.to_string().replace(&*dir.to_string_lossy(), "."),
            status,
            stdout: stdout.replace(&*dir.to_string_lossy(), "."),
            stderr: said,
        };
        let path = Some(self.command.program.to_string_lossy().into_owned());
        Ok((Called { path, why, step }, self.trace))
    }
}

const NAMES: [(Language, &str); 2] = [(Language::C, "C"), (Language::Cxx, "CXX")];

/// A project that is a program with the package.
fn project(call: &CMakeCall, around: &Surroundings) -> String {
    let languages: Vec<&str> = NAMES
        .iter()
        .filter(|(language, _)| around.compilers.contains_key(language))
        .map(|(_, name)| *name)
        .collect();
    let list = |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let components = match call.components.is_empty() {
        true => String::new(),
        false => format!("COMPONENTS {}", list(&call.components)),
    };
    let dir = call.config.parent().unwrap_or(Path::new("/"));
    TEXT.replace("@LANGUAGES@", &languages.join(" "))
        .replace("@COMPONENTS@", &components)
        .replace("@TARGETS@", &list(&call.targets))
        .replace("@UPPER@", &call.name.to_ascii_uppercase())
        .replace("@LOWER@", &call.name.to_ascii_lowercase())
        .replace("@NAME@", &call.name)
        .replace("@PREFIXES@", &list(&call.prefixes))
        .replace("@DIR@", &quoted(&dir.to_string_lossy()))
        .replace("@PROGRAM@", PROGRAM)
}

const TEXT: &str = r#"cmake_minimum_required(VERSION 3.13...3.31)
project(@PROGRAM@ LANGUAGES @LANGUAGES@)
set(CMAKE_C_FLAGS "")
set(CMAKE_BUILD_TYPE Release)
set(CMAKE_C_FLAGS_RELEASE "")
set(CMAKE_SHARED_LIBRARY_LINK_C_FLAGS "")
set(CMAKE_FIND_USE_PACKAGE_REGISTRY OFF)
set(CMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY OFF)
set(@NAME@_DIR @DIR@)
set(CMAKE_PREFIX_PATH @PREFIXES@)
macro(refuse why)
  file(WRITE "${CMAKE_BINARY_DIR}/refused" "${why}")
  return()
endmacro()
find_package(@NAME@ CONFIG QUIET @COMPONENTS@)
if(NOT @NAME@_FOUND)
  if(@NAME@_NOT_FOUND_MESSAGE)
    refuse("its own file says: ${@NAME@_NOT_FOUND_MESSAGE}")
  endif()
  refuse("its own file says that it is not usable here")
endif()
file(WRITE "${CMAKE_BINARY_DIR}/version" "${@NAME@_VERSION}")
set(named @TARGETS@)
get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
foreach(target ${named})
  if(NOT TARGET ${target})
    refuse("it has no target ${target}; it has: ${imported}")
  endif()
endforeach()
if(NOT named)
  foreach(target @NAME@::@NAME@ @NAME@::@LOWER@ @LOWER@::@LOWER@)
    if(NOT named AND TARGET ${target})
      set(named ${target})
    endif()
  endforeach()
endif()
if(NOT named)
  foreach(target ${imported})
    get_target_property(type ${target} TYPE)
    if(type MATCHES "LIBRARY$" AND NOT type MATCHES "MODULE")
      list(APPEND named ${target})
    endif()
  endforeach()
endif()
add_executable(@PROGRAM@ p.c)
set_target_properties(@PROGRAM@ PROPERTIES LINKER_LANGUAGE C NO_SYSTEM_FROM_IMPORTED ON)
if(named)
  target_link_libraries(@PROGRAM@ PRIVATE ${named})
else()
  foreach(prefix @UPPER@ @NAME@)
    foreach(name LIBRARIES LIBRARY INCLUDE_DIRS INCLUDE_DIR DEFINITIONS)
      if(${prefix}_${name})
        set(of_${name} ${${prefix}_${name}})
      endif()
    endforeach()
  endforeach()
  if(NOT of_LIBRARIES)
    set(of_LIBRARIES ${of_LIBRARY})
  endif()
  if(NOT of_LIBRARIES AND NOT of_INCLUDE_DIRS AND NOT of_INCLUDE_DIR)
    refuse("it names neither targets nor @NAME@_LIBRARIES: name its targets")
  endif()
  target_link_libraries(@PROGRAM@ PRIVATE ${of_LIBRARIES})
  target_include_directories(@PROGRAM@ PRIVATE ${of_INCLUDE_DIRS} ${of_INCLUDE_DIR})
  target_compile_options(@PROGRAM@ PRIVATE ${of_DEFINITIONS})
endif()
"#;

/// A word that CMake takes as it is.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        if matches!(c, '"' | '\\' | '$') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

/// The first thing that CMake complains about, and where.
fn error_of(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.starts_with("CMake Error"));
    let first = lines.next().unwrap_or("cmake failed").trim().trim_end_matches(':');
    let rest = lines
        .map(str::trim)
        .take_while(|line| !line.starts_with("CMake ") && !line.starts_with("Call Stack"));
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
        let words = "-DX=\"a\" -DY -fopenmp -I/opt/x/include -I/opt/y -Wl,-z,now -Wl,-rpath,/opt/x/lib -L/opt/b \
                     /opt/x/lib/libx.so -lm";
        assert_eq!(settings.to_string(), words);
    }

    #[test]
    fn complaints_and_lists_of_files_are_found_in_what_cmake_says() {
        let said = "junk\nCMake Error at x.cmake:3 (find):\n  No such thing.\n\nCall Stack (most recent call first):\nCMake Generate step failed.\n";
        assert_eq!(error_of(said), "No such thing. (CMake Error at x.cmake:3 (find))");
        let list = "# x\nset(CMAKE_MAKEFILE_DEPENDS\n  \"CMakeCache.txt\"\n  \"/a/b.cmake\"\n  )\n\"/no\"\n";
        assert_eq!(files_in(list).collect::<Vec<_>>(), [PathBuf::from("/a/b.cmake")]);
        assert_eq!(quoted("a\"$b\\"), r#""a\"\$b\\""#);
    }
}
