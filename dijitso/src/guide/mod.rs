//! The guide: how to use this crate, for those who know C++ and Rust.
//!
//! | chapter | |
//! |---|---|
//! | [First kernel](first_kernel) | a generator, a `Jit`, a call; what is on the disk afterwards |
//! | [Arguments and signatures](arguments) | what the two sides may exchange, and what a kernel's key is |
//! | [What makes a rebuild](rebuild) | what is part of a kernel's identity, what is not, how to find out why |
//! | [Dependencies](dependencies) | kernels that call or include each other; many at once |
//! | [Translation units](translation_units) | text from a form compiler, C, data, headers, libraries |
//! | [JIT, AOT, or both](ahead_of_time) | kernels that are part of the program: `build.rs`, sharing generators |
//! | [Debugging a generated kernel](debugging) | entries, failure bundles, `gdb`, `perf` |
//! | [The command `dijitso`](command_line) | look inside, explain, clean, check, move, build from other languages |
//! | [Errors](errors) | every [`Error`](crate::Error): what it means, what to do |
//! | [Configuration](configuration) | parameters, flags with origins, processors, batch nodes |
//! | [Probes and configure](configure) | what a machine has; modules, options, headers, packages; from BuildSystem |
//! | [Security](security) | what is executed, and whom one has to trust |
//! | [Clusters](clusters) | network homes, many processes, mixed processors |
//! | [Moving from Python dijitso](from_python) | every name and parameter |
//!
//! The examples are tests: they compile and run their kernels. What they do not show are lines that choose a
//! cache directory which is removed afterwards.

macro_rules! chapters {
    ($($chapter:ident $file:literal)*) => {$(
        #[doc = include_str!($file)]
        pub mod $chapter {}
    )*};
}

chapters! {
    first_kernel "first_kernel.md"
    arguments "arguments.md"
    rebuild "rebuild.md"
    dependencies "dependencies.md"
    translation_units "translation_units.md"
    ahead_of_time "ahead_of_time.md"
    debugging "debugging.md"
    command_line "command_line.md"
    errors "errors.md"
    configuration "configuration.md"
    configure "configure.md"
    security "security.md"
    clusters "clusters.md"
    from_python "from_python.md"
}
