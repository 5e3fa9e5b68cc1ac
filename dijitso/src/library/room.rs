//! How many more libraries this process can map.
//!
//! A process may hold `vm.max_map_count` mappings, and each library takes five or so. Whoever takes the
//! last one makes the next `malloc` of the host program fail, which usually ends it. So some are left to
//! the host, and the refusal comes from us.

use std::sync::Mutex;

use super::LoadError;
use crate::process::mappings::{held, limit};

/// Mappings left to the rest of the program.
const RESERVE: usize = 1024;
/// What a library takes at most: segments, their protected parts, zero-filled ends.
const PER_LIBRARY: usize = 8;
/// Nothing is counted before this many libraries: few programs come here, and counting takes its time.
const UNCOUNTED: usize = 1000;

/// How many libraries may be loaded before mappings are counted again.
static ALLOWED: Mutex<usize> = Mutex::new(UNCOUNTED);

/// Takes room for one library.
pub(super) fn reserve() -> Result<(), LoadError> {
    let mut allowed = ALLOWED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if *allowed == 0 {
        *allowed = match (limit(), held()) {
            (Some(limit), Some(held)) => more(limit, held),
            // Without /proc the loader's own error has to do.
            _ => usize::MAX,
        };
    }
    *allowed = allowed.checked_sub(1).ok_or(LoadError::TooMany)?;
    Ok(())
}

/// Whether there is no room for a library, now.
pub(super) fn is_full() -> bool {
    match (limit(), held()) {
        (Some(limit), Some(held)) => held + PER_LIBRARY >= limit,
        _ => false,
    }
}

/// Every count allows an eighth of the free mappings, so a process at the limit has counted a dozen times.
fn more(limit: usize, held: usize) -> usize {
    limit.saturating_sub(held).saturating_sub(RESERVE) / PER_LIBRARY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_counted_and_some_is_left_to_the_program() {
        assert!(!is_full());
        assert_eq!(more(65_530, 65_530 - RESERVE), 0);
        assert_eq!(more(65_530, 65_529), 0);
        assert_eq!(more(100, 10), 0);
        assert!(more(65_530, 500) > 7000);
    }
}
