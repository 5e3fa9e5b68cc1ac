//! Kernels that leave one engine and arrive in another one.

#![allow(unsafe_code)] // Generated text is vouched for.

mod derived;
mod receive;
mod travel;

use std::path::PathBuf;
use std::sync::Arc;

use super::needed::Needed;
use super::{Engine, Found, Jit, Luggage, Outcome, Packed, Place};
use crate::cache::Bytes;
use crate::cxx::KernelFn;
use crate::kernel::{Kernel, Loaded};
use crate::report::KernelOrigin;
use crate::source::{AnySpec, KernelSpec, Source};

type Number = extern "C" fn() -> i32;

/// A process with a cache of its own.
struct Rank {
    dir: tempfile::TempDir,
    jit: Jit,
}

impl Rank {
    fn new() -> Rank {
        let dir = tempfile::tempdir().unwrap();
        let jit = Jit::builder().cache_dir(dir.path().join("cache")).build().unwrap();
        Rank { dir, jit }
    }

    /// One whose cache can be neither read nor written.
    fn without_cache() -> Rank {
        let dir = tempfile::tempdir().unwrap();
        let jit = Jit::builder().cache_dir("/proc/nowhere/cache").build().unwrap();
        Rank { dir, jit }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// A new process with the same cache.
    fn again(&self) -> Jit {
        Jit::builder().cache_dir(self.cache()).build().unwrap()
    }

    fn engine(&self) -> &Arc<Engine> {
        self.jit.engine()
    }

    fn build(&self, spec: &AnySpec) -> (Arc<Loaded>, Luggage) {
        let (mut outcomes, luggage) = self.engine().build_packed(&[spec], &[false], &[]);
        (outcomes.pop().unwrap().unwrap().0, luggage)
    }

    /// What another rank must get, dependencies first.
    fn pack(&self, spec: &AnySpec, loaded: &Arc<Loaded>, luggage: &Luggage) -> Vec<(Needed, Packed)> {
        let needed = self.engine().needed(spec, loaded, luggage);
        needed.into_iter().map(|n| (n.clone(), self.engine().pack(&n, luggage).unwrap())).collect()
    }

    /// Loads everything that must be loaded, as it was packed.
    fn receive(&self, spec: &AnySpec, packed: &[(Needed, Packed)]) -> Arc<Loaded> {
        let mut last = None;
        for (needed, packed) in packed.iter().filter(|(needed, _)| needed.linked) {
            let place = Place::Bytes(packed.bytes.clone());
            last = Some(self.engine().receive(&packed.facts, &place).unwrap());
            assert_eq!(packed.facts.content, needed.content);
        }
        let loaded = last.unwrap();
        self.engine().adopt(spec, &loaded);
        loaded
    }

    fn publish(&self, spec: &AnySpec, packed: &[(Needed, Packed)]) {
        let (last, below) = packed.split_last().unwrap();
        for (_, packed) in below {
            self.engine().publish_received(None, &packed.facts, &packed.bytes, &packed.routes);
        }
        self.engine().publish_received(Some(spec), &last.1.facts, &last.1.bytes, &last.1.routes);
    }
}

fn call(loaded: &Arc<Loaded>) -> i32 {
    Kernel::<Number>::new(loaded.clone(), KernelOrigin::Received).call()
}

fn source<F: KernelFn>(text: String) -> Source<F> {
    // SAFETY: arithmetic only.
    unsafe { Source::new(text) }
}

/// `n`.
fn number(n: i32) -> KernelSpec<Number> {
    KernelSpec::new("number", n, move || source(format!("int number() {{ return {n}; }}")))
}

/// `1 + n`, linked to a kernel that exports `base_n` and brings a header.
fn successor(n: i32) -> KernelSpec<Number> {
    KernelSpec::new("successor", n, move || {
        source(format!("int successor() {{ return 1 + base_{n}(); }}"))
            .include(format!("\"base_{n}.h\""))
            .depends_on(&base(n))
    })
}

fn base(n: i32) -> KernelSpec<()> {
    KernelSpec::new("base", n, move || {
        let text = format!("#include <cmath>\nextern \"C\" int base_{n}() {{ return {n}; }}");
        // SAFETY: arithmetic only.
        unsafe { Source::translation_unit(text) }
            .header(format!("base_{n}.h"), format!("extern \"C\" int base_{n}();"))
            .export(format!("base_{n}"))
    })
}

/// A kernel whose text its generator asks of another one, which it loads with `jit`.
fn asking(jit: &Jit, n: i32) -> KernelSpec<Number> {
    let jit = jit.clone();
    KernelSpec::new("asking", n, move || {
        let asked = jit.load(&number(n)).map(|number| number.call()).unwrap_or(-1);
        source(format!("int asking() {{ return 10 * {asked}; }}"))
    })
}

fn names(packed: &[(Needed, Packed)]) -> Vec<(&str, bool)> {
    packed.iter().map(|(needed, _)| (needed.name.as_str(), needed.linked)).collect()
}

fn found(found: Vec<Found>) -> Vec<Option<Arc<Loaded>>> {
    let one = |found| match found {
        Found::Hit(loaded, KernelOrigin::Disk) => Some(loaded),
        Found::Miss(_) => None,
        other => panic!("{other:?}"),
    };
    found.into_iter().map(one).collect()
}

fn content(outcome: &Outcome) -> crate::signature::Signature {
    outcome.as_ref().unwrap().0.content
}

/// A copy in memory, to be changed.
fn bytes(packed: &Packed) -> Vec<u8> {
    packed.bytes.whole().unwrap().to_vec()
}

fn in_memory(bytes: Vec<u8>) -> Bytes {
    Bytes::Memory(Arc::new(bytes))
}
