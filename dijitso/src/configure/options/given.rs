//! What somebody set, where, and whether it can be used.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::{Declared, Options, Value};
use crate::config::env;
use crate::config::origin::Origin;
use crate::fs::Fs;

/// Where options are set, from the strongest to the weakest: command line, environment, file, program.
#[derive(Debug, Clone, Default)]
pub(in crate::configure) struct Sources {
    pub(in crate::configure) arguments: Vec<String>,
    pub(in crate::configure) file: Option<PathBuf>,
    /// By the program: a project's own defaults.
    pub(in crate::configure) program: Vec<(String, String)>,
    /// Before the names of variables: `DEMO_WITH_MPI`.
    pub(in crate::configure) prefix: String,
    /// Where programs are looked for.
    pub(in crate::configure) path: OsString,
}

/// The values that were set.
#[derive(Debug, Clone, Default)]
pub(in crate::configure) struct Given {
    values: BTreeMap<String, (Value, Origin)>,
    /// Whether help was asked for.
    pub(in crate::configure) help: bool,
}

impl Given {
    /// Reads all sources.
    ///
    /// # Errors
    /// One line for each thing that is wrong: an unknown name, a value that is not allowed, an illegible file.
    pub(in crate::configure) fn read(
        sources: &Sources,
        options: &Options,
        fs: &Fs,
    ) -> Result<Given, Vec<String>> {
        let mut given = Given::default();
        let mut wrong = Vec::new();
        // The weakest first: a later one takes its place.
        for (name, text) in &sources.program {
            given.set(options, name, text, Origin::Builder, &sources.path, &mut wrong);
        }
        given.read_file(sources, options, fs, &mut wrong);
        for declared in options.all() {
            let own = variable_of(&sources.prefix, declared.name);
            for variable in declared.variable.into_iter().chain([own.as_str()]) {
                let value = env::named(variable).filter(|value| !value.is_empty());
                if let Some(text) = value.as_deref().and_then(OsStr::to_str) {
                    let origin = Origin::Environment(variable.to_owned());
                    given.set(options, declared.name, text, origin, &sources.path, &mut wrong);
                }
            }
        }
        given.read_arguments(sources, options, &mut wrong);
        if wrong.is_empty() { Ok(given) } else { Err(wrong) }
    }

    fn read_file(&mut self, sources: &Sources, options: &Options, fs: &Fs, wrong: &mut Vec<String>) {
        let Some(path) = &sources.file else { return };
        let text = match fs.read_at_most(path, 1 << 20) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                return wrong.push(format!("the file of options {} cannot be read: {error}", path.display()));
            }
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                return wrong.push(format!("the file of options {} is no TOML: {error}", path.display()));
            }
        };
        for (name, value) in &table {
            let text_of = |value: &toml::Value| match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Boolean(truth) => if *truth { "yes" } else { "no" }.to_owned(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Float(number) => number.to_string(),
                // No option is a date or a table: its kind says what it may be.
                other => format!("{other:?}"),
            };
            let written = match value {
                toml::Value::Array(words) => words.iter().map(text_of).collect::<Vec<_>>().join(","),
                other => text_of(other),
            };
            let origin = Origin::ConfigFile(path.clone(), line_of(&text, name));
            self.set(options, name, &written, origin, &sources.path, wrong);
        }
    }

    fn read_arguments(&mut self, sources: &Sources, options: &Options, wrong: &mut Vec<String>) {
        let mut arguments = sources.arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--help" || argument == "-h" {
                self.help = true;
                continue;
            }
            let origin = |name: &str| Origin::Option(name.to_owned());
            // `CC=gcc`, as one is used to.
            if let Some((variable, text)) = argument.split_once('=')
                && !variable.starts_with('-')
            {
                let named = options.all().find(|declared| declared.variable == Some(variable));
                match named.map(|declared| declared.name) {
                    Some(name) => self.set(options, name, text, origin(name), &sources.path, wrong),
                    None => wrong.push(format!("there is no option for `{argument}`; `--help` lists all")),
                }
                continue;
            }
            let Some(word) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
                wrong.push(format!("`{argument}` is no option: options begin with --"));
                continue;
            };
            if let Some((name, text)) = word.split_once('=') {
                self.set(options, name, text, origin(name), &sources.path, wrong);
                continue;
            }
            match (options.get(word), negated(word).filter(|name| options.get(name).is_some())) {
                (Some(declared), _) if declared.kind.is_switch() => {
                    self.set(options, word, "yes", origin(word), &sources.path, wrong);
                }
                (Some(_), _) => match arguments.clone().next().filter(|next| !next.starts_with("--")) {
                    Some(text) => {
                        arguments.next();
                        self.set(options, word, text, origin(word), &sources.path, wrong);
                    }
                    None => wrong.push(format!("--{word} takes a value: write --{word}=..")),
                },
                (None, Some(name)) => self.set(options, &name, "no", origin(word), &sources.path, wrong),
                (None, None) => wrong.push(options.unknown(word)),
            }
        }
    }

    fn set(
        &mut self,
        options: &Options,
        name: &str,
        text: &str,
        origin: Origin,
        path: &OsStr,
        wrong: &mut Vec<String>,
    ) {
        let Some(declared) = options.get(name) else {
            let place =
                if matches!(origin, Origin::Option(_)) { String::new() } else { format!(" ({origin})") };
            return wrong.push(format!("{}{place}", options.unknown(name)));
        };
        match declared.kind.read(text, path) {
            Ok(value) => drop(self.values.insert(name.to_owned(), (value, origin))),
            Err(problem) => {
                let problem = if declared.secret { "its value is not allowed".to_owned() } else { problem };
                wrong.push(format!("--{name}: {problem} ({origin})"));
            }
        }
    }

    /// What somebody set, or the default.
    pub(in crate::configure) fn value(&self, declared: &Declared) -> (Value, Origin) {
        self.values
            .get(declared.name)
            .cloned()
            .unwrap_or_else(|| (declared.kind.default_value(), Origin::Default))
    }

    pub(in crate::configure) fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

