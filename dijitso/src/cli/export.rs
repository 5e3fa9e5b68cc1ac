//! `dijitso export`

use std::path::PathBuf;

use serde_json::json;

use super::Global;
use super::choose;
use super::measures::{count, size};
use super::screen::Screen;
use super::text::path;
use super::trouble::{Answer, DONE, Trouble};

/// Write kernels into a site cache: for `import`, for DIJITSO_SITE_CACHE
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// An archive (.tar.gz), which is replaced, or a directory, which is extended
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Which kernels: names or signatures (default: all)
    #[arg(value_name = "KERNEL")]
    kernels: Vec<String>,
}

impl Export {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let cache = global.cache(screen)?;
        let mut entries = match self.kernels.is_empty() {
            false => choose::entries(&cache, &self.kernels)?,
            true => {
                let intact = cache.entries().filter_map(|entry| match entry {
                    Ok(entry) => Some(entry),
                    Err(damaged) => {
                        log::warn!("left out: {damaged}");
                        None
                    }
                });
                intact.collect()
            }
        };
        if entries.is_empty() {
            return Err(Trouble::Failed(format!("the cache {} has no kernels", path(cache.dir()))));
        }
        // Of one spec the newest is the one to be found.
        entries.sort_by_key(|entry| entry.built());
        let exported = cache.export(&entries, &self.path)?;
        if screen.is_json() {
            screen.answer(&json!({
                "path": exported.path.to_string_lossy(),
                "kernels": exported.kernels,
                "entries": exported.entries,
                "bytes": exported.bytes,
            }))?;
        } else {
            let kernels = count(exported.entries, "kernel", "kernels");
            screen.line(format_args!(
                "Exported {kernels} ({}) to {}",
                size(exported.bytes),
                path(&exported.path)
            ))?;
        }
        Ok(DONE)
    }
}
