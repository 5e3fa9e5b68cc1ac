//! Files with what they contained, and places where nothing was: encoded, and checked without decoding.
//!
//! A hit walks over the bytes and calls `stat` on each path. Only what does not prove itself by its stamp is
//! looked at more closely.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::change::Change;
use super::content::examine;
use super::glance::Glance;
use crate::cache::wire::{Reader, Writer};
use crate::fs::{Fs, Stamp};
use crate::signature::{Signature, Signer};

/// A file that was read.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
    pub(super) settled: bool,
    pub(super) digest: Signature,
}

/// What was where a header is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No directory.
    Absent,
    /// A directory that was changed too recently for its stamp to prove anything.
    Fresh,
    /// As long as its stamp is the same, it has the same names.
    Settled(Stamp),
}

impl State {
    /// `now` must have been read before the stamp was taken.
    pub(super) fn of(stamp: Option<Stamp>, now: SystemTime) -> State {
        match stamp {
            None => State::Absent,
            Some(stamp) if stamp.settled(now) => State::Settled(stamp),
            Some(_) => State::Fresh,
        }
    }

    fn proves(self, now: Option<Stamp>) -> bool {
        match self {
            State::Absent => now.is_none(),
            State::Fresh => false,
            State::Settled(stamp) => now == Some(stamp),
        }
    }
}

/// A directory in which some names were absent.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) path: PathBuf,
    pub(super) state: State,
    /// Whether the record's own table of names is watched for.
    pub(super) own: bool,
    /// Whether the system set's table is.
    pub(super) system: bool,
    /// Names of either table that do not count here: they were there, or would not be found earlier.
    pub(super) ignored: BTreeSet<OsString>,
    /// Names beside the tables'. The empty name means the path itself.
    pub(super) extra: BTreeSet<OsString>,
}

/// The result of a check.
#[derive(Debug)]
pub(super) enum Check {
    Yes,
    /// Yes, and here are stamps that prove it faster next time.
    Restamped(Record),
    /// No, and this is what changed.
    No(Change),
}

/// The encoded form. The default is the empty record, which always holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    bytes: Vec<u8>,
}

const STATE_LEN: usize = 1 + 32;

impl Default for Record {
    fn default() -> Record {
        Record::encode(&[], &[], &[])
    }
}

