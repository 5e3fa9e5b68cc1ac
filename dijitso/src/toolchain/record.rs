//! What was learned about a toolchain, on disk: so that a warm start asks nobody.
//!
//! One file for each way to call a compiler (words, program, PATH, the variables it reads). It is taken
//! only if everything it rests on is still as it was; anything wrong with the file itself makes it absent.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Language;
use super::driver::Driver;
use super::native::Native;
use super::predefined::Predefined;
use super::search::SearchPath;
use super::template::LinkTemplate;
use super::tools::{Now, Tools};
use crate::config::Config;
use crate::fs::Fs;
use crate::signature::{Signature, Signer, digest};

/// Bump when the record or what is asked changes.
const FORMAT: &str = "dijitso toolchain 2";

/// A record that somebody fills with machines or flags without end stays small.
const KEPT: usize = 32;

/// gcc or clang, or what calls itself one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Family {
    Gcc,
    Clang,
}

/// Everything known about one toolchain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) family: Family,
    /// As the compiler says it.
    pub(crate) version: String,
    pub(crate) target: String,
    pub(crate) identity: Signature,
    pub(crate) tools: Tools,
    /// Answers that depend on the machine or on flags, the newest last.
    pub(crate) natives: Vec<Native>,
    pub(crate) predefined: Vec<Predefined>,
    /// The first one is the link without flags.
    pub(crate) templates: Vec<LinkTemplate>,
    /// Files that flags name or call for, so that they are read once.
    #[serde(default)]
    pub(super) named: Tools,
}

impl Record {
    /// Everything that makes two toolchains different compilers; not which of the directories are there that a variable
    /// names for libraries: each kernel knows where its own are.
    pub(super) fn identify(
        &mut self,
        driver: &Driver,
        compile_line: &[String],
        search: &SearchPath,
        library_path: &[PathBuf],
    ) {
        let mut signer = Signer::quiet(FORMAT);
        signer.field("flags", driver.own_flags());
        signer.field("family", &format!("{:?}", self.family));
        signer.field("version", &self.version);
        signer.field("target", &self.target);
        let linker = self.templates.first().map(|template| &template.tools);
        for (name, tools) in [("tools", Some(&self.tools)), ("linker", linker)] {
            let files: Vec<(&str, Signature)> = tools.map(Tools::sorted).unwrap_or_default();
            signer.field(name, &files);
        }
        signer.field("compile", compile_line);
        let link = self.templates.first().map(|template| template.canonical(library_path));
        let link: Vec<&str> = link.unwrap_or_default();
        signer.field("link", &link);
        let dirs: Vec<&PathBuf> =
            search.dirs.iter().filter(|dir| dir.is_builtin()).map(|dir| &dir.path).collect();
        signer.field("search", &dirs);
        self.identity = signer.finish();
    }

    /// Whether all it rests on is as it was.
    pub(crate) fn check(&mut self, fs: &Fs) -> Now {
        let mut answer = self.tools.check(fs);
        if answer == Now::Changed {
            return answer;
        }
        // What was asked with special flags is asked again by itself; the default link is the toolchain's.
        let mut first = true;
        let mut default_changed = false;
        self.templates.retain_mut(|template| {
            let now = template.tools.check(fs);
            default_changed |= first && now == Now::Changed;
            first = false;
            if now != Now::Same {
                answer = Now::Restamped;
            }
            now != Now::Changed
        });
        let asked = self.predefined.len();
        self.predefined.retain(|answer| !answer.absent.iter().any(|dir| fs.exists(dir)));
        if default_changed || self.predefined.len() < asked {
            return Now::Changed;
        }
        answer
    }

    /// Every file known, so that none has to be read twice.
    pub(crate) fn all_tools(&self) -> Tools {
        let mut all = self.tools.clone();
        all.files.extend(self.templates.iter().flat_map(|template| template.tools.files.clone()));
        all
    }

    /// What takes part only in a link that compiles: gcc's compiler for it, or what clang's is to a linker of another house.
    pub(super) fn compiler_at_link(&self) -> Option<(&'static str, PathBuf)> {
        let role = |wanted: &str| self.tools.files.iter().find(|file| file.role.starts_with(wanted));
        match self.family {
            Family::Gcc => Some(("lto1", role("cc1plus")?.path.with_file_name("lto1"))),
            Family::Clang => {
                let place = role("clang")?.path.parent()?.parent()?;
                Some(("LLVMgold", place.join("lib/LLVMgold.so")))
            }
        }
    }

