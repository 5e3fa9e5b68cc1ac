//! With checking on: whether a generator still writes what an entry was made from.

use std::path::PathBuf;

use super::engine::Engine;
use crate::cache::archive_at;
use crate::compile::symbol_name;
use crate::error::{Error, Result};
use crate::kernel::Loaded;
use crate::source::{AnySpec, render};

impl Engine {
    /// What the generator writes now must be what the entry was made from.
    pub(super) fn check(&self, spec: &AnySpec, loaded: &Loaded) -> Result<()> {
        self.counters.generated.one();
        let _acting = self.act();
        let _working = self.flights.working(spec.signature(), spec.description());
        let parts = spec.generate()?;
        let mut archive = archive_at(&self.store, loaded.path.get().map(PathBuf::as_path), &loaded.content)
            .map_err(|defect| {
            let diff = format!("the cached text cannot be read: {defect}");
            Error::Stale { kernel: spec.at(), diff }
        })?;
        let symbol = symbol_name(spec.name(), &archive.unit().to_hex());
        for (file, now) in &render(&parts, spec.name(), &symbol, false).files {
            let header = parts.headers.iter().any(|(name, _)| name == file);
            let then = if header { archive.header(file) } else { archive.text(file) }.unwrap_or_default();
            if then != *now {
                return Err(Error::Stale { kernel: spec.at(), diff: first_difference(file, &then, now) });
            }
        }
        Ok(())
    }
}

fn first_difference(file: &str, then: &str, now: &str) -> String {
    let (mut old, mut new) = (then.lines(), now.lines());
    let mut line = 1;
    loop {
        match (old.next(), new.next()) {
            (a, b) if a == b && a.is_some() => line += 1,
            (a, b) => {
                let [a, b] = [a, b].map(|l| l.unwrap_or("(end of text)"));
                return format!("{file}:{line}\n- {a}\n+ {b}");
            }
        }
    }
}
