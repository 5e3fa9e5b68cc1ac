//! The table of parameters: under which key a configuration file sets each, and which variable does.

use super::params::{BuildOn, Cpu, Load, Network, Params, Profile};
use super::raw::Raw;

/// One parameter that can be set from outside the program.
pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) variable: Option<&'static str>,
    pub(super) set: fn(&mut Params, Raw<'_>) -> Result<(), String>,
}

macro_rules! keys {
    ($($section:ident.$name:ident $(= $variable:literal)? => |$raw:ident| $value:expr,)*) => {
        pub(super) const KEYS: &[Key] = &[$(Key {
            section: stringify!($section),
            name: stringify!($name),
            variable: keys!(@variable $($variable)?),
            set: |params, $raw| {
                params.$section.$name = $value;
                Ok(())
            },
        },)*];
    };
    (@variable) => { None };
    (@variable $variable:literal) => { Some($variable) };
}

keys! {
    cache.dir = "DIJITSO_CACHE_DIR" => |raw| Some(raw.path()?),
    cache.sites = "DIJITSO_SITE_CACHE" => |raw| raw.paths()?,
    cache.load = "DIJITSO_LOAD" => |raw| {
        Some(raw.choice(&[("auto", Load::Auto), ("file", Load::File), ("memory", Load::Memory)])?)
    },
    cache.durable => |raw| Some(raw.flag()?),
    cache.lock_wait => |raw| Some(raw.seconds()?),
    cache.failures => |raw| Some(raw.flag()?),
    cache.network = "DIJITSO_CACHE_NETWORK" => |raw| {
        Some(raw.choice(&[("auto", Network::Auto), ("yes", Network::Yes), ("no", Network::No)])?)
    },
    cache.max_size = "DIJITSO_MAX_SIZE" => |raw| Some(raw.bytes()?),
    cache.max_files = "DIJITSO_MAX_FILES" => |raw| Some(raw.amount()?),
    build.cxx = "CXX" => |raw| Some(raw.words()?),
    build.cflags = "CFLAGS" => |raw| raw.words()?,
    build.cxxflags = "CXXFLAGS" => |raw| raw.words()?,
    build.cppflags = "CPPFLAGS" => |raw| raw.words()?,
    build.ldflags = "LDFLAGS" => |raw| raw.words()?,
    build.include_dirs => |raw| raw.paths()?,
    build.lib_dirs => |raw| raw.paths()?,
    build.libs => |raw| raw.words()?,
    build.rpath_dirs => |raw| raw.paths()?,
    build.std => |raw| Some(raw.text()?),
    build.sealed = "DIJITSO_SEALED" => |raw| Some(raw.flag()?),
    build.profile = "DIJITSO_PROFILE" => |raw| {
        Some(raw.choice(&[("optimized", Profile::Optimized), ("debug", Profile::Debug)])?)
    },
    build.cpu = "DIJITSO_CPU" => |raw| Some(match raw.text()?.as_str() {
        "native" => Cpu::Native,
        "generic" => Cpu::Generic,
        name => Cpu::Named(name.to_owned()),
    }),
    build.timeout = "DIJITSO_TIMEOUT" => |raw| Some(raw.seconds()?),
    build.jobs = "DIJITSO_JOBS" => |raw| Some(raw.count()?),
    build.memory_per_job => |raw| Some(raw.bytes()?),
    build.build_on = "DIJITSO_BUILD_ON" => |raw| Some(raw.choice(&BuildOn::NAMES)?),
    build.trace = "DIJITSO_TRACE" => |raw| Some(raw.path()?),
    generator.check = "DIJITSO_CHECK" => |raw| Some(raw.flag()?),
    generator.log_source => |raw| Some(raw.flag()?),
}

impl Key {
    /// `build.cxxflags`, for looking up where a value came from.
    pub(super) fn path(&self) -> (&'static str, &'static str) {
        (self.section, self.name)
    }
}
