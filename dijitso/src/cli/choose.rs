//! What the command line names: a cache, kernels, parts of them.

use std::path::PathBuf;

use super::Global;
use super::screen::Screen;
use super::text;
use super::trouble::Trouble;
use crate::cache::{Cache, Category, Entry};
use crate::config::params::{CacheParams, Params};
use crate::error::{Error, Result};

impl Global {
    /// Parameters with what the command line says.
    pub(super) fn params(&self) -> Result<Params> {
        let dir = self.cache_dir.as_ref().map(|dir| absolute(dir)).transpose()?;
        Ok(Params { cache: CacheParams { dir, ..CacheParams::default() }, ..Params::default() })
    }

    /// The cache that is meant.
    pub(super) fn cache(&self, screen: &mut Screen) -> Result<Cache, Trouble> {
        let cache = Cache::open_as(self.params()?)?;
        let newer = cache.newer_formats();
        if !newer.is_empty() {
            screen.note(&format!(
                "{} also holds the cache of a newer dijitso ({}), which is left alone",
                text::path(cache.dir()),
                newer.join(", ")
            ))?;
        }
        Ok(cache)
    }
}

impl Global {
    /// The same. Whoever names a directory means one: with a typing mistake nothing would be found wrong with it.
    pub(super) fn cache_that_is_there(&self, screen: &mut Screen) -> Result<Cache, Trouble> {
        let cache = self.cache(screen)?;
        match self.cache_dir.is_some() && !cache.exists() {
            true => Err(Trouble::Failed(format!("there is no cache in {}", text::path(cache.dir())))),
            false => Ok(cache),
        }
    }
}

fn absolute(dir: &std::path::Path) -> Result<PathBuf> {
    std::path::absolute(dir).map_err(|error| Error::io("cannot find", dir, &error))
}

/// Parts of entries, as Python dijitso and this crate name them, separated by commas.
#[derive(Debug, Clone)]
pub(super) struct Categories(pub(super) Vec<Category>);

impl Categories {
    pub(super) fn parse(text: &str) -> Result<Categories, String> {
        let mut categories = Vec::new();
        for word in text.split(',').map(str::trim) {
            match word {
                "all" => categories.extend(Category::ALL),
                "src" | "source" => categories.push(Category::Source),
                "inc" | "header" => categories.push(Category::Header),
                "log" => categories.push(Category::Log),
                "lib" | "library" => categories.push(Category::Library),
                "facts" => categories.push(Category::Facts),
                _ => {
                    return Err(format!(
                        "`{}` is no category; there are inc, src, lib, log, facts and all",
                        text::line(word)
                    ));
                }
            }
        }
        Ok(Categories(categories))
    }
}

/// The short word for a part, which `--categories` takes.
pub(super) fn word(category: Category) -> &'static str {
    match category {
        Category::Source => "src",
        Category::Header => "inc",
        Category::Log => "log",
        Category::Facts => "facts",
        Category::Library => "lib",
    }
}

/// All entries that these words name; without any all there are.
pub(super) fn entries(cache: &Cache, named: &[String]) -> Result<Vec<Entry>> {
    let mut found: Vec<Entry> = Vec::new();
    for query in named {
        for entry in cache.find_all(query)? {
            if found.iter().all(|known| known.signature() != entry.signature()) {
                found.push(entry);
            }
        }
    }
    Ok(found)
}
