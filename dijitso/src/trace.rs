//! What was done when, for which kernel: a file that Perfetto and `chrome://tracing` show.
//!
//! It is Chrome's array of events, without its end: each event is added in one write as it is over, so that the file of a killed
//! program can be read as far as it got. Where nobody asked for a trace, a step costs the look at an `Option`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use once_cell::sync::Lazy;
use serde_json::{Value, json};

use crate::fs::{Fs, OwnLog};

/// Where the steps of one `Jit` are written; nowhere by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace(Option<Arc<Target>>);

/// A file as it was named.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    /// The files that it stands for in this process: one for each rank, `None` where one cannot be written.
    files: Mutex<HashMap<Option<u32>, Option<Arc<File>>>>,
}

#[derive(Debug)]
struct File {
    log: OwnLog,
    /// Processes that run side by side are shown side by side: when the last one of each row ended.
    rows: Mutex<Vec<u64>>,
}

/// Kept as long as this process lives: a second `Jit` must not empty what the first one wrote.
static TARGETS: Mutex<Vec<Arc<Target>>> = Mutex::new(Vec::new());

/// Both clocks at one moment: the events of several ranks belong together.
static START: Lazy<(Instant, SystemTime)> = Lazy::new(|| (Instant::now(), SystemTime::now()));

thread_local! {
    /// The rank that this thread is in a collective load, and where that is traced.
    static RANK: RefCell<Option<(u32, Trace)>> = const { RefCell::new(None) };
}

/// No thread has this number.
const FIRST_ROW: u64 = 1_000_000_000;

impl Trace {
    pub(crate) fn new(path: Option<&Path>) -> Trace {
        let Some(path) = path else { return Trace(None) };
        Lazy::force(&START);
        // As seen from here: the program may change its directory.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut targets = lock(&TARGETS);
        if let Some(known) = targets.iter().find(|target| target.path == path) {
            return Trace(Some(known.clone()));
        }
        let target = Arc::new(Target { path, files: Mutex::default() });
        targets.push(target.clone());
        Trace(Some(target))
    }

    /// The beginning of a step, for [`did`](Self::did).
    pub(crate) fn begin(&self) -> Option<Instant> {
        self.0.as_ref().map(|_| Instant::now())
    }

    /// What this thread did since `start`.
    pub(crate) fn did(&self, step: &str, start: Option<Instant>, kernel: impl FnOnce() -> String) {
        if let (Some(target), Some(start)) = (&self.0, start) {
            target.event(step, &kernel(), micros(start), micros(Instant::now()), None);
        }
    }

    /// What a process did that has just ended.
    pub(crate) fn ran(&self, step: &str, elapsed: Duration, kernel: impl FnOnce() -> String) {
        if let Some(target) = &self.0 {
            let end = micros(Instant::now());
            let start = end.saturating_sub(u64::try_from(elapsed.as_micros()).unwrap_or(end));
            target.event(step, &kernel(), start, end, Some("compiler"));
        }
    }

    /// As long as it lives, what this thread does is done by a rank.
    pub(crate) fn on_rank(&self, rank: usize) -> OnRank {
        let rank = u32::try_from(rank).unwrap_or(u32::MAX);
        OnRank(RANK.replace(self.0.as_ref().map(|_| (rank, self.clone()))))
    }
}

/// A rank has waited for others.
pub(crate) fn waited(start: Option<Instant>, what: impl FnOnce() -> String) {
    if let (Some(_), Some((_, trace))) = (start, RANK.with_borrow(Clone::clone)) {
        trace.did("wait", start, what);
    }
}

/// See [`Trace::on_rank`].
pub(crate) struct OnRank(Option<(u32, Trace)>);

impl Drop for OnRank {
    fn drop(&mut self) {
        RANK.replace(self.0.take());
    }
}

impl Target {
    /// `rows`: what a row is called, if it is not this thread.
    fn event(&self, step: &str, kernel: &str, start: u64, end: u64, rows: Option<&str>) {
        let rank = RANK.with_borrow(|rank| rank.as_ref().map(|(rank, _)| *rank));
        let Some(file) = self.file(rank) else { return };
        let pid = rank.unwrap_or_else(std::process::id);
        let tid = match rows {
            None => u64::from(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()),
            Some(name) => file.row(start, end, pid, name),
        };
        file.add(&json!({
            "name": step, "cat": "dijitso", "ph": "X", "ts": start, "dur": end - start, "pid": pid, "tid": tid,
            "args": { "kernel": kernel },
        }));
    }

