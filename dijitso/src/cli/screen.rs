//! Where answers, warnings and questions go.

use std::fmt::Display;
use std::io::{self, BufRead as _, BufWriter, IsTerminal as _, Stdout, Write};

use anstream::AutoStream;
use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

use super::{Global, text};

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// What the command line asks for, for the messages about the command line itself.
    pub(super) fn of_arguments() -> Color {
        let words: Vec<_> = std::env::args_os().collect();
        let value = |at: usize| match words[at].to_str()? {
            "--color" => words.get(at + 1)?.to_str(),
            word => word.strip_prefix("--color="),
        };
        let asked = (0..words.len()).find_map(value);
        asked.and_then(|word| Color::from_str(word, false).ok()).unwrap_or_default()
    }

    pub(super) fn for_clap(self) -> clap::ColorChoice {
        match self {
            Color::Auto => clap::ColorChoice::Auto,
            Color::Always => clap::ColorChoice::Always,
            Color::Never => clap::ColorChoice::Never,
        }
    }

    fn on(self, stream: &impl anstream::stream::RawStream) -> bool {
        match self {
            Color::Auto => AutoStream::choice(stream) != anstream::ColorChoice::Never,
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// What a word means, which is what its colour says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tone {
    Head,
    Name,
    Good,
    Warn,
    Bad,
    Faint,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Head => Style::new().bold(),
            Tone::Name => AnsiColor::Cyan.on_default(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warn => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Faint => Style::new().dimmed(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Screen {
    out: BufWriter<Stdout>,
    colors: bool,
    error_colors: bool,
    quiet: bool,
    json: bool,
}

impl Screen {
    pub(super) fn new(global: &Global) -> Screen {
        Screen {
            out: BufWriter::with_capacity(1 << 16, io::stdout()),
            colors: global.color.on(&io::stdout()),
            error_colors: global.color.on(&io::stderr()),
            quiet: global.quiet,
            json: global.json,
        }
    }

    /// Whether the answer is wanted as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The answer, as JSON.
    pub(super) fn answer(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.out.write_all(text::json(&text).as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// A line of the answer, which is safe to print.
    pub(super) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Bytes of an answer that is a file.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// A text with its colour.
    pub(super) fn toned(&self, tone: Tone, text: impl Display) -> String {
        if !self.colors {
            return text.to_string();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }

    /// So many columns, on a terminal.
    pub(super) fn width(&self) -> Option<usize> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        // A terminal that does not know says 0; on a very narrow one lines had better wrap.
        (size.ws_col >= 40).then_some(usize::from(size.ws_col))
    }

    /// Something that is worth knowing and no part of the answer.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        self.out.flush()?;
        eprint_safely(&format!("{text}\n"));
        Ok(())
    }

    pub(super) fn error(&self, text: &str) {
        let style = if self.error_colors { Tone::Bad.style() } else { Style::new() };
        eprint_safely(&format!("{style}error{style:#}: {text}\n"));
    }

    /// Whether somebody is there to be asked.
    pub(super) fn asks(&self) -> bool {
        !self.quiet && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Whether somebody is at a terminal whom we cannot ask.
    pub(super) fn cannot_ask(&self) -> bool {
        io::stdin().is_terminal() && !self.asks()
    }

    /// Asks for a yes.
    pub(super) fn confirm(&mut self, question: &str) -> io::Result<bool> {
        self.out.flush()?;
        eprint_safely(&format!("{question} [y/N] "));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `eprint!` ends the program if nobody reads it.
pub(super) fn eprint_safely(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Cuts a text for a column of this width.
pub(super) fn cut(text: String, width: usize) -> String {
    if text.chars().count() <= width {
        return text;
    }
    let kept: String = text.chars().take(width.saturating_sub(2)).collect();
    kept + ".."
}
