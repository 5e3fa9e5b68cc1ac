//! Several small units in one call of the compiler.
//!
//! Starting a compiler and reading standard headers costs more than most generated kernels: 15 ms without
//! a header, 120 ms with `<cmath>`. Units that would meet the same text in front of them are therefore
//! compiled in one go, with a section for each function, and then linked one by one, each with nothing but
//! what its entry reaches. Every kernel gets the code that it would have got alone:
//!
//! * a unit takes part only if its text cannot see, or be seen by, the others': nothing in front of it but
//!   standard headers, no macros, no names outside of its namespace, nothing that runs at load time ([`key`]);
//! * it is compiled and linked with the same flags when it is alone;
//! * a library function that stays a function, and was perhaps not inlined because of the others, sends the
//!   kernels that reach it to a compile of their own;
//! * if anything goes wrong, each is compiled alone, and then says for itself what is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::bench::Bench;
use super::job::{COMPILE_DEPS, Job, OBJECT};
use super::unit::Unit;
use crate::fs::Scratch;
use crate::library::Shared;
use crate::process::{Command, Output, Status};
use crate::signature::{Signature, Signer};
use crate::source::{Parts, Rendered};
use crate::toolchain::{FlagSet, LinkNeeds};

/// No more units in one: their links and publications want to begin.
pub(crate) const MOST: usize = 32;

/// Longer texts take so long by themselves that starting the compiler does not matter. In bytes.
const LONGEST: usize = 8 << 10;

const MAIN: &str = "pack.cpp";

/// What takes longer has something in it that is better compiled, and waited for, alone.
const PATIENCE: Duration = Duration::from_secs(60);

/// What units that are compiled together have in common; `None` for one that must be compiled alone.
pub(super) fn key(parts: &Parts, rendered: &Rendered, flags: &FlagSet) -> Option<Signature> {
    if !parts.keeps_to_itself(LONGEST) || !flags.treat_units_alike() {
        return None;
    }
    let (_, unit) = rendered.files.iter().find(|(name, _)| *name == rendered.main)?;
    let in_front = unit.lines().take_while(|line| !line.starts_with("namespace "));
    let includes: Vec<&str> = in_front.filter(|line| line.starts_with("#include ")).collect();
    let mut signer = Signer::quiet("dijitso pack 1");
    signer.field("includes", &includes);
    flags.sign(&mut signer);
    Some(signer.finish())
}

/// Units on their way through one call of the compiler.
#[derive(Debug)]
pub(crate) struct Pack {
    bench: Bench,
    units: Vec<(usize, Arc<Unit>)>,
    scratch: Option<Scratch>,
    started: SystemTime,
}

/// A pack that was compiled.
#[derive(Debug)]
pub(super) struct Packed {
    scratch: Scratch,
    pub(super) started: SystemTime,
}

/// One unit of a compiled pack.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) pack: Arc<Packed>,
    number: usize,
    pub(super) needs: LinkNeeds,
    /// Its part of the time.
    pub(super) compile: Duration,
}

impl Member {
    pub(super) fn dir(&self) -> PathBuf {
        self.pack.scratch.path().join(self.number.to_string())
    }
}

impl Pack {
    pub(crate) fn new(bench: Bench) -> Pack {
        Pack { bench, units: Vec::new(), scratch: None, started: SystemTime::now() }
    }

    /// With the caller's number for it.
    pub(crate) fn add(&mut self, number: usize, unit: Arc<Unit>) {
        self.units.push((number, unit));
    }

    pub(super) fn numbers(&self) -> Vec<usize> {
        self.units.iter().map(|(number, _)| *number).collect()
    }

    /// Writes the files and says how to compile them; `None` if there is no place for them.
    pub(super) fn begin(&mut self) -> Option<Command> {
        let (_, unit) = self.units.first()?;
        let unit = unit.clone();
        let scratch = Scratch::new(&self.bench.fs, &self.bench.places).ok()?;
        let dir = scratch.path().to_owned();
        self.write(&dir).ok()?;
        self.scratch = Some(scratch);
        self.started = SystemTime::now();
        let toolchain = &self.bench.toolchain;
        let (flags, language, known_as) = (&unit.flags, unit.language, Path::new("."));
        let command = toolchain.compile_command(flags, language, MAIN, OBJECT, COMPILE_DEPS, &dir, known_as);
        Some(Command { timeout: self.bench.timeout.min(PATIENCE), ..command.args(toolchain.apart()) })
    }

    /// A directory for each, so that names need not differ.
    fn write(&self, dir: &Path) -> std::io::Result<()> {
        let fs = &self.bench.fs;
        let mut main = String::new();
        for (number, (_, unit)) in self.units.iter().enumerate() {
            let own = dir.join(number.to_string());
            fs.create_dir_all_private(&own)?;
            for (name, text) in &unit.rendered.files {
                fs.write(&own.join(name), text.as_bytes())?;
            }
            main.push_str(&format!("#include \"{number}/{}\"\n", unit.rendered.main));
        }
        fs.write(&dir.join(MAIN), main.as_bytes())
    }

    /// The compiler has ended: the jobs that link, and the numbers of units that must be compiled alone.
    pub(super) fn compiled(mut self, output: &Output) -> (Vec<(usize, Job)>, Vec<usize>) {
        let numbers = self.numbers();
        let (mut jobs, mut alone) = (Vec::new(), Vec::new());
        let Some((pack, shared)) = self.read(output) else { return (jobs, numbers) };
        let share = output.elapsed / self.units.len().max(1) as u32;
        self.bench.trace.ran("compile", output.elapsed, || self.description());
        for (number, (key, unit)) in self.units.into_iter().enumerate() {
            let needs = match unit.symbol.as_deref() {
                // What is said about it names files of the pack, and what is said about others is not its own.
                Some(entry) if !mentions(&output_text(output), number) => shared.needs_of(entry, own(entry)),
                _ => None,
            };
            match needs {
                Some(needs) => {
                    let member = Member { pack: pack.clone(), number, needs, compile: share };
                    jobs.push((key, Job::of_pack(self.bench.clone(), unit, member)));
                }
                None => alone.push(key),
            }
        }
        (jobs, alone)
    }

    /// Its kernels, for people.
    fn description(&self) -> String {
        let names: Vec<&str> = self.units.iter().map(|(_, unit)| unit.at.as_str()).collect();
        names.join(", ")
    }

    /// The object, if it is there and every library made from it can be a part of it.
    fn read(&mut self, output: &Output) -> Option<(Arc<Packed>, Shared)> {
        if output.status != Status::Exited(0) {
            return None;
        }
        let said = output_text(output);
        if !said.is_empty() && !(0..self.units.len()).any(|number| mentions(&said, number)) {
            return None;
        }
        let scratch = self.scratch.take()?;
        let object = self.bench.fs.read(&scratch.path().join(OBJECT)).ok()?;
        let shared = Shared::read(&object).ok().filter(|shared| !shared.has_constructors())?;
        Some((Arc::new(Packed { scratch, started: self.started }), shared))
    }
}

/// What the names of all functions of the unit with this entry contain: its namespace.
fn own(entry: &str) -> &str {
    let digits = crate::signature::Signature::from_bytes([0; 32]).to_hex().len();
    entry.get(..entry.len().saturating_sub(digits - 8)).unwrap_or(entry)
}

fn output_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// Whether a compiler's message names a file of the unit with this number.
fn mentions(said: &str, number: usize) -> bool {
    let dir = format!("{number}/");
    said.match_indices(&dir)
        .any(|(at, _)| !said[..at].ends_with(|c: char| c.is_alphanumeric() || "/._-".contains(c)))
}
