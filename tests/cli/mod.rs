//! The command `dijitso`, run as people and scripts run it: what it prints, what it returns, what it does to a cache.
//!
//! What people read is compared with files in `cli/golden`; `DIJITSO_BLESS=1` writes them anew. What programs read
//! is compared with the names and types that it promises.

mod bad_input;
mod cleaning;
mod configuring;
mod inspecting;
mod life;
mod moving;
mod searching;
mod tools;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dijitso::{Cache, Jit};
use dijitso_tests::kernels::{self, Loop};
use regex::Regex;
use serde_json::{Value, json};

use crate::harness::{Place, variable};

const CLI: &str = env!("CARGO_BIN_EXE_cli");

/// Variables of whoever runs the tests that would change what is printed.
const OTHERS: [&str; 14] = [
    "CXXFLAGS",
    "CFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "CPATH",
    "LIBRARY_PATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "XDG_CACHE_HOME",
    "DIJITSO_SITE_CACHE",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
];

/// One run of the command.
struct Cli {
    command: Command,
}

/// What it left.
#[derive(Debug)]
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Cli {
    /// On the place's cache, with none of the machine's own settings.
    fn new(place: &Place) -> Cli {
        let mut command = Command::new(CLI);
        command.stdin(Stdio::null()).current_dir(place.root());
        let place = [("DIJITSO_CACHE_DIR", place.cache()), ("HOME", place.root().to_owned())];
        command.envs(place).env("DIJITSO_CONFIG", "/dev/null");
        for variable in OTHERS {
            command.env_remove(variable);
        }
        Cli { command }
    }

    fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Cli {
        self.command.args(args);
        self
    }

    fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Cli {
        self.command.env(name, value);
        self
    }

    fn run(mut self) -> Said {
        Said::of(&self.command.output().unwrap())
    }
}

