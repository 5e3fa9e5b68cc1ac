//! How many memory mappings this process holds, and may hold.

use std::io::{self, Read as _};

use rustix::io::Errno;

/// `vm.max_map_count`; none without /proc.
pub(crate) fn limit() -> Option<usize> {
    std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}

/// Those of this process; none without /proc.
pub(crate) fn held() -> Option<usize> {
    let mut maps = std::fs::File::open("/proc/self/maps").ok()?;
    let mut page = vec![0; 1 << 16];
    let mut lines = 0;
    loop {
        match maps.read(&mut page).ok()? {
            0 => return Some(lines),
            len => lines += page[..len].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
}

/// "Cannot allocate memory" with its reason, where that is known. A program is started with a stack that is mapped here: the
/// process that holds all mappings it may have can start none, however much memory is free.
pub(super) fn explain(error: io::Error) -> io::Error {
    /// The stack and its guard page.
    const STACK: usize = 2;
    match (limit(), held()) {
        (Some(limit), Some(held))
            if error.raw_os_error() == Some(Errno::NOMEM.raw_os_error()) && held + STACK >= limit =>
        {
            io::Error::new(error.kind(), format!("{error}; {}", words(held, limit)))
        }
        _ => error,
    }
}

fn words(held: usize, limit: usize) -> String {
    format!(
        "this process holds {held} of the {limit} mappings that the system lets it have; \
         raise vm.max_map_count (sysctl), or generate fewer, larger kernels"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_counted() {
        assert!(held().unwrap() > 10);
        assert!(limit().unwrap() > held().unwrap());
    }

    #[test]
    fn other_errors_are_left_as_they_are() {
        for errno in [Errno::NOMEM, Errno::NOENT] {
            let error = explain(io::Error::from(errno));
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
        }
    }
}
