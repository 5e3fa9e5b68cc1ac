//! `dijitso version`

use serde_json::json;

use super::screen::Screen;
use super::trouble::{Answer, DONE};

/// Print the version
#[derive(Debug, clap::Args)]
pub(super) struct Version {}

impl Version {
    pub(super) fn run(self, screen: &mut Screen) -> Answer {
        let version = env!("CARGO_PKG_VERSION");
        if screen.is_json() {
            screen.answer(&json!({ "name": "dijitso", "version": version, "cache_format": "v1" }))?;
        } else {
            screen.line(format_args!("dijitso {version}"))?;
        }
        Ok(DONE)
    }
}
