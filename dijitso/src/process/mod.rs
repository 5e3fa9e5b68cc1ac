//! Starting programs: the compiler, the linker, and the questions put to them.
//!
//! One runner for everything, because each of these has once been wrong somewhere: the program is
//! absolute (std then spawns with `CLONE_VM | CLONE_VFORK`; a fork of a process that uses InfiniBand
//! crashes), no shell reads the words, the locale is `C` so that messages can be read, standard input is
//! empty, output is bounded, and a time-out kills the whole process group. No helper thread is started:
//! the calling thread polls, so a program that must be single-threaded stays so.

mod capture;
mod command;
mod group;
mod limits;
pub(crate) mod mappings;
mod run;
mod stream;

pub(crate) use command::{Command, quoted};
pub use group::terminate_children;
pub(crate) use limits::Limits;
pub(crate) use run::{Output, Running, Status, wait_any};
