//! Parameters: what the program, the environment and the user's file say, made into one answer.
//!
//! Precedence: program, environment, file, default. Every answer carries its [`Origin`], because
//! "which flag came from where" is the first question about a kernel that behaves differently on
//! another machine.

pub(crate) mod env;
mod file;
mod keys;
pub(crate) mod origin;
pub(crate) mod params;
pub(crate) mod raw;
mod root;
pub(crate) mod settings;
pub(crate) mod suggest;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use env::Environment;
use origin::{Flag, Origin};
use params::{BuildOn, BuildParams, CacheParams, Cpu, GeneratorParams, Load, Network, Params, Profile};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most bytes of a cache, if nobody says otherwise.
pub(crate) const MAX_SIZE: u64 = 5 << 30;

/// A value and who set it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// Everything a `Jit` is told, resolved when it is built and fixed from then on.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) cache: Cache,
    pub(crate) build: Build,
    pub(crate) generator: Generator,
    /// The variables that compilers read by themselves, as far as they are set.
    pub(crate) compiler_env: BTreeMap<&'static str, OsString>,
    /// Where programs are looked for.
    pub(crate) path: Option<OsString>,
    /// Where the loader looks for their libraries first.
    pub(crate) library_path: Option<OsString>,
    /// Where working directories are made first (`TMPDIR`, or `/tmp`).
    pub(crate) tmpdir: PathBuf,
}

/// Resolved [`CacheParams`].
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    pub(crate) root: Sourced<PathBuf>,
    /// In the order of the search.
    pub(crate) sites: Vec<Sourced<PathBuf>>,
    pub(crate) load: Sourced<Load>,
    pub(crate) durable: Sourced<bool>,
    pub(crate) lock_wait: Sourced<Duration>,
    pub(crate) failures: Sourced<bool>,
    pub(crate) network: Sourced<Network>,
    /// 0 in these two: without bound.
    pub(crate) max_size: Sourced<u64>,
    pub(crate) max_files: Sourced<u64>,
}

/// Resolved [`BuildParams`]. Flags in the order of the command line, so the last one wins; search
/// directories in the order of the search.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    /// The compiler's words; `None`: whatever is found.
    pub(crate) cxx: Option<Sourced<Vec<String>>>,
    pub(crate) cflags: Vec<Flag>,
    pub(crate) cxxflags: Vec<Flag>,
    pub(crate) cppflags: Vec<Flag>,
    pub(crate) ldflags: Vec<Flag>,
    pub(crate) include_dirs: Vec<Sourced<PathBuf>>,
    pub(crate) lib_dirs: Vec<Sourced<PathBuf>>,
    pub(crate) libs: Vec<Sourced<String>>,
    pub(crate) rpath_dirs: Vec<Sourced<PathBuf>>,
    pub(crate) std: Option<Sourced<String>>,
    pub(crate) sealed: Sourced<bool>,
    pub(crate) profile: Sourced<Profile>,
    pub(crate) cpu: Sourced<Cpu>,
    pub(crate) timeout: Sourced<Duration>,
    /// `None`: as many as there are cores.
    pub(crate) jobs: Option<Sourced<usize>>,
    pub(crate) memory_per_job: Sourced<u64>,
    /// `None`: as it suits the request.
    pub(crate) build_on: Option<Sourced<BuildOn>>,
    pub(crate) trace: Option<Sourced<PathBuf>>,
}

/// Resolved [`GeneratorParams`].
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    pub(crate) check: Sourced<bool>,
    pub(crate) log_source: Sourced<bool>,
}

/// What one source (program, environment, file) sets, with the origin of each key.
#[derive(Debug, Clone)]
struct Layer {
    params: Params,
    origins: BTreeMap<(&'static str, &'static str), Origin>,
}

impl Layer {
    fn new(params: Params) -> Layer {
        Layer { params, origins: BTreeMap::new() }
    }

    /// The program's own layer names no keys: everything in it comes from the builder.
    fn origin(&self, key: (&'static str, &'static str)) -> Origin {
        self.origins.get(&key).cloned().unwrap_or(Origin::Builder)
    }
}

impl Config {
    /// Resolves what the program asks for against the process's environment and the user's file.
    pub(crate) fn resolve(builder: Params) -> Result<Config> {
        Config::resolve_in(builder, &Environment::of_process())
    }

