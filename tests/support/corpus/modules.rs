//! `ffc_jit/`: one module for each element, coordinate mapping and form, as FFC gives them to a JIT.
//! They include each other's headers and need each other's libraries.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dijitso::{Jit, Kernel, KernelSpec, Source};
use serde::Deserialize;

use super::read;
use super::reference::Reference;
use super::ufc::{self, Tabulate};
use crate::protocol::Loaded;

/// How a module's generator says what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependencies {
    /// By `depends_on` alone: the engine sees the whole graph.
    Declared,
    /// Its generator loads them first, as FFC's own does: the engine is entered again.
    LoadedByGenerator,
}

#[derive(Deserialize)]
struct Manifest {
    modules: Vec<Module>,
    order: Vec<String>,
    top: HashMap<String, Top>,
}

#[derive(Deserialize)]
struct Module {
    name: String,
    header: String,
    source: String,
    dependencies: Vec<String>,
    build: Build,
}

#[derive(Deserialize)]
struct Build {
    cxxflags: Vec<String>,
    cxxflags_opt: Vec<String>,
}

#[derive(Deserialize)]
struct Top {
    module: String,
    factory: String,
    reference: String,
}

impl Manifest {
    fn read(folder: &Path) -> Result<Manifest, String> {
        let text = read(&folder.join("manifest.json"))?;
        serde_json::from_str(&text).map_err(|e| format!("manifest.json: {e}"))
    }

    fn module(&self, name: &str) -> Result<&Module, String> {
        self.modules.iter().find(|m| m.name == name).ok_or_else(|| format!("no module {name}"))
    }
}

/// Loads all modules in one batch, and nothing else.
///
/// # Errors
/// What could not be read or loaded.
pub fn load(root: &Path, jit: &Jit) -> Result<Vec<Kernel<()>>, String> {
    jit.load_all(&in_order(root, jit)?).map_err(|e| e.report())
}

/// All modules, each after those that it needs.
///
/// # Errors
/// What could not be read.
pub fn in_order(root: &Path, jit: &Jit) -> Result<Vec<KernelSpec<()>>, String> {
    let folder = root.join("ffc_jit");
    let manifest = Manifest::read(&folder)?;
    let specs = specs(root, &folder, &manifest, jit, Dependencies::Declared)?;
    Ok(manifest.order.iter().map(|name| specs[name].clone()).collect())
}

/// A module as files, for those who build it without us.
#[derive(Debug, Clone)]
pub struct ModuleFiles {
    /// Its name.
    pub name: String,
    /// The C++ file.
    pub source: PathBuf,
    /// The modules that it is linked with.
    pub dependencies: Vec<String>,
}

/// All modules, each after those that it needs.
///
/// # Errors
/// What could not be read.
pub fn files(root: &Path) -> Result<Vec<ModuleFiles>, String> {
    let folder = root.join("ffc_jit");
    let manifest = Manifest::read(&folder)?;
    let files = manifest.order.iter().map(|name| {
        let module = manifest.module(name)?;
        let source = folder.join(&module.source);
        Ok(ModuleFiles { name: name.clone(), source, dependencies: module.dependencies.clone() })
    });
    files.collect()
}

/// The wrappers of all forms, and all modules: each can be asked for.
pub(super) fn export(root: &Path, jit: &Jit, path: &Path) -> Result<(), String> {
    let folder = root.join("ffc_jit");
    let manifest = Manifest::read(&folder)?;
    let modules = specs(root, &folder, &manifest, jit, Dependencies::Declared)?;
    let wrappers: Vec<_> =
        manifest.top.iter().map(|(name, top)| wrapper(root, name, top, &modules[&top.module])).collect();
    jit.export(&wrappers, path).map_err(|e| e.report())?;
    let modules: Vec<_> = modules.into_values().collect();
    jit.export(&modules, path).map_err(|e| e.report())?;
    Ok(())
}

