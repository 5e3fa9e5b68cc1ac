//! A thread that is inside a collective load.

use std::cell::Cell;

use crate::error::{Error, Result};
use crate::jit::is_generating;

thread_local! {
    /// Whether this thread is inside a collective load: a generator that begins another one would wait for ranks
    /// that do not run it.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Marks the thread as being inside a collective load.
pub(super) struct Inside;

impl Inside {
    pub(super) fn enter() -> Result<Inside> {
        // Also inside the generator of a plain load, which no other rank may have to run.
        if is_generating() || INSIDE.replace(true) {
            return Err(Error::Communication {
                problem: "a generator must not load collectively: it runs on one rank only, and would wait for the \
                          others; use `jit.load` in it"
                    .to_owned(),
            });
        }
        Ok(Inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}
