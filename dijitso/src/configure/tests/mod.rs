//! Configurations as a project would have them, with real compilers.

/// A module whose result is a number.
macro_rules! module {
    ($name:ident, $text:literal, |$cx:ident| $body:expr $(, order: |$order:ident| $edges:expr)?) => {
        #[derive(Debug, Serialize, Deserialize)]
        struct $name(u32);

        impl Module for $name {
            const NAME: &'static str = $text;

            $(fn order($order: &mut Order) {
                $edges
            })?

            fn configure($cx: &Cx<'_>) -> Result<$name, Failed> {
                $body
            }
        }
    };
}

mod diagnosis;
mod graph;
mod logs;
mod options;
mod outputs;
mod packages;
mod packages_build;
mod packages_cmake;
mod packages_demanded;
mod packages_found;
mod packages_order;
mod whole;
mod written;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::*;
use crate::probe::{Compile, CompilerFlag, Function, Header, Language, Probes, Settings, Size};

/// A place for one configuration: its cache, and what it writes.
struct Place {
    dir: PathBuf,
    /// Removed with it, if it is ours.
    _own: Option<tempfile::TempDir>,
}

/// Whether a test can have this program: it skips without, or with CI set fails.
fn there(program: &str) -> bool {
    let there = std::process::Command::new(program).arg("--version").output().is_ok();
    if !there {
        let is_ci = crate::config::env::named("CI").is_some();
        assert!(!is_ci, "with CI set nothing may be skipped: there is no {program}");
        eprintln!("skipped: there is no {program}");
    }
    there
}

impl Place {
    fn new() -> Place {
        let own = tempfile::tempdir().unwrap();
        Place { dir: own.path().to_owned(), _own: Some(own) }
    }

    /// One that another process has made.
    fn of(dir: PathBuf) -> Place {
        Place { dir, _own: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn script(&self, name: &str, text: &str) -> String {
        let path = self.write(name, &format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn configure(&self) -> Configure {
        let probes = Probes::builder().cache_dir(self.path("cache")).without_environment_flags();
        let probes = probes.compiler(Language::C, "gcc").compiler(Language::Cxx, "g++");
        Configure::new("Demo").probes(probes).dir(self.path("build")).source_dir(self.path("."))
    }

    /// With a C compiler that is a script.
    fn with_cc(&self, script: &str) -> Configure {
        let cc = self.script("bin/cc", script);
        let probes = Probes::builder().cache_dir(self.path("cache")).without_environment_flags();
        let probes = probes.compiler(Language::C, cc).timeout(std::time::Duration::from_secs(5));
        Configure::new("Demo").probes(probes).dir(self.path("build"))
    }
}

/// The types of a machine: a module with real questions.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Types {
    long: u64,
    has_math: bool,
}

impl Module for Types {
    const NAME: &'static str = "types";

    fn configure(cx: &Cx<'_>) -> Result<Types, Failed> {
        let (long, math, none) =
            cx.all((Size::new("long"), Header::new("math.h"), Header::new("dijitso/none.h")));
        let long = long.yes().ok_or_else(|| cx.fail("no size"))?;
        cx.define("SIZEOF_LONG", long.to_string(), "bytes of a long");
        match none.reason() {
            Some(reason) => cx.undefine("HAVE_NONE", &reason.to_string()),
            None => cx.define("HAVE_NONE", "1", "it is there"),
        }
        cx.summary("long", format!("{long} bytes"));
        Ok(Types { long, has_math: math.is_yes() })
    }
}

/// It requires the types, and has options.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct App {
    bits: u64,
    level: i64,
}

const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
const KEY: Opt<String> = Opt::text("with-key", "", "*", "a licence's key").secret();

impl Module for App {
    const NAME: &'static str = "app";

    fn options(options: &mut Options) {
        options.add(&LEVEL).add(&KEY).of::<Types>();
    }

    fn configure(cx: &Cx<'_>) -> Result<App, Failed> {
        let types = cx.require::<Types>()?;
        let again = cx.require::<Types>()?;
        assert!(std::sync::Arc::ptr_eq(&types, &again), "it is configured once");
        let level = cx.get(&LEVEL)?;
        cx.define("LEVEL", level.to_string(), "as the options say");
        cx.make_macro("LEVEL", level.to_string(), "as the options say");
        cx.substitute_option("level", &LEVEL)?;
        cx.flag(Language::C, Stage::Compile, "-fno-math-errno");
        let flag = cx.want(&CompilerFlag::new("-fdijitso-none"))?;
        assert!(flag.is_none());
        cx.need(&Function::new("cosh").after("math.h").with(&Settings::new().lib("m")))?;
        cx.settings(Some(Language::C), &Settings::new().lib("m"));
        Ok(App { bits: 8 * types.long, level })
    }
}
