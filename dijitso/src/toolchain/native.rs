//! What `native` means: asked of the compiler once per machine, and written out in full.
//!
//! `-march=native` as a word would give one name to different code on different machines. Written out, two
//! machines of one kind share their kernels, and two of different kinds cannot mix them up. Cache sizes,
//! which the compiler adds as tuning parameters, are dropped: they differ between machines that run the
//! same code equally well.

use serde::{Deserialize, Serialize};

use super::cpu::Host;
use super::driver::is_cc1;
use crate::config::Sourced;
use crate::config::origin::{Flag, Origin};
use crate::config::params::Cpu;
use crate::signature::digest;

/// The flag that selects the processor to compile for.
#[cfg(target_arch = "aarch64")]
pub(crate) const CPU_FLAG: &str = "-mcpu=";
#[cfg(not(target_arch = "aarch64"))]
pub(crate) const CPU_FLAG: &str = "-march=";

/// Flags that select an architecture; on x86-64 `-mcpu` is an old name of `-mtune`.
#[cfg(target_arch = "aarch64")]
const ARCH: &[&str] = &["-mcpu=", "-march="];
#[cfg(not(target_arch = "aarch64"))]
const ARCH: &[&str] = &["-march="];

#[cfg(target_arch = "aarch64")]
const TUNE: &[&str] = &["-mtune="];
#[cfg(not(target_arch = "aarch64"))]
const TUNE: &[&str] = &["-mtune=", "-mcpu="];

/// Features that clang lists but has no flag for: every x86-64 processor has them.
const FLAGLESS: [&str; 4] = ["64bit", "cmov", "cx8", "x87"];

/// What `native` means on one kind of machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Native {
    /// The machine, by its [`host_name`].
    pub(crate) host: String,
    /// `-march=..` and the features.
    pub(crate) arch: Vec<String>,
    /// `-mtune=..`, if the compiler says one.
    pub(crate) tune: Option<String>,
}

/// A short name for this kind of machine: a cache on a shared file system holds one answer for each.
pub(crate) fn host_name() -> String {
    digest(Host::get().model.as_bytes()).short()
}

impl Native {
    /// Reads the answer to `-march=native -###`.
    pub(crate) fn read(words: &[String]) -> Option<Native> {
        let native = if is_cc1(words) { Native::of_clang(words) } else { Native::of_gcc(words) };
        let named = native.arch.iter().any(|flag| ARCH.iter().any(|name| flag.starts_with(name)));
        let literal = native.flags().any(|flag| flag.ends_with("=native"));
        (named && !literal).then_some(native)
    }

    fn of_gcc(words: &[String]) -> Native {
        let mut native = Native { host: host_name(), arch: Vec::new(), tune: None };
        for word in words {
            if word.starts_with("-mtune=") {
                native.tune = Some(word.clone());
            } else if word.starts_with("-m") {
                native.arch.push(word.clone());
            }
        }
        native
    }

    fn of_clang(words: &[String]) -> Native {
        let mut native = Native { host: host_name(), arch: Vec::new(), tune: None };
        let mut features = Vec::new();
        for pair in words.windows(2) {
            match pair[0].as_str() {
                "-target-cpu" => native.arch.push(format!("{CPU_FLAG}{}", pair[1])),
                "-tune-cpu" => native.tune = Some(format!("-mtune={}", pair[1])),
                // On aarch64 the name alone stands for all features of the processor.
                "-target-feature" if cfg!(target_arch = "x86_64") => {
                    let (sign, name) = pair[1].split_at_checked(1).unwrap_or(("", &pair[1]));
                    if !FLAGLESS.contains(&name) {
                        features.push(format!("{}{name}", if sign == "-" { "-mno-" } else { "-m" }));
                    }
                }
                _ => {}
            }
        }
        // clang lists them in the order of a hash table.
        features.sort();
        native.arch.extend(features);
        native
    }

    pub(crate) fn flags(&self) -> impl Iterator<Item = &String> {
        self.arch.iter().chain(&self.tune)
    }
}

/// Whether any flag asks for what this machine has.
pub(crate) fn asks_for_native(flags: &[Flag]) -> bool {
    flags.iter().any(|flag| is_native(&flag.text, ARCH) || is_native(&flag.text, TUNE))
}

/// Whether a flag selects a processor to compile or to tune for.
pub(crate) fn selects_processor(text: &str) -> bool {
    starts(text, ARCH) || starts(text, TUNE)
}

/// The flag that a `cpu` parameter stands for; `None`: the compiler's own default.
pub(crate) fn cpu_flag(cpu: &Sourced<Cpu>) -> Option<Flag> {
    let name = match &cpu.value {
        Cpu::Native => "native",
        Cpu::Named(name) => name,
        Cpu::Generic => return None,
    };
    Some(Flag::new(format!("{CPU_FLAG}{name}"), cpu.origin.clone()))
}

