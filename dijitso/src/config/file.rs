//! The user's configuration file.
//!
//! It lies in the user's own configuration directory and never in the working directory: a file that
//! names a compiler is a program to run, and the working directory may be anybody's download. A key
//! that is not known is an error, because a misspelt `cxxflag` that is silently ignored costs an
//! afternoon.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::Layer;
use super::env::{Environment, environment as environment_origin};
use super::keys::KEYS;
use super::origin::Origin;
use super::params::Params;
use super::raw::Raw;
use super::suggest::nearest;
use crate::error::{Error, Result};

const SECTIONS: [&str; 3] = ["cache", "build", "generator"];

/// Where the file is, and whether it must be there.
pub(super) fn locate(environment: &Environment) -> Result<Option<(PathBuf, bool)>> {
    if let Some(named) = environment.get("DIJITSO_CONFIG") {
        let path = PathBuf::from(named);
        if !path.is_absolute() {
            let problem = format!("DIJITSO_CONFIG is `{}`, but must be an absolute path", path.display());
            return Err(Error::Config { problem, origin: environment_origin("DIJITSO_CONFIG").to_string() });
        }
        return Ok(Some((path, true)));
    }
    let config = environment
        .directory("XDG_CONFIG_HOME")
        .or_else(|| environment.directory("HOME").map(|home| home.join(".config")));
    Ok(config.map(|config| (config.join("dijitso/config.toml"), false)))
}

/// Reads the file; one that need not be there and is not gives nothing.
pub(super) fn read(path: &Path, required: bool) -> Result<Layer> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).map_err(|error| {
                let valid = error.utf8_error().valid_up_to();
                wrong(path, line_of(error.as_bytes(), valid), "it is not valid UTF-8 here".to_owned())
            })?;
            parse(&text, path)
        }
        Err(error) if !required && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Layer::new(Params::default()))
        }
        // An unreadable home (a daemon's, another user's after sudo) must not stop a program that
        // asked for no file.
        Err(error) if !required && error.kind() == ErrorKind::PermissionDenied => {
            log::warn!("ignoring the configuration file {}: {error}", path.display());
            Ok(Layer::new(Params::default()))
        }
        Err(error) => {
            let problem = format!("cannot read the configuration file: {error}");
            Err(wrong(path, 0, problem))
        }
    }
}

fn parse(text: &str, path: &Path) -> Result<Layer> {
    let at = |span: Range<usize>| line_of(text.as_bytes(), span.start);
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, at);
        wrong(path, line, format!("it is not TOML: {}", error.message()))
    })?;
    let mut layer = Layer::new(Params::default());
    for (section, value) in table.get_ref() {
        let line = at(section.span());
        let section = section.get_ref().as_ref();
        if !SECTIONS.contains(&section) {
            return Err(wrong(path, line, unknown_section(section)));
        }
        let DeValue::Table(entries) = value.get_ref() else {
            return Err(wrong(path, line, format!("`{section}` must be a section: [{section}]")));
        };
        for (name, value) in entries {
            let (line, name) = (at(name.span()), name.get_ref().as_ref());
            let Some(key) = KEYS.iter().find(|key| key.path() == (section, name)) else {
                return Err(wrong(path, line, unknown_key(section, name)));
            };
            (key.set)(&mut layer.params, Raw::Toml(value.get_ref())).map_err(|problem| {
                wrong(path, line, format!("cannot use `{name}` in [{section}]: {problem}"))
            })?;
            layer.origins.insert(key.path(), Origin::ConfigFile(path.to_owned(), line));
        }
    }
    Ok(layer)
}

fn unknown_section(name: &str) -> String {
    let known = "known sections: [cache], [build], [generator]";
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return format!("`{name}` belongs into the section [{}]", key.section);
    }
    match nearest(name, SECTIONS.into_iter()) {
        Some(meant) => format!("unknown section `{name}`; did you mean [{meant}]? {known}"),
        None => format!("unknown section `{name}`; {known}"),
    }
}

fn unknown_key(section: &str, name: &str) -> String {
    let names = || KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
    let known = format!("known keys: {}", names().collect::<Vec<_>>().join(", "));
    let elsewhere = KEYS.iter().find(|key| key.name == name);
    match (nearest(name, names()), elsewhere) {
        (_, Some(key)) => {
            format!("unknown key `{name}` in [{section}]; it belongs into [{}]; {known}", key.section)
        }
        (Some(meant), None) => {
            format!("unknown key `{name}` in [{section}]; did you mean `{meant}`? {known}")
        }
        (None, None) => format!("unknown key `{name}` in [{section}]; {known}"),
    }
}

fn wrong(path: &Path, line: usize, problem: String) -> Error {
    Error::Config { problem, origin: Origin::ConfigFile(path.to_owned(), line).to_string() }
}

fn line_of(text: &[u8], offset: usize) -> usize {
    let newlines = text.iter().take(offset).filter(|byte| **byte == b'\n').count();
    newlines + 1
}

#[cfg(test)]
mod tests {
    use super::super::params::{BuildOn, Cpu, Load, Network, Profile};
    use super::*;
    use std::time::Duration;

    fn parse_text(text: &str) -> Result<Layer> {
        parse(text, Path::new("/home/u/.config/dijitso/config.toml"))
    }

    fn problem(text: &str) -> String {
        parse_text(text).unwrap_err().to_string()
    }

