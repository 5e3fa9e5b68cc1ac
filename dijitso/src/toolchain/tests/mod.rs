//! Real compilers, and scripts that behave like broken ones.

mod build;
mod find;
mod options;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use super::*;
use crate::config::origin::Flag;
use crate::config::params::{Cpu, Params, Profile};
use crate::config::{Config, Sourced};
use crate::cxx::Language;
use crate::process::Output;

/// A place to work, and everything `find` wants.
struct Bench {
    dir: tempfile::TempDir,
    config: Config,
    counters: Arc<Counters>,
    fs: Fs,
}

fn sourced<T>(value: T) -> Sourced<T> {
    Sourced { value, origin: Origin::Builder }
}

impl Bench {
    fn new(cxx: &[&str]) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let mut params = Params::default();
        params.cache.dir = Some(dir.path().to_owned());
        let mut config = Config::resolve(params).unwrap();
        config.compiler_env = BTreeMap::new();
        let build = &mut config.build;
        for flags in [&mut build.cflags, &mut build.cxxflags, &mut build.cppflags, &mut build.ldflags] {
            flags.clear();
        }
        build.cxx = (!cxx.is_empty()).then(|| sourced(cxx.iter().map(|word| (*word).to_owned()).collect()));
        build.cpu = Sourced { value: Cpu::Native, origin: Origin::Default };
        build.profile = Sourced { value: Profile::Optimized, origin: Origin::Default };
        build.std = None;
        build.timeout = sourced(Duration::from_secs(60));
        let counters = Arc::new(Counters::default());
        Bench { dir, config, fs: Fs::new(counters.clone()), counters }
    }

    fn memo(&self) -> PathBuf {
        self.dir.path().join("memo")
    }

    fn find(&self) -> Result<Toolchain, Vec<(String, String)>> {
        Toolchain::find(&self.config, &self.fs, &self.counters, Some(&self.memo()))
    }

    fn try_flags(&self, toolchain: &Toolchain, wanted: &Wanted) -> Result<FlagSet> {
        let Wanted { language, flags, include_dirs } = wanted;
        let kernel = OfKernel { name: "kernel", std: None, flags, include_dirs };
        toolchain.flags_of(&self.config, *language, Some(&kernel), &self.counters)
    }

    fn flags(&self, toolchain: &Toolchain, wanted: &Wanted) -> FlagSet {
        self.try_flags(toolchain, wanted).unwrap()
    }

    fn processes(&self) -> u64 {
        self.counters.snapshot().processes
    }

    fn script(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    fn cxxflags(&mut self, words: &[&str]) {
        let environment = || Origin::Environment("CXXFLAGS".to_owned());
        self.config.build.cxxflags = words.iter().map(|word| Flag::new(*word, environment())).collect();
    }

    /// Compiles and links; the library's bytes and the commands.
    fn build(
        &self,
        toolchain: &Toolchain,
        flags: &FlagSet,
        text: &str,
        place: &str,
    ) -> (Vec<u8>, Vec<Command>) {
        let cwd = self.dir.path().join(place);
        std::fs::create_dir_all(&cwd).unwrap();
        std::fs::write(cwd.join("unit.cpp"), text).unwrap();
        std::fs::write(cwd.join("exports.map"), "{ global: entry; local: *; };").unwrap();
        let command = toolchain.compile_command(
            flags,
            flags.language,
            "unit.cpp",
            "unit.o",
            "unit.d",
            &cwd,
            Path::new("."),
        );
        succeeded(&command.run(&self.counters).unwrap());
        let needs = needs(&std::fs::read(cwd.join("unit.o")).unwrap());
        let request = LinkRequest {
            object: "unit.o",
            apart: false,
            libraries: &[],
            link_dirs: &[],
            links: &[],
            soname: "unit-soname.so",
            version_script: "exports.map",
            output: "unit.so",
            depfile: "link.d",
            needs: &needs,
            cwd: &cwd,
        };
        let commands = toolchain.link_commands(flags, &request);
        succeeded(&commands[0].run(&self.counters).unwrap());
        assert!(cwd.join("link.d").exists(), "the linker says what it read");
        (std::fs::read(cwd.join("unit.so")).unwrap(), commands)
    }
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", output.text());
}

fn needs(object: &[u8]) -> LinkNeeds {
    let file = object::File::parse(object).unwrap();
    let undefined = file.symbols().filter(|symbol| symbol.is_undefined() && symbol.name() != Ok(""));
    LinkNeeds {
        undefined: undefined.map(|symbol| symbol.name().unwrap().to_owned()).collect(),
        constructors: file
            .sections()
            .any(|section| section.name().unwrap_or_default().starts_with(".init_array")),
    }
}

/// What a kernel's source says.
#[derive(Default)]
struct Wanted {
    language: Language,
    flags: Vec<String>,
    include_dirs: Vec<PathBuf>,
}

fn wanted(language: Language, flags: &[&str]) -> Wanted {
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    Wanted { language, flags, include_dirs: Vec::new() }
}

fn plain() -> Wanted {
    Wanted::default()
}

fn installed(program: &str) -> bool {
    ["/usr/bin", "/usr/local/bin"].iter().any(|dir| Path::new(dir).join(program).exists())
}

fn texts(flags: &[Flag]) -> Vec<&str> {
    flags.iter().map(|flag| flag.text.as_str()).collect()
}

const ADD: &str = "extern \"C\" double entry(double x) { return x + 1; }";
const SINE: &str =
    "#include <cmath>\nextern \"C\" double entry(double x) { return std::sin(x) + std::floor(x); }";
const STATIC: &str = "struct S { S(); double x; }; S::S() : x(3) {} static S s; static thread_local double t = 1;\n\
                      extern \"C\" double entry(double x) { t += x; return s.x + t; }";
const THROWS: &str = "#include <stdexcept>\nextern \"C\" double entry(double x) { try { throw std::runtime_error(\"a\"); } \
                      catch (const std::exception &) { return x; } }";

fn compilers() -> Vec<&'static str> {
    ["g++", "clang++"].into_iter().filter(|name| installed(name)).collect()
}
