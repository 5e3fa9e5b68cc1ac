//! Whether a directory is safe to load code from.
//!
//! Whoever can write a cache, or rename a directory above it, can run code in our processes. So every
//! directory from the root of the file system down, through every symbolic link, must be writable only by
//! us and by root.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

/// Refuses a directory that others could tamper with; the message says how to mend it.
///
/// Components that do not exist yet are fine: who creates them is us, at once if it is [`Descent::Claimable`]. Below a
/// directory of ours that is closed to others (0700), nothing needs to be checked, because nobody else gets there.
///
/// The same goes for a directory `inside` it: on a file server a second walk down would be as many questions again.
pub(crate) fn check_trusted(path: &Path, inside: Option<&str>) -> Result<Descent, String> {
    let us = rustix::process::geteuid().as_raw();
    Walk { us, last: Last::OurDirectory }.check(path, inside)
}

/// Refuses a directory or file that anybody but root and us could tamper with: for what is only read, and was
/// installed for many.
///
/// Unlike a cache, it must exist.
pub(crate) fn check_installed(path: &Path) -> Result<(), String> {
    let us = rustix::process::geteuid().as_raw();
    Walk { us, last: Last::Installed }.check(path, None).map(|_| ())
}

struct Walk {
    us: u32,
    last: Last,
}

/// What the path must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A directory of ours, or nothing.
    OurDirectory,
    /// A directory or file of ours or of root's.
    Installed,
}

/// How far a walk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descent {
    Arrived,
    /// At a file, or before what is not there yet: nothing is below.
    Ends,
    /// Before what is not there yet, where anybody may put something first (`/tmp`).
    Claimable,
}

/// A directory that the walk has reached.
struct Reached {
    path: PathBuf,
    /// Nobody else can get here.
    closed: bool,
    /// Others may create things in it, but not touch what is not theirs (`/tmp`).
    sticky: bool,
}

impl Walk {
    fn check(&self, path: &Path, inside: Option<&str>) -> Result<Descent, String> {
        let path = std::path::absolute(path).map_err(|e| format!("cannot be resolved: {e}"))?;
        let mut reached: Vec<Reached> = Vec::new();
        let mut links = 0;
        for part in [Some(path.as_path()), inside.map(Path::new)].into_iter().flatten() {
            let descent = self.descend(part, &mut reached, &mut links)?;
            if descent != Descent::Arrived {
                return Ok(descent);
            }
        }
        Ok(Descent::Arrived)
    }

    /// From where the walk is, which is checked, on along `path`.
    fn descend(&self, path: &Path, reached: &mut Vec<Reached>, links: &mut u32) -> Result<Descent, String> {
        let mut todo: Vec<OsString> = Vec::new();
        push(&mut todo, path);
        while let Some(name) = todo.pop() {
            if name == ".." {
                // The root is its own parent.
                if reached.len() > 1 {
                    reached.pop();
                }
                continue;
            }
            if name == "/" {
                reached.clear();
            }
            let (here, closed, sticky) = match reached.last() {
                Some(above) => (above.path.join(&name), above.closed, above.sticky),
                None => (PathBuf::from("/"), false, false),
            };
            let data = match std::fs::symlink_metadata(&here) {
                Ok(data) => data,
                // Where we cannot go, we load nothing from; a directory that we have just seen may have been replaced, too.
                Err(error)
                    if self.last == Last::OurDirectory
                        && matches!(
                            error.kind(),
                            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
                        ) =>
                {
                    return Ok(if sticky && !closed { Descent::Claimable } else { Descent::Ends });
                }
                Err(error) => return Err(format!("`{}` cannot be examined: {error}", here.display())),
            };
            if data.is_symlink() {
                *links += 1;
                if *links > 40 {
                    return Err(format!("`{}` is a symbolic link in a circle", here.display()));
                }
                if sticky && !self.trusts(data.uid()) {
                    return Err(self.foreign(&here, data.uid()));
                }
                let target = std::fs::read_link(&here)
                    .map_err(|error| format!("`{}` cannot be read: {error}", here.display()))?;
                push(&mut todo, &target);
                continue;
            }
            let last = todo.is_empty();
            if last && data.is_file() && self.last == Last::Installed {
                return if closed {
                    Ok(Descent::Ends)
                } else {
                    self.check_entry(&here, &data, last).map(|()| Descent::Ends)
                };
            }
            if !data.is_dir() {
                if last && self.last == Last::Installed {
                    return Err(format!("`{}` is neither a file nor a directory", here.display()));
                }
                if last || self.last == Last::Installed {
                    return Err(format!(
                        "`{}` is not a directory; remove it, or choose another",
                        here.display()
                    ));
                }
                // Nothing is below it, unless its owner puts a directory in its place.
                if !closed {
                    self.check_entry(&here, &data, last)?;
                }
                return Ok(Descent::Ends);
            }
            if last && data.uid() != self.us && self.last == Last::OurDirectory {
                return Err(format!(
                    "it belongs to user {}, not to you (user {}); mend it with `chown {} {}`, or set \
                     DIJITSO_CACHE_DIR to a directory of your own",
                    data.uid(),
                    self.us,
                    self.us,
                    here.display()
                ));
            }
            if !closed {
                self.check_entry(&here, &data, last)?;
            }
            reached.push(Reached {
                closed: closed || (data.uid() == self.us && data.mode() & 0o077 == 0),
                sticky: data.mode() & 0o1000 != 0,
                path: here,
            });
        }
        Ok(Descent::Arrived)
    }

