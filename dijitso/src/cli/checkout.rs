//! `dijitso checkout`

use std::path::PathBuf;

use serde_json::json;

use super::Global;
use super::choose::Categories;
use super::measures::count;
use super::screen::Screen;
use super::text::path;
use super::trouble::{Answer, DONE};

/// Copy a kernel's files to a directory, with a script that builds it again
#[derive(Debug, clap::Args)]
pub(super) struct Checkout {
    /// The kernel: its name, with arguments if there are several, or the beginning of its signature
    #[arg(value_name = "KERNEL", required_unless_present = "signature")]
    kernel: Option<String>,
    /// The same, as an option
    #[arg(long, value_name = "SIGNATURE", conflicts_with = "kernel")]
    signature: Option<String>,
    /// Which parts: inc, src, lib, log, facts, separated by commas
    #[arg(long, value_parser = Categories::parse, default_value = "all", value_name = "LIST")]
    categories: Categories,
    /// The directory, which must be new or empty (default: jitcheckout- and the signature)
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Checkout {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let query = self.kernel.or(self.signature).unwrap_or_default();
        let entry = global.cache(screen)?.find(&query)?;
        let dir = self.output.unwrap_or_else(|| format!("jitcheckout-{}", entry.signature().short()).into());
        let extracted = entry.extract(dir, &self.categories.0)?;
        let missing: Vec<String> = extracted.missing.iter().map(|signature| signature.to_hex()).collect();
        if screen.is_json() {
            screen.answer(&json!({
                "signature": entry.signature().to_hex(),
                "kernel": entry.description(),
                "directory": extracted.dir.to_string_lossy(),
                "files": extracted.files,
                "script": extracted.script.as_ref().map(|script| script.to_string_lossy()),
                "missing": missing,
            }))?;
            return Ok(DONE);
        }
        let files = count(extracted.files.len(), "file", "files");
        screen.line(format_args!("Copied {files} to {}", path(&extracted.dir)))?;
        if let Some(script) = &extracted.script {
            screen.line(format_args!("Build it again: {}", path(script)))?;
        }
        for signature in missing {
            screen.note(&format!(
                "warning: the script will fail: the kernel {signature} is not in the cache"
            ))?;
        }
        Ok(DONE)
    }
}
