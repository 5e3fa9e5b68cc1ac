//! `dijitso verify`

use std::io;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::Global;
use super::clean::{amount, failures};
use super::measures::count;
use super::screen::{Screen, Tone};
use super::text::{line, path};
use super::trouble::{Answer, DONE, FAILED};
use crate::cache::{Cache, Integrity, Problem, ProblemKind, Removed};

/// Check every byte of the cache: digests, archives, symbols, dependencies, the index
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// Remove what cannot be used, so that it is built again
    #[arg(long)]
    repair: bool,
}

impl Verify {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let cache = global.cache_that_is_there(screen)?;
        let found = verified(&cache, screen);
        let repaired = self.repair.then(|| cache.repair(&found));
        if screen.is_json() {
            screen.answer(&json(&cache, &found, repaired.as_ref()))?;
        } else {
            print(&cache, &found, repaired.as_ref(), screen)?;
        }
        let sound = match &repaired {
            // What is left after it, such as what it could not remove.
            Some(removed) => removed.failed.is_empty() && cache.verify().is_sound(),
            None => found.is_sound(),
        };
        Ok(if sound { DONE } else { FAILED })
    }
}

fn verified(cache: &Cache, screen: &Screen) -> Integrity {
    // Hidden where nobody looks: indicatif sees for itself that it is no terminal.
    let target = if screen.is_quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} kernels, {msg}, {eta} left") {
        bar.set_style(style);
    }
    let last = Mutex::new(0);
    let found = cache.verify_with(|progress| {
        // Threads come in any order.
        let Ok(mut last) = last.try_lock() else { return };
        if progress.entries > *last {
            *last = progress.entries;
            bar.set_length(progress.of as u64);
            bar.set_position(progress.entries as u64);
            bar.set_message(super::measures::size(progress.bytes));
        }
    });
    bar.finish_and_clear();
    found
}

fn kind(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Damaged => "damaged",
        ProblemKind::Unreadable => "unreadable",
        ProblemKind::Library => "library",
        ProblemKind::Dependency => "dependency",
        ProblemKind::Foreign => "foreign",
        ProblemKind::SetAside => "set aside",
        ProblemKind::Index => "index",
    }
}

fn print(
    cache: &Cache,
    found: &Integrity,
    repaired: Option<&Removed>,
    screen: &mut Screen,
) -> io::Result<()> {
    for problem in &found.problems {
        let tone = if problem.kind.is_harm() { Tone::Bad } else { Tone::Warn };
        let word = screen.toned(tone, format_args!("{:<11}", kind(problem.kind)));
        screen.line(format_args!("{word} {}: {}", path(&problem.path), line(&problem.text)))?;
    }
    let kernels = count(found.entries, "kernel", "kernels");
    let files = count(found.indices, "index file", "index files");
    let dir = path(cache.dir());
    let harm = found.problems.iter().filter(|problem| problem.kind.is_harm()).count();
    match (harm, found.problems.len()) {
        (0, 0) => {
            let good = screen.toned(Tone::Good, "all as they should be");
            screen.line(format_args!("{kernels} and {files} in {dir}: {good}"))?;
        }
        (0, others) => screen.line(format_args!(
            "{kernels} and {files} in {dir}: the kernels are as they should be; {} worth tidying up",
            count(others, "thing is", "things are")
        ))?,
        (harm, _) => screen.line(format_args!(
            "{kernels} and {files} in {dir}: {}",
            screen.toned(Tone::Bad, count(harm, "kernel cannot be used", "kernels cannot be used"))
        ))?,
    }
    match repaired {
        Some(removed) => {
            screen.line(format_args!(
                "Removed {}; what programs need of it they build again.",
                amount(removed)
            ))?;
            for (file, problem) in &removed.failed {
                screen.line(format_args!("not removed: {}: {}", path(file), line(problem)))?;
            }
        }
        None if !found.problems.is_empty() => {
            screen.line(
                "Programs build again what they cannot use; `dijitso verify --repair` removes it now.",
            )?;
        }
        None => {}
    }
    Ok(())
}

fn json(cache: &Cache, found: &Integrity, repaired: Option<&Removed>) -> Value {
    let problem = |problem: &Problem| {
        json!({
            "kind": kind(problem.kind),
            "harm": problem.kind.is_harm(),
            "path": problem.path.to_string_lossy(),
            "signature": problem.signature.map(|signature| signature.to_hex()),
            "problem": problem.text,
        })
    };
    let removed = repaired.map(|removed| {
        let files: Vec<_> = removed.files.iter().map(|file| file.path.to_string_lossy()).collect();
        json!({ "removed": files, "bytes": removed.bytes, "failed": failures(removed) })
    });
    json!({
        "cache": cache.dir().to_string_lossy(),
        "entries": found.entries,
        "indices": found.indices,
        "sound": found.is_sound(),
        "problems": found.problems.iter().map(problem).collect::<Vec<_>>(),
        "repaired": removed,
    })
}