impl Said {
    fn of(output: &Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let status = output.status.code().unwrap_or_else(|| panic!("it was killed: {output:?}"));
        Said { status, out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// It must have succeeded.
    fn ok(self) -> Said {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }

    /// It must have failed so, and said why.
    fn failed(self, status: i32, why: &str) -> Said {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.err.contains(why), "`{why}` is not in: {}", self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs it with these words, which a space separates.
fn run(place: &Place, words: &str) -> Said {
    Cli::new(place).args(words.split_whitespace()).run()
}

/// The same on a terminal of so many columns, where somebody types. What it says comes back in one.
fn on_terminal(place: &Place, columns: u32, words: &str, typed: &str) -> Said {
    let mut cli = Cli::new(place);
    let mut terminal = Command::new("script");
    terminal.args(["-qefc", &format!("stty cols {columns} -echo && exec {CLI} {words}"), "/dev/null"]);
    for (name, value) in cli.command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal.env("TERM", "xterm").current_dir(place.root());
    cli.command = terminal;
    let pipes = cli.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(keys);
    Said::of(&output)
}

/// Some kernels, two of them linked to each other.
fn filled() -> (Place, Jit, Cache) {
    let place = Place::new();
    let jit = place.jit();
    jit.load_all(&[kernels::number(1), kernels::number(2)]).unwrap();
    jit.load_all(&[kernels::axpy(Loop::Unrolled(2)), kernels::axpy(Loop::Plain)]).unwrap();
    jit.load(&kernels::successor(4)).unwrap();
    let cache = jit.cache();
    (place, jit, cache)
}

/// Compares what was printed with `golden/<name>.txt`, apart from what differs from machine to machine and from run
/// to run.
fn assert_golden(name: &str, place: &Place, printed: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/golden").join(format!("{name}.txt"));
    let printed = settled(place, printed);
    if variable("DIJITSO_BLESS").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(printed, golden, "\n{printed}\ndiffers from {}", path.display());
}

fn settled(place: &Place, printed: &str) -> String {
    let replaced = [
        (r"\b[0-9a-f]{64}\b", "<SIGNATURE>"),
        (r"\b[0-9a-f]{12}\b", "<SHORT>"),
        (r"/[0-9a-f]{2}/<SIGNATURE>", "/<XX>/<SIGNATURE>"),
        (r" +\d+(\.\d+)? (B|kB|MB|GB)\b", " <SIZE>"),
        (r"\(\d+(\.\d+)? (B|kB|MB|GB)\b", "(<SIZE>"),
        (r" +\d+(\.\d+)? (s|ms|min|h|d)\b", " <TIME>"),
        (r"\b\d+ files\b", "<N> files"),
        (r"(c|g|clang)\+\+: .*", "<COMPILER>"),
        (r"( {4}(index|toolchains|statistics|temporary) .*)\(\d+\)", "$1(<N>)"),
        (r"\b\d{4}-\d{2}-\d{2}\b", "<DATE>"),
        // Where in a source, and what compiler and processor are, is not for these files to say.
        (r"\.rs:\d+:\d+", ".rs:<LINE>"),
        (r"(?m)^(  (compiler|compiler target|compiler version|cpu|needs) +) .*$", "$1 <OF THE MACHINE>"),
        (r"(?m)^  tool .*\n", ""),
        (r"(?m)^  -m.*\n(  -m.*\n)*", "  <FLAGS FOR THE PROCESSOR>\n"),
        (r"(?m)^(\w+ +(space|compiler|processor|/proc) +) .*$", "$1 <OF THE MACHINE>"),
    ];
    let mut text = printed.replace(&place.root().display().to_string(), "<PLACE>");
    for (pattern, replacement) in replaced {
        text = Regex::new(pattern).unwrap().replace_all(&text, replacement).into_owned();
    }
    // The order of signatures is chance.
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let rows = |line: &&str| line.starts_with("<SHORT>");
    if let Some(first) = lines.iter().position(rows) {
        let count = lines[first..].iter().take_while(|line| rows(line)).count();
        lines[first..first + count].sort_unstable();
    }
    lines.join("\n") + "\n"
}

/// Compares an answer with its promise: every key, and the type of every value. `"number?"` may be null, a list
/// of one promise holds for all items, `"any"` is anything, and an object with the key `*` has any keys.
fn assert_schema(value: &Value, promised: &Value) {
    if let Err(problem) = check(value, promised, "$") {
        panic!("{problem}\n{value:#}");
    }
}

fn check(value: &Value, promised: &Value, at: &str) -> Result<(), String> {
    match promised {
        Value::String(kind) => {
            let (kind, optional) = kind.strip_suffix('?').map_or((kind.as_str(), false), |kind| (kind, true));
            let fits = match kind {
                "any" => true,
                "string" => value.is_string(),
                "signature" => value.as_str().is_some_and(|text| text.len() == 64),
                "number" => value.is_number(),
                "boolean" => value.is_boolean(),
                _ => panic!("there is no type {kind}"),
            };
            let fits = fits || (optional && value.is_null());
            fits.then_some(()).ok_or_else(|| format!("{at} is {value}, not of the type {kind}"))
        }
        Value::Array(items) => {
            let found = value.as_array().ok_or_else(|| format!("{at} is {value}, not a list"))?;
            found.iter().enumerate().try_for_each(|(i, item)| check(item, &items[0], &format!("{at}[{i}]")))
        }
        Value::Object(fields) => {
            let found = value.as_object().ok_or_else(|| format!("{at} is {value}, not an object"))?;
            if let Some(each) = fields.get("*") {
                return found.iter().try_for_each(|(key, item)| check(item, each, &format!("{at}.{key}")));
            }
            let (has, wants): (Vec<_>, Vec<_>) = (found.keys().collect(), fields.keys().collect());
            if has != wants {
                return Err(format!("{at} has the keys {has:?}, not {wants:?}"));
            }
            fields.iter().try_for_each(|(key, promise)| check(&found[key], promise, &format!("{at}.{key}")))
        }
        _ => panic!("a promise is no {promised}"),
    }
}

#[test]
fn schemas_are_compared_key_by_key() {
    let promised = json!({ "a": "number", "b": ["string"], "c": "number?" });
    assert_schema(&json!({ "a": 1, "b": ["x"], "c": null }), &promised);
    for wrong in [
        json!({ "a": 1, "b": [] }),
        json!({ "a": "1", "b": [], "c": 1 }),
        json!({ "a": 1, "b": [1], "c": 1 }),
        json!({ "a": 1, "b": [], "c": 1, "d": 1 }),
    ] {
        assert!(check(&wrong, &promised, "$").is_err(), "{wrong}");
    }
}

/// Flips a byte in the middle of a file, as bad memory or a bad disk would.
fn damage(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    let new: PathBuf = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}
