//! Linking one kernel: straight through the linker where that is enough, through the driver where not.
//!
//! `g++ -shared` takes 17 ms for one small object, most of it to read libstdc++; the linker alone takes 2.
//! So the link that the driver would make is replayed without its libraries, and with those that the
//! object's undefined symbols call for. If anything stays undefined the driver is asked, which knows all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::driver::Driver;
use super::template::{LinkTemplate, in_template};
use crate::config::origin::Flag;
use crate::process::Command;

/// What an object file asks of the link, as `library::elf` reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LinkNeeds {
    /// Symbols that it uses and does not define.
    pub(crate) undefined: Vec<String>,
    /// Whether something runs when it is loaded or unloaded (`.init_array`, `.ctors`, ..).
    pub(crate) constructors: bool,
}

/// One link, with file names relative to `cwd`.
#[derive(Debug)]
pub(crate) struct LinkRequest<'a> {
    pub(crate) object: &'a str,
    /// Whether other units can be in the object, too: only what the exports reach is linked.
    pub(crate) apart: bool,
    /// Other kernels' libraries.
    pub(crate) libraries: &'a [String],
    /// Directories for `links`, searched before those of the configuration.
    pub(crate) link_dirs: &'a [PathBuf],
    /// Libraries by name (`m`) or path.
    pub(crate) links: &'a [String],
    pub(crate) soname: &'a str,
    pub(crate) version_script: &'a str,
    pub(crate) output: &'a str,
    /// Where the linker writes what it read.
    pub(crate) depfile: &'a str,
    pub(crate) needs: &'a LinkNeeds,
    pub(crate) cwd: &'a Path,
}

/// What is the same for every link with one set of flags.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub(super) template: Option<&'a LinkTemplate>,
    /// The flags are more than words for the linker: only the driver knows what they mean.
    pub(super) driver_only: bool,
    pub(super) flags: &'a [Flag],
    /// The configuration's libraries.
    pub(super) libraries: &'a [Flag],
    /// A sanitizer's run-time library is found only when the program runs.
    pub(super) allow_undefined: bool,
    pub(super) timeout: Duration,
}

/// The ways to link, in the order of trial: the second only if the first one fails.
///
/// Code and constants share their pages (`noseparate-code`): a small kernel is half as large and has two
/// mappings instead of four, so twice as many fit into a process.
pub(super) fn commands(driver: &Driver, link: &Link<'_>, request: &LinkRequest<'_>) -> Vec<Command> {
    let fast = link.template.filter(|_| !link.driver_only);
    let fast = fast.and_then(|template| fast_link(template, driver, link, request));
    let texts = |flags: &[Flag]| flags.iter().map(|flag| flag.text.clone()).collect::<Vec<_>>();
    let mut command = driver.command(request.cwd, link.timeout);
    command = command.args(["-shared", "-o", request.output, request.object]).args(request.libraries);
    // After the object: a linker takes from a library only what was missing before.
    command = command.args(search_dirs(request)).args(run_dirs(request, "-Xlinker"));
    command = command.args(library_words(request));
    command = command.args(texts(link.flags)).args(texts(link.libraries));
    command = command.arg(format!("-Wl,-soname,{}", request.soname));
    command = command.arg(format!("-Wl,--version-script,{}", request.version_script));
    command = match link.template.is_none_or(|template| template.writes_dependencies) {
        true => command.arg(format!("-Wl,--dependency-file,{}", request.depfile)),
        false => command.arg("-Wl,--trace"),
    };
    if request.apart {
        command = command.arg("-Wl,--gc-sections");
    }
    if !link.allow_undefined {
        command = command.arg("-Wl,-z,defs");
    }
    if link.template.is_some_and(|template| template.joins_code) {
        command = command.arg("-Wl,-z,noseparate-code");
    }
    // For the libraries that the driver adds by itself: what a kernel does not use it need not load.
    command = command.arg("-Wl,--as-needed").set("TMPDIR", Some(request.cwd));
    fast.into_iter().chain([command]).collect()
}

