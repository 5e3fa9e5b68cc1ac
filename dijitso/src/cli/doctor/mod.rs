//! `dijitso doctor`

mod modules;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cache::{Cache, Lock, as_told};
use crate::cli::Global;
use crate::cli::measures::{duration, size};
use crate::cli::screen::{Screen, Tone};
use crate::cli::text::line;
use crate::cli::trouble::{Answer, DONE, FAILED};
use crate::config::Config;
use crate::config::origin::Flag;
use crate::config::params::{BuildParams, CacheParams, Load, Params};
use crate::fs::{Fs, Kind, Mount, Scratch, check_installed, check_trusted};
use crate::jit::Jit;
use crate::source::{KernelSpec, Source};
use crate::toolchain::cpu::Host;

/// Check everything that dijitso needs here: compiler, cache directory, processor, MPI; and say how to mend it
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {}

/// What one look found.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    text: String,
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// It works, and could be better.
    Note,
    Bad,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Note => "note",
            Verdict::Bad => "bad",
        }
    }
}

fn good(check: &'static str, text: impl Into<String>) -> Finding {
    Finding { check, verdict: Verdict::Good, text: text.into(), fix: None }
}

fn note(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { check, verdict: Verdict::Note, text: text.into(), fix: Some(fix.into()) }
}

fn bad(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { check, verdict: Verdict::Bad, text: text.into(), fix: Some(fix.into()) }
}

impl Doctor {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        // A configuration that cannot be read is what it is about, too; the rest cannot be asked then.
        let params = global.params()?;
        let config = Config::resolve(params.clone())?;
        let fs = Fs::new(Default::default());
        let root = config.cache.root.value.clone();
        let places = [config.tmpdir.clone(), PathBuf::from("/dev/shm")];
        let mut findings = vec![good(
            "configuration",
            format!("the cache directory is set by: {}", config.cache.root.origin),
        )];
        findings.push(trust(&config, &root));
        findings.extend(place(&config, &fs, &root));
        findings.extend(contents(&root));
        findings.extend(config.cache.sites.iter().map(|site| site_cache(&site.value)));
        findings.push(compiler(&params, &fs, &places, Load::File, "compiler"));
        let compiles = findings.last().is_some_and(|finding| finding.verdict == Verdict::Good);
        findings.push(flags(&config, compiles));
        findings.push(compiler(&params, &fs, &places, Load::Memory, "memfd"));
        findings.push(processor());
        findings.push(locks(&config, &fs, &root));
        findings.push(proc(&fs));
        findings.extend(modules::modules(&params, &config));
        let sick = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
        match screen.is_json() {
            true => screen.answer(&json!({ "healthy": !sick, "checks": as_json(&findings) }))?,
            false => print(&findings, screen)?,
        }
        Ok(if sick { FAILED } else { DONE })
    }
}

fn as_json(findings: &[Finding]) -> Vec<Value> {
    let one = |finding: &Finding| {
        json!({
            "check": finding.check,
            "verdict": finding.verdict.word(),
            "text": finding.text,
            "fix": finding.fix,
        })
    };
    findings.iter().map(one).collect()
}

fn print(findings: &[Finding], screen: &mut Screen) -> std::io::Result<()> {
    for finding in findings {
        let tone = match finding.verdict {
            Verdict::Good => Tone::Good,
            Verdict::Note => Tone::Warn,
            Verdict::Bad => Tone::Bad,
        };
        let word = screen.toned(tone, format_args!("{:<5}", finding.verdict.word()));
        screen.line(format_args!("{word} {:<14} {}", finding.check, line(&finding.text)))?;
        if let Some(fix) = &finding.fix {
            screen.line(format_args!("{:<20} {}", "", screen.toned(Tone::Faint, line(fix))))?;
        }
    }
    Ok(())
}

fn trust(config: &Config, root: &Path) -> Finding {
    const CHECK: &str = "permissions";
    if let Some(why) = config.cache.homeless() {
        return bad(CHECK, why, "set DIJITSO_CACHE_DIR, or HOME");
    }
    match check_trusted(root, Some("v1")) {
        Ok(_) => good(CHECK, "only you can write to the cache directory"),
        Err(problem) => bad(
            CHECK,
            format!("{}: {problem}", root.display()),
            "every program refuses this directory until then",
        ),
    }
}

