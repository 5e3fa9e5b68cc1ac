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
    /// Or what this processor lacks for all of its forms.
    loaded: std::result::Result<Arc<Loaded>, String>,
}

impl Tables {
    pub(crate) fn new(prebuilt: &[&'static Prebuilt]) -> Tables {
        if !prebuilt.is_empty() {
            // Asks the system, once in a process: now, and not when a kernel is loaded.
            CpuFeatures::of_host();
        }
        let table = |prebuilt: &&'static Prebuilt| Table {
            prebuilt,
            slots: std::iter::repeat_with(OnceLock::new).take(prebuilt.len()).collect(),
        };
        Tables(prebuilt.iter().map(table).collect())
    }

    /// The same tables, from which nothing was taken yet.
    pub(crate) fn again(&self) -> Tables {
        let prebuilt: Vec<&'static Prebuilt> = self.0.iter().map(|table| table.prebuilt).collect();
        Tables::new(&prebuilt)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many kernels there are.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|table| table.prebuilt.len()).sum()
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
            if let Ok(loaded) = &slot.loaded {
                return Ok(Some(loaded.clone()));
            }
        }
        Ok(None)
    }

    /// Why a kernel that is here cannot be used on this processor, in words; after it was asked for.
    pub(crate) fn unfit(&self, spec: &AnySpec) -> Option<String> {
        self.0.iter().find_map(|table| {
            let slot = table.slots[table.prebuilt.position(spec.signature().as_bytes())?].get()?;
            let lacking = slot.loaded.as_ref().err()?;
            Some(format!("prebuilt for processors with {lacking}, which this one does not have"))
        })
    }
}

impl Slot {
    fn new(spec: &AnySpec, row: &'static Row) -> Slot {
        let runs = |variant: &&Variant| features(variant).missing_on_host().is_empty();
        let variant = row.variants.iter().find(runs);
        let loaded = match variant {
            Some(variant) => Ok(Arc::new(loaded(spec, variant))),
            None => {
                let lacking = row.variants.last().map(|v| features(v).missing_on_host()).unwrap_or_default();
                let lacking = lacking.join(", ");
                log::warn!(
                    "{} was prebuilt for processors with {lacking}, which this one does not have; name an older one in \
                     `prebuild().cpu(..)`",
                    spec.at(),
                );
                Err(lacking)
            }
        };
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
        unit: Signature::from_bytes(variant.content),
        cpu: features(variant),
        soname: String::new(),
        code: Code::Program(variant),
        entry: variant.entry.0.addr(),
        dependencies: Vec::new(),
        path: OnceCell::new(),
        len: 0,
        kept: OnceCell::new(),
        report: Report::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Address, Exported};
    use super::*;
    use crate::cxx::KernelFn;
    use crate::error::Error;
    use crate::source::{KernelSpec, Source};

    type Number = extern "C" fn() -> f64;

    extern "C" fn one() -> f64 {
        1.0
    }

    fn spec(key: u32) -> KernelSpec<Number> {
        KernelSpec::new("one", key, || -> Source<Number> { unreachable!("nothing is generated") })
    }

    fn table<F: KernelFn>(rows: &[(&KernelSpec<F>, &[u128])]) -> &'static Prebuilt {
        let variant = |features: u128, number: usize| Variant {
            content: [number as u8; 32],
            features,
            entry: Address(one as *const ()),
            exports: Box::leak(Box::new([Exported {
                name: "one",
                size: None,
                address: Address(one as *const ()),
            }])),
        };
        let row = |(spec, features): &(&KernelSpec<F>, &[u128])| Row {
            spec: *spec.signature().as_bytes(),
            variants: features.iter().enumerate().map(|(n, f)| variant(*f, n)).collect::<Vec<_>>().leak(),
        };
        let mut rows: Vec<Row> = rows.iter().map(row).collect();
        rows.sort_by_key(|row| row.spec);
        Box::leak(Box::new(Prebuilt::new(rows.leak())))
    }

    /// No processor has it: it is from a version to come.
    const UNKNOWN: u128 = 1 << 127;

    #[test]
    fn the_first_form_that_runs_here_is_taken() {
        let (a, b) = (spec(1), spec(2));
        let tables = Tables::new(&[table(&[(&a, &[UNKNOWN, 0, 0]), (&b, &[UNKNOWN])]), table(&[(&b, &[0])])]);
        let get = |spec: &KernelSpec<Number>| tables.get(spec.any(), |_| Ok(())).unwrap();
        let loaded = get(&a).unwrap();
        assert_eq!(
            (loaded.content, loaded.entry),
            (Signature::from_bytes([1; 32]), (one as *const ()).addr())
        );
        assert!(Arc::ptr_eq(&loaded, &get(&a).unwrap()), "and kept");
        // What does not run from one table is looked for in the next one.
        assert_eq!(get(&b).unwrap().content, Signature::from_bytes([0; 32]));
        assert!(get(&spec(3)).is_none());
        assert_eq!((tables.unfit(a.any()), tables.unfit(spec(3).any())), (None, None));
    }

    #[test]
    fn another_generator_with_the_signature_is_asked_about() {
        let one = spec(1);
        let tables = Tables::new(&[table(&[(&one, &[0])])]);
        let refused = |spec: &AnySpec| -> Result<()> {
            Err(Error::Collision { kernel: spec.description(), first: String::new(), second: String::new() })
        };
        assert!(tables.get(one.any(), refused).is_err(), "also before the first load");
        assert!(tables.get(one.any(), |_| Ok(())).unwrap().is_some());
        assert!(tables.get(one.any(), refused).unwrap().is_some(), "known by now");
        let other =
            KernelSpec::<Number>::new("one", 1u32, || -> Source<Number> { unreachable!("another one") });
        assert!(tables.get(other.any(), refused).is_err());
    }
}