/// Writes out what `native` means wherever it stands; `None`: the compiler could not say, so its default.
///
/// The last `-march` counts, as compilers have it. Its features go to the front, because a compiler holds
/// an explicit `-mno-avx512f` against `-march=native` wherever the two stand.
pub(crate) fn write_out(flags: Vec<Flag>, native: Option<&Native>) -> Vec<Flag> {
    let last = flags.iter().rfind(|flag| starts(&flag.text, ARCH));
    let native_arch = last.filter(|flag| is_native(&flag.text, ARCH)).cloned();
    let tuned = flags.iter().any(|flag| starts(&flag.text, TUNE));
    let mut written = Vec::new();
    if let (Some(asked), Some(native)) = (&native_arch, native) {
        let tune = native.tune.iter().filter(|_| !tuned);
        let origin = resolved(asked);
        written.extend(native.arch.iter().chain(tune).map(|text| Flag::new(text, origin.clone())));
    }
    for flag in flags {
        if is_native(&flag.text, TUNE) {
            let tune = native.and_then(|native| native.tune.as_ref());
            written.extend(tune.map(|text| Flag::new(text, resolved(&flag))));
            continue;
        }
        let overridden = native_arch.is_some() && starts(&flag.text, ARCH);
        if !overridden && !is_native(&flag.text, ARCH) {
            written.push(flag);
        }
    }
    written
}

/// `x86-64-v3`, `native (cooperlake)`, or `default`: the processor for people.
pub(crate) fn describe(flags: &[Flag]) -> String {
    fn name(flag: &Flag) -> Option<&str> {
        ARCH.iter().find_map(|name| flag.text.strip_prefix(name))
    }
    match flags.iter().rev().find_map(|flag| Some((&flag.origin, name(flag)?))) {
        Some((Origin::Probe(_), name)) => format!("native ({name})"),
        Some((_, name)) => name.to_owned(),
        None => "default".to_owned(),
    }
}

fn resolved(asked: &Flag) -> Origin {
    Origin::Probe(format!("{}, {}", asked.text, asked.origin))
}

fn starts(text: &str, names: &[&str]) -> bool {
    names.iter().any(|name| text.starts_with(name))
}

fn is_native(text: &str, names: &[&str]) -> bool {
    names.iter().any(|name| text.strip_prefix(name) == Some("native"))
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn flags(line: &str) -> Vec<Flag> {
        line.split_whitespace().map(|text| Flag::new(text, Origin::Builder)).collect()
    }

    fn line(flags: &[Flag]) -> String {
        flags.iter().map(|flag| flag.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn gcc() -> Native {
        Native::read(&words(
            "/x/cc1plus -quiet -march=skylake -mavx2 -mno-sgx --param l1-cache-size=48 -mtune=generic t.cpp",
        ))
        .unwrap()
    }

    #[test]
    fn what_gcc_and_clang_answer_becomes_flags_without_cache_sizes() {
        assert_eq!(
            gcc().flags().cloned().collect::<Vec<_>>().join(" "),
            "-march=skylake -mavx2 -mno-sgx -mtune=generic"
        );
        let clang = words(
            "/x/clang -cc1 -target-cpu skylake -target-feature +sse4.1 -target-feature -tbm -target-feature +cx8 -target-feature +64bit",
        );
        assert_eq!(Native::read(&clang).unwrap().arch.join(" "), "-march=skylake -mno-tbm -msse4.1");
        assert_eq!(Native::read(&words("/x/cc1plus -march=native t.cpp")), None, "not resolved");
        assert_eq!(Native::read(&words("/x/cc1plus t.cpp")), None);
    }

    #[test]
    fn native_never_stays_and_the_last_architecture_counts() {
        let native = gcc();
        let out = |text: &str| line(&write_out(flags(text), Some(&native)));
        assert_eq!(out("-O3 -march=native -g"), "-march=skylake -mavx2 -mno-sgx -mtune=generic -O3 -g");
        assert_eq!(out("-march=native -O2 -march=x86-64-v3"), "-O2 -march=x86-64-v3");
        assert_eq!(
            out("-march=x86-64-v3 -march=native -mtune=znver2"),
            "-march=skylake -mavx2 -mno-sgx -mtune=znver2"
        );
        assert_eq!(out("-mno-avx2 -march=native"), "-march=skylake -mavx2 -mno-sgx -mtune=generic -mno-avx2");
        assert_eq!(out("-mtune=native"), "-mtune=generic");
        assert_eq!(out("-mcpu=native"), "-mtune=generic");
        assert_eq!(line(&write_out(flags("-march=native -mtune=native -O1"), None)), "-O1");
    }

    #[test]
    fn the_origin_of_native_is_kept_and_described() {
        let written = write_out(flags("-march=native"), Some(&gcc()));
        assert_eq!(written[0].origin, Origin::Probe("-march=native, builder".to_owned()));
        assert_eq!(describe(&written), "native (skylake)");
        assert_eq!(describe(&flags("-O2 -march=x86-64-v3")), "x86-64-v3");
        assert_eq!(describe(&flags("-O2")), "default");
        assert!(asks_for_native(&flags("-mtune=native")) && !asks_for_native(&flags("-march=x86-64")));
    }
}