/// `DEMO_WITH_MPI`
fn variable_of(prefix: &str, name: &str) -> String {
    let own = name.replace(['-', '.'], "_").to_ascii_uppercase();
    if prefix.is_empty() { own } else { format!("{prefix}_{own}") }
}

/// `--without-mpi` is `--with-mpi=no`.
fn negated(word: &str) -> Option<String> {
    let rules = [("without-", "with-"), ("disable-", "enable-"), ("no-", "")];
    rules.iter().find_map(|(no, yes)| Some(format!("{yes}{}", word.strip_prefix(no)?)))
}

fn line_of(text: &str, name: &str) -> usize {
    let is_key = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim().trim_matches('"');
        key == name
    };
    text.lines().position(is_key).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::super::{Auto, Opt};
    use super::*;

    const MPI: Opt<Auto> = Opt::auto("with-mpi", Auto::Auto, "use MPI");
    const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much");
    const CC: Opt<String> = Opt::text("with-cc", "", "*", "the compiler").variable("DIJITSO_TEST_NO_SUCH_CC");
    const DEBUG: Opt<bool> = Opt::boolean("enable-debug", false, "check more");
    const TOKEN: Opt<i64> = Opt::int("with-token", 0, 0, 1, "a secret").secret();

    fn fs() -> Fs {
        Fs::new(Default::default())
    }

    fn options() -> Options {
        let mut options = Options::default();
        options.section("Test").add(&MPI).add(&LEVEL).add(&CC).add(&DEBUG).add(&TOKEN);
        options
    }

    fn read(arguments: &[&str]) -> Result<Given, Vec<String>> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Given::read(&Sources { arguments, ..Sources::default() }, &options(), &fs())
    }

    fn value(given: &Given, name: &str) -> String {
        given.value(options().get(name).unwrap()).0.to_string()
    }

    #[test]
    fn options_are_written_in_any_usual_way() {
        let given =
            read(&["--with-level=7", "--without-mpi", "--enable-debug", "DIJITSO_TEST_NO_SUCH_CC=gcc -m64"]);
        let given = given.unwrap();
        assert_eq!(value(&given, "with-level"), "7");
        assert_eq!(value(&given, "with-mpi"), "no");
        assert_eq!(value(&given, "enable-debug"), "yes");
        assert_eq!(value(&given, "with-cc"), "gcc -m64");
        let given = read(&["--with-level", "3", "--disable-debug", "--help"]).unwrap();
        assert_eq!((value(&given, "with-level").as_str(), given.help), ("3", true));
        assert_eq!(value(&given, "with-mpi"), "auto", "the default");
        assert!(given.is_set("enable-debug") && !given.is_set("with-mpi"));
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        let wrong =
            read(&["--with-lvel=3", "--enable-mpi", "--colour", "--with-level=11", "word"]).unwrap_err();
        assert_eq!(wrong[0], "there is no option --with-lvel; did you mean --with-level?");
        assert_eq!(wrong[1], "there is no option --enable-mpi; did you mean --with-mpi?");
        assert!(wrong[2].contains("`--help` lists all"));
        assert!(wrong[3].contains("from 0 to 9") && wrong[3].contains("option --with-level"));
        assert!(wrong[4].contains("is no option"));
        assert_eq!(wrong.len(), 5, "everything is told at once");
    }

    #[test]
    fn a_secret_value_stands_in_no_message() {
        let wrong = read(&["--with-token=hunter2"]).unwrap_err();
        assert!(!wrong[0].contains("hunter2"), "{wrong:?}");
    }

    #[test]
    fn the_stronger_source_wins_and_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("options.toml");
        std::fs::write(&file, "# by the site\nwith-level = 5\nwith-mpi = false\n").unwrap();
        let program =
            vec![("with-level".to_owned(), "1".to_owned()), ("enable-debug".to_owned(), "yes".to_owned())];
        let mut sources = Sources { file: Some(file.clone()), program, ..Sources::default() };
        let given = Given::read(&sources, &options(), &fs()).unwrap();
        let of = |given: &Given, name: &str| {
            let (value, origin) = given.value(options().get(name).unwrap());
            (value.to_string(), origin)
        };
        assert_eq!(of(&given, "with-level"), ("5".to_owned(), Origin::ConfigFile(file, 2)));
        assert_eq!(of(&given, "with-mpi").0, "no");
        assert_eq!(of(&given, "enable-debug"), ("yes".to_owned(), Origin::Builder));
        sources.arguments = vec!["--with-level=7".to_owned()];
        let given = Given::read(&sources, &options(), &fs()).unwrap();
        assert_eq!(of(&given, "with-level"), ("7".to_owned(), Origin::Option("with-level".to_owned())));
    }
}
