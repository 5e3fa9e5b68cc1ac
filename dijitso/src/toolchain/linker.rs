//! The linker that the flags of a question's link choose, for those who must know what the link reads.

use std::path::PathBuf;

use super::Toolchain;
use super::ask::Asker;
use super::template::in_template;
use super::words;
use crate::config::Config;
use crate::config::origin::Flag;
use crate::stats::Counters;

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Linker {
    /// Whether it tells every place where it looked for a library (`--verbose`): GNU ld does.
    pub(crate) tells_attempts: bool,
    /// Where it looks for libraries behind the directories that flags name.
    pub(crate) dirs: Vec<PathBuf>,
    /// Its own files, if it is not the one that every link has: that one is part of the compiler's identity.
    pub(crate) files: Vec<PathBuf>,
    /// Where another one would be found, if it were installed.
    pub(crate) absent: Vec<PathBuf>,
}

impl Toolchain {
    /// The words that choose a linker.
    pub(crate) fn linker_key(flags: &[Flag]) -> Vec<String> {
        let chosen = words::grouped(flags).filter(|group| in_template(group.text()));
        chosen.flat_map(|group| group.0).map(|flag| flag.text.clone()).collect()
    }

    /// The linker that the words of a [key](Self::linker_key) choose. A driver is asked once for each.
    pub(crate) fn linker(&self, config: &Config, key: &[String], counters: &Counters) -> Linker {
        let ask = Asker { driver: &self.0.driver, config, fs: &self.0.fs, counters };
        let mut record = self.record();
        if record.template(key).is_none()
            && let Ok(Some(template)) = ask.template(key.to_vec(), &record.all_tools())
        {
            record.add_template(template);
            self.keep(&record);
        }
        let mut linker = Linker::default();
        if let Some(template) = record.template(key) {
            let dirs = template.dirs.iter().filter_map(|word| word.strip_prefix("-L"));
            linker.tells_attempts = template.tells_attempts;
            linker.dirs = dirs.map(PathBuf::from).collect();
            linker.files = template.tools.files.iter().map(|file| file.path.clone()).collect();
            linker.absent = template.tools.absent().to_vec();
        }
        match key.is_empty() {
            true => (linker.files, linker.absent) = Default::default(),
            // One that is not there is no part of any answer of the driver's.
            false => linker.absent.extend(ask.linker_places(key, &record.target)),
        }
        linker
    }
}
