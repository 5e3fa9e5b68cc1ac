//! The parameters that are in force, as people and the command line read them.

use std::fmt;
use std::time::Duration;

use super::origin::{Flag, Origin};
use super::params::{BuildOn, Cpu, Load, Network, Params, Profile};
use super::{Build, Cache, Config, Generator, Sourced};
use crate::error::Result;

/// One parameter with the value that is in force, and who set it.
///
/// dijitso: a key of `validate_params()`; `dijitso config` shows them.
///
/// ```
/// use dijitso::{BuildParams, Origin, Params};
///
/// # fn main() -> dijitso::Result<()> {
/// let build = BuildParams { std: Some("c++20".into()), ..BuildParams::default() };
/// let settings = Params { build, ..Params::default() }.resolve()?;
/// let std = settings.iter().find(|setting| setting.name == "std").unwrap();
/// assert_eq!(std.to_string(), "build.std = c++20 (builder)");
/// assert_eq!(std.values[0].origin, Origin::Builder);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// `cache`, `build` or `generator`: the section in the configuration file.
    pub section: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// The values: none if it is not set, several for a list. Each is written as in the configuration file.
    pub values: Vec<Flag>,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} =", self.section, self.name)?;
        let mut values = self.values.iter().peekable();
        while let Some(value) = values.next() {
            write!(f, " {}", value.text)?;
            // One origin for all that come from one place.
            if values.peek().is_none_or(|next| next.origin != value.origin) {
                write!(f, " ({})", value.origin)?;
            }
        }
        Ok(())
    }
}

impl Params {
    /// What is in force with these parameters in this environment: completed by the environment, the user's
    /// configuration file and the defaults, as for [`JitBuilder::build`](crate::JitBuilder::build), and
    /// checked. In the order of the sections.
    ///
    /// dijitso: `validate_params`, which also merges and checks.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) for a value that makes no sense, or an unknown key in the file.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// for setting in dijitso::Params::default().resolve()? {
    ///     println!("{setting}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn resolve(&self) -> Result<Vec<Setting>> {
        Ok(settings(&Config::resolve(self.clone())?))
    }
}

/// The parameters of a `Jit`.
pub(crate) fn settings(config: &Config) -> Vec<Setting> {
    let Cache { root, sites, load, durable, lock_wait, failures, network, max_size, max_files } =
        &config.cache;
    let Build { cxx, cflags, cxxflags, cppflags, ldflags, include_dirs, lib_dirs, libs, rpath_dirs, .. } =
        &config.build;
    let Build { std, sealed, profile, cpu, timeout, jobs, memory_per_job, build_on, trace, .. } =
        &config.build;
    let Generator { check, log_source } = &config.generator;
    let of = |section, name, values| Setting { section, name, values };
    let path = |path: &std::path::PathBuf| path.display().to_string();
    let dirs = |dirs: &[Sourced<std::path::PathBuf>]| each(dirs, path);
    vec![
        of("cache", "dir", if config.cache.homeless().is_some() { Vec::new() } else { one(root, path) }),
        of("cache", "sites", dirs(sites)),
        of("cache", "load", one(load, load_text)),
        of("cache", "durable", one(durable, bool::to_string)),
        of("cache", "lock_wait", one(lock_wait, seconds)),
        of("cache", "failures", one(failures, bool::to_string)),
        of("cache", "network", one(network, network_text)),
        of("cache", "max_size", one(max_size, u64::to_string)),
        of("cache", "max_files", one(max_files, u64::to_string)),
        of("build", "cxx", cxx.iter().flat_map(|cxx| one(cxx, |words| words.join(" "))).collect()),
        of("build", "cflags", cflags.clone()),
        of("build", "cxxflags", cxxflags.clone()),
        of("build", "cppflags", cppflags.clone()),
        of("build", "ldflags", ldflags.clone()),
        of("build", "include_dirs", dirs(include_dirs)),
        of("build", "lib_dirs", dirs(lib_dirs)),
        of("build", "libs", each(libs, String::clone)),
        of("build", "rpath_dirs", dirs(rpath_dirs)),
        of("build", "std", std.iter().flat_map(|std| one(std, String::clone)).collect()),
        of("build", "sealed", one(sealed, bool::to_string)),
        of("build", "profile", one(profile, profile_text)),
        of("build", "cpu", one(cpu, cpu_text)),
        of("build", "timeout", one(timeout, seconds)),
        of("build", "jobs", jobs.iter().flat_map(|jobs| one(jobs, usize::to_string)).collect()),
        of("build", "memory_per_job", one(memory_per_job, u64::to_string)),
        of("build", "build_on", build_on.iter().flat_map(|on| one(on, BuildOn::to_string)).collect()),
        of("build", "trace", trace.iter().flat_map(|trace| one(trace, path)).collect()),
        of("generator", "check", one(check, bool::to_string)),
        of("generator", "log_source", one(log_source, bool::to_string)),
    ]
}

