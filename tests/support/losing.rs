//! A communicator on which a rank loses another one, at any place: what a session does about it must not depend on where.
//!
//! But one that has asked for a large message takes it: its sender waits for nothing else.

use std::cell::Cell;

use dijitso::Lost;

use crate::tap::{Tap, Tapped};

/// The communicator of a rank whose `receive` fails once.
pub type Losing<'a, C> = Tapped<'a, C, Loss>;

/// When it fails.
#[derive(Debug)]
pub struct Loss {
    /// Which one of them.
    at: Option<u64>,
    received: Cell<u64>,
    asked: Cell<bool>,
}

/// A message without content, and what it says if it asks for a large one.
const HEADER: usize = 18;
const KIND: (usize, u8) = (13, 5);

impl<'a, C: ?Sized> Losing<'a, C> {
    /// On ranks where nothing is to fail there is no `at`.
    pub fn new(comm: &'a C, at: Option<u64>) -> Losing<'a, C> {
        Tapped { comm, tap: Loss { at, received: Cell::new(0), asked: Cell::new(false) } }
    }

    /// How often this rank has waited for something that might not have come.
    pub fn received(&self) -> u64 {
        self.tap.received.get()
    }
}

impl Tap for Loss {
    fn sends(&self, message: &[u8]) {
        self.asked.set(message.len() == HEADER && message[KIND.0] == KIND.1);
    }

    fn receives(&self, from: usize) -> Result<(), Lost> {
        if self.asked.take() {
            return Ok(());
        }
        let nth = self.received.replace(self.received.get() + 1);
        match self.at == Some(nth) {
            true => Err(Lost { rank: from, problem: "was lost, as planned".to_owned() }),
            false => Ok(()),
        }
    }
}