    pub(crate) fn resolve_in(builder: Params, environment: &Environment) -> Result<Config> {
        let mut layers = Layers(vec![Layer::new(builder), environment.layer()?]);
        if let Some((path, required)) = file::locate(environment)? {
            layers.0.push(file::read(&path, required)?);
        }
        let build = layers.build()?;
        let config = Config {
            cache: layers.cache(environment)?,
            build,
            generator: layers.generator(),
            compiler_env: environment.for_compilers(),
            path: environment.get("PATH").map(OsString::from),
            library_path: environment.get("LD_LIBRARY_PATH").map(OsString::from),
            tmpdir: environment.directory("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp")),
        };
        config.check()?;
        Ok(config)
    }

    /// What no single source can know: these hold whoever set the value.
    fn check(&self) -> Result<()> {
        let Build { cxx, timeout, jobs, std, cpu, .. } = &self.build;
        if let Some(cxx) = cxx.as_ref().filter(|cxx| cxx.value.first().is_none_or(String::is_empty)) {
            return Err(invalid("the compiler `cxx` names no program".to_owned(), &cxx.origin));
        }
        if timeout.value.is_zero() {
            return Err(invalid("the timeout must be longer than 0 s".to_owned(), &timeout.origin));
        }
        if let Some(jobs) = jobs.as_ref().filter(|jobs| jobs.value == 0) {
            return Err(invalid("`jobs` must be at least 1".to_owned(), &jobs.origin));
        }
        if let Some(std) = std.as_ref().filter(|std| !is_name(&std.value)) {
            let problem = format!("`{}` is no language standard; write one such as `c++20`", std.value);
            return Err(invalid(problem, &std.origin));
        }
        if let Cpu::Named(name) = &cpu.value
            && !is_name(name)
        {
            let problem = format!(
                "`{name}` is no processor; write `native`, `generic`, or a name for -march= such as `x86-64-v3`"
            );
            return Err(invalid(problem, &cpu.origin));
        }
        let Build { cflags, cxxflags, cppflags, ldflags, .. } = &self.build;
        for flag in [cflags, cxxflags, cppflags, ldflags].into_iter().flatten() {
            if flag.text.is_empty() || flag.text.contains('\0') {
                return Err(invalid(format!("the flag {:?} cannot be given", flag.text), &flag.origin));
            }
        }
        Ok(())
    }
}

/// The sources, highest precedence first.
struct Layers(Vec<Layer>);

impl Layers {
    fn cache(&self, environment: &Environment) -> Result<Cache> {
        fn of<T>(get: fn(&CacheParams) -> &T) -> impl Fn(&Params) -> &T {
            move |params| get(&params.cache)
        }
        let key = |name| ("cache", name);
        Ok(Cache {
            root: root::choose(self.pick(key("dir"), of(|c| &c.dir)), environment)?,
            sites: self.paths(key("sites"), of(|c| &c.sites))?,
            load: self.pick_or(key("load"), of(|c| &c.load), Load::Auto),
            durable: self.pick_or(key("durable"), of(|c| &c.durable), false),
            // A dead holder lets go at once, so this only bounds a holder that is stopped or very
            // slow; giving up sooner than a long compile takes would make every waiter compile too.
            lock_wait: self.pick_or(key("lock_wait"), of(|c| &c.lock_wait), Duration::from_secs(300)),
            failures: self.pick_or(key("failures"), of(|c| &c.failures), true),
            network: self.pick_or(key("network"), of(|c| &c.network), Network::Auto),
            max_size: self.pick_or(key("max_size"), of(|c| &c.max_size), MAX_SIZE),
            max_files: self.pick_or(key("max_files"), of(|c| &c.max_files), 0),
        })
    }

    fn build(&self) -> Result<Build> {
        fn of<T>(get: fn(&BuildParams) -> &T) -> impl Fn(&Params) -> &T {
            move |params| get(&params.build)
        }
        let key = |name| ("build", name);
        Ok(Build {
            cxx: self.pick(key("cxx"), of(|b| &b.cxx)),
            cflags: self.flags(key("cflags"), of(|b| &b.cflags)),
            cxxflags: self.flags(key("cxxflags"), of(|b| &b.cxxflags)),
            cppflags: self.flags(key("cppflags"), of(|b| &b.cppflags)),
            ldflags: self.flags(key("ldflags"), of(|b| &b.ldflags)),
            include_dirs: self.dirs(key("include_dirs"), of(|b| &b.include_dirs))?,
            lib_dirs: self.dirs(key("lib_dirs"), of(|b| &b.lib_dirs))?,
            libs: self.all(key("libs"), of(|b| &b.libs)),
            rpath_dirs: self.dirs(key("rpath_dirs"), of(|b| &b.rpath_dirs))?,
            std: self.pick(key("std"), of(|b| &b.std)),
            sealed: self.pick_or(key("sealed"), of(|b| &b.sealed), false),
            profile: self.pick_or(key("profile"), of(|b| &b.profile), Profile::Optimized),
            cpu: self.pick_or(key("cpu"), of(|b| &b.cpu), Cpu::Native),
            timeout: self.pick_or(key("timeout"), of(|b| &b.timeout), Duration::from_secs(600)),
            jobs: self.pick(key("jobs"), of(|b| &b.jobs)),
            memory_per_job: self.pick_or(key("memory_per_job"), of(|b| &b.memory_per_job), 1 << 30),
            build_on: self.pick(key("build_on"), of(|b| &b.build_on)),
            trace: self.pick(key("trace"), of(|b| &b.trace)),
        })
    }

