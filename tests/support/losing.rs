//! A communicator on which a rank loses another one, at any place: what a session does about it must not depend on where.
//!
//! But one that has asked for a large message takes it: its sender waits for nothing else.

use std::cell::Cell;

use dijitso::Lost;

use crate::tap::{Tap, Tapped};

/// The communicator of a rank whose `receive` or `send` fails once.
pub type Losing<'a, C> = Tapped<'a, C, Loss>;

/// When it fails.
#[derive(Debug)]
pub struct Loss {
    /// Which one of them.
    at: Option<u64>,
    sending: bool,
    /// How many receives, or sends, there were.
    count: Cell<u64>,
    asked: Cell<bool>,
}

/// A message without content, and what it says if it asks for a large one.
const HEADER: usize = 18;
const KIND: (usize, u8) = (13, 5);

impl<'a, C: ?Sized> Losing<'a, C> {
    /// A `receive` fails. On ranks where nothing is to fail there is no `at`.
    pub fn receiving(comm: &'a C, at: Option<u64>) -> Losing<'a, C> {
        Tapped { comm, tap: Loss { at, sending: false, count: Cell::new(0), asked: Cell::new(false) } }
    }

    /// A `send` fails for one of the ranks it is for.
    pub fn sending(comm: &'a C, at: Option<u64>) -> Losing<'a, C> {
        Tapped { comm, tap: Loss { at, sending: true, count: Cell::new(0), asked: Cell::new(false) } }
    }

    /// How often this rank has done what may fail.
    pub fn count(&self) -> u64 {
        self.tap.count.get()
    }
}

impl Loss {
    fn once(&self, lost: usize) -> Result<(), Lost> {
        let nth = self.count.replace(self.count.get() + 1);
        match self.at == Some(nth) {
            true => Err(Lost { rank: lost, problem: "was lost, as planned".to_owned() }),
            false => Ok(()),
        }
    }
}

impl Tap for Loss {
    fn sends(&self, to: &[usize], message: &[u8]) -> Result<(), Lost> {
        self.asked.set(message.len() == HEADER && message[KIND.0] == KIND.1);
        match to {
            [.., last] if self.sending => {
                let odd = self.count.get() % 2 == 1;
                self.once(if odd { to[0] } else { *last })
            }
            _ => Ok(()),
        }
    }

    fn receives(&self, from: usize) -> Result<(), Lost> {
        // Who has asked for a large message takes it.
        if self.asked.take() || self.sending { Ok(()) } else { self.once(from) }
    }
}