    fn trusts(&self, uid: u32) -> bool {
        uid == 0 || uid == self.us || root_owner() == Some(uid)
    }

    fn check_entry(&self, path: &Path, data: &std::fs::Metadata, last: bool) -> Result<(), String> {
        if !self.trusts(data.uid()) {
            return Err(self.foreign(path, data.uid()));
        }
        let mode = data.permissions().mode();
        let who = match (mode & 0o020 != 0, mode & 0o002 != 0) {
            (false, false) => return Ok(()),
            (true, false) => "its group",
            (_, true) => "every user",
        };
        // In a sticky directory nobody can replace what is ours; the cache itself must not be one.
        if mode & 0o1000 != 0 && !last {
            return Ok(());
        }
        let path = path.display();
        let or = match self.last {
            Last::OurDirectory => ", or set DIJITSO_CACHE_DIR to a directory of your own",
            Last::Installed => "",
        };
        Err(format!(
            "`{path}` can be written by {who}, who could make your programs run other code; mend it with \
             `chmod g-w,o-w {path}`{or}"
        ))
    }

    fn foreign(&self, path: &Path, uid: u32) -> String {
        let (path, us) = (path.display(), self.us);
        let danger = format!("`{path}` belongs to user {uid}, who could make your programs run other code");
        match self.last {
            Last::OurDirectory => format!(
                "{danger}; set DIJITSO_CACHE_DIR to a directory of your own, or mend it with `chown {us} {path}`"
            ),
            Last::Installed => format!("{danger}; it must belong to root or to you (`chown root {path}`)"),
        }
    }
}

/// Pushes the components of `path` so that the first is popped first.
fn push(todo: &mut Vec<OsString>, path: &Path) {
    let at = todo.len();
    todo.extend(path.components().filter(|c| *c != Component::CurDir).map(|c| c.as_os_str().to_owned()));
    todo[at..].reverse();
}