impl Record {
    /// `names` is the table that directories refer to: single path components.
    pub(super) fn encode(files: &[Tracked], names: &[OsString], dirs: &[Watched]) -> Record {
        let mut writer = Writer::default();
        writer.u32(files.len() as u32);
        for file in files {
            let state = if file.settled { State::Settled(file.stamp) } else { State::Fresh };
            put_state(&mut writer, state);
            writer.signature(&file.digest);
            writer.block(file.path.as_os_str().as_bytes());
        }
        writer.u32(dirs.len() as u32);
        for dir in dirs {
            put_state(&mut writer, dir.state);
            writer.block(dir.path.as_os_str().as_bytes());
            let mut more = Writer::default();
            more.u8(u8::from(dir.own));
            more.u8(u8::from(dir.system));
            put_names(&mut more, dir.ignored.iter());
            put_names(&mut more, dir.extra.iter());
            // One block, so that a check steps over it.
            writer.block(&more.finish());
        }
        put_names(&mut writer, names.iter());
        Record { bytes: writer.finish() }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Record {
        Record { bytes: bytes.to_vec() }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The table of names.
    pub(super) fn names(&self) -> Vec<OsString> {
        self.try_names().unwrap_or_default()
    }

    fn try_names(&self) -> Option<Vec<OsString>> {
        let mut reader = Reader::new(&self.bytes);
        for _ in 0..reader.u32()? {
            File::read(&mut reader)?;
        }
        for _ in 0..reader.u32()? {
            Dir::read(&mut reader)?;
        }
        get_names(&mut reader)
    }

    /// The files in it, for whoever wants to be told when one changes.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut reader = Reader::new(&self.bytes);
        let count = reader.u32().unwrap_or(0);
        (0..count).map_while(|_| File::read(&mut reader)).map(|file| file.path.to_owned()).collect()
    }

    /// The directories in it that are there.
    pub(super) fn places(&self) -> Vec<PathBuf> {
        self.try_places().unwrap_or_default()
    }

    fn try_places(&self) -> Option<Vec<PathBuf>> {
        let mut reader = Reader::new(&self.bytes);
        for _ in 0..reader.u32()? {
            File::read(&mut reader)?;
        }
        let mut places = Vec::new();
        for _ in 0..reader.u32()? {
            let dir = Dir::read(&mut reader)?;
            if dir.state != State::Absent {
                places.push(dir.path.to_owned());
            }
        }
        Some(places)
    }

    /// Everything except the stamps, which differ from machine to machine.
    pub(super) fn identity(&self) -> Option<Signature> {
        let mut signer = Signer::quiet("dijitso file set");
        let mut reader = Reader::new(&self.bytes);
        for _ in 0..reader.u32()? {
            let file = File::read(&mut reader)?;
            signer.bytes(file.path.as_os_str().as_bytes());
            signer.field("digest", &file.digest);
        }
        for _ in 0..reader.u32()? {
            let dir = Dir::read(&mut reader)?;
            signer.bytes(dir.path.as_os_str().as_bytes());
            signer.bytes(dir.more);
        }
        for name in get_names(&mut reader)? {
            signer.bytes(name.as_bytes());
        }
        reader.is_empty().then(|| signer.finish())
    }

    /// Whether every file still has its content and every watched name is still absent.
    ///
    /// `system` are the names of the system set, for directories that are watched for those, too.
    ///
    /// In a cache that several machines share, a settled stamp that is not ours is another machine's, and
    /// stays: they would only overwrite each other's for ever.
    pub(super) fn check(&self, fs: &Fs, glance: &Glance, shared: bool, system: &[OsString]) -> Check {
        let mut patches = Vec::new();
        let better = |old: State, new: State| match new {
            State::Fresh => false,
            _ => old != new && (old == State::Fresh || !shared),
        };
        let mut patch = |at: usize, old: State, new: State| {
            if better(old, new) {
                patches.push((at, new));
            }
        };
        match self.try_check(fs, glance, system, &mut patch) {
            None => Check::No(Change::Unknown("its list of files cannot be read")),
            Some(Err(reason)) => Check::No(reason),
            Some(Ok(())) if patches.is_empty() => Check::Yes,
            Some(Ok(())) => {
                let mut bytes = self.bytes.clone();
                for (at, state) in patches {
                    let mut writer = Writer::default();
                    put_state(&mut writer, state);
                    bytes[at..at + STATE_LEN].copy_from_slice(&writer.finish());
                }
                Check::Restamped(Record { bytes })
            }
        }
    }

    fn try_check(
        &self,
        fs: &Fs,
        glance: &Glance,
        system: &[OsString],
        patch: &mut impl FnMut(usize, State, State),
    ) -> Option<Result<(), Change>> {
        let mut reader = Reader::new(&self.bytes);
        for _ in 0..reader.u32()? {
            let at = self.bytes.len() - reader.len();
            let file = File::read(&mut reader)?;
            if file.state.proves(glance.stamp(fs, file.path).ok().flatten()) {
                continue;
            }
            match file.look(fs) {
                Ok(state) => patch(at, file.state, state),
                Err(reason) => return Some(Err(reason)),
            }
        }
        for _ in 0..reader.u32()? {
            let at = self.bytes.len() - reader.len();
            let dir = Dir::read(&mut reader)?;
            let stamp = match glance.stamp(fs, dir.path) {
                // To a compiler a circle of links is an error, and no absence.
                Err(error) if is_circle(&error) => {
                    return Some(Err(Change::Unreadable(dir.path.to_owned(), error.to_string())));
                }
                // What else cannot be asked cannot be searched by a compiler either.
                stamp => stamp.ok().flatten(),
            };
            if dir.state.proves(stamp) {
                continue;
            }
            match dir.look(fs, || self.names(), system)? {
                Ok(state) => patch(at, dir.state, state),
                Err(reason) => return Some(Err(reason)),
            }
        }
        Some(Ok(()))
    }
}

pub(super) fn is_circle(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// A file in a record.
struct File<'a> {
    state: State,
    digest: Signature,
    path: &'a Path,
}

impl<'a> File<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<File<'a>> {
        Some(File { state: get_state(reader)?, digest: reader.signature()?, path: get_path(reader)? })
    }

