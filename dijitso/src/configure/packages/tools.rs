//! What a package is built with: compilers and flags of the session, and the commands of the package's build system.

use std::path::Path;

use super::build::{BuildWith, Recipe};
use super::work::PATIENCE;
use crate::config::env;
use crate::configure::{Cx, Failed};
use crate::fs::Fs;
use crate::probe::Language;
use crate::process::Command;
use crate::signature::Signer;
use crate::toolchain::which;

/// Variables that would decide what is built, or where it is put, and are in no key: the session has read its flags already.
const UNSEEN: [&str; 17] = [
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "FFLAGS",
    "FCFLAGS",
    "LDFLAGS",
    "LIBS",
    "CONFIG_SITE",
    "DESTDIR",
    "MAKEFLAGS",
    "MAKEOVERRIDES",
    "MFLAGS",
    "MAKELEVEL",
    "CMAKE_GENERATOR",
    "CMAKE_BUILD_TYPE",
    "CMAKE_TOOLCHAIN_FILE",
    "CMAKE_CONFIG_TYPE",
];

/// Variables that say where a package finds what it needs. They are in the key.
const PLACES: [&str; 3] = ["CMAKE_PREFIX_PATH", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR"];

#[derive(Debug)]
pub(super) struct Tools {
    compilers: Vec<Tool>,
    /// For the link.
    link: Vec<String>,
    path: std::ffi::OsString,
    jobs: usize,
}

/// One compiler and its flags.
#[derive(Debug)]
struct Tool {
    language: Language,
    words: Vec<String>,
    flags: Vec<String>,
}

/// Where it all happens.
pub(super) struct Dirs<'a> {
    /// With `configure` or `CMakeLists.txt`.
    pub(super) top: &'a Path,
    pub(super) build: &'a Path,
    pub(super) prefix: &'a Path,
}

impl Tools {
    /// Those of the session. All that decides what they make goes into the key.
    pub(super) fn new(cx: &Cx<'_>, jobs: usize, signer: &mut Signer) -> Result<Tools, Failed> {
        let session = cx.probes().session();
        let (mut compilers, mut link) = (Vec::new(), Vec::new());
        for language in [Language::C, Language::Cxx, Language::Fortran] {
            let compiler = match session.compiler(language) {
                Ok(compiler) => compiler,
                // Few packages need Fortran.
                Err(_) if language == Language::Fortran => continue,
                Err(reason) => return Err(cx.fail(reason.to_string())),
            };
            signer.field(language.name(), &compiler.toolchain.identity());
            let flags: Vec<String> = compiler.flags.compile_words().map(|flag| flag.text).collect();
            signer.field("flags", &flags);
            if language == Language::C {
                let dirs = compiler.flags.lib_dirs.iter().map(|dir| format!("-L{}", dir.text));
                link.extend(compiler.flags.link.iter().map(|flag| flag.text.clone()).chain(dirs));
                signer.field("link", &link);
            }
            compilers.push(Tool { language, words: compiler.toolchain.words_elsewhere(), flags });
        }
        for (name, value) in &session.config.compiler_env {
            signer.field(name, value);
        }
        for name in PLACES {
            signer.field(name, &env::named(name));
        }
        Ok(Tools { compilers, link, path: session.config.path.clone().unwrap_or_default(), jobs })
    }

    /// A program on `PATH`.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn program(&self, fs: &Fs, name: &str, dir: &Path) -> Result<Command, String> {
        let found = which(name, &self.path, fs).map_err(|why| format!("{name} is needed and {why}"))?;
        Ok(unseeing(Command::new(found.path, dir, PATIENCE)))
    }

    /// Those that configure, build and install.
    ///
    /// # Errors
    /// A program is not there.
    pub(super) fn commands(&self, fs: &Fs, recipe: &Recipe, dirs: &Dirs<'_>) -> Result<[Command; 3], String> {
        let program = |name: &str| self.program(fs, name, dirs.top);
        let jobs = self.jobs.max(1).to_string();
        match recipe.with {
            BuildWith::Autotools => {
                let mut configure = unseeing(Command::new(dirs.top.join("configure"), dirs.top, PATIENCE));
                configure = configure.arg(format!("--prefix={}", dirs.prefix.display()));
                for Tool { language, words, flags } in &self.compilers {
                    configure = configure.arg(format!("{}={}", language.variable(), words.join(" ")));
                    if !flags.is_empty() {
                        configure =
                            configure.arg(format!("{}={}", language.flags_variable(), flags.join(" ")));
                    }
                }
                if !self.link.is_empty() {
                    configure = configure.arg(format!("LDFLAGS={}", self.link.join(" ")));
                }
                let configure = configure.args(&recipe.arguments);
                Ok([configure, program("make")?.arg(format!("-j{jobs}")), program("make")?.arg("install")])
            }
            BuildWith::CMake => {
                let mut configure = program("cmake")?.arg("-S").arg(dirs.top).arg("-B").arg(dirs.build);
                configure = configure.arg(format!("-DCMAKE_INSTALL_PREFIX={}", dirs.prefix.display()));
                for Tool { language, words, flags } in &self.compilers {
                    let name = match language {
                        Language::C => "C",
                        Language::Cxx => "CXX",
                        Language::Fortran => "Fortran",
                    };
                    configure = configure.arg(format!("-DCMAKE_{name}_COMPILER={}", words.join(";")));
                    if !flags.is_empty() {
                        configure = configure.arg(format!("-DCMAKE_{name}_FLAGS={}", flags.join(" ")));
                    }
                }
                for kind in ["EXE", "SHARED"].iter().filter(|_| !self.link.is_empty()) {
                    configure = configure.arg(format!("-DCMAKE_{kind}_LINKER_FLAGS={}", self.link.join(" ")));
                }
                let configure = configure.args(&recipe.arguments);
                let make = program("cmake")?.arg("--build").arg(dirs.build).args(["--parallel", &jobs]);
                Ok([configure, make, program("cmake")?.arg("--install").arg(dirs.build)])
            }
        }
    }
}

fn unseeing(command: Command) -> Command {
    UNSEEN.iter().fold(command, |command, name| command.set(*name, None::<&str>))
}
