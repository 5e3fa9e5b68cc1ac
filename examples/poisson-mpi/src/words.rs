//! The command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, Root as _};

/// The words that rank 0 was started with. Every rank reads these, so all have the same options, or the same complaint.
pub fn words(world: &SimpleCommunicator) -> Vec<OsString> {
    let root = world.process_at_rank(0);
    let mut bytes = Vec::new();
    if world.rank() == 0 {
        for word in std::env::args_os() {
            bytes.extend(word.into_vec());
            bytes.push(0);
        }
    }
    let mut length = bytes.len();
    root.broadcast_into(&mut length);
    bytes.resize(length, 0);
    root.broadcast_into(&mut bytes[..]);
    bytes
        .split_inclusive(|byte| *byte == 0)
        .map(|word| OsString::from_vec(word[..word.len() - 1].to_vec()))
        .collect()
}