/// The fast link, if the object is of the kind it can do.
fn fast_link(
    template: &LinkTemplate,
    driver: &Driver,
    link: &Link<'_>,
    request: &LinkRequest<'_>,
) -> Option<Command> {
    let needs = Needed::of(request.needs)?;
    let mut command = driver.program(&template.ld, request.cwd, link.timeout).args(&template.options);
    command = command.args(["-soname", request.soname, "-z", "defs", "-o", request.output]);
    if template.joins_code {
        command = command.args(["-z", "noseparate-code"]);
    }
    if request.apart {
        command = command.arg("--gc-sections");
    }
    command = command.arg(format!("--version-script={}", request.version_script));
    command = match template.writes_dependencies {
        true => command.arg(format!("--dependency-file={}", request.depfile)),
        false => command.arg("--trace"),
    };
    if needs.startup {
        command = command.args(&template.start);
    }
    let asked = linker_words(link.flags.iter().chain(link.libraries));
    command = command.arg(request.object).args(request.libraries).args(search_dirs(request));
    command = command.args(run_dirs(request, "")).args(library_words(request));
    command = command.args(asked).args(&template.dirs).arg("--as-needed");
    // Each costs 3 ms to read. What another library needs of them it names ittemplate.
    let libraries = [("-lm", needs.m), ("-lc", needs.c || needs.startup), ("-lgcc", needs.arithmetic)];
    command = command.args(libraries.into_iter().filter(|(_, needed)| *needed).map(|(name, _)| name));
    if needs.startup {
        command = command.args(&template.end);
    }
    Some(command)
}

/// The files that a linker named on its standard output, where it can only `--trace`.
pub(crate) fn traced_files(stdout: &[u8]) -> Vec<PathBuf> {
    let text = String::from_utf8_lossy(stdout);
    let mut files: Vec<PathBuf> = Vec::new();
    for line in text.lines().map(str::trim) {
        // `trace: ` is mold's.
        let line = line.strip_prefix("trace: ").unwrap_or(line);
        // `/x/crti.o`, `/x/liba.a(member.o)`, `(/x/liba.a)member.o`, `-lm (/x/libm.so)`
        let name = match (line.split_once('('), line.starts_with('/')) {
            (Some((archive, _)), true) => archive,
            (Some((_, rest)), false) => rest.split(')').next().unwrap_or_default(),
            (None, _) => line,
        };
        let path = PathBuf::from(name.trim());
        if path.is_absolute() && !files.contains(&path) {
            files.push(path);
        }
    }
    files
}

/// What an object needs beside itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Needed {
    m: bool,
    c: bool,
    /// The compiler's own arithmetic (`__muldc3`, `__divti3`).
    arithmetic: bool,
    /// The files that run constructors.
    startup: bool,
}

impl Needed {
    /// `None`: the C++ run-time library, which is the driver's business.
    fn of(needs: &LinkNeeds) -> Option<Needed> {
        let mut needed = Needed { startup: needs.constructors, ..Needed::default() };
        for symbol in &needs.undefined {
            match symbol.as_str() {
                "_GLOBAL_OFFSET_TABLE_" => {}
                "__dso_handle" => needed.startup = true,
                "__cxa_atexit" | "__cxa_finalize" | "__tls_get_addr" | "__stack_chk_fail" => needed.c = true,
                _ if of_libm(symbol) => needed.m = true,
                _ if of_cxx(symbol) => return None,
                _ => {
                    needed.c = true;
                    needed.arithmetic |= symbol.starts_with("__") && !symbol.ends_with("_chk");
                }
            }
        }
        Some(needed)
    }
}

/// Whether libm defines it: the functions of <math.h> and <complex.h> for double, float and long double, and
/// their vector forms.
fn of_libm(symbol: &str) -> bool {
    const NAMES: &str = "acos acosh asin asinh atan atan2 atanh cabs cacos cacosh carg casin casinh catan catanh \
        cbrt ccos ccosh ceil cexp cimag clog conj copysign cos cosh cpow cproj creal csin csinh csqrt ctan ctanh \
        drem erf erfc exp exp10 exp2 expm1 fabs fdim finite floor fma fmax fmin fmod frexp gamma hypot ilogb j0 j1 \
        jn ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter \
        nexttoward pow remainder remquo rint round roundeven scalbln scalbn significand sin sincos sinh sqrt tan \
        tanh tgamma trunc y0 y1 yn";
    // libmvec: `_ZGVbN2v_sin`. A C++ guard variable never has a small letter there.
    if let Some(rest) = symbol.strip_prefix("_ZGV") {
        return rest.starts_with(|c: char| c.is_ascii_lowercase());
    }
    let known = |name: &str| NAMES.split_ascii_whitespace().any(|known| known == name);
    known(symbol) || symbol.strip_suffix(['f', 'l']).is_some_and(known)
}

fn of_cxx(symbol: &str) -> bool {
    let prefixes = ["_Z", "__cxa_", "__gxx_", "_Unwind_", "__dynamic_cast", "__gnu_"];
    prefixes.iter().any(|prefix| symbol.starts_with(prefix))
}

