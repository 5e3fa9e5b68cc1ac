//! What all loads of one `Jit` share: parameters, cache, counters, tables, and the compiler.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::Instant;

use super::derived::Derived;
use super::flags::Flags;
use super::flight::Flights;
use super::luggage::Collection;
use super::memory::Memory;
use super::together::Notes;
use crate::cache::{Defect, Sites, Store, archive_at};
use crate::compile::{Bench, Linked, Surroundings, Unit};
use crate::config::Config;
use crate::config::origin::Flag;
use crate::config::params::Params;
use crate::error::{Error, Result};
use crate::fs::{Fs, Scratch};
use crate::kernel::{Loaded, closure};
use crate::prebuilt::Tables;
use crate::process::Limits;
use crate::signature::{Signature, Signer, digest};
use crate::source::{AnySpec, Parts};
use crate::stats::Counters;
use crate::toolchain::Toolchain;
use crate::trace::Trace;

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) fs: Fs,
    pub(crate) counters: Arc<Counters>,
    pub(crate) store: Store,
    pub(super) sites: Sites,
    pub(super) memory: Memory,
    /// Kernels that are part of the program.
    pub(super) prebuilt: Tables,
    pub(super) flights: Flights,
    pub(super) limits: Limits,
    pub(crate) trace: Trace,
    /// Everything the program, the user and the environment asked of compilations, before the compiler
    /// had its say: part of every index key.
    request: Signature,
    /// Variables that compilers read, as they are set here, sorted by name.
    pub(super) environment: Vec<(String, String)>,
    /// `None` until a kernel is wanted that is not part of the program.
    context: Mutex<Option<Arc<Context>>>,
    sweep: Once,
    /// When it was last asked whether the cache is to be tidied.
    pub(super) tidied: Mutex<Option<Instant>>,
    /// How much was added to the cache when its upkeep was done last.
    pub(super) kept_up: AtomicU64,
    /// The process that made it.
    pub(super) owner: u32,
    pub(super) build_ids: Mutex<HashMap<usize, Signature>>,
    unwritable: Once,
    pub(super) no_compiler: Once,
    /// What is built for other ranks, too.
    pub(super) collection: Collection,
    pub(super) derived: Derived,
    pub(super) notes: Notes,
    /// If it is derived from another one: the address of that one, and this one.
    pub(super) base: Option<(usize, Weak<Engine>)>,
}

/// The compiler, as far as there is one; else why there is none, or why it cannot be used.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) compiler: Result<Compiler>,
    /// Nobody has asked yet since it was looked for: a broken compiler is not tried twice in one load.
    fresh: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Compiler {
    pub(super) toolchain: Toolchain,
    /// Identity of the toolchain and of what the processor resolves to.
    pub(super) digest: Signature,
}

impl Engine {
    pub(super) fn new(params: Params, prebuilt: Tables) -> Result<Engine> {
        Engine::with(Config::resolve(params)?, Arc::default(), prebuilt)
    }

    /// An engine that builds as this one does, and finds what it needs nowhere but in the cache.
    pub(super) fn for_export(&self) -> Result<Engine> {
        let mut config = self.config.clone();
        config.cache.sites.clear();
        let mut engine = Engine::with(config, self.counters.clone(), Tables::default())?;
        engine.sites = Sites::new(std::iter::empty(), &self.fs);
        Ok(engine)
    }

    /// An engine for the same program, with other parameters.
    pub(super) fn with_config(&self, config: Config) -> Result<Arc<Engine>> {
        let mut engine = Engine::with(config, self.counters.clone(), self.prebuilt.again())?;
        let base = std::ptr::from_ref(self).addr();
        Ok(Arc::new_cyclic(|me| {
            engine.base = Some((base, me.clone()));
            engine
        }))
    }

    fn with(config: Config, counters: Arc<Counters>, prebuilt: Tables) -> Result<Engine> {
        let fs = Fs::new(counters.clone());
        let root = &config.cache.root.value;
        let store = match config.build.sealed.value {
            false => Store::open(root, &fs, &config.cache)?,
            true => Store::open_to_read(root, &fs, &config.cache)?,
        };
        let sites = Sites::new(config.cache.sites.iter().map(|site| site.value.clone()), &fs);
        let sites = sites.and_imported(root, &fs);
        let environment: Vec<(String, String)> =
            config.compiler_env.iter().map(|(name, value)| ((*name).to_owned(), readable(value))).collect();
        let request = Flags::of(&config).digest();
        let limits =
            Limits::new(config.build.jobs.as_ref().map(|jobs| jobs.value), config.build.memory_per_job.value);
        let trace = Trace::new(config.build.trace.as_ref().map(|trace| &*trace.value));
        Ok(Engine {
            config,
            fs,
            counters,
            store,
            sites,
            memory: Memory::default(),
            prebuilt,
            flights: Flights::default(),
            limits,
            trace,
            request,
            environment,
            context: Mutex::default(),
            sweep: Once::new(),
            tidied: Mutex::default(),
            kept_up: AtomicU64::new(0),
            owner: std::process::id(),
            build_ids: Mutex::default(),
            unwritable: Once::new(),
            no_compiler: Once::new(),
            collection: Collection::default(),
            derived: Derived::default(),
            notes: Notes::default(),
            base: None,
        })
    }