    fn file(&self, rank: Option<u32>) -> Option<Arc<File>> {
        let open = || {
            let opened = self.open(rank);
            if let Err(error) = &opened {
                log::warn!("cannot write the trace {}: {error}", self.path.display());
            }
            opened.ok().map(Arc::new)
        };
        lock(&self.files).entry(rank).or_insert_with(open).clone()
    }

    fn open(&self, rank: Option<u32>) -> std::io::Result<File> {
        let fs = Fs::new(Arc::default());
        let mut log = None;
        for path in self.names(rank) {
            log = fs.open_own_log(&path, is_trace)?;
            if log.is_some() {
                break;
            }
        }
        let Some(log) = log else { return Err(std::io::Error::other("other processes have it open")) };
        let file = File { log, rows: Mutex::default() };
        let (program, process) = (std::env::current_exe().unwrap_or_default(), std::process::id());
        let program = program.file_name().unwrap_or_default().to_string_lossy();
        let name = match rank {
            Some(rank) => format!("rank {rank} ({program}, process {process})"),
            None => format!("{program}, process {process}"),
        };
        let first = named("process_name", rank.unwrap_or(process), 0, &name);
        // Each event behind it begins with its comma: what is missing at the end is a bracket.
        file.log.add(format!("[\n{first}").as_bytes())?;
        Ok(file)
    }

    /// The file's name for a rank, and what to take if somebody else has that.
    fn names(&self, rank: Option<u32>) -> [PathBuf; 2] {
        let process = std::process::id();
        let mut name = self.path.clone().into_os_string();
        if let Some(text) = self.path.to_str().filter(|text| text.contains("%r") || text.contains("%p")) {
            let number = rank.unwrap_or(process).to_string();
            name = text.replace("%r", &number).replace("%p", &process.to_string()).into();
        } else if let Some(rank) = rank {
            name.push(format!(".{rank}"));
        }
        let mut other = name.clone();
        other.push(format!(".{process}"));
        [name.into(), other.into()]
    }
}

impl File {
    fn add(&self, event: &Value) {
        // A full disk must not end the program; the next event may fit.
        let _ = self.log.add(format!(",\n{event}").as_bytes());
    }

    /// The first row that is free at `start`; a new one is given a name.
    fn row(&self, start: u64, end: u64, pid: u32, name: &str) -> u64 {
        let mut rows = lock(&self.rows);
        let at = rows.iter().position(|last| *last <= start).unwrap_or(rows.len());
        let tid = FIRST_ROW + at as u64;
        match rows.get_mut(at) {
            Some(last) => *last = end,
            None => {
                rows.push(end);
                self.add(&named("thread_name", pid, tid, &format!("{name} {}", at + 1)));
            }
        }
        tid
    }
}

fn named(what: &str, pid: u32, tid: u64, name: &str) -> Value {
    json!({ "name": what, "cat": "dijitso", "ph": "M", "pid": pid, "tid": tid, "args": { "name": name } })
}

/// Why a trace cannot be written to this file, as far as that can be told before.
#[cfg(feature = "cli")]
pub(crate) fn refusal(path: &Path) -> Option<String> {
    let fs = Fs::new(Arc::default());
    if !fs.exists(path) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let there =
            parent.is_none_or(|parent| fs.is_directory_itself(parent) || fs.exists(&parent.join(".")));
        return (!there).then(|| "its directory does not exist".to_owned());
    }
    let head = fs.is_file(path).then(|| fs.read_head(path, 512));
    match head {
        // A pipe, a device.
        None => fs.exists(&path.join(".")).then(|| "it is a directory".to_owned()),
        Some(Ok(head)) if head.is_empty() || is_trace(&head) => None,
        Some(Ok(_)) => {
            Some("there is a file of this name that is no trace, and it is left as it is".to_owned())
        }
        Some(Err(error)) => Some(error.to_string()),
    }
}

