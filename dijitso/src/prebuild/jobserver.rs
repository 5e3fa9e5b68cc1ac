//! Tokens of cargo's jobserver: whoever starts a process more than the one it is must hold one.
//!
//! The `jobserver` crate takes over the descriptors that cargo passed, which is `unsafe` because others in
//! the build script may hold them too. Here their pipe is opened once more, by name: nothing of anybody else is
//! touched, and whether reading waits is ours to choose.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// The pipe that holds the tokens.
#[derive(Debug)]
pub(super) struct JobServer {
    read: File,
    write: File,
}

/// The right to run one process more; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Token<'a> {
    server: &'a JobServer,
    /// Make's servers tell tokens apart.
    byte: u8,
}

impl JobServer {
    /// The one that cargo (or a `make` above it) runs, if there is one.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn of_cargo() -> Option<JobServer> {
        let flags = ["CARGO_MAKEFLAGS", "MAKEFLAGS"].iter().find_map(std::env::var_os)?;
        JobServer::open(&flags)
    }

    fn open(flags: &OsString) -> Option<JobServer> {
        let (read, write) = pipe_of(flags.to_str()?)?;
        // Or opening one end would wait for the other, and reading for a token.
        let no_wait = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let read = File::options().read(true).custom_flags(no_wait).open(read).ok()?;
        let write = File::options().write(true).custom_flags(no_wait).open(write).ok()?;
        Some(JobServer { read, write })
    }

    /// A token, if one is free.
    pub(super) fn token(&self) -> Option<Token<'_>> {
        let mut byte = [0];
        loop {
            return match (&self.read).read(&mut byte) {
                Ok(1) => Some(Token { server: self, byte: byte[0] }),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                _ => None,
            };
        }
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        while let Err(error) = (&self.server.write).write_all(&[self.byte]) {
            if error.kind() != ErrorKind::Interrupted {
                // Its place in the pipe was free a moment ago.
                log::warn!("cannot give back a token of the jobserver: {error}");
                break;
            }
        }
    }
}

/// `.. --jobserver-auth=8,9 ..` or `--jobserver-auth=fifo:/path`; old makes say `--jobserver-fds`.
fn pipe_of(flags: &str) -> Option<(PathBuf, PathBuf)> {
    let mut values = flags.split_whitespace().rev().filter_map(|word| {
        word.strip_prefix("--jobserver-auth=").or_else(|| word.strip_prefix("--jobserver-fds="))
    });
    // The last one counts, as make has it.
    let value = values.next()?;
    if let Some(path) = value.strip_prefix("fifo:") {
        return Some((PathBuf::from(path), PathBuf::from(path)));
    }
    let (read, write) = value.split_once(',')?;
    let path =
        |descriptor: &str| Some(PathBuf::from(format!("/proc/self/fd/{}", descriptor.parse::<u32>().ok()?)));
    Some((path(read)?, path(write)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_taken_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("tokens");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        // Whoever made it keeps it open.
        let mut all = File::options().read(true).write(true).open(&fifo).unwrap();
        all.write_all(b"+x").unwrap();
        let server = JobServer::open(&format!("-j --jobserver-auth=fifo:{}", fifo.display()).into()).unwrap();
        let (first, second) = (server.token().unwrap(), server.token().unwrap());
        assert_eq!((first.byte, second.byte), (b'+', b'x'));
        assert!(server.token().is_none(), "and nobody waits");
        drop(first);
        assert_eq!(server.token().unwrap().byte, b'+');
        drop(second);
        let held: Vec<_> = std::iter::from_fn(|| server.token()).collect();
        assert_eq!(held.len(), 2);
    }

    #[test]
    fn all_spellings_are_known() {
        let fds = |flags: &str| pipe_of(flags).map(|(read, _)| read.display().to_string());
        assert_eq!(fds(" -j --jobserver-fds=3,4 --jobserver-auth=8,9"), Some("/proc/self/fd/8".into()));
        assert_eq!(fds("--jobserver-auth=fifo:/tmp/x"), Some("/tmp/x".into()));
        for none in ["", "-j4", "--jobserver-auth=-2,-2", "--jobserver-auth=abc"] {
            assert_eq!(fds(none), None, "{none}");
        }
    }
}
