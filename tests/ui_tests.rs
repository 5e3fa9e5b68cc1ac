//! What the macros refuse, in which words, and at which place; and what they accept.
//!
//! After a deliberate change: `TRYBUILD=overwrite`, then read the difference.

use std::process::Command;

/// The texts in `ui/types` are the compiler's own in part, and change with it.
const WORDED_BY: &str = "rustc 1.95.";

#[test]
fn mistakes_in_macro_calls_are_all_reported_where_they_are_written() {
    trybuild::TestCases::new().compile_fail("ui/macros/*.rs");
}

#[test]
fn types_that_cannot_be_used_are_reported_where_they_are_written() {
    let compiler =
        Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let compiler = String::from_utf8_lossy(&compiler);
    if compiler.starts_with(WORDED_BY) {
        trybuild::TestCases::new().compile_fail("ui/types/*.rs");
    } else {
        eprintln!("skipped: the expected texts are those of {WORDED_BY}, this is {compiler}");
    }
}

#[test]
fn what_a_user_may_write_compiles_and_works() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}
