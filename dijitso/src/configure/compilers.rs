//! Which compilers and flags the options of a configuration choose.

use super::failed::{Failed, FailureKind};
use super::options::{Given, Opt, OptionValue, Options};
use crate::config::origin::{Flag, Origin};
use crate::probe::{Language, ProbesBuilder};

const CC: Opt<String> = Opt::text("with-cc", "", "*", "the C compiler").variable("CC");
const CXX: Opt<String> = Opt::text("with-cxx", "", "*", "the C++ compiler").variable("CXX");
const FC: Opt<String> = Opt::text("with-fc", "", "*", "the Fortran compiler").variable("FC");
const CFLAGS: Opt<String> = Opt::text("with-cflags", "", "*", "flags for compiling C").variable("CFLAGS");
const CXXFLAGS: Opt<String> =
    Opt::text("with-cxxflags", "", "*", "flags for compiling C++").variable("CXXFLAGS");
const FCFLAGS: Opt<String> =
    Opt::text("with-fcflags", "", "*", "flags for compiling Fortran").variable("FCFLAGS");
const CPPFLAGS: Opt<String> =
    Opt::text("with-cppflags", "", "*", "flags for compiling any language").variable("CPPFLAGS");
const LDFLAGS: Opt<String> = Opt::text("with-ldflags", "", "*", "flags for linking").variable("LDFLAGS");

pub(super) fn options(options: &mut Options) {
    options.section("Compilers").add(&CC).add(&CXX).add(&FC);
    options.add(&CFLAGS).add(&CXXFLAGS).add(&FCFLAGS).add(&CPPFLAGS).add(&LDFLAGS);
}

/// The session's compilers and flags. Those that `CC`, `CFLAGS`, .. of the environment name it has already.
pub(super) fn choose(
    mut probes: ProbesBuilder,
    options: &Options,
    given: &Given,
) -> Result<ProbesBuilder, Failed> {
    let chosen = |option: &Opt<String>| {
        let declared = options.get(option.name())?;
        let (value, origin) = given.value(declared);
        let text = String::of(&value).filter(|text| !text.is_empty())?;
        let is_known =
            matches!(&origin, Origin::Environment(name) if Some(name.as_str()) == declared.variable);
        (!is_known).then_some((text, origin))
    };
    for (language, compiler, flags) in
        [(Language::C, &CC, &CFLAGS), (Language::Cxx, &CXX, &CXXFLAGS), (Language::Fortran, &FC, &FCFLAGS)]
    {
        if let Some((text, origin)) = chosen(compiler) {
            probes = probes.compiler_from(language, text, origin);
        }
        for option in [&CPPFLAGS, flags] {
            if let Some((text, origin)) = chosen(option) {
                for flag in words(&text, &origin)? {
                    probes = probes.compile_flag_from(language, flag);
                }
            }
        }
        if let Some((text, origin)) = chosen(&LDFLAGS) {
            for flag in words(&text, &origin)? {
                probes = probes.link_flag_from(language, flag);
            }
        }
    }
    Ok(probes)
}

fn words(text: &str, origin: &Origin) -> Result<Vec<Flag>, Failed> {
    let words = shlex::split(text).ok_or_else(|| {
        Failed::new(FailureKind::Options, format!("`{text}` has a quote without its partner ({origin})"))
    })?;
    Ok(words.into_iter().map(|word| Flag::new(word, origin.clone())).collect())
}
