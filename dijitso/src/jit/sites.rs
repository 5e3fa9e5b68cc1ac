//! The site caches' answer: by spec, without a build id, a compiler or the headers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::engine::Engine;
use super::lookup::{DEEPEST, Found, Opened};
use super::opening::Opening;
use crate::cache::{Defect, Dependency, Site, SiteKernel};
use crate::error::Error;
use crate::kernel::Loaded;
use crate::report::{KernelOrigin, Report};
use crate::signature::Signature;
use crate::source::AnySpec;

impl Engine {
    /// Looks for a kernel in the site caches, in their order; `reason` says why the user's own cache has none.
    ///
    /// If it `changed` since, what was imported is not asked: it would be what the index has just refused, or older.
    pub(super) fn look_up_sites(&self, spec: &AnySpec, reason: String, changed: bool) -> Found {
        let mut reasons = vec![reason];
        for site in self.sites.iter().filter(|site| !(changed && site.is_own())) {
            if !site.open(&self.store, &self.unpacking_places()) {
                continue;
            }
            let path = site.shown();
            let kernels = site.of_spec(&spec.signature());
            if kernels.is_empty() {
                reasons.push(format!("not in {path}"));
            }
            for kernel in &kernels {
                match self.open_site_kernel(site, kernel, spec.name(), &spec.at(), 0) {
                    Opened::Loaded(loaded) => {
                        if self.config.generator.check.value
                            && let Err(error) = self.check(spec, &loaded)
                        {
                            return Found::Failed(error);
                        }
                        return Found::Hit(loaded, KernelOrigin::Site);
                    }
                    Opened::Failed(error) => return Found::Failed(error),
                    Opened::Unusable(why) | Opened::Changed(why) => {
                        reasons.push(format!("in {path}, but {why}"));
                    }
                }
            }
        }
        Found::Miss(reasons.join("; "))
    }

    /// A kernel that one in the user's cache was linked to, or that its generator loaded, and that came from a
    /// site cache.
    pub(super) fn on_site(&self, content: &Signature) -> Option<(&Site, SiteKernel)> {
        self.sites.iter().find_map(|site| {
            site.open(&self.store, &self.unpacking_places());
            Some((site, site.of_content(content)?))
        })
    }

    /// Where a site cache has what the index does not know. What it knows has changed if it is not that any more, whatever was
    /// imported.
    pub(super) fn kept_on_site(&self, dependency: &Dependency) -> Option<(&Site, SiteKernel)> {
        let found = self.on_site(&dependency.content)?;
        let knows_better = found.0.is_own() && self.store.index(&dependency.key).is_some();
        (!knows_better).then_some(found)
    }

    pub(super) fn open_site_kernel(
        &self,
        site: &Site,
        kernel: &SiteKernel,
        name: &str,
        at: &str,
        depth: usize,
    ) -> Opened {
        if let Some(loaded) = self.memory.library(&kernel.content) {
            return Opened::Loaded(loaded);
        }
        if let Some(why) = kernel.unfit() {
            return Opened::Unusable(why);
        }
        let start = Instant::now();
        let mut dependencies: Vec<Arc<Loaded>> = Vec::with_capacity(kernel.links.len());
        for link in &kernel.links {
            let below = site.of_content(link).filter(|_| depth < DEEPEST);
            let Some(below) = below else {
                site.warn(&kernel.content, &format!("a kernel it needs, {link}, is not in the table"));
                return Opened::Unusable("a kernel that it needs is not there".to_owned());
            };
            match self.open_site_kernel(site, &below, &below.name, &below.name, depth + 1) {
                Opened::Loaded(loaded) => dependencies.push(loaded),
                Opened::Unusable(why) | Opened::Changed(why) => {
                    return Opened::Unusable(format!("{}: {why}", below.name));
                }
                failed @ Opened::Failed(_) => return failed,
            }
        }
        let read = match site.is_own() {
            false => site.read(&kernel.content, &self.store, &self.unpacking_places()),
            // As any other of the cache, so that it counts as used.
            true => {
                self.store.read(&kernel.content).map(|entry| (entry, self.store.entry_path(&kernel.content)))
            }
        };
        let (entry, path) = match read {
            Ok(read) => read,
            Err(defect) => return self.unusable(site, kernel, &defect),
        };
        // The table is one thing, and what was sealed into the entry another.
        let lacking = entry.seal.cpu.missing_on_host();
        if !lacking.is_empty() {
            return Opened::Unusable(format!("built for a processor with {}", lacking.join(", ")));
        }
        let opening = Opening {
            name,
            at,
            unit: &kernel.unit,
            content: &kernel.content,
            cpu: entry.seal.cpu,
            len: entry.len,
            dependencies,
            has_entry: kernel.entry,
            kept: None,
            in_place: self.maps_from(site),
            report: Report { lookup: start.elapsed(), ..Report::default() },
        };
        match self.open_library(opening, &entry.elf, Some(path)) {
            Ok(loaded) => {
                self.counters.site_hits.one();
                Opened::Loaded(loaded)
            }
            // Made on another machine, with what that one has: here it may have to be built.
            Err(Error::Load { problem, .. }) => {
                site.warn(&kernel.content, &format!("it cannot be loaded here: {problem}"));
                Opened::Unusable(format!("it cannot be loaded here: {problem}"))
            }
            Err(error) => Opened::Failed(error),
        }
    }

    /// Whether libraries may be mapped from a site cache. What was imported lies in the cache, of which something may have been said
    /// that its file system does not tell.
    pub(super) fn maps_from(&self, site: &Site) -> bool {
        if site.is_own() { self.store.loadable_in_place() } else { site.loadable_in_place() }
    }

    fn unusable(&self, site: &Site, kernel: &SiteKernel, defect: &Defect) -> Opened {
        // What was imported into our own cache may be cleaned away like everything else in it.
        if !(site.is_own() && matches!(defect, Defect::Missing)) {
            site.warn(&kernel.content, &defect.to_string());
        }
        Opened::Unusable(format!("its entry is not used: {defect}"))
    }

    /// Where archives are unpacked if no cache can keep them.
    fn unpacking_places(&self) -> [PathBuf; 2] {
        [self.config.tmpdir.clone(), PathBuf::from("/dev/shm")]
    }
}
