//! The tables that one `Jit` was given, and what it has taken from them.

use std::sync::{Arc, OnceLock};

use once_cell::sync::OnceCell;

use super::{Prebuilt, Row, Variant};
use crate::error::Result;
use crate::kernel::{Code, Loaded};
use crate::report::Report;
use crate::signature::Signature;
use crate::source::{AnySpec, GeneratorId};
use crate::toolchain::CpuFeatures;

/// Tables of several crates, searched in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct Tables(Vec<Table>);

#[derive(Debug)]
struct Table {
    prebuilt: &'static Prebuilt,
    /// One for each row, filled when the kernel is first asked for.
    slots: Box<[OnceLock<Slot>]>,
}

#[derive(Debug)]
struct Slot {
    generator: GeneratorId,
    /// `None` if nothing of it runs on this processor.
    loaded: Option<Arc<Loaded>>,
}

impl Tables {
    pub(crate) fn new(prebuilt: &[&'static Prebuilt]) -> Tables {
        let table = |prebuilt: &&'static Prebuilt| Table {
            prebuilt,
            slots: std::iter::repeat_with(OnceLock::new).take(prebuilt.len()).collect(),
        };
        Tables(prebuilt.iter().map(table).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The kernel of a spec, if it is here and runs on this processor. `claim` is asked whether the spec's
    /// generator may have this signature, which another one may have taken.
    pub(crate) fn get(
        &self,
        spec: &AnySpec,
        claim: impl Fn(&AnySpec) -> Result<()>,
    ) -> Result<Option<Arc<Loaded>>> {
        let signature = spec.signature();
        for table in &self.0 {
            let Some(position) = table.prebuilt.position(signature.as_bytes()) else { continue };
            let slot = match table.slots[position].get() {
                Some(slot) if slot.generator == *spec.generator_id() => slot,
                _ => {
                    claim(spec)?;
                    table.slots[position].get_or_init(|| Slot::new(spec, &table.prebuilt.rows[position]))
                }
            };
            if let Some(loaded) = &slot.loaded {
                return Ok(Some(loaded.clone()));
            }
        }
        Ok(None)
    }
}

impl Slot {
    fn new(spec: &AnySpec, row: &'static Row) -> Slot {
        let runs = |variant: &&Variant| features(variant).missing_on_host().is_empty();
        let variant = row.variants.iter().find(runs);
        if variant.is_none() {
            let lacking: Vec<String> =
                row.variants.last().map(|v| features(v).missing_on_host()).unwrap_or_default();
            log::warn!(
                "{} was prebuilt for processors with {}, which this one does not have; name an older one in \
                 `prebuild().cpu(..)`",
                spec.at(),
                lacking.join(", ")
            );
        }
        let loaded = variant.map(|variant| Arc::new(loaded(spec, variant)));
        Slot { generator: spec.generator_id().clone(), loaded }
    }
}

fn features(variant: &Variant) -> CpuFeatures {
    CpuFeatures::from_bits(variant.features)
}

fn loaded(spec: &AnySpec, variant: &'static Variant) -> Loaded {
    Loaded {
        name: spec.name().to_owned(),
        at: spec.at(),
        content: Signature::from_bytes(variant.content),
        soname: String::new(),
        code: Code::Program(variant),
        entry: variant.entry.0.addr(),
        dependencies: Vec::new(),
        path: None,
        kept: OnceCell::new(),
        report: Report::default(),
    }
}