/// Who owns what root owns, as seen from here.
///
/// In a user namespace (rootless containers, common on clusters) root's files seem to belong to the
/// overflow user. Nobody can be that user there, so it is as good as root.
fn root_owner() -> Option<u32> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let mut ranges = map.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    if ranges.next()? == ["0", "0", "4294967295"] {
        return None;
    }
    std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{chown, symlink};

    fn check_trusted(path: &Path) -> Result<Descent, String> {
        super::check_trusted(path, None)
    }

    fn dir(mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        dir
    }

    fn below(dir: &tempfile::TempDir, name: &str, mode: u32) -> PathBuf {
        let path = dir.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused_with_the_fix() {
        let top = dir(0o755);
        check_trusted(&below(&top, "good", 0o755)).unwrap();
        let bad = below(&top, "bad", 0o775);
        let message = check_trusted(&bad).unwrap_err();
        assert!(message.contains(&format!("chmod g-w,o-w {}", bad.display())), "{message}");
        assert!(check_trusted(&bad.join("not/yet/there")).is_err());
        assert!(check_trusted(&below(&top, "open", 0o777)).unwrap_err().contains("every user"));
        assert!(check_trusted(&below(&top, "sticky", 0o1777)).is_err(), "the cache itself is not like /tmp");
    }

    #[test]
    fn what_is_inside_is_checked_as_strictly() {
        let top = dir(0o755);
        let outer = below(&top, "outer", 0o755);
        let check = |inside| super::check_trusted(&outer, Some(inside));
        check("absent").unwrap();
        std::fs::create_dir(outer.join("open")).unwrap();
        std::fs::set_permissions(outer.join("open"), Permissions::from_mode(0o777)).unwrap();
        assert!(
            check("open").unwrap_err().contains(&format!("chmod g-w,o-w {}", outer.join("open").display()))
        );
        symlink(outer.join("open"), outer.join("link")).unwrap();
        assert!(check("link").is_err() && check("../outer/open").is_err());
        std::fs::write(outer.join("file"), b"").unwrap();
        assert!(check("file").unwrap_err().contains("not a directory"));
        std::fs::set_permissions(&outer, Permissions::from_mode(0o775)).unwrap();
        assert!(check("absent").is_err(), "the outer one itself");
        assert!(super::check_trusted(&top.path().join("nowhere"), Some("v1")).is_ok());
    }

    #[test]
    fn below_a_file_there_is_nothing_and_in_a_sticky_directory_whatever_somebody_puts_there() {
        let top = dir(0o755);
        let file = top.path().join("file");
        std::fs::write(&file, b"").unwrap();
        assert_eq!(check_trusted(&file.join("cache")), Ok(Descent::Ends));
        assert!(check_trusted(&file).is_err() && super::check_installed(&file.join("site")).is_err());
        std::fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        assert!(check_trusted(&file.join("cache")).is_err());
        let sticky = below(&top, "sticky", 0o1777);
        assert_eq!(check_trusted(&sticky.join("cache/below")), Ok(Descent::Claimable));
        std::fs::create_dir(sticky.join("cache")).unwrap();
        assert_eq!(check_trusted(&sticky.join("cache/below")), Ok(Descent::Ends));
        assert_eq!(check_trusted(&sticky.join("cache")), Ok(Descent::Arrived));
    }

    #[test]
    fn a_closed_directory_above_makes_everything_below_safe() {
        let top = dir(0o700);
        check_trusted(&below(&top, "bad", 0o777)).unwrap();
        check_trusted(&top.path().join("bad/not/there/yet")).unwrap();
    }

    #[test]
    fn links_are_followed_and_checked_on_both_sides() {
        let open = dir(0o755);
        let bad = below(&open, "bad", 0o777);
        let good = below(&open, "good", 0o755);
        symlink(&good, bad.join("link")).unwrap();
        assert!(check_trusted(&bad.join("link")).is_err(), "the link can be replaced");
        symlink(&bad, good.join("link")).unwrap();
        assert!(check_trusted(&good.join("link")).is_err(), "the target can be written");
        symlink("../good", good.join("relative")).unwrap();
        check_trusted(&good.join("relative")).unwrap();
        let closed = dir(0o700);
        symlink(&bad, closed.path().join("out")).unwrap();
        assert!(
            check_trusted(&closed.path().join("out")).is_err(),
            "a link leads out of the closed directory"
        );
        assert!(check_trusted(&closed.path().join("../").join(bad.strip_prefix("/tmp").unwrap())).is_err());
        symlink("circle", closed.path().join("circle")).unwrap();
        assert!(check_trusted(&closed.path().join("circle")).unwrap_err().contains("circle"));
        std::fs::write(closed.path().join("file"), b"").unwrap();
        assert!(check_trusted(&closed.path().join("file")).unwrap_err().contains("not a directory"));
    }

    #[test]
    fn what_is_installed_may_be_roots_and_a_file_but_must_be_there() {
        let top = dir(0o755);
        let good = below(&top, "good", 0o755);
        let file = good.join("file");
        std::fs::write(&file, b"").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        check_installed(&good).unwrap();
        check_installed(&file).unwrap();
        check_installed(Path::new("/usr")).unwrap();
        assert!(check_installed(&good.join("absent")).unwrap_err().contains("absent"));
        std::fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
        let message = check_installed(&file).unwrap_err();
        assert!(message.contains("its group") && !message.contains("DIJITSO_CACHE_DIR"), "{message}");
        assert!(check_installed(&below(&top, "bad", 0o775)).is_err());
        assert!(check_installed(&below(&top, "sticky", 0o1777)).is_err());
        let as_other = Walk { us: 1234, last: Last::Installed };
        if rustix::process::geteuid().is_root() {
            as_other.check(&good, None).unwrap();
            chown(&good, Some(1235), None).unwrap();
            assert!(as_other.check(&good, None).unwrap_err().contains("user 1235"));
        }
    }

    #[test]
    fn what_belongs_to_others_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let top = dir(0o755);
        let theirs = below(&top, "theirs", 0o755);
        chown(&theirs, Some(1234), None).unwrap();
        assert!(check_trusted(&theirs).unwrap_err().contains("chown 0"));
        let ours = theirs.join("ours");
        std::fs::create_dir(&ours).unwrap();
        assert!(check_trusted(&ours).unwrap_err().contains("user 1234"));
        let sticky = below(&top, "sticky", 0o1777);
        symlink(top.path(), sticky.join("trap")).unwrap();
        std::os::unix::fs::lchown(sticky.join("trap"), Some(1234), None).unwrap();
        assert!(check_trusted(&sticky.join("trap/good")).is_err());
        let as_other = Walk { us: 1234, last: Last::OurDirectory };
        as_other.check(&theirs, None).unwrap();
        assert!(as_other.check(&top.path().join("sticky"), None).is_err());
    }
}