/// What a directory is on, with what was said about it.
fn mount(config: &Config, path: &Path) -> std::io::Result<Mount> {
    Mount::of(path).map(|mount| as_told(mount, config.cache.network.value))
}

/// Its file system, whether it can be written, and how much room there is.
fn place(config: &Config, fs: &Fs, root: &Path) -> Vec<Finding> {
    const CHECK: &str = "file system";
    // Where it is, or would be made.
    let Some(there) = root.ancestors().find(|path| fs.exists(path)) else { return Vec::new() };
    let mut findings = Vec::new();
    match mount(config, there) {
        Ok(mount) if mount.kind == Kind::Network => findings.push(note(
            CHECK,
            format!(
                "{} is on a network file system: kernels are loaded from memory, and no locks are used",
                root.display()
            ),
            "nothing need be done; a cache on a local disk (DIJITSO_CACHE_DIR) loads a little faster",
        )),
        Ok(mount) if mount.noexec => findings.push(note(
            CHECK,
            format!("{} is mounted noexec: kernels are loaded from memory", root.display()),
            "nothing need be done; elsewhere (DIJITSO_CACHE_DIR) kernels load a little faster",
        )),
        Ok(_) => findings.push(good(CHECK, format!("{} is on a local file system", root.display()))),
        Err(error) => findings.push(bad(
            CHECK,
            format!("{} cannot be asked: {error}", there.display()),
            "choose another directory (DIJITSO_CACHE_DIR)",
        )),
    }
    let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok();
    let sealed = config.build.sealed.value;
    match (writable, sealed) {
        (true, _) => {}
        (false, true) => findings
            .push(good("writing", "the cache cannot be written, and a sealed program does not want to")),
        (false, false) => findings.push(bad(
            "writing",
            format!("{} cannot be written: every program builds all its kernels again", there.display()),
            "set DIJITSO_CACHE_DIR to a directory that you can write to",
        )),
    }
    if let Ok(stat) = rustix::fs::statvfs(there) {
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        findings.push(match free < 256 << 20 {
            true => bad("space", format!("only {} are free there", size(free)), "make room: `dijitso clean`"),
            false => good("space", format!("{} are free there", size(free))),
        });
    }
    findings
}

fn contents(root: &Path) -> Vec<Finding> {
    let Ok(cache) = Cache::open(root) else { return Vec::new() };
    let newer = cache.newer_formats();
    let mut findings = Vec::new();
    if !newer.is_empty() {
        let text = format!("a newer dijitso has its cache there, too ({})", newer.join(", "));
        findings.push(note("format", text, "nothing need be done: each leaves the other's files alone"));
    }
    let failures = cache.failures().unwrap_or_default().len();
    if failures > 0 {
        findings.push(note(
            "failures",
            format!("{failures} failed builds are kept in {}", root.join("v1/failures").display()),
            "`dijitso clean --categories failure` removes them",
        ));
    }
    findings
}

fn site_cache(path: &Path) -> Finding {
    const CHECK: &str = "site cache";
    match check_installed(path) {
        Ok(()) => good(CHECK, format!("{} belongs to root or to you", path.display())),
        Err(problem) => bad(CHECK, format!("{}: {problem}", path.display()), "it is passed over until then"),
    }
}

