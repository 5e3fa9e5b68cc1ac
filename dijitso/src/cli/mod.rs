//! The command `dijitso`: what the library can do, for people and scripts.
//!
//! One file holds one subcommand: its options, and how its answer is printed. The answers themselves come from
//! the library. Nothing of a cache is printed raw (`text`), and every answer that a program would read is
//! there as JSON, too (`screen`).

mod build;
mod checkout;
mod choose;
mod clean;
mod completions;
mod config;
mod configure;
mod doctor;
mod explain;
mod export;
mod gc;
mod grep;
mod grepfunction;
mod import;
mod logger;
mod measures;
mod screen;
mod show;
mod stats;
mod text;
mod trace;
mod trouble;
mod verify;
mod version;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use screen::{Color, Screen};
use trouble::Answer;

const STATUS: &str = "\
Exit status:
  0  done
  1  it failed, or there is a problem (verify, doctor), or nothing was found (grep, grepfunction)
  2  the command line or the configuration cannot be used

Kernels are named by their name (axpy), with arguments (\"axpy(Unrolled(8))\"), or by the beginning of a signature.";

/// Look into, explain, check, clean and move the cache of kernels that dijitso compiled.
#[derive(Debug, Parser)]
#[command(name = "dijitso", bin_name = "dijitso", version, max_term_width = 100, after_help = STATUS, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand understands.
#[derive(Debug, Args)]
pub(in crate::cli) struct Global {
    /// The cache directory (default: as for programs, see `dijitso config --key cache.dir`)
    #[arg(long, global = true, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Whether to use colours; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
    /// Print results and errors only, no warnings, questions or progress
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Say what is done; twice: in detail
    #[arg(long, short, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Print the answer as JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Version(version::Version),
    Config(config::Config),
    Show(show::Show),
    Clean(clean::Clean),
    Grep(grep::Grep),
    Grepfunction(grepfunction::Grepfunction),
    Checkout(checkout::Checkout),
    Explain(explain::Explain),
    Verify(verify::Verify),
    Build(build::Build),
    Export(export::Export),
    Import(import::Import),
    Stats(stats::Stats),
    Gc(gc::Gc),
    Trace(trace::Trace),
    Doctor(doctor::Doctor),
    Configure(configure::Configure),
    Completions(completions::Completions),
    #[command(hide = true)]
    Man(completions::Man),
}

/// The whole program.
pub fn main() -> ExitCode {
    let matches = Cli::command().color(Color::of_arguments().for_clap()).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(problem) => {
            // A closed pipe is nobody's fault.
            let _ = print(&problem);
            return ExitCode::from(if problem.use_stderr() { trouble::USAGE } else { trouble::DONE });
        }
    };
    let Cli { global, command } = cli;
    logger::install(&global);
    let mut screen = Screen::new(&global);
    let answer = command.run(&global, &mut screen).and_then(|status| {
        screen.flush()?;
        Ok(status)
    });
    ExitCode::from(answer.unwrap_or_else(|trouble| trouble.tell(&mut screen)))
}

impl Command {
    fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        match self {
            Command::Version(version) => version.run(screen),
            Command::Config(config) => config.run(global, screen),
            Command::Show(show) => show.run(global, screen),
            Command::Clean(clean) => clean.run(global, screen),
            Command::Grep(grep) => grep.run(global, screen),
            Command::Grepfunction(grepfunction) => grepfunction.run(global, screen),
            Command::Checkout(checkout) => checkout.run(global, screen),
            Command::Explain(explain) => explain.run(global, screen),
            Command::Verify(verify) => verify.run(global, screen),
            Command::Build(build) => build.run(global, screen),
            Command::Export(export) => export.run(global, screen),
            Command::Import(import) => import.run(global, screen),
            Command::Stats(stats) => stats.run(global, screen),
            Command::Gc(gc) => gc.run(global, screen),
            Command::Trace(trace) => trace.run(global, screen),
            Command::Doctor(doctor) => doctor.run(global, screen),
            Command::Configure(configure) => configure.run(global, screen),
            Command::Completions(completions) => completions.run(screen),
            Command::Man(man) => man.run(screen),
        }
    }
}

/// Prints what is wrong with the command line, or the help. Words of the user's that would act on a terminal are shown harmlessly.
fn print(problem: &clap::Error) -> std::io::Result<()> {
    let text = problem.render().to_string();
    let safe = text::lines(&text);
    match problem.use_stderr() && safe != text {
        true => std::io::stderr().write_all(safe.as_bytes()),
        false => problem.print(),
    }
}

/// The command line's description, for man pages and completions.
fn command() -> clap::Command {
    Cli::command()
}
