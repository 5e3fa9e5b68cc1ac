//! What kind of file system a directory is on.
//!
//! It decides where libraries are loaded from and whether locks mean anything: on network file systems a
//! mapped file can change or vanish under a running program (SIGBUS), and locks may be silently local.

use std::io;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

/// Whether one machine or several see the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Local,
    /// NFS and its like, and whatever is served by another program (FUSE).
    Network,
}

/// The mount that holds a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The type's number.
    pub(crate) file_system: u32,
    pub(crate) kind: Kind,
    /// Nothing on it can be mapped executable.
    pub(crate) noexec: bool,
}

impl Mount {
    /// Of an existing file or directory.
    pub(crate) fn of(path: &Path) -> io::Result<Mount> {
        // The type is 32 bits wide; the word that carries it is signed and 64 bits wide on some targets.
        let magic = rustix::fs::statfs(path)?.f_type as u32;
        let noexec = rustix::fs::statvfs(path)?.f_flag.contains(StatVfsMountFlags::NOEXEC);
        Ok(Mount { file_system: magic, kind: kind_of(magic), noexec })
    }
}

fn kind_of(magic: u32) -> Kind {
    if NETWORK.iter().any(|(known, _)| *known == magic) { Kind::Network } else { Kind::Local }
}

/// From the kernel's `magic.h` and the file systems' own headers.
const NETWORK: &[(u32, &str)] = &[
    (0x6969, "nfs"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x6573_5546, "fuse"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "kafs"),
    (0x00c3_6400, "ceph"),
    (0x1983_0326, "beegfs"),
    (0x0102_1997, "9p"),
    (0x2003_0528, "orangefs"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
    (0x7375_7245, "coda"),
    (0x564c, "ncp"),
    (0xaad7_aaea, "panfs"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
    (0x013b_a5e7, "quobyte/acfs"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_magic() {
        assert_eq!(kind_of(0x6969), Kind::Network);
        assert_eq!(kind_of(0xff53_4d42), Kind::Network);
        assert_eq!(kind_of(0xef53), Kind::Local, "ext4");
        assert_eq!(kind_of(0x0102_1994), Kind::Local, "tmpfs");
        assert_eq!(kind_of(0x5846_5342), Kind::Local, "xfs");
    }

    #[test]
    fn mounts_can_be_asked() {
        let mount = Mount::of(Path::new("/proc")).unwrap();
        assert_eq!(mount.kind, Kind::Local);
        assert!(Mount::of(Path::new("/no/such/directory")).is_err());
    }
}
