//! Work on a whole cache that only one may do at a time.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::Store;
use crate::cache::lock::Lock;
use crate::fs::Token;

/// Nobody works so long: whoever made an older token was killed. If not, two work at once, which loses nothing.
const KILLED: Duration = Duration::from_secs(3600);

/// Held by whoever does it.
#[derive(Debug)]
#[must_use]
pub(in crate::cache) enum Guard {
    Lock {
        _lock: Lock,
    },
    /// Where locks mean nothing, a name that only one can create.
    Token {
        _token: Token,
    },
}

impl Store {
    /// The right to do what is called `name`.
    ///
    /// # Errors
    /// `WouldBlock` while somebody else has it; others where nothing can be written.
    pub(in crate::cache) fn guard(&self, name: &str) -> io::Result<Guard> {
        if !self.is_shared() {
            let lock = self.try_lock_named(name).ok_or(io::ErrorKind::WouldBlock)?;
            return Ok(Guard::Lock { _lock: lock });
        }
        let token = match self.token(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.took_away(name) => {
                self.token(name)
            }
            result => result,
        };
        token.map(|token| Guard::Token { _token: token }).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => io::ErrorKind::WouldBlock.into(),
            _ => error,
        })
    }

    /// Removes the token of somebody who was killed. Not that of whoever was faster in doing so: it goes back.
    fn took_away(&self, name: &str) -> bool {
        let (fs, token) = (self.fs(), self.tmp_dir().join(name));
        let Ok(Some(left)) = fs.stamp(&token) else { return false };
        let Some((now, aside)) = self.now_and_a_name() else { return false };
        if !left.is_unused_for(KILLED, now) || fs.rename(&token, &aside).is_err() {
            return false;
        }
        // The name is the only thing about it that changed.
        let is_it = fs.stamp(&aside).is_ok_and(|found| found.is_some_and(|found| found.ino == left.ino));
        let _ = if is_it { fs.remove(&aside) } else { fs.rename(&aside, &token) };
        is_it
    }

    /// The time of whoever keeps the files, and a name that nobody has.
    fn now_and_a_name(&self) -> Option<(SystemTime, PathBuf)> {
        let name = format!("new-{:016x}", RandomState::new().hash_one(std::process::id()));
        let path = self.tmp_dir().join(name);
        let token = self.fs().token(&path).ok()?;
        let now = self.fs().stamp(&path).ok()??.used();
        drop(token);
        Some((now, path))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::params;
    use super::*;
    use crate::config::params::Network;
    use crate::fs::Fs;
    use crate::fs::used::tests::age;

    #[test]
    fn one_at_a_time_has_it_and_nobody_who_was_killed_keeps_it() {
        for network in [Network::No, Network::Yes] {
            let dir = tempfile::tempdir().unwrap();
            let mut params = params();
            params.network.value = network;
            let open =
                || Store::open(&dir.path().join("cache"), &Fs::new(Default::default()), &params).unwrap();
            let (one, other) = (open(), open());
            let guard = one.guard("evict").unwrap();
            assert_eq!(other.guard("evict").unwrap_err().kind(), io::ErrorKind::WouldBlock);
            drop((other.guard("statistics").unwrap(), guard));
            let guard = other.guard("evict").unwrap();
            if network == Network::Yes {
                age(&other.tmp_dir().join("evict"), KILLED + Duration::from_secs(60));
                drop(one.guard("evict").unwrap());
            }
            drop(guard);
            drop(one.guard("evict").unwrap());
        }
    }
}