/// Whether a file that begins so is a trace of ours.
fn is_trace(head: &[u8]) -> bool {
    let first = head.strip_prefix(b"[\n").and_then(|rest| rest.split(|b| *b == b'\n').next());
    first.is_some_and(|event| event.windows(15).any(|part| part == br#""cat":"dijitso""#))
}

/// Since 1970.
fn micros(time: Instant) -> u64 {
    let (instant, system) = *START;
    let since = system.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let micros = (since + time.saturating_duration_since(instant)).as_micros();
    u64::try_from(micros).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All events of a file, whose end is missing.
    fn events(path: &Path) -> Vec<Value> {
        serde_json::from_str(&(std::fs::read_to_string(path).unwrap() + "]")).unwrap()
    }

    #[test]
    fn steps_of_threads_and_processes_have_rows_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.json");
        let trace = Trace::new(Some(&path));
        assert!(!path.exists(), "nothing before the first step");
        trace.did("generate", trace.begin(), || "axpy(\"\u{1b}[1m\")".to_owned());
        let second = Duration::from_secs(1);
        for _ in 0..2 {
            trace.ran("compile", second, || "k".to_owned());
        }
        trace.ran("link", Duration::ZERO, || "k".to_owned());
        // Another `Jit` adds to it.
        Trace::new(Some(&path)).did("load", trace.begin(), || "k".to_owned());
        let events = events(&path);
        let steps: Vec<&Value> = events.iter().filter(|e| e["ph"] == "X").collect();
        let names: Vec<&str> = steps.iter().map(|e| e["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["generate", "compile", "compile", "link", "load"]);
        assert!(
            is_trace(&std::fs::read(&path).unwrap())
                && !is_trace(b"[\n{}")
                && !is_trace(b"\"cat\":\"dijitso\"")
        );
        assert_eq!(steps[0]["args"]["kernel"], "axpy(\"\u{1b}[1m\")");
        assert_eq!((&steps[0]["tid"], &steps[1]["dur"]), (&steps[4]["tid"], &json!(1_000_000)));
        let row = |at: usize| steps[at]["tid"].as_u64().unwrap() - FIRST_ROW;
        assert_eq!((row(1), row(2), row(3)), (0, 1, 0), "what overlaps lies in different rows");
        assert_eq!(events.iter().filter(|e| e["name"] == "thread_name").count(), 2);
    }

    #[test]
    fn ranks_and_processes_have_files_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let trace = Trace::new(Some(&dir.path().join(name)));
            trace.did("load", trace.begin(), String::new);
            std::thread::scope(|scope| {
                for rank in 0..2 {
                    let trace = &trace;
                    scope.spawn(move || {
                        let _on_rank = trace.on_rank(rank);
                        trace.did("load", trace.begin(), String::new);
                        waited(trace.begin(), || "rank 0".to_owned());
                    });
                }
            });
            // Not on a rank.
            waited(trace.begin(), || unreachable!());
        };
        write("trace.json");
        write("%r-of-%p.json");
        let process = std::process::id();
        let rank = events(&dir.path().join("trace.json.1"));
        assert_eq!((rank.len(), &rank[2]["pid"], &rank[2]["name"]), (3, &json!(1), &json!("wait")));
        for (name, pid) in [
            ("trace.json".to_owned(), process),
            ("trace.json.0".to_owned(), 0),
            (format!("{process}-of-{process}.json"), process),
            (format!("1-of-{process}.json"), 1),
        ] {
            assert_eq!(events(&dir.path().join(&name))[0]["pid"], pid, "{name}");
        }
        let taken = dir.path().join("taken.json");
        let _other = Fs::new(Arc::default()).open_own_log(&taken, |_| true).unwrap().unwrap();
        write("taken.json");
        assert_eq!(events(&dir.path().join(format!("taken.json.{process}"))).len(), 2);
    }

    #[test]
    fn a_trace_that_cannot_be_written_is_no_failure_and_none_costs_nothing() {
        let trace = Trace::new(Some(Path::new("/no/such/directory/trace")));
        trace.did("load", trace.begin(), String::new);
        let none = Trace::default();
        assert!(none.begin().is_none());
        none.did("load", Some(Instant::now()), || unreachable!());
        none.ran("compile", Duration::ZERO, || unreachable!());
    }
}
