//! From a rendered unit to a verified shared object: compile, link, and what is left when that fails.
//!
//! Nothing here reads or writes the cache: a [`Job`] turns a [`Unit`] into the bytes of a library and the
//! list of files it was made from, in a private directory that disappears with it.

mod bench;
mod bundle;
mod ended;
mod job;
mod linked;
mod pack;
mod pool;
mod questions;
mod unit;

pub(crate) use bench::Bench;
pub(crate) use ended::{Built, Ended, Failed};
pub(crate) use job::{EXPORTS, Job};
pub(crate) use linked::{Linked, clash};
pub(crate) use pack::{MOST, Pack};
pub(crate) use pool::Pool;
pub(crate) use questions::questions;
pub(crate) use unit::{Surroundings, Unit, soname, symbol_name};
