//! What somebody set, where, and whether it can be used.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Declared, Kind, Options, Value};
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
#[derive(Debug, Clone)]
pub(in crate::configure) struct Given {
    values: BTreeMap<String, (Value, Origin)>,
    /// What must not be written down: of all sources, not only of the strongest.
    pub(in crate::configure) secrets: Vec<String>,
    /// Whether help was asked for.
    pub(in crate::configure) help: bool,
    fs: Fs,
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
        let given = Given { values: BTreeMap::new(), secrets: Vec::new(), help: false, fs: fs.clone() };
        let mut reading = Reading { sources, options, given, wrong: Vec::new() };
        // The weakest first: a later one takes its place.
        for (name, text) in &sources.program {
            reading.set(name, text, Origin::Builder);
        }
        reading.file();
        reading.environment();
        reading.arguments();
        if reading.wrong.is_empty() { Ok(reading.given) } else { Err(reading.wrong) }
    }

    /// What somebody set, or the default.
    pub(in crate::configure) fn value(&self, declared: &Declared) -> (Value, Origin) {
        self.values.get(declared.name).cloned().unwrap_or_else(|| {
            let place = format!("{}:{}", declared.at.file(), declared.at.line());
            let is_there = |path: &Path| self.fs.exists(path);
            (declared.kind.default_value(is_there), Origin::OptionDefault(place))
        })
    }

    pub(in crate::configure) fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

/// All sources being read.
struct Reading<'a> {
    sources: &'a Sources,
    options: &'a Options,
    given: Given,
    wrong: Vec<String>,
}

impl Reading<'_> {
    fn file(&mut self) {
        let Some(path) = &self.sources.file else { return };
        let mut wrong = |problem: String| {
            self.wrong.push(format!("the file of options {} {problem}", path.display()));
        };
        let text = match self.given.fs.read_at_most(path, 1 << 20).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return wrong(format!("is no UTF-8: {error}")),
            Err(error) => return wrong(format!("cannot be read: {error}")),
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return wrong(format!("is no TOML: {error}")),
        };
        for (name, value) in &table {
            let origin = Origin::ConfigFile(path.clone(), line_of(&text, name));
            match value {
                toml::Value::Array(words) => match words.iter().map(text_of).collect() {
                    Some(words) => self.put(name, origin, |kind, _, _| kind.of_words(words)),
                    None => self.refuse(name, "a list of lists, tables or dates is no value", &origin),
                },
                _ => match text_of(value) {
                    Some(text) => self.set(name, &text, origin),
                    None => self.refuse(name, &format!("a {} is no value", value.type_str()), &origin),
                },
            }
        }
    }

    fn environment(&mut self) {
        for declared in self.options.all() {
            for variable in declared.variables(&self.sources.prefix) {
                let Some(value) = env::named(&variable).filter(|value| !value.is_empty()) else { continue };
                let origin = Origin::Environment(variable);
                match value.to_str() {
                    Some(text) => self.set(declared.name, text, origin),
                    None => self.refuse(declared.name, "its value is no UTF-8", &origin),
                }
            }
        }
    }

    fn arguments(&mut self) {
        let mut arguments = self.sources.arguments.iter().peekable();
        let origin = |name: &str| Origin::OptionGiven(name.to_owned());
        while let Some(argument) = arguments.next() {
            if argument == "--help" || argument == "-h" {
                self.given.help = true;
                continue;
            }
            // `CC=gcc`, as one is used to.
            if let Some((variable, text)) = argument.split_once('=')
                && !variable.starts_with('-')
            {
                let named = self.options.all().find(|declared| declared.variable == Some(variable));
                match named.map(|declared| declared.name) {
                    Some(name) => self.set(name, text, origin(name)),
                    None => {
                        self.wrong.push(format!("there is no option for `{variable}=..`; `--help` lists all"))
                    }
                }
                continue;
            }
            let word = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
            let Some(word) = word.filter(|word| !word.is_empty()) else {
                self.wrong
                    .push(format!("`{argument}` is no option: options are written --name or --name=value"));
                continue;
            };
            if let Some((name, text)) = word.split_once('=') {
                self.set(name, text, origin(name));
                continue;
            }
            let negated = negated(word).and_then(|name| self.options.get(&name));
            match (self.options.get(word), negated) {
                (Some(declared), _) if declared.kind.is_switch() => self.set(word, "yes", origin(word)),
                (Some(declared), _) => match arguments.next_if(|next| !next.starts_with("--")) {
                    Some(text) => self.set(word, text, origin(word)),
                    None => {
                        let allowed = declared.kind.allowed();
                        self.wrong.push(format!("--{word} takes a value: write --{word}=<{allowed}>"));
                    }
                },
                (None, Some(declared)) if declared.kind.is_switch() => {
                    self.set(declared.name, "no", origin(word));
                }
                (None, Some(declared)) => {
                    let (name, allowed) = (declared.name, declared.kind.allowed());
                    self.wrong.push(format!(
                        "there is no option --{word}: --{name} is no switch; write --{name}=<{allowed}>, or nothing"
                    ));
                }
                (None, None) => self.wrong.push(self.options.unknown(word)),
            }
        }
    }

    fn set(&mut self, name: &str, text: &str, origin: Origin) {
        self.put(name, origin, |kind, path, fs| kind.read(text, path, fs));
    }

    fn put(
        &mut self,
        name: &str,
        origin: Origin,
        read: impl FnOnce(&Kind, &OsStr, &Fs) -> Result<Value, String>,
    ) {
        let Some(declared) = self.options.get(name) else {
            let place =
                if matches!(origin, Origin::OptionGiven(_)) { String::new() } else { format!(" ({origin})") };
            return self.wrong.push(format!("{}{place}", self.options.unknown(name)));
        };
        match read(&declared.kind, &self.sources.path, &self.given.fs) {
            Ok(value) => {
                if declared.secret {
                    self.given.secrets.push(value.to_string());
                }
                self.given.values.insert(name.to_owned(), (value, origin));
            }
            Err(problem) => {
                let problem = if declared.secret { "its value is not allowed".to_owned() } else { problem };
                self.refuse(name, &problem, &origin);
            }
        }
    }

    fn refuse(&mut self, name: &str, problem: &str, origin: &Origin) {
        self.wrong.push(format!("--{name}: {problem} ({origin})"));
    }
}