    fn look(&self, fs: &Fs) -> Result<State, Change> {
        match examine(fs, self.path) {
            Ok(Some(content)) if content.digest == self.digest => {
                Ok(if content.settled { State::Settled(content.stamp) } else { State::Fresh })
            }
            Ok(Some(_)) => Err(Change::Changed(self.path.to_owned())),
            Ok(None) => Err(Change::Removed(self.path.to_owned())),
            Err(error) => Err(Change::Unreadable(self.path.to_owned(), error.to_string())),
        }
    }
}

/// A watched directory in a record.
struct Dir<'a> {
    state: State,
    path: &'a Path,
    more: &'a [u8],
}

impl<'a> Dir<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Dir<'a>> {
        Some(Dir { state: get_state(reader)?, path: get_path(reader)?, more: reader.block()? })
    }

    fn look(
        &self,
        fs: &Fs,
        own_names: impl Fn() -> Vec<OsString>,
        system: &[OsString],
    ) -> Option<Result<State, Change>> {
        let mut more = Reader::new(self.more);
        let (own, with_system) = (more.u8()? != 0, more.u8()? != 0);
        let ignored: BTreeSet<OsString> = get_names(&mut more)?.into_iter().collect();
        let extra = get_names(&mut more)?;
        let now = SystemTime::now();
        let state = State::of(fs.stamp(self.path).ok().flatten(), now);
        if state == State::Absent {
            return Some(Ok(state));
        }
        let own_names = if own { own_names() } else { Vec::new() };
        let system = if with_system { system } else { &[] };
        let tables = own_names.iter().chain(system).filter(|name| !ignored.contains(*name));
        for name in tables.chain(&extra) {
            let path = if name.is_empty() { self.path.to_owned() } else { self.path.join(name) };
            if fs.stamp_itself(&path).is_some() {
                return Some(Err(Change::Earlier(path)));
            }
        }
        Some(Ok(state))
    }
}

fn put_state(writer: &mut Writer, state: State) {
    let (tag, stamp) = match state {
        State::Absent => (0, None),
        State::Fresh => (1, None),
        State::Settled(stamp) => (2, Some(stamp)),
    };
    writer.u8(tag);
    writer.stamp(&stamp.unwrap_or(Stamp { ino: 0, size: 0, mtime_ns: 0, ctime_ns: 0 }));
}

fn get_state(reader: &mut Reader<'_>) -> Option<State> {
    let tag = reader.u8()?;
    let stamp = reader.stamp()?;
    match tag {
        0 => Some(State::Absent),
        1 => Some(State::Fresh),
        2 => Some(State::Settled(stamp)),
        _ => None,
    }
}

fn get_path<'a>(reader: &mut Reader<'a>) -> Option<&'a Path> {
    Some(Path::new(OsStr::from_bytes(reader.block()?)))
}

fn put_names<'a>(writer: &mut Writer, names: impl ExactSizeIterator<Item = &'a OsString>) {
    writer.u32(names.len() as u32);
    for name in names {
        writer.block(name.as_bytes());
    }
}

fn get_names(reader: &mut Reader<'_>) -> Option<Vec<OsString>> {
    let mut names = Vec::new();
    for _ in 0..reader.u32()? {
        names.push(OsStr::from_bytes(reader.block()?).to_owned());
    }
    Some(names)
}
