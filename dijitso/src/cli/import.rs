//! `dijitso import`

use std::path::PathBuf;

use serde_json::json;

use super::Global;
use super::measures::{count, size};
use super::screen::Screen;
use super::text::path;
use super::trouble::{Answer, DONE};

/// Take the kernels of a site cache into the cache, verified; programs find them by their specs
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// An archive (.tar.gz) or directory that `export` wrote
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

impl Import {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let cache = global.cache(screen)?;
        let imported = cache.import(&self.path)?;
        if screen.is_json() {
            screen.answer(&json!({
                "path": imported.path.to_string_lossy(),
                "cache": cache.dir().to_string_lossy(),
                "entries": imported.entries,
                "new": imported.new,
                "bytes": imported.bytes,
            }))?;
        } else {
            let kernels = count(imported.entries, "kernel", "kernels");
            let (new, bytes, dir) = (imported.new, size(imported.bytes), path(cache.dir()));
            screen.line(format_args!("Imported {kernels}, {new} of them new ({bytes}), into {dir}"))?;
        }
        Ok(DONE)
    }
}
