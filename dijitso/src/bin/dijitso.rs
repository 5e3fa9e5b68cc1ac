//! The command `dijitso`: see the chapter of the guide, and `dijitso --help`.

fn main() -> std::process::ExitCode {
    dijitso::cli::main()
}