fn one<T>(value: &Sourced<T>, text: impl Fn(&T) -> String) -> Vec<Flag> {
    vec![flag(text(&value.value), &value.origin)]
}

fn each<T>(values: &[Sourced<T>], text: impl Fn(&T) -> String) -> Vec<Flag> {
    values.iter().map(|value| flag(text(&value.value), &value.origin)).collect()
}

fn flag(text: String, origin: &Origin) -> Flag {
    Flag { text, origin: origin.clone() }
}

fn seconds(time: &Duration) -> String {
    time.as_secs_f64().to_string()
}

fn load_text(load: &Load) -> String {
    let text = match load {
        Load::Auto => "auto",
        Load::File => "file",
        Load::Memory => "memory",
    };
    text.to_owned()
}

fn network_text(network: &Network) -> String {
    let text = match network {
        Network::Auto => "auto",
        Network::Yes => "yes",
        Network::No => "no",
    };
    text.to_owned()
}

fn profile_text(profile: &Profile) -> String {
    let text = match profile {
        Profile::Optimized => "optimized",
        Profile::Debug => "debug",
    };
    text.to_owned()
}

fn cpu_text(cpu: &Cpu) -> String {
    match cpu {
        Cpu::Native => "native".to_owned(),
        Cpu::Generic => "generic".to_owned(),
        Cpu::Named(name) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::env::Environment;
    use super::super::keys::KEYS;
    use super::*;

    fn shown(env: &[(&'static str, &str)]) -> Vec<String> {
        let config = Config::resolve_in(Params::default(), &Environment::of(env)).unwrap();
        settings(&config).iter().map(Setting::to_string).collect()
    }

    #[test]
    fn every_parameter_is_shown_under_its_own_name() {
        let config = Config::resolve_in(Params::default(), &Environment::of(&[("HOME", "/h")])).unwrap();
        let names: Vec<_> = settings(&config).iter().map(|s| (s.section, s.name)).collect();
        assert_eq!(names, KEYS.iter().map(|key| key.path()).collect::<Vec<_>>());
    }

    #[test]
    fn values_are_shown_with_who_set_them() {
        let lines = shown(&[
            ("HOME", "/h"),
            ("CXXFLAGS", "-O1 -g"),
            ("DIJITSO_CPU", "x86-64-v3"),
            ("CXX", "ccache g++"),
        ]);
        for line in [
            "cache.dir = /h/.cache/dijitso (environment variable HOME)",
            "build.cxxflags = -O1 -g (environment variable CXXFLAGS)",
            "build.cpu = x86-64-v3 (environment variable DIJITSO_CPU)",
            "build.cxx = ccache g++ (environment variable CXX)",
            "build.timeout = 600 (default)",
            "build.libs =",
        ] {
            assert!(lines.iter().any(|shown| shown == line), "{line} is not in {lines:#?}");
        }
    }

    #[test]
    fn a_configuration_file_may_say_what_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let config = Config::resolve_in(Params::default(), &Environment::of(&[("HOME", "/h")])).unwrap();
        let scalars = settings(&config).into_iter().filter(|setting| setting.values.len() == 1);
        let mut text = String::new();
        for setting in scalars {
            let value = &setting.values[0].text;
            let quoted = value.parse::<f64>().is_err() && value.parse::<bool>().is_err();
            let value = if quoted { format!("{value:?}") } else { value.clone() };
            text += &format!("[{}]\n{} = {value}\n", setting.section, setting.name);
        }
        let text = sections(&text);
        std::fs::write(&path, &text).unwrap();
        let env = [("HOME", "/h"), ("DIJITSO_CONFIG", path.to_str().unwrap())];
        let again = Config::resolve_in(Params::default(), &Environment::of(&env))
            .unwrap_or_else(|e| panic!("{e}\n{text}"));
        let values = |config: &Config| {
            settings(config)
                .into_iter()
                .map(|s| s.values.into_iter().map(|v| v.text).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(values(&again), values(&config));
    }

    /// Each section's head once.
    fn sections(text: &str) -> String {
        let (mut last, mut lines) = ("", Vec::new());
        for line in text.lines() {
            let head = line.starts_with('[');
            if !(head && last == line) {
                lines.push(line);
            }
            if head {
                last = line;
            }
        }
        lines.join("\n")
    }
}
