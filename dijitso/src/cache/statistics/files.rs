//! The files that hold what was done, and their folding into one.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::activity::{Activity, DayStatistics, Statistics};
use super::date::{before, date, is_date};
use crate::cache::Store;
use crate::fs::is_component;

const SUMMARY: &str = "summary";
/// What whoever changes more than the end of a file holds.
const GUARD: &str = "statistics";
/// The end of the name of a file that is being folded.
const CLOSED: &str = ".closed";
/// Nobody adds to the file of a day that is so many days over.
const OVER: u64 = 2;
/// No file of ours is longer.
const LARGEST: u64 = 1 << 30;
/// As long somebody else may take to fold.
const PATIENCE: Duration = Duration::from_secs(2);

/// The file for what is done at a moment.
pub(super) fn name_for(time: SystemTime, shared: bool) -> String {
    let day = date(time);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match shared && is_component(&host) {
        true => format!("{day}.{host}"),
        false => day,
    }
}

/// Days that are over.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Summary {
    days: BTreeMap<String, Activity>,
    /// Files that are in it already, up to a length: whoever folded them may have been killed before it removed them.
    #[serde(default)]
    taken: BTreeMap<String, u64>,
}

impl Store {
    pub(in crate::cache) fn statistics(&self) -> Statistics {
        // Whoever folds in between has moved what is counted from one place to the other: then once more.
        let (mut summary, mut days) = (self.summary_bytes(), BTreeMap::new());
        for _ in 0..4 {
            let files = self.day_files();
            days = self.days(&decode(&summary));
            let now = self.summary_bytes();
            if now == summary && files == self.day_files() {
                break;
            }
            summary = now;
        }
        let day = |(date, activity)| DayStatistics { date, activity };
        Statistics { days: days.into_iter().map(day).collect() }
    }

    pub(super) fn zero_statistics(&self) -> io::Result<()> {
        if !self.fs().is_directory_itself(&self.statistics_dir()) {
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        // Whoever folds would write again what was removed.
        let _guard = loop {
            match self.guard(GUARD) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let text = "another program is folding them, and takes long; try again later";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
                guard => break guard?,
            }
        };
        let dir = self.statistics_dir();
        // What is not named as ours is somebody else's.
        for name in self.day_files() {
            self.fs().remove(&dir.join(name))?;
        }
        self.fs().remove(&dir.join(SUMMARY))
    }

    /// Puts the files of days that are over into the summary: one line for each day, and not one for each process.
    pub(in crate::cache) fn fold_statistics(&self, now: SystemTime) {
        if let Err(error) = self.fold(now) {
            log::debug!("cannot fold the statistics in {}: {error}", self.statistics_dir().display());
        }
    }

    fn fold(&self, now: SystemTime) -> io::Result<()> {
        let dir = self.statistics_dir();
        let (last, mut old) = (before(now, OVER), self.day_files());
        old.retain(|name| name.get(..10).is_some_and(|day| day < &*last));
        if old.is_empty() {
            return Ok(());
        }
        let _guard = self.guard(GUARD)?;
        // What cannot be read, or not be understood, is not replaced: it may be what a newer version counted.
        let mut summary: Summary = match self.fs().read_at_most(&dir.join(SUMMARY), LARGEST) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Summary::default(),
            Err(error) => return Err(error),
        };
        // Under another name nobody adds to them any more, not even a program whose clock is days behind ours.
        let old: Vec<String> = old.into_iter().filter_map(|name| self.closed(name)).collect();
        for name in &old {
            let from = summary.taken.get(name).copied().unwrap_or(0);
            let bytes = self.fs().read_at_most(&dir.join(name), LARGEST)?;
            add_lines(&mut summary.days, name, &bytes, from);
            summary.taken.insert(name.clone(), bytes.len() as u64);
        }
        self.replace(&dir.join(SUMMARY), &encode(&summary)?)?;
        for name in &old {
            self.fs().remove(&dir.join(name))?;
            summary.taken.remove(name);
        }
        self.replace(&dir.join(SUMMARY), &encode(&summary)?)
    }

    /// The name under which a file is folded; `None` if one of that name waits for it already, which comes first.
    fn closed(&self, name: String) -> Option<String> {
        if name.ends_with(CLOSED) {
            return Some(name);
        }
        let (dir, closed) = (self.statistics_dir(), format!("{name}{CLOSED}"));
        let is_free = matches!(self.fs().stamp(&dir.join(&closed)), Ok(None));
        (is_free && self.fs().rename(&dir.join(name), &dir.join(&closed)).is_ok()).then_some(closed)
    }

    fn days(&self, summary: &Summary) -> BTreeMap<String, Activity> {
        let mut days = summary.days.clone();
        for name in self.day_files() {
            let from = summary.taken.get(&name).copied().unwrap_or(0);
            let bytes =
                self.fs().read_at_most(&self.statistics_dir().join(&name), LARGEST).unwrap_or_default();
            add_lines(&mut days, &name, &bytes, from);
        }
        days
    }

    /// Files of days, with or without a host.
    fn day_files(&self) -> Vec<String> {
        let names = self.fs().list(&self.statistics_dir()).unwrap_or_default();
        let names = names.into_iter().filter_map(|name| name.into_string().ok());
        let is_day = |name: &str| matches!(name.as_bytes().get(10), None | Some(b'.'));
        let mut names: Vec<String> =
            names.filter(|name| name.get(..10).is_some_and(is_date) && is_day(name)).collect();
        names.sort_unstable();
        names
    }

    fn summary_bytes(&self) -> Vec<u8> {
        self.fs().read_at_most(&self.statistics_dir().join(SUMMARY), LARGEST).unwrap_or_default()
    }
}

/// Adds the lines behind `from`. One that is illegible was cut off by a full disk.
fn add_lines(days: &mut BTreeMap<String, Activity>, name: &str, bytes: &[u8], from: u64) {
    let Some(day) = name.get(..10) else { return };
    let new = usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
    for line in new.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        if let Ok(activity) = serde_json::from_slice::<Activity>(line) {
            days.entry(day.to_owned()).or_default().add(&activity);
        }
    }
}

fn decode(bytes: &[u8]) -> Summary {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn encode(summary: &Summary) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(summary)?)
}
