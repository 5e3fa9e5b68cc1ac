//! How often ranks look whether what they wait for has come.

use std::cell::Cell;

use dijitso::Idle;

use crate::tap::{Tap, Tapped};

/// A communicator that counts the looks of each wait.
pub type Counted<'a, C> = Tapped<'a, C, Looks>;

/// The looks of the wait that had most.
#[derive(Debug, Default)]
pub struct Looks(Cell<u64>);

impl<'a, C: ?Sized> Counted<'a, C> {
    /// The same ranks.
    pub fn new(comm: &'a C) -> Self {
        Tapped { comm, tap: Looks::default() }
    }

    /// The looks of the wait that had most.
    pub fn most(&self) -> u64 {
        self.tap.0.get()
    }
}

impl Tap for Looks {
    fn wait<R>(&self, idle: &mut Idle<'_>, wait: impl FnOnce(&mut Idle<'_>) -> R) -> R {
        let mut looks = 0;
        let result = wait(&mut || {
            looks += 1;
            idle()
        });
        self.0.set(self.0.get().max(looks));
        result
    }
}
