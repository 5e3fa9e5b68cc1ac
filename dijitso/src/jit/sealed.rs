//! Programs that must not compile: what is missing is told at once, and all of it.

use std::collections::HashSet;
use std::sync::Arc;

use super::engine::Engine;
use crate::error::{Error, MissingKernel};
use crate::source::AnySpec;

impl Engine {
    /// The error for one kernel that is nowhere.
    pub(crate) fn missing(&self, spec: &AnySpec, reason: String) -> Error {
        let reason = match self.prebuilt.unfit(spec) {
            Some(why) => format!("{why}; {reason}"),
            None => reason,
        };
        let missing = MissingKernel { kernel: spec.at(), signature: spec.signature(), reason };
        Error::Sealed { missing: vec![missing], searched: self.searched() }
    }

    /// Where kernels were looked for, in words.
    fn searched(&self) -> Vec<String> {
        let root = &self.config.cache.root;
        let path = root.value.display();
        let mut searched = Vec::new();
        if !self.prebuilt.is_empty() {
            searched.push(format!("{} prebuilt kernels", self.prebuilt.len()));
        }
        searched.push(match self.config.cache.homeless() {
            Some(_) => "no cache (HOME is not set)".to_owned(),
            _ if self.fs.exists(&root.value) => format!("cache {path}"),
            _ => format!("cache {path}, which is not there"),
        });
        searched.extend(self.sites.iter().filter(|site| site.is_there()).map(|site| site.describe()));
        if self.sites.is_empty() {
            searched.push("no site cache".to_owned());
        }
        searched
    }
}

/// One error for several, if there are any: all missing kernels together, before anything else.
pub(crate) fn combined(errors: Vec<Error>) -> Option<Error> {
    let (mut all, mut places, mut seen, mut others) = (Vec::new(), None, HashSet::new(), Vec::new());
    for error in errors {
        match error {
            Error::Sealed { missing, searched } => {
                all.extend(missing.into_iter().filter(|kernel| seen.insert(kernel.signature)));
                places.get_or_insert(searched);
            }
            other => others.push(other),
        }
    }
    let sealed = places.map(|searched| Error::Sealed { missing: all, searched });
    let mut errors = sealed.into_iter().chain(others);
    let first = errors.next()?;
    match errors.count() {
        0 => Some(first),
        others => Some(Error::Batch { first: Arc::new(first), others }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::digest;

    fn missing(name: &str) -> Error {
        let kernel = MissingKernel {
            kernel: name.to_owned(),
            signature: digest(name.as_bytes()),
            reason: "not in the cache".to_owned(),
        };
        Error::Sealed { missing: vec![kernel], searched: vec!["cache /c".to_owned()] }
    }

    fn other() -> Error {
        Error::Cycle { path: Vec::new() }
    }

    #[test]
    fn all_missing_kernels_are_one_error_each_once_and_come_first() {
        assert!(combined(Vec::new()).is_none());
        let Some(Error::Sealed { missing: all, .. }) =
            combined(vec![missing("a"), missing("b"), missing("a")])
        else {
            panic!("one error");
        };
        assert_eq!(all.len(), 2);
        let Some(Error::Batch { first, others: 2 }) =
            combined(vec![other(), missing("a"), other(), missing("b")])
        else {
            panic!("a batch");
        };
        assert!(matches!(&*first, Error::Sealed { missing, .. } if missing.len() == 2));
        assert!(matches!(combined(vec![other()]), Some(Error::Cycle { .. })));
        assert!(matches!(combined(vec![other(), other()]), Some(Error::Batch { others: 1, .. })));
    }
}