    /// The content, now, of a file that flags name; and whether it had to be read.
    pub(crate) fn named(&mut self, path: &Path, fs: &Fs) -> std::io::Result<(Signature, bool)> {
        let mut found = Tools::default();
        found.add("named", path, &self.named, fs)?;
        let known = self.named.files.iter().position(|file| file.path == path);
        let new = known.is_none_or(|at| self.named.files[at] != found.files[0]);
        let fingerprint = found.files[0].fingerprint;
        for file in found.files {
            keep_newest(&mut self.named.files, file, |known, new| known.path == new.path, 0);
        }
        Ok((fingerprint, new))
    }

    pub(crate) fn native(&self, host: &str) -> Option<&Native> {
        self.natives.iter().find(|native| native.host == host)
    }

    pub(crate) fn add_native(&mut self, native: Native) {
        keep_newest(&mut self.natives, native, |known, new| known.host == new.host, 0);
    }

    pub(crate) fn predefined(&self, key: &[String]) -> Option<&Predefined> {
        self.predefined.iter().find(|predefined| predefined.key == key)
    }

    pub(crate) fn add_predefined(&mut self, predefined: Predefined) {
        keep_newest(&mut self.predefined, predefined, |known, new| known.key == new.key, 0);
    }

    pub(crate) fn template(&self, key: &[String]) -> Option<&LinkTemplate> {
        self.templates.iter().find(|template| template.key == key)
    }

    pub(crate) fn add_template(&mut self, template: LinkTemplate) {
        keep_newest(&mut self.templates, template, |known, new| known.key == new.key, 1);
    }
}

fn keep_newest<T>(list: &mut Vec<T>, new: T, same: impl Fn(&T, &T) -> bool, fixed: usize) {
    list.retain(|known| !same(known, &new));
    list.push(new);
    if list.len() > KEPT {
        list.remove(fixed);
    }
}

/// Where a record is kept.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    dir: PathBuf,
    file: PathBuf,
}

impl Shelf {
    pub(crate) fn new(dir: &Path, driver: &Driver, config: &Config) -> Shelf {
        let mut signer = Signer::quiet(FORMAT);
        signer.field("words", &driver.words);
        signer.field("program", &driver.program);
        signer.field("path", &driver.path);
        // A compiler with another libLLVM is another compiler.
        signer.field("library path", &config.library_path);
        for (name, value) in &config.compiler_env {
            signer.field(name, value);
        }
        signer.field("architecture", std::env::consts::ARCH);
        if driver.language != Language::Cxx {
            signer.field("language", driver.language.name());
        }
        Shelf { dir: dir.to_owned(), file: dir.join(signer.finish().to_hex()) }
    }

    pub(crate) fn read(&self, fs: &Fs) -> Option<Record> {
        let bytes = fs.read_at_most(&self.file, 16 << 20).ok()?;
        let (sum, text) = bytes.split_at_checked(65)?;
        let sum = Signature::from_hex(std::str::from_utf8(sum).ok()?.trim_end())?;
        (digest(text) == sum).then(|| serde_json::from_slice(text).ok())?
    }

    /// A record that cannot be kept costs the next start its time, nothing else.
    pub(crate) fn write(&self, record: &Record, fs: &Fs) {
        let Ok(text) = serde_json::to_vec(record) else { return };
        let mut bytes = format!("{}\n", digest(&text)).into_bytes();
        bytes.extend(text);
        if let Err(error) = fs.replace(&self.dir, &self.file, &bytes) {
            log::debug!("cannot keep what is known about the compiler in {}: {error}", self.file.display());
        }
    }
}

/// Whether a file with what is known about a compiler is of no use: the compiler is gone, or the file cannot be understood.
pub(crate) fn memo_is_outdated(path: &Path, fs: &Fs) -> bool {
    let (Some(dir), file) = (path.parent(), path.to_owned()) else { return false };
    let shelf = Shelf { dir: dir.to_owned(), file };
    shelf.read(fs).is_none_or(|record| record.tools.files.iter().any(|tool| !fs.exists(&tool.path)))
}