    /// Whether compiling is forbidden.
    pub(crate) fn is_sealed(&self) -> bool {
        self.config.build.sealed.value
    }

    /// The compiler. It is looked for when the first kernel is wanted that is not part of the program: a program
    /// that brings all its kernels starts no process and reads no file for a compiler that it does not need.
    pub(super) fn context(&self) -> Arc<Context> {
        let mut context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        // Who comes meanwhile waits, or would ask the compiler the same.
        context.get_or_insert_with(|| Arc::new(self.find_compiler(true))).clone()
    }

    /// The compiler as it is now: a compiler that was replaced since the last look is looked at again,
    /// or its kernels would be stored under its predecessor's name.
    pub(super) fn current(&self) -> Arc<Context> {
        let context = self.context();
        if let Ok(compiler) = &context.compiler
            && compiler.toolchain.unchanged(&self.fs)
        {
            return context;
        }
        let found = Arc::new(self.find_compiler(false));
        *self.context.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        found
    }

    /// What its compiler is told, to be told to others.
    pub(crate) fn flags(&self) -> Flags {
        Flags::of(&self.config)
    }

    /// [`Flags::digest`] of these.
    pub(crate) fn flags_digest(&self) -> Signature {
        self.request
    }

    /// What compiler this engine would use, and for what processor; `None` if there is none.
    pub(crate) fn compiler_digest(&self) -> Option<Signature> {
        self.context().compiler.as_ref().ok().map(|compiler| compiler.digest)
    }

    fn find_compiler(&self, fresh: bool) -> Context {
        let compiler = match self.is_sealed() {
            true => Err(Error::NoCompiler { kernel: None, candidates: Vec::new() }),
            false => self.try_compiler(),
        };
        if let Err(error) = &compiler {
            log::debug!("no compiler: {error}");
        }
        Context { compiler, fresh: AtomicBool::new(fresh) }
    }

    fn try_compiler(&self) -> Result<Compiler> {
        // What is learned about the compiler is kept in the cache.
        self.store.create_softly();
        let memos = self.store.toolchains_dir();
        let toolchain = Toolchain::find(&self.config, &self.fs, &self.counters, Some(&memos))
            .map_err(|candidates| Error::NoCompiler { kernel: None, candidates })?;
        let mut signer = Signer::quiet("dijitso compiler 1");
        signer.field("identity", &toolchain.identity());
        signer.field("cpu", &toolchain.resolved_cpu(&self.config, &self.counters)?);
        Ok(Compiler { digest: signer.finish(), toolchain })
    }

    /// The compiler as it was last seen; [`Engine::bench`] looks again before it is used.
    pub(super) fn toolchain(&self) -> Result<Toolchain> {
        let mut context = self.context();
        if context.compiler.is_err() && !context.fresh.swap(false, Ordering::Relaxed) {
            context = self.current();
        }
        match &context.compiler {
            Ok(compiler) => Ok(compiler.toolchain.clone()),
            Err(error) => Err(error.clone()),
        }
    }

    /// The key under which the index keeps what was built for a spec: the same in every run of the same
    /// program, another one when the program was rebuilt.
    pub(super) fn index_key(&self, spec: &AnySpec) -> Signature {
        let mut signer = Signer::quiet("dijitso index 1");
        signer.field("spec", &spec.signature());
        signer.field("object", &self.build_id(spec));
        signer.field("request", &self.request);
        signer.finish()
    }

    /// The build id of the object that holds a spec's generator.
    fn build_id(&self, spec: &AnySpec) -> Signature {
        let address = spec.generator_address();
        let mut known = self.build_ids.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(address).or_insert_with(|| crate::library::build_id_of(&self.fs, address))
    }

