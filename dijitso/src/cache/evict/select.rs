//! Which files go.

use std::time::SystemTime;

use super::growth::{Amount, Bound};
use super::scan::Aged;

/// Sorts `files`, which are `amount` together, the least recently used first, and says how many of them must go so that the rest is
/// within `target`. `now` is that of whoever keeps the files.
///
/// Entries and index files are one list: an index file that nobody has read for as long is of as little use, and most of those
/// that led to what goes have its age.
pub(super) fn least_recently_used(
    files: &mut [Aged],
    amount: Amount,
    target: Bound,
    now: SystemTime,
) -> usize {
    files.sort_unstable_by_key(|file| file.stamp.order_of_use(now));
    let mut left = amount;
    let mut gone = 0;
    for file in files.iter() {
        if !target.is_exceeded_by(left) {
            break;
        }
        left = left.minus(Amount { bytes: file.stamp.size, files: 1 });
        gone += 1;
    }
    gone
}
