//! The help, made of what the options say about themselves.

use std::fmt::Write as _;

use super::{Declared, Options};

/// As wide as a line of help may be.
const WIDTH: usize = 100;
/// Where the sentences begin.
const COLUMN: usize = 34;

impl Options {
    /// The text of `--help`: sections in the order of their declaration, options in that of their names.
    ///
    /// ```
    /// use dijitso::configure::{Opt, Options};
    ///
    /// const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
    /// let mut options = Options::default();
    /// options.section("Demo").add(&LEVEL);
    /// assert!(options.help().contains("--with-level=<0..9>"));
    /// ```
    pub fn help(&self) -> String {
        let mut text = String::new();
        for (n, section) in self.sections.iter().enumerate() {
            let of_section: Vec<&Declared> = self.all().filter(|declared| declared.section == n).collect();
            if of_section.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{}{section}:", if text.is_empty() { "" } else { "\n" });
            for declared in of_section {
                line(&mut text, declared);
            }
        }
        text
    }
}

fn line(text: &mut String, declared: &Declared) {
    let head = format!("  --{}=<{}>", declared.name, declared.kind.allowed());
    let default = declared.kind.default_value(|_| true).to_string();
    let mut sentence = declared.help.to_owned();
    match (default.as_str(), declared.variable) {
        ("", None) => {}
        ("", Some(variable)) => {
            let _ = write!(sentence, " (variable {variable})");
        }
        (default, None) => {
            let _ = write!(sentence, " (default: {default})");
        }
        (default, Some(variable)) => {
            let _ = write!(sentence, " (default: {default}; variable {variable})");
        }
    }
    let mut column = head.chars().count();
    text.push_str(&head);
    if column >= COLUMN {
        text.push('\n');
        column = 0;
    }
    text.push_str(&" ".repeat(COLUMN - column));
    column = COLUMN;
    for (n, word) in sentence.split(' ').enumerate() {
        let len = word.chars().count() + usize::from(n > 0);
        if column + len > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(COLUMN));
            column = COLUMN;
        } else if n > 0 {
            text.push(' ');
        }
        text.push_str(word);
        column += len;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::{Opt, Options};

    const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
    const LONG: Opt<String> = Opt::text(
        "with-something-of-a-long-name",
        "",
        "*",
        "a sentence that is long enough to have to be continued on a second line of the help, whatever it says",
    );

    #[test]
    fn the_help_is_aligned_and_wrapped() {
        let mut options = Options::default();
        options.section("One").add(&LEVEL);
        options.section("Two").add(&LONG);
        let help = options.help();
        assert!(
            help.starts_with("One:\n  --with-level=<0..9>             how much is checked (default: 2)\n"),
            "{help}"
        );
        assert!(help.contains("\nTwo:\n  --with-something-of-a-long-name=<text>\n"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
}