    pub(super) fn prepare(
        &self,
        spec: &AnySpec,
        parts: &Parts,
        dependencies: &[Arc<Loaded>],
    ) -> Result<Unit> {
        let toolchain = self.toolchain()?;
        let contents: Vec<Signature> = dependencies.iter().map(|d| d.content).collect();
        let around = Surroundings {
            config: &self.config,
            toolchain: &toolchain,
            counters: &self.counters,
            environment: &self.environment,
            dependencies: &contents,
        };
        let unit = Unit::prepare(spec, parts, &around)?;
        let lacking = unit.flags.features.missing_on_host();
        if lacking.is_empty() {
            return Ok(unit);
        }
        // Asked for by flags: `native` gives only what is there. It would be built, refused by every
        // lookup here, and built again.
        let asked = unit.flags.compile.iter().filter(|f| f.text.starts_with("-m")).map(Flag::to_string);
        Err(Error::Config {
            problem: format!(
                "kernel {}: its flags are for a processor with {}, which this one does not have; \
                 leave them out, or set `.cpu(..)` or DIJITSO_CPU to `native`",
                unit.at,
                lacking.join(", ")
            ),
            origin: asked.collect::<Vec<_>>().join(", "),
        })
    }

    /// All that a job needs; `None` if the unit was signed with another compiler than is there now.
    pub(super) fn bench(&self, unit: &Unit) -> Result<Option<Bench>> {
        self.current();
        let toolchain = self.toolchain()?;
        if toolchain.identity() != unit.toolchain {
            return Ok(None);
        }
        let root_tmp = self.store.tmp_dir();
        let places = vec![self.config.tmpdir.clone(), root_tmp.clone(), PathBuf::from("/dev/shm")];
        self.sweep.call_once(|| {
            for place in &places {
                Scratch::sweep(&self.fs, place);
            }
            self.store.sweep();
        });
        Ok(Some(Bench {
            fs: self.fs.clone(),
            toolchain,
            places,
            timeout: self.config.build.timeout.value,
            failures: self.config.cache.failures.value.then(|| self.store.failures_dir()),
            sources: self.store.sources_dir(),
            environment: self.environment.clone(),
            trace: self.trace.clone(),
        }))
    }

    /// What the compiler and the linker need of the dependencies: the headers of all below, the
    /// libraries of the direct ones. The error is the position of a direct dependency that must be built
    /// again first: its entry, or that of one below it, was removed while it was loaded.
    pub(super) fn linked(
        &self,
        dependencies: &[Arc<Loaded>],
    ) -> std::result::Result<Vec<Linked>, (usize, Defect)> {
        let direct = |loaded: &Arc<Loaded>| dependencies.iter().any(|d| d.content == loaded.content);
        closure(dependencies)
            .iter()
            .map(|loaded| {
                let (name, headers_only) = (loaded.name.clone(), !direct(loaded));
                if let Some(kept) = loaded.kept.get()
                    && let Ok(elf) = kept.elf()
                {
                    let headers = kept.headers.clone();
                    return Ok(Linked { name, soname: loaded.soname.clone(), elf, headers, headers_only });
                }
                let archive =
                    archive_at(&self.store, loaded.path.get().map(PathBuf::as_path), &loaded.content);
                let mut archive = archive.map_err(|defect| {
                    self.store.quarantine(&loaded.content, &defect);
                    let leads_to = |d: &Arc<Loaded>| {
                        closure(std::slice::from_ref(d)).iter().any(|l| l.content == loaded.content)
                    };
                    (dependencies.iter().position(leads_to).unwrap_or_default(), defect)
                })?;
                let (elf, headers) = (archive.elf().to_vec(), archive.headers());
                Ok(Linked { name, soname: loaded.soname.clone(), elf, headers, headers_only })
            })
            .collect()
    }

    /// A cache that cannot be written is worth one warning, not a failed program.
    pub(super) fn cannot_write(&self, error: &std::io::Error) {
        self.counters.publish_failures.one();
        self.unwritable.call_once(|| {
            let again = "kernels are built and used, but the next run will have to build them again";
            match self.config.cache.homeless() {
                Some(why) => log::warn!("{why}; {again}"),
                None => {
                    let root = self.config.cache.root.value.display();
                    log::warn!("cannot write to the cache {root}: {error}; {again}");
                }
            }
        });
    }
}

/// A variable's value as text; two that are no text stay two.
fn readable(value: &OsStr) -> String {
    let lossy =
        || format!("{} (bytes {})", value.to_string_lossy(), digest(value.as_encoded_bytes()).short());
    value.to_str().map_or_else(lossy, str::to_owned)
}
