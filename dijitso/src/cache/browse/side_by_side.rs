//! Looking at many things at once. These threads only read, and end before their caller goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// More than that wait for the disk and for each other.
const MOST: usize = 16;

/// Calls `look` for all of them on as many threads as there are cores; the results are in their order.
pub(super) fn side_by_side<T: Sync, R: Send>(things: &[T], look: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST).min(things.len());
    if threads <= 1 {
        return things.iter().map(look).collect();
    }
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(things.len()));
    let work = || {
        while let Some((number, thing)) = numbered(things, &next) {
            let result = look(thing);
            found.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where no more can be started, those that were do it all.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_unstable_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, result)| result).collect()
}

fn numbered<'a, T>(things: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    Some((number, things.get(number)?))
}

#[cfg(test)]
mod tests {
    use super::side_by_side;

    #[test]
    fn results_keep_their_order() {
        for count in [0, 1, 2, 500] {
            let things: Vec<usize> = (0..count).collect();
            assert_eq!(side_by_side(&things, |n| n * 2), (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
    }
}
