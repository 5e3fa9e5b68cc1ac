//! What the library reports while it works, on the standard error stream.

use log::{LevelFilter, Log, Metadata, Record};

use super::Global;
use super::screen::eprint_safely;
use super::text::lines;

struct Logger;

static LOGGER: Logger = Logger;

/// Warnings are shown, with `-v` what is done, with `-vv` everything; with `--quiet` nothing.
pub(super) fn install(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::Off,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, _) => LevelFilter::Debug,
    };
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(level);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dijitso")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            eprint_safely(&format!("{level}: {}\n", lines(&record.args().to_string())));
        }
    }

    fn flush(&self) {}
}
