//! Where everything is in a cache directory.

use std::path::{Path, PathBuf};

use super::Store;
use crate::signature::Signature;

impl Store {
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of this format.
    pub(in crate::cache) fn v1(&self) -> &Path {
        &self.v1
    }

    /// For files that are being written, and the last resort for working directories.
    pub(crate) fn tmp_dir(&self) -> PathBuf {
        self.v1.join("tmp")
    }

    pub(crate) fn failures_dir(&self) -> PathBuf {
        self.v1.join("failures")
    }

    /// Where debuggers and profilers find the sources of kernels that were compiled for them.
    pub(crate) fn sources_dir(&self) -> PathBuf {
        self.v1.join("sources")
    }

    pub(crate) fn toolchains_dir(&self) -> PathBuf {
        self.v1.join("toolchains")
    }

    /// Where archives of site caches are unpacked.
    pub(in crate::cache) fn sites_dir(&self) -> PathBuf {
        self.v1.join("sites")
    }

    /// Where the entry of this name is, or would be.
    pub(crate) fn entry_path(&self, content: &Signature) -> PathBuf {
        self.place("", content, ".so")
    }

    pub(in crate::cache) fn sets_dir(&self) -> PathBuf {
        self.v1.join("sets")
    }

    /// What questions to compilers were answered.
    pub(in crate::cache) fn answers_dir(&self) -> PathBuf {
        self.v1.join("probes")
    }

    pub(in crate::cache) fn answer_path(&self, key: &Signature) -> PathBuf {
        self.answers_dir().join(key.to_hex())
    }

    pub(in crate::cache) fn locks_dir(&self) -> PathBuf {
        self.v1.join("locks")
    }

    pub(in crate::cache) fn index_dir(&self) -> PathBuf {
        self.v1.join("index")
    }

    pub(in crate::cache) fn set_path(&self, set: &Signature) -> PathBuf {
        self.sets_dir().join(set.to_hex())
    }

    /// `<v1>/<below><2 hex>/<64 hex><suffix>`, in one allocation.
    pub(super) fn place(&self, below: &str, name: &Signature, suffix: &str) -> PathBuf {
        let hex = name.to_hex();
        let mut path = self.v1.clone().into_os_string();
        path.reserve(below.len() + hex.len() + suffix.len() + 5);
        for part in ["/", below, &hex[..2], "/", &hex, suffix] {
            path.push(part);
        }
        path.into()
    }

    /// Where an entry is set aside.
    pub(in crate::cache) fn aside_path(&self, content: &Signature) -> PathBuf {
        self.place("", content, ".so.corrupt")
    }

    pub(in crate::cache) fn index_path(&self, key: &Signature) -> PathBuf {
        self.place("index/", key, "")
    }

    /// What says how much there is.
    pub(in crate::cache) fn growth_path(&self) -> PathBuf {
        self.v1.join("growth")
    }

    /// What was done, by days.
    pub(in crate::cache) fn statistics_dir(&self) -> PathBuf {
        self.v1.join("statistics")
    }
}
