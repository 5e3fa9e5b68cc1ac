//! Removing what cannot be used.

use std::collections::HashSet;

use super::{Cache, CacheKind, Entry, Integrity, Problem, ProblemKind, Removed};
use crate::signature::Signature;

impl Cache {
    /// Removes the entries that [`verify`](Self::verify) found fault with, those that are linked to them, entries
    /// that were set aside, and index files that are illegible or lead nowhere: what a program needs of it is built
    /// again. What is no part of a cache stays where it is, and so does what the system does not let be read.
    ///
    /// dijitso has no counterpart.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let cache = dijitso::Cache::open("/nonexistent/cache")?;
    /// assert_eq!(cache.repair(&cache.verify()).bytes, 0);
    /// # Ok(()) }
    /// ```
    pub fn repair(&self, found: &Integrity) -> Removed {
        // Of a copy in a wrong place the entry in the right one knows nothing; and what cannot be read now may be sound.
        let is_bad = |problem: &&Problem| {
            matches!(problem.kind, ProblemKind::Damaged | ProblemKind::Library)
                && problem.signature.is_some_and(|signature| self.place(&signature) == problem.path)
        };
        let mut bad: HashSet<Signature> =
            found.problems.iter().filter(is_bad).filter_map(|problem| problem.signature).collect();
        self.add_dependents(&mut bad);
        let mut removed = Removed::default();
        if !bad.is_empty() {
            let of_these = |entry: &Entry| bad.contains(&entry.signature());
            removed = self.clean().kinds(&[CacheKind::Entry]).matching(of_these).run();
        }
        let rest = self.clean().kinds(&[CacheKind::Damaged, CacheKind::Index]).run();
        removed.bytes = removed.bytes.saturating_add(rest.bytes);
        removed.shortened += rest.shortened;
        removed.files.extend(rest.files);
        for failed in rest.failed {
            if !removed.failed.contains(&failed) {
                removed.failed.push(failed);
            }
        }
        removed
    }

    /// Who is linked to something that goes cannot stay, and so on.
    fn add_dependents(&self, bad: &mut HashSet<Signature>) {
        if bad.is_empty() {
            return;
        }
        let links: Vec<(Signature, Vec<Signature>)> = self
            .entries()
            .flatten()
            .filter(|entry| !entry.dependencies().is_empty())
            .map(|entry| (entry.signature(), entry.dependencies().to_vec()))
            .collect();
        loop {
            let before = bad.len();
            for (entry, linked) in &links {
                if linked.iter().any(|dependency| bad.contains(dependency)) {
                    bad.insert(*entry);
                }
            }
            if bad.len() == before {
                return;
            }
        }
    }
}