/// Loads the wrappers of all forms in one batch, which brings all modules with it, and compares.
pub(super) fn check(root: &Path, jit: &Jit, how: Dependencies) -> Result<Vec<Loaded>, String> {
    let folder = root.join("ffc_jit");
    let manifest = Manifest::read(&folder)?;
    let modules = specs(root, &folder, &manifest, jit, how)?;

    let mut tops: Vec<_> = manifest.top.iter().collect();
    tops.sort_by_key(|(name, _)| name.as_str());
    let mut wrappers = Vec::new();
    for (name, top) in &tops {
        let module = modules.get(&top.module).ok_or_else(|| format!("no module {}", top.module))?;
        wrappers.push(wrapper(root, name, top, module));
    }
    let kernels = jit.load_all(&wrappers).map_err(|e| e.report())?;
    let mut loaded = Vec::new();
    for (kernel, (_, top)) in kernels.iter().zip(&tops) {
        loaded.push(ufc::compare(kernel, &Reference::read(&folder.join(&top.reference))?)?);
    }
    // The modules themselves: in memory by now, whatever brought them there.
    for name in &manifest.order {
        let kernel = jit.load(&modules[name]).map_err(|e| e.report())?;
        loaded.push(Loaded { name: name.clone(), origin: kernel.origin(), value: 0.0 });
    }
    Ok(loaded)
}

fn specs(
    root: &Path,
    folder: &Path,
    manifest: &Manifest,
    jit: &Jit,
    how: Dependencies,
) -> Result<HashMap<String, KernelSpec<()>>, String> {
    let mut specs: HashMap<String, KernelSpec<()>> = HashMap::new();
    for name in &manifest.order {
        let module = manifest.module(name)?;
        let needed: Result<Vec<_>, _> = module
            .dependencies
            .iter()
            .map(|d| specs.get(d).cloned().ok_or(format!("{name} comes before {d}, which it needs")))
            .collect();
        let spec = module_spec(root, folder, module, needed?, jit, how)?;
        specs.insert(name.clone(), spec);
    }
    Ok(specs)
}

fn module_spec(
    root: &Path,
    folder: &Path,
    module: &Module,
    needed: Vec<KernelSpec<()>>,
    jit: &Jit,
    how: Dependencies,
) -> Result<KernelSpec<()>, String> {
    let text = read(&folder.join(&module.source))?;
    let header = read(&folder.join(&module.header))?;
    let header_name = format!("{}.h", module.name);
    let include = root.join("include");
    let flags: Vec<String> =
        module.build.cxxflags.iter().chain(&module.build.cxxflags_opt).cloned().collect();
    let key = (text.clone(), header.clone(), flags.clone());
    // The factories, and the classes: coordinate mappings call those of their elements directly.
    let exports = format!("*{}*", module.name);
    let jit = (how == Dependencies::LoadedByGenerator).then(|| Arc::new(jit.clone()));
    Ok(KernelSpec::new(&module.name, key, move || -> dijitso::Result<Source<()>> {
        // SAFETY: only the factories are called, through `wrapper`.
        let mut source = unsafe { Source::translation_unit(text.clone()) }
            .header(&header_name, header.clone())
            .include_dir(&include)
            .export(&exports);
        for flag in &flags {
            source = match flag.strip_prefix("-std=") {
                Some(std) => source.std(std),
                // Every kernel is a shared library; the engine says so itself.
                None if flag == "-shared" || flag == "-fPIC" => source,
                None => source.flag(flag),
            };
        }
        for dependency in &needed {
            if let Some(jit) = &jit {
                jit.load(dependency)?;
            }
            source = source.depends_on(dependency);
        }
        Ok(source)
    })
    .package("dijitso-tests", "1"))
}

fn wrapper(root: &Path, name: &str, top: &Top, module: &KernelSpec<()>) -> KernelSpec<Tabulate> {
    let text = format!("#include \"{}.h\"\n{}", top.module, ufc::wrapper(&top.factory));
    let include = root.join("include");
    let module = module.clone();
    KernelSpec::new(name, top.module.clone(), move || {
        // SAFETY: the wrapper's type is `Tabulate`.
        unsafe { Source::translation_unit(text.clone()) }
            .include_dir(&include)
            .std("c++11")
            .entry("corpus_tabulate")
            .export("corpus_describe")
            .depends_on(&module)
    })
    .package("dijitso-tests", "1")
}