    #[test]
    fn every_key_can_be_set() {
        let layer = parse_text(
            r#"
            [cache]
            dir = "/data/kernels"
            sites = ["/opt/kernels", "/opt/more.tar.gz"]
            load = "memory"
            durable = true
            lock_wait = 5
            failures = false
            network = "yes"
            max_size = "3 GiB"
            max_files = 1000
            [build]
            cxx = "ccache g++"
            cflags = "-O1"
            cxxflags = ["-O2", "-DX=a b"]
            cppflags = []
            ldflags = "-Wl,-O1"
            include_dirs = ["/a", "/b"]
            lib_dirs = "/c"
            libs = ["m"]
            rpath_dirs = ["/c"]
            std = "c++20"
            sealed = true
            profile = "debug"
            cpu = "x86-64-v3"
            timeout = 1.5
            jobs = 3
            memory_per_job = "2 GiB"
            build_on = "node"
            trace = "/tmp/trace.json"
            [generator]
            check = true
            log_source = true
            "#,
        )
        .unwrap();
        assert_eq!(layer.origins.len(), KEYS.len(), "a key of the table is not tested here");
        let Params { cache, build, generator } = layer.params;
        assert_eq!(cache.dir, Some("/data/kernels".into()));
        assert_eq!(cache.sites, [Path::new("/opt/kernels"), Path::new("/opt/more.tar.gz")]);
        assert_eq!(
            (cache.load, cache.durable, cache.failures),
            (Some(Load::Memory), Some(true), Some(false))
        );
        assert_eq!((cache.network, build.build_on), (Some(Network::Yes), Some(BuildOn::Node)));
        assert_eq!(cache.lock_wait, Some(Duration::from_secs(5)));
        assert_eq!((cache.max_size, cache.max_files), (Some(3 << 30), Some(1000)));
        assert_eq!(build.trace, Some("/tmp/trace.json".into()));
        assert_eq!(build.cxx.unwrap(), ["ccache", "g++"]);
        assert_eq!(build.cxxflags, ["-O2", "-DX=a b"]);
        assert_eq!(build.include_dirs, [Path::new("/a"), Path::new("/b")]);
        assert_eq!((build.profile, build.cpu), (Some(Profile::Debug), Some(Cpu::Named("x86-64-v3".into()))));
        assert_eq!((build.timeout, build.jobs), (Some(Duration::from_millis(1500)), Some(3)));
        assert_eq!((build.memory_per_job, build.sealed), (Some(2 << 30), Some(true)));
        assert_eq!((generator.check, generator.log_source), (Some(true), Some(true)));
        let origin = &layer.origins[&("build", "std")];
        assert!(origin.to_string().ends_with("config.toml, line 22"), "{origin}");
    }

    #[test]
    fn a_misspelt_key_is_an_error_with_a_suggestion_and_the_line() {
        let text = problem("[build]\n\ncxxflag = \"-O2\"\n");
        assert!(text.contains("did you mean `cxxflags`?"), "{text}");
        assert!(text.contains("known keys: cxx, cflags, cxxflags"), "{text}");
        assert!(text.contains("config.toml, line 3"), "{text}");
    }

    #[test]
    fn a_key_in_the_wrong_place_is_sent_to_the_right_one() {
        assert!(problem("[cache]\ncxx = \"g++\"").contains("belongs into [build]"));
        assert!(problem("cxx = \"g++\"").contains("section [build]"));
        assert!(problem("[biuld]\n").contains("did you mean [build]?"));
        assert!(problem("[colours]\n").contains("known sections: [cache], [build], [generator]"));
        assert!(problem("build = 3").contains("must be a section"));
    }

    #[test]
    fn wrong_types_and_values_say_what_is_allowed() {
        assert!(problem("[build]\njobs = \"two\"").contains("must be a whole number"));
        assert!(problem("[build]\ntimeout = -1").contains("number of seconds"));
        assert!(problem("[build]\ntimeout = inf").contains("number of seconds"));
        assert!(problem("[build]\ncxxflags = [\"-O2\", 3]").contains("list of texts"));
        assert!(problem("[build]\nmemory_per_job = \"2 XB\"").contains("512 MiB"));
        assert!(problem("[cache]\nload = \"ram\"").contains("auto, file, memory"));
        assert!(problem("[cache]\ndurable = 1").contains("true or false"));
        assert!(problem("[cache]\ndir = { a = 1 }").contains("it is a table"));
    }

    #[test]
    fn broken_toml_names_the_line() {
        assert!(problem("[build]\njobs =\n").contains("config.toml, line 2"));
        assert!(problem("[build]\njobs = 1\njobs = 2\n").contains("config.toml, line 3"));
    }

    #[test]
    fn a_named_file_must_exist_and_a_default_one_need_not() {
        let absent = Path::new("/nonexistent/config.toml");
        assert_eq!(read(absent, false).unwrap().params, Params::default());
        assert!(read(absent, true).unwrap_err().to_string().contains("/nonexistent/config.toml"));
    }

    #[test]
    fn the_file_is_never_looked_for_in_the_working_directory() {
        let relative = Environment::of(&[("XDG_CONFIG_HOME", "here"), ("HOME", "")]);
        assert_eq!(locate(&relative).unwrap(), None);
        assert!(locate(&Environment::of(&[("DIJITSO_CONFIG", "./config.toml")])).is_err());
        let home = Environment::of(&[("HOME", "/home/u")]);
        assert_eq!(locate(&home).unwrap(), Some(("/home/u/.config/dijitso/config.toml".into(), false)));
    }
}
