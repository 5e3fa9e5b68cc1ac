//! The table, in a crate that may forbid `unsafe`.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

dijitso::include_prebuilt!();