/// A value as it would be written on the command line; `None` if no option can be that.
fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Boolean(truth) => Some(if *truth { "yes" } else { "no" }.to_owned()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// `--without-mpi` is `--with-mpi=no`.
fn negated(word: &str) -> Option<String> {
    let rules = [("without-", "with-"), ("disable-", "enable-"), ("no-", "")];
    rules.iter().find_map(|(no, yes)| Some(format!("{yes}{}", word.strip_prefix(no)?)))
}

fn line_of(text: &str, name: &str) -> usize {
    let is_key = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        key.trim_matches(['"', '\'', '[', ']']) == name
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
    fn only_a_switch_can_be_denied() {
        let wrong = read(&["--without-level", "--without-cc", "--no-with-level", "--", "-", "--with-level"]);
        let wrong = wrong.unwrap_err();
        assert_eq!(
            wrong[0],
            "there is no option --without-level: --with-level is no switch; write --with-level=<0..9>, or nothing"
        );
        assert!(wrong[1].contains("write --with-cc=<text>") && wrong[2].contains("--with-level=<0..9>"));
        assert!(wrong[3].starts_with("`--` is no option") && wrong[4].starts_with("`-` is no option"));
        assert_eq!(wrong[5], "--with-level takes a value: write --with-level=<0..9>");
        let given = read(&["--no-enable-debug", "--without-mpi"]).unwrap();
        assert_eq!((value(&given, "enable-debug"), value(&given, "with-mpi")), ("no".into(), "no".into()));
    }

    #[test]
    fn what_no_option_can_be_is_told_with_the_line_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("options.toml");
        let wrong = |text: &[u8]| {
            std::fs::write(&file, text).unwrap();
            let sources = Sources { file: Some(file.clone()), ..Sources::default() };
            Given::read(&sources, &options(), &fs()).unwrap_err()
        };
        let told = wrong(b"with-cc = 1979-05-27\nwith-level = [1]\n[with-mpi]\nx = 1\n");
        assert!(
            told[0].contains("--with-cc: a datetime is no value") && told[0].contains("line 1"),
            "{told:?}"
        );
        assert!(told[1].contains("--with-level: a list is not allowed: write one value (0..9)"), "{told:?}");
        assert!(
            told[2].contains("--with-mpi: a table is no value") && told[2].contains("line 3"),
            "{told:?}"
        );
        assert!(wrong(b"with-cc = '\xff'\n")[0].contains("is no UTF-8"));
        assert!(wrong(b"with-cc = [[1]]\n")[0].contains("--with-cc: a list of lists"));
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
        assert_eq!(of(&given, "with-level"), ("7".to_owned(), Origin::OptionGiven("with-level".to_owned())));
    }
}
