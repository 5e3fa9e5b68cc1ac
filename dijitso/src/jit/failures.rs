//! Failures that are remembered: an unchanged retry, in this process or another, reports at once.

use std::path::PathBuf;

use super::engine::Engine;
use super::publish::now;
use crate::cache::{Inputs, Variant, VariantOutcome, unit_key};
use crate::compile::{Failed, Unit};
use crate::error::Error;

/// A lasting failure as the index keeps it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Failure {
    log: String,
    /// `None` for a compiler's refusal, the undefined symbols for a linker's.
    undefined: Option<Vec<String>>,
    command: String,
    bundle: Option<PathBuf>,
}

impl Failure {
    fn of(error: &Error) -> Option<Failure> {
        match error.clone() {
            Error::Compile { log, command, bundle, .. } => {
                Some(Failure { log, undefined: None, command, bundle })
            }
            Error::Link { log, undefined, command, bundle, .. } => {
                Some(Failure { log, undefined: Some(undefined), command, bundle })
            }
            _ => None,
        }
    }

    pub(super) fn into_error(self, at: &str) -> Error {
        let (kernel, log, command) = (at.to_owned(), self.log, self.command);
        let bundle = self.bundle.filter(|b| b.exists());
        match self.undefined {
            None => Error::Compile { kernel, log, command, bundle },
            Some(undefined) => Error::Link { kernel, log, undefined, command, bundle },
        }
    }
}

impl Engine {
    /// A negative entry: an unchanged retry, in this process or another, reports at once.
    pub(super) fn remember_failure(&self, unit: &Unit, failed: &Failed) {
        let context = self.context();
        let (Ok(compiler), Some(failure), true) =
            (&context.compiler, Failure::of(&failed.error), failed.lasting)
        else {
            return;
        };
        let asked: Vec<String> = self.questions(unit).into_iter().chain(failed.missing.clone()).collect();
        let inputs: Vec<PathBuf> = failed.inputs.iter().cloned().chain(self.named_files(unit)).collect();
        let Ok(collected) = Inputs::collect(&self.store, &inputs, &asked, &unit.flags.search, failed.started)
        else {
            return;
        };
        let Ok(text) = serde_json::to_string(&failure) else { return };
        if collected.changed.is_none() && self.still(compiler, unit) {
            let variant = Variant {
                toolchain: compiler.digest,
                unit: unit.signature,
                outcome: VariantOutcome::Failure(text),
                entry: unit.symbol.is_some(),
                cpu: unit.flags.features,
                created: now(),
                took_us: 0,
                dependencies: Vec::new(),
                inputs: collected.inputs,
            };
            let key = unit_key(&unit.signature);
            if let Err(error) = self.store.add_variant(&key, variant.clone()) {
                self.cannot_write(&error);
                self.memory.remember_failure(key, variant);
            }
        }
    }
}
