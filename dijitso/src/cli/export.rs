//! `dijitso export`

use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::json;

use super::Global;
use super::choose;
use super::measures::{count, size};
use super::screen::Screen;
use super::text::path;
use super::trouble::{Answer, DONE, Trouble};
use crate::signature::Signature;

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
        let mut entries: Vec<(SystemTime, Signature)> = match self.kernels.is_empty() {
            false => {
                let named = choose::entries(&cache, &self.kernels)?;
                named.iter().map(|entry| (entry.built(), entry.signature())).collect()
            }
            true => {
                let listing = cache.list();
                for damaged in &listing.damaged {
                    log::warn!("left out: {damaged}");
                }
                listing.entries.iter().map(|entry| (entry.built, entry.signature)).collect()
            }
        };
        if entries.is_empty() {
            return Err(Trouble::Failed(format!("the cache {} has no kernels", path(cache.dir()))));
        }
        // Of one spec the newest is the one to be found.
        entries.sort_unstable();
        let chosen: Vec<Signature> = entries.into_iter().map(|(_, signature)| signature).collect();
        let exported = match self.kernels.is_empty() {
            true => cache.export_what_is_whole(&chosen, &self.path)?,
            false => cache.export_signed(&chosen, &self.path)?,
        };
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