/// Whether the linker itself understands a flag, or [`in_template`] says that it is answered already.
pub(super) fn is_plain(text: &str) -> bool {
    let linker = ["-L", "-l", "-Wl,", "-Xlinker", "-z", "-u"].iter().any(|prefix| text.starts_with(prefix));
    linker || !text.starts_with('-') || in_template(text)
}

/// The linker's own words behind the driver's.
fn linker_words<'a>(flags: impl Iterator<Item = &'a Flag>) -> Vec<String> {
    let mut words = Vec::new();
    let mut flags = flags.map(|flag| flag.text.as_str());
    while let Some(text) = flags.next() {
        match text.strip_prefix("-Wl,") {
            Some(list) => words.extend(list.split(',').map(str::to_owned)),
            None if text == "-Xlinker" => words.extend(flags.next().map(str::to_owned)),
            // These take a word, which is as little the linker's.
            None if text == "-target" || text == "-B" || text == "--sysroot" => drop(flags.next()),
            None if in_template(text) => {}
            None => words.push(text.to_owned()),
        }
    }
    words
}

fn search_dirs(request: &LinkRequest<'_>) -> Vec<OsString> {
    let dirs = request.link_dirs.iter();
    dirs.map(|dir| {
        let mut word = OsString::from("-L");
        word.push(dir);
        word
    })
    .collect()
}

/// The same directories for the loader; each word after `before`, if it is not empty.
fn run_dirs(request: &LinkRequest<'_>, before: &str) -> Vec<OsString> {
    let words = request.link_dirs.iter().flat_map(|dir| [OsString::from("-rpath"), dir.into()]);
    words.flat_map(|word| [before.into(), word]).filter(|word| !word.is_empty()).collect()
}

fn library_words(request: &LinkRequest<'_>) -> Vec<String> {
    request.links.iter().map(|library| library_word(library)).collect()
}

/// A library as a linker takes it: a path or flag as it is, a name with `-l`.
pub(super) fn library_word(library: &str) -> String {
    let is_file = library.contains('/') || [".a", ".so", ".o"].iter().any(|end| library.ends_with(end));
    if is_file || library.starts_with('-') { library.to_owned() } else { format!("-l{library}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(undefined: &[&str]) -> Option<Needed> {
        let undefined = undefined.iter().map(|name| (*name).to_owned()).collect();
        Needed::of(&LinkNeeds { undefined, constructors: false })
    }

    #[test]
    fn undefined_symbols_choose_the_libraries() {
        let none = Needed::default();
        assert_eq!(needed(&["_GLOBAL_OFFSET_TABLE_"]), Some(none));
        assert_eq!(needed(&["sin", "expf", "fmal", "_ZGVdN4v_cos"]), Some(Needed { m: true, ..none }));
        assert_eq!(needed(&["memcpy", "__memcpy_chk"]), Some(Needed { c: true, ..none }));
        assert_eq!(needed(&["__muldc3"]), Some(Needed { c: true, arithmetic: true, ..none }));
        assert_eq!(
            needed(&["__dso_handle", "__cxa_atexit"]),
            Some(Needed { c: true, startup: true, ..none })
        );
        for symbol in ["_Znwm", "_ZGVZ1fvE1x", "__cxa_throw", "__gxx_personality_v0", "_Unwind_Resume"] {
            assert_eq!(needed(&["sin", symbol]), None, "{symbol}");
        }
    }

    #[test]
    fn what_a_linker_traces_is_read() {
        let out = b"/x/crti.o\n/x/liba.a(m.o)\n(/x/libb.a)n.o\n-lm (/x/libm.so)\nunit.o\n/x/liba.a(o.o)\n";
        let files: Vec<_> = traced_files(out).into_iter().map(|path| path.display().to_string()).collect();
        assert_eq!(files, ["/x/crti.o", "/x/liba.a", "/x/libb.a", "/x/libm.so"]);
    }

    #[test]
    fn drivers_words_become_the_linkers() {
        let flags: Vec<Flag> =
            ["-Wl,-rpath,/x", "-fuse-ld=lld", "-L/y", "-Xlinker", "-q", "-lz", "-B", "/tools"]
                .map(|text| Flag::new(text, crate::config::origin::Origin::Builder))
                .to_vec();
        assert_eq!(linker_words(flags.iter()), ["-rpath", "/x", "-L/y", "-q", "-lz"]);
        assert_eq!(["m", "-lz", "/x/libq.so", "a.o"].map(library_word), ["-lm", "-lz", "/x/libq.so", "a.o"]);
    }
}
