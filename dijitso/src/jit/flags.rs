//! What a compiler is told apart from the kernel itself, by parameters and by variables that it reads: as it travels, so that all ranks
//! build with what rank 0 was told.

use std::env::consts::ARCH;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::env::COMPILER_VARIABLES;
use crate::config::origin::Flag;
use crate::config::params::{Cpu, Profile};
use crate::config::{Config, Sourced};
use crate::signature::{Signature, Signer};

/// Flags, directories and libraries of one engine, each with who asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flags {
    cflags: Vec<Flag>,
    cxxflags: Vec<Flag>,
    cppflags: Vec<Flag>,
    ldflags: Vec<Flag>,
    include_dirs: Vec<Sourced<OsString>>,
    lib_dirs: Vec<Sourced<OsString>>,
    rpath_dirs: Vec<Sourced<OsString>>,
    libs: Vec<Sourced<String>>,
    std: Option<Sourced<String>>,
    profile: Sourced<Profile>,
    cpu: Sourced<Cpu>,
    environment: Vec<(String, OsString)>,
}

impl Flags {
    pub(crate) fn of(config: &Config) -> Flags {
        let build = &config.build;
        let dirs = |dirs: &[Sourced<PathBuf>]| -> Vec<Sourced<OsString>> {
            dirs.iter()
                .map(|dir| Sourced { value: dir.value.clone().into_os_string(), origin: dir.origin.clone() })
                .collect()
        };
        Flags {
            cflags: build.cflags.clone(),
            cxxflags: build.cxxflags.clone(),
            cppflags: build.cppflags.clone(),
            ldflags: build.ldflags.clone(),
            include_dirs: dirs(&build.include_dirs),
            lib_dirs: dirs(&build.lib_dirs),
            rpath_dirs: dirs(&build.rpath_dirs),
            libs: build.libs.clone(),
            std: build.std.clone(),
            profile: build.profile.clone(),
            cpu: build.cpu.clone(),
            environment: config
                .compiler_env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }

    /// In the place of what is there.
    pub(crate) fn put_into(&self, config: &mut Config) {
        let build = &mut config.build;
        let dirs = |dirs: &[Sourced<OsString>]| -> Vec<Sourced<PathBuf>> {
            dirs.iter()
                .map(|dir| Sourced { value: dir.value.clone().into(), origin: dir.origin.clone() })
                .collect()
        };
        build.cflags.clone_from(&self.cflags);
        build.cxxflags.clone_from(&self.cxxflags);
        build.cppflags.clone_from(&self.cppflags);
        build.ldflags.clone_from(&self.ldflags);
        build.include_dirs = dirs(&self.include_dirs);
        build.lib_dirs = dirs(&self.lib_dirs);
        build.rpath_dirs = dirs(&self.rpath_dirs);
        build.libs.clone_from(&self.libs);
        build.std.clone_from(&self.std);
        build.profile.clone_from(&self.profile);
        build.cpu.clone_from(&self.cpu);
        let known = |(name, value): &(String, OsString)| {
            let name = COMPILER_VARIABLES.iter().find(|known| *known == name)?;
            Some((*name, value.clone()))
        };
        config.compiler_env = self.environment.iter().filter_map(known).collect();
    }

    pub(crate) fn is_native(&self) -> bool {
        self.cpu.value == Cpu::Native
    }

    /// What is compiled with these is found under this, and what is compiled with others is not. Where a flag stands on the command line,
    /// and so which of two wins, depends on the layer that it is from.
    pub(crate) fn digest(&self) -> Signature {
        // Nothing may be forgotten here.
        let Flags {
            cflags,
            cxxflags,
            cppflags,
            ldflags,
            include_dirs,
            lib_dirs,
            rpath_dirs,
            libs,
            std,
            profile,
            cpu,
            environment,
        } = self;
        let mut signer = Signer::quiet("dijitso request 2");
        for (name, flags) in
            [("cflags", cflags), ("cxxflags", cxxflags), ("cppflags", cppflags), ("ldflags", ldflags)]
        {
            let texts: Vec<(&str, u8)> =
                flags.iter().map(|flag| (flag.text.as_str(), flag.origin.layer())).collect();
            signer.field(name, &texts);
        }
        for (name, dirs) in [("include", include_dirs), ("lib", lib_dirs), ("rpath", rpath_dirs)] {
            let dirs: Vec<(&OsString, u8)> =
                dirs.iter().map(|dir| (&dir.value, dir.origin.layer())).collect();
            signer.field(name, &dirs);
        }
        let libs: Vec<(&str, u8)> = libs.iter().map(|lib| (lib.value.as_str(), lib.origin.layer())).collect();
        signer.field("libs", &libs);
        signer.field("std", &std.as_ref().map(|std| (std.value.as_str(), std.origin.layer())));
        signer.field("profile", &format!("{:?}", profile.value));
        signer.field("cpu", &(format!("{:?}", cpu.value), cpu.origin.layer()));
        signer.field("environment", environment);
        signer.field("architecture", ARCH);
        signer.finish()
    }

    /// In words, for a message: the first thing that is not the same.
    pub(crate) fn difference(&self, other: &Flags) -> String {
        let first = self.words().into_iter().zip(other.words()).find(|(mine, theirs)| mine != theirs);
        let variable = || {
            let value = |flags: &Flags, name: &str| {
                let found = flags.environment.iter().find(|(known, _)| known == name);
                found.map_or_else(String::new, |(_, value)| value.to_string_lossy().into_owned())
            };
            let differs = COMPILER_VARIABLES.iter().find(|name| value(self, name) != value(other, name))?;
            Some((*differs, value(self, differs), value(other, differs)))
        };
        match first.map(|((name, mine), (_, theirs))| (name, mine, theirs)).or_else(variable) {
            Some((name, mine, theirs)) => format!("{name} is `{mine}` there, and `{theirs}` on rank 0"),
            None => "they have other origins".to_owned(),
        }
    }

    fn words(&self) -> Vec<(&'static str, String)> {
        fn join<'a>(words: impl Iterator<Item = std::borrow::Cow<'a, str>>) -> String {
            words.collect::<Vec<_>>().join(" ")
        }
        let texts = |flags: &[Flag]| join(flags.iter().map(|flag| flag.text.as_str().into()));
        let dirs = |dirs: &[Sourced<OsString>]| join(dirs.iter().map(|dir| dir.value.to_string_lossy()));
        vec![
            ("cxxflags", texts(&self.cxxflags)),
            ("cflags", texts(&self.cflags)),
            ("cppflags", texts(&self.cppflags)),
            ("ldflags", texts(&self.ldflags)),
            ("include_dirs", dirs(&self.include_dirs)),
            ("lib_dirs", dirs(&self.lib_dirs)),
            ("rpath_dirs", dirs(&self.rpath_dirs)),
            ("libs", join(self.libs.iter().map(|lib| lib.value.as_str().into()))),
            ("std", self.std.as_ref().map(|std| std.value.clone()).unwrap_or_default()),
            ("profile", format!("{:?}", self.profile.value).to_lowercase()),
            ("cpu", format!("{:?}", self.cpu.value).to_lowercase()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;
    use crate::config::env::Environment;
    use crate::config::origin::Origin;
    use crate::config::params::Params;

    #[test]
    fn what_travels_means_the_same_there() {
        let config = |env: &[(&'static str, &str)]| {
            let all: Vec<_> = [("HOME", "/h")].into_iter().chain(env.iter().copied()).collect();
            Config::resolve_in(Params::default(), &Environment::of(&all)).unwrap()
        };
        let mut here =
            config(&[("CXXFLAGS", "-ffast-math"), ("CPATH", "/headers"), ("DIJITSO_PROFILE", "debug")]);
        let no_text = OsString::from_vec(b"/no\xfftext".to_vec());
        here.build.include_dirs.push(Sourced { value: no_text.clone().into(), origin: Origin::Builder });
        let origin = Origin::ConfigFile(no_text.into(), 7);
        here.build.libs.push(Sourced { value: "m".to_owned(), origin });
        let flags = Flags::of(&here);
        let there: Flags = postcard::from_bytes(&postcard::to_stdvec(&flags).unwrap()).unwrap();
        let origin = |flags: &Flags| flags.libs[0].origin.to_string();
        assert_eq!(
            (there.digest(), there.words(), origin(&there)),
            (flags.digest(), flags.words(), origin(&flags))
        );
        let mut other = config(&[("CXXFLAGS", "-fopenmp"), ("CPATH", "/others")]);
        let before = Flags::of(&other);
        assert_ne!(before.digest(), flags.digest());
        assert_eq!(before.difference(&flags), "cxxflags is `-fopenmp` there, and `-ffast-math` on rank 0");
        there.put_into(&mut other);
        assert_eq!(Flags::of(&other).digest(), flags.digest());
        assert_eq!(
            (&other.build.include_dirs, &other.compiler_env),
            (&here.build.include_dirs, &here.compiler_env)
        );
        // A variable, and nothing else.
        let (one, two) = (config(&[("CPATH", "/headers")]), config(&[]));
        let words = Flags::of(&one).difference(&Flags::of(&two));
        assert_eq!(words, "CPATH is `/headers` there, and `` on rank 0");
    }

    #[test]
    fn who_asked_for_a_flag_does_not_matter_but_where_it_stands() {
        let flags = |origin: Origin, text: &str| {
            let mut config =
                Config::resolve_in(Params::default(), &Environment::of(&[("HOME", "/h")])).unwrap();
            config.build.cxxflags.push(Flag::new(text, origin));
            Flags::of(&config).digest()
        };
        let file = |line| Origin::ConfigFile("/a".into(), line);
        assert_eq!(flags(file(1), "-g"), flags(file(2), "-g"));
        assert_ne!(flags(file(1), "-g"), flags(Origin::Builder, "-g"));
        assert_ne!(flags(file(1), "-g"), flags(file(1), "-O1"));
    }
}