/// Builds and loads a kernel, with the user's flags, in a cache of its own.
fn compiler(params: &Params, fs: &Fs, places: &[PathBuf], load: Load, check: &'static str) -> Finding {
    let fix = match load {
        Load::Memory => {
            "kernels on network file systems are loaded from memory files: look for limits on memfd_create and /proc"
        }
        _ => "install g++ or clang++, or set CXX; `dijitso config` shows the flags and who set them",
    };
    let dir = match Scratch::new(fs, places) {
        Ok(dir) => dir,
        Err(error) => {
            return bad(check, format!("no temporary directory can be made: {error}"), "set TMPDIR");
        }
    };
    let cache =
        CacheParams { dir: Some(dir.path().join("cache")), load: Some(load), ..CacheParams::default() };
    let build = BuildParams { sealed: Some(false), ..params.build.clone() };
    let params = Params { cache, build, ..params.clone() };
    let spec = KernelSpec::<()>::new("doctor", (), || {
        Source::of_file("#include <cmath>\nextern \"C\" double doctor(double x) { return std::sqrt(x); }\n")
            .export("doctor")
    });
    let built = Jit::builder().params(params).build().and_then(|jit| {
        let kernel = jit.load(&spec)?;
        let entry = jit.cache().entry(&kernel.signature())?;
        Ok((kernel.report().clone(), entry))
    });
    match built {
        Ok((_, _)) if load == Load::Memory => good(check, "libraries can be loaded from memory files"),
        Ok((report, entry)) => {
            let compiler = entry.map_or_else(|| "the compiler".to_owned(), |entry| entry.compiler());
            let times =
                format!("compiled in {}, linked in {}", duration(report.compile), duration(report.link));
            good(check, format!("{compiler}; {times}"))
        }
        Err(error) => bad(check, error.to_string(), fix),
    }
}

/// Those that somebody asked for.
fn flags(config: &Config, compiles: bool) -> Finding {
    const CHECK: &str = "flags";
    let build = &config.build;
    let all = [&build.cxxflags, &build.cflags, &build.cppflags, &build.ldflags];
    let asked: Vec<String> = all.into_iter().flatten().map(Flag::to_string).collect();
    match (asked.is_empty(), compiles) {
        (true, _) => good(CHECK, "none but dijitso's own"),
        (false, true) => good(CHECK, format!("yours are in use: {}", asked.join(", "))),
        (false, false) => note(
            CHECK,
            format!("the compiler was called with yours: {}", asked.join(", ")),
            "try without them; `dijitso config` shows who set them",
        ),
    }
}

fn processor() -> Finding {
    let host = Host::get();
    let features = host.features.names();
    let named = host.model.lines().find(|line| line.starts_with("model name"));
    let model = named
        .and_then(|line| line.split_once(':'))
        .map_or("a processor without a name", |(_, name)| name.trim());
    let text = format!("{model}: {} features that kernels can use", features.len());
    match features.is_empty() {
        false => good("processor", text),
        true => note("processor", text, "/proc/cpuinfo tells nothing; set DIJITSO_CPU to `generic`"),
    }
}

/// Whether a lock keeps a second one out.
fn locks(config: &Config, fs: &Fs, root: &Path) -> Finding {
    const CHECK: &str = "locks";
    if mount(config, root).is_ok_and(|mount| mount.kind == Kind::Network) {
        return good(CHECK, "none are used on network file systems");
    }
    let place = root.join("v1/tmp");
    let place = if fs.exists(&place) { place } else { PathBuf::from("/tmp") };
    let dir = match Scratch::new(fs, std::slice::from_ref(&place)) {
        Ok(dir) => dir,
        Err(error) => {
            return note(CHECK, format!("{} cannot be written: {error}", place.display()), "see above");
        }
    };
    let path = dir.path().join("lock");
    let first = Lock::try_new(fs, &path);
    let second = Lock::try_new(fs, &path);
    match (first.is_some(), second.is_some()) {
        (true, false) => good(CHECK, "two programs never build the same kernel at once"),
        _ => note(
            CHECK,
            "the file system has no locks: programs may build the same kernel twice",
            "nothing need be done",
        ),
    }
}

fn proc(fs: &Fs) -> Finding {
    let maps = fs.read_at_most(Path::new("/proc/sys/vm/max_map_count"), 64).ok();
    let maps = maps.and_then(|text| String::from_utf8(text).ok()?.trim().parse::<usize>().ok());
    match (fs.exists(Path::new("/proc/self/fd")), maps) {
        (false, _) => bad(
            "/proc",
            "/proc is not mounted: kernels cannot be loaded from memory",
            "mount -t proc proc /proc",
        ),
        (true, Some(maps)) => good(
            "/proc",
            format!("a process can hold at least {} kernels (vm.max_map_count = {maps})", maps / 5),
        ),
        (true, None) => good("/proc", "mounted"),
    }
}
