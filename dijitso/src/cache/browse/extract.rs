//! Taking an entry out of the cache: the files it was built from, and a script that builds it again.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::{Category, Entry};
use crate::cache::script;
use crate::error::{Error, Result};
use crate::fs::NewFolder;
use crate::signature::Signature;

const SCRIPT: &str = "command.sh";

/// What [`Entry::extract`] wrote.
///
/// ```
/// # fn print(extracted: &dijitso::Extracted) {
/// println!("{}: {}", extracted.dir.display(), extracted.files.join(", "));
/// if let Some(script) = &extracted.script {
///     println!("run {} to build it again", script.display());
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// The directory.
    pub dir: PathBuf,
    /// The files in it, in the order in which they were written.
    pub files: Vec<String>,
    /// The script that builds the kernel again, if its sources were asked for.
    pub script: Option<PathBuf>,
    /// Kernels that it is linked to and that are in the cache no more: without them the script fails.
    pub missing: Vec<Signature>,
}

impl Entry {
    /// Writes these parts into `dir`, which must be new or empty; nothing is overwritten and no symbolic link
    /// followed. With the sources come the headers and libraries of the kernels that it is linked to, and
    /// `command.sh`, which builds `unit.so`: the library byte for byte, but for its name (SONAME) and build id.
    /// (Small kernels that were compiled several at once are built by themselves, which may lay them out otherwise.)
    /// The script says what the entry says: of a cache that is not yours, read it first.
    /// (Of text written with [`cxx!`](crate::cxx) the lines are counted anew, which debug information shows.)
    ///
    /// dijitso: `extract_files`; `dijitso checkout` on the command line. A failed build leaves the same kind of
    /// directory, see [`Cache::failures`](super::Cache::failures).
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be used or written; what was written is removed again.
    /// [`Error::Damaged`] if the entry is not what was built.
    ///
    /// ```
    /// use dijitso::Category;
    ///
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// # let spec = dijitso::spec!(extern "C" fn() -> i32, "seven", (), || unsafe { dijitso::Source::new("int seven() { return 7; }") });
    /// # jit.load(&spec)?;
    /// # let out = dir.path().join("out");
    /// let extracted = jit.cache().find("seven")?.extract(&out, &Category::ALL)?;
    /// assert!(extracted.dir.join("seven.cpp").exists());
    /// assert!(std::process::Command::new(extracted.script.unwrap()).status().unwrap().success());
    /// assert!(out.join("unit.so").exists());
    /// # Ok(()) }
    /// ```
    pub fn extract(&self, dir: impl AsRef<Path>, categories: &[Category]) -> Result<Extracted> {
        let dir = std::path::absolute(dir.as_ref())
            .map_err(|error| Error::io("cannot extract into", dir.as_ref(), &error))?;
        let mut plan = Plan::default();
        self.plan(categories, &mut plan)?;
        let io = |error: std::io::Error| Error::io("cannot extract into", &dir, &error);
        let mut folder = NewFolder::new(self.cache.store.fs(), &dir).map_err(io)?;
        let script = plan.files.contains_key(SCRIPT).then(|| dir.join(SCRIPT));
        for name in &plan.order {
            let bytes = &plan.files[name];
            if let Err(error) = folder.write(name, bytes, name == SCRIPT) {
                folder.undo();
                return Err(io(error));
            }
        }
        Ok(Extracted { dir, files: plan.order, script, missing: plan.missing })
    }

    /// Everything is read before anything is written: a damaged entry leaves no half directory.
    fn plan(&self, categories: &[Category], plan: &mut Plan) -> Result<()> {
        let source = categories.contains(&Category::Source);
        for file in self.files() {
            let needed = source && file.name == crate::cache::entry::EXPORTS;
            if needed || (categories.contains(&file.category) && built_from(file.category)) {
                plan.add(&file.name, self.read(file)?.into_bytes());
            }
        }
        if source {
            self.plan_dependencies(plan)?;
        }
        for file in
            self.files().iter().filter(|f| !built_from(f.category) && categories.contains(&f.category))
        {
            plan.add_aside(&file.name, self.read(file)?.into_bytes());
        }
        if categories.contains(&Category::Library) {
            plan.add_aside(&format!("{}.so", self.signature()), self.library()?);
        }
        if source && !self.commands().is_empty() {
            plan.add_aside(SCRIPT, self.script().into_bytes());
        }
        Ok(())
    }

    /// As the build saw them: the headers of all kernels below, the libraries of the direct ones.
    fn plan_dependencies(&self, plan: &mut Plan) -> Result<()> {
        let mut seen = HashSet::from([self.signature()]);
        let mut next: Vec<(Signature, bool)> = self.dependencies().iter().map(|d| (*d, true)).collect();
        while let Some((signature, direct)) = next.pop() {
            if !seen.insert(signature) {
                continue;
            }
            let Some(entry) = self.cache.entry(&signature)? else {
                plan.missing.push(signature);
                continue;
            };
            for (name, text) in entry.headers()? {
                plan.add(&name, text.into_bytes());
            }
            if direct {
                plan.add(&format!("{signature}.so"), entry.library()?);
            }
            next.extend(entry.dependencies().iter().map(|d| (*d, false)));
        }
        plan.missing.sort_unstable();
        Ok(())
    }

    fn script(&self) -> String {
        let variable = |(name, value): (&String, &String)| {
            Some((name.strip_prefix("environment ")?.to_owned(), value.clone()))
        };
        let environment: Vec<_> = self.ingredients().iter().filter_map(variable).collect();
        let what = format!("the build of {}, generated at {}", self.description(), self.location());
        script(&what, &environment, self.commands())
    }
}

/// Whether the compiler sees it.
fn built_from(category: Category) -> bool {
    matches!(category, Category::Source | Category::Header)
}

#[derive(Default)]
struct Plan {
    order: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
    missing: Vec<Signature>,
}

impl Plan {
    /// A kernel's own header comes before a dependency's of the same name, as in its build.
    fn add(&mut self, name: &str, bytes: Vec<u8>) {
        if !self.files.contains_key(name) {
            self.order.push(name.to_owned());
            self.files.insert(name.to_owned(), bytes);
        }
    }

    /// A file of ours must not take the place of a header that happens to be called `build.log`.
    fn add_aside(&mut self, name: &str, bytes: Vec<u8>) {
        let taken = self.files.contains_key(name);
        self.add(&if taken { format!("dijitso-{name}") } else { name.to_owned() }, bytes);
    }
}