    fn generator(&self) -> Generator {
        fn of<T>(get: fn(&GeneratorParams) -> &T) -> impl Fn(&Params) -> &T {
            move |params| get(&params.generator)
        }
        let key = |name| ("generator", name);
        Generator {
            check: self.pick_or(key("check"), of(|g| &g.check), false),
            log_source: self.pick_or(key("log_source"), of(|g| &g.log_source), false),
        }
    }

    fn pick<T: Clone>(&self, key: Key, get: impl Fn(&Params) -> &Option<T>) -> Option<Sourced<T>> {
        self.0.iter().find_map(|layer| {
            let value = get(&layer.params).clone()?;
            Some(Sourced { value, origin: layer.origin(key) })
        })
    }

    fn pick_or<T: Clone>(&self, key: Key, get: impl Fn(&Params) -> &Option<T>, default: T) -> Sourced<T> {
        self.pick(key, get).unwrap_or(Sourced { value: default, origin: Origin::Default })
    }

    /// What all layers list, the nearest to the program first.
    fn all<T: Clone>(&self, key: Key, get: impl Fn(&Params) -> &Vec<T>) -> Vec<Sourced<T>> {
        let of_layer = |layer: &Layer| {
            let origin = layer.origin(key);
            let values = get(&layer.params).clone();
            values.into_iter().map(move |value| Sourced { value, origin: origin.clone() }).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_layer).collect()
    }

    /// Flags of all layers, the nearest to the program last, where it wins.
    fn flags(&self, key: Key, get: impl Fn(&Params) -> &Vec<String>) -> Vec<Flag> {
        let of_layer = |layer: &Layer| {
            let origin = layer.origin(key);
            let texts = get(&layer.params).clone();
            texts.into_iter().map(move |text| Flag { text, origin: origin.clone() }).collect::<Vec<_>>()
        };
        self.0.iter().rev().flat_map(of_layer).collect()
    }

    /// Directories, made absolute: the compiler runs in a directory of its own. They become flags, which
    /// are text: another spelling would be another directory.
    fn dirs(&self, key: Key, get: impl Fn(&Params) -> &Vec<PathBuf>) -> Result<Vec<Sourced<PathBuf>>> {
        let dirs = self.paths(key, get)?;
        match dirs.iter().find(|dir| dir.value.to_str().is_none()) {
            None => Ok(dirs),
            Some(dir) => {
                let problem = format!("`{}` in `{}` must be valid UTF-8", dir.value.display(), key.1);
                Err(invalid(problem, &dir.origin))
            }
        }
    }

    /// Paths of all layers, the nearest to the program first; only the program's may be relative.
    fn paths(&self, key: Key, get: impl Fn(&Params) -> &Vec<PathBuf>) -> Result<Vec<Sourced<PathBuf>>> {
        let absolute = |path: Sourced<PathBuf>| match path.origin {
            Origin::Builder => match std::path::absolute(&path.value) {
                Ok(value) => Ok(Sourced { value, ..path }),
                Err(error) => {
                    let shown = path.value.display();
                    let problem = format!("`{shown}` cannot be made an absolute path: {error}");
                    Err(invalid(problem, &path.origin))
                }
            },
            _ if path.value.is_absolute() => Ok(path),
            _ => {
                let problem = format!("`{}` in `{}` must be an absolute path", path.value.display(), key.1);
                Err(invalid(problem, &path.origin))
            }
        };
        self.all(key, get).into_iter().map(absolute).collect()
    }
}

type Key = (&'static str, &'static str);

fn invalid(problem: String, origin: &Origin) -> Error {
    Error::Config { problem, origin: origin.to_string() }
}

/// Text that may stand behind `-std=` or `-march=` without becoming something else.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._:".contains(&b))
}

#[cfg(test)]
mod tests;
