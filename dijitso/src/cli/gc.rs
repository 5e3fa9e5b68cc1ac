//! `dijitso gc`

use std::time::Duration;

use super::Global;
use super::clean::{amount, failures, files};
use super::measures::{age, bytes, count, size};
use super::screen::{Screen, Tone};
use super::text::{line, path};
use super::trouble::{Answer, DONE, FAILED};

/// Remove what was used least recently until the cache is within its bound, and what nobody needs any more
#[derive(Debug, clap::Args)]
pub(super) struct Gc {
    /// The most bytes that kernels and index may take (500M, 5G; 0: without bound; default: cache.max_size)
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    max_size: Option<u64>,
    /// The most files that they may be (0: without bound; default: cache.max_files)
    #[arg(long, value_name = "NUMBER")]
    max_files: Option<u64>,
    /// Also remove kernels that were not used for so long (90d)
    #[arg(long, value_parser = age, value_name = "AGE")]
    max_age: Option<Duration>,
    /// Tell what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let cache = global.cache_that_is_there(screen)?;
        let mut gc = cache.gc().dry_run(self.dry_run);
        gc = self.max_size.into_iter().fold(gc, |gc, bytes| gc.max_size(bytes));
        gc = self.max_files.into_iter().fold(gc, |gc, files| gc.max_files(files));
        gc = self.max_age.into_iter().fold(gc, |gc, age| gc.max_age(age));
        let removed = gc.run();
        let left = cache.summary_of(&cache.list());
        if screen.is_json() {
            screen.answer(&serde_json::json!({
                "cache": cache.dir().to_string_lossy(),
                "dry_run": self.dry_run,
                "removed": files(&removed),
                "bytes": removed.bytes,
                "shortened": removed.shortened,
                "failed": failures(&removed),
                "left": { "kernels": left.entries.files, "bytes": left.entries.bytes + left.index.bytes, "total_bytes": left.total().bytes },
            }))?;
        } else {
            let detailed = self.dry_run && !screen.is_quiet();
            for file in removed.files.iter().filter(|_| detailed) {
                screen.line(format_args!(
                    "{:<10}{:>9}  {}",
                    file.kind,
                    size(file.bytes),
                    path(&file.path)
                ))?;
            }
            let verb = if self.dry_run { "Would remove" } else { "Removed" };
            let kernels = count(left.entries.files, "kernel", "kernels");
            let there =
                format!("left: {kernels}, with the index {}", size(left.entries.bytes + left.index.bytes));
            screen.line(format_args!("{verb} {} from {}; {there}.", amount(&removed), path(cache.dir())))?;
            for (file, problem) in &removed.failed {
                let text = format!("not removed: {}: {}", path(file), line(problem));
                screen.line(screen.toned(Tone::Bad, text))?;
            }
        }
        Ok(if removed.failed.is_empty() { DONE } else { FAILED })
    }
}
