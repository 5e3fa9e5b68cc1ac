//! Texts as values of options, and back.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::Download;
use super::kind::{Auto, Kind, MustBe, Value};
use crate::fs::Fs;
use crate::process::quoted;
use crate::toolchain::which;

impl Kind {
    /// A path that must be there is no default where it is not: only what somebody asked for must be there.
    pub(in crate::configure) fn default_value(&self, is_there: impl Fn(&Path) -> bool) -> Value {
        match *self {
            Kind::Bool(default) => Value::Bool(default),
            Kind::Auto(default) => Value::Auto(default),
            Kind::Int { default, .. } => Value::Int(default),
            Kind::Real { default, .. } => Value::Real(default),
            Kind::Text { default, .. } => Value::Text(default.to_owned()),
            Kind::Path { default, must_be } => Value::Path(match default {
                "" => None,
                path if must_be == MustBe::Executable => Some(path.into()),
                path => {
                    Some(PathBuf::from(path)).filter(|path| must_be == MustBe::Anything || is_there(path))
                }
            }),
            Kind::List(default) => Value::List(list(default).unwrap_or_default()),
            Kind::Library(default) => Value::Words(words(default).unwrap_or_default()),
            Kind::Download => Value::Download(Download::No),
        }
    }

    /// Reads what somebody wrote.
    ///
    /// # Errors
    /// What is allowed instead.
    pub(in crate::configure) fn read(&self, text: &str, path: &OsStr, fs: &Fs) -> Result<Value, String> {
        let refused = |allowed: String| Err(format!("`{text}` is not allowed: {allowed}"));
        match *self {
            Kind::Bool(_) => match truth(text) {
                Some(value) => Ok(Value::Bool(value)),
                None => refused("write `yes` or `no`".to_owned()),
            },
            Kind::Auto(_) => match (truth(text), text) {
                (Some(true), _) => Ok(Value::Auto(Auto::Yes)),
                (Some(false), _) => Ok(Value::Auto(Auto::No)),
                (None, "auto") => Ok(Value::Auto(Auto::Auto)),
                _ => refused("write `yes`, `no` or `auto`".to_owned()),
            },
            Kind::Int { min, max, .. } => match text.parse() {
                Ok(value) if (min..=max).contains(&value) => Ok(Value::Int(value)),
                _ => refused(format!("write an integer from {min} to {max}")),
            },
            Kind::Real { min, max, .. } => match text.parse() {
                Ok(value) if (min..=max).contains(&value) => Ok(Value::Real(value)),
                _ => refused(format!("write a number from {min} to {max}")),
            },
            Kind::Text { pattern, .. } => match pattern.split('|').any(|pattern| matches(pattern, text)) {
                true => Ok(Value::Text(text.to_owned())),
                false => refused(format!("write one of {}", pattern.replace('|', ", "))),
            },
            Kind::Path { must_be, .. } => {
                located(text, must_be, path, fs).map(|path| Value::Path(Some(path)))
            }
            Kind::List(_) => list(text).map(Value::List),
            Kind::Library(_) => words(text).map(Value::Words),
            Kind::Download => match truth(text) {
                Some(false) => Ok(Value::Download(Download::No)),
                Some(true) => Ok(Value::Download(Download::Yes)),
                None if text.is_empty() => refused("write `yes`, `no`, or a path or URL".to_owned()),
                None if text.contains("://") => Ok(Value::Download(Download::From(text.to_owned()))),
                None => {
                    let path = located(text, MustBe::File, path, fs)?;
                    Ok(Value::Download(Download::From(path.to_string_lossy().into_owned())))
                }
            },
        }
    }

    /// Takes what somebody wrote as several words.
    ///
    /// # Errors
    /// It is one value.
    pub(super) fn of_words(&self, words: Vec<String>) -> Result<Value, String> {
        match self {
            Kind::List(_) => Ok(Value::List(words)),
            Kind::Library(_) => Ok(Value::Words(words)),
            _ => Err(format!("a list is not allowed: write one value ({})", self.allowed())),
        }
    }

    /// For the help.
    pub(super) fn allowed(&self) -> String {
        match *self {
            Kind::Bool(_) => "yes|no".to_owned(),
            Kind::Auto(_) => "yes|no|auto".to_owned(),
            Kind::Int { min, max, .. } => format!("{min}..{max}"),
            Kind::Real { min, max, .. } => format!("{min}..{max}"),
            Kind::Text { pattern: "*", .. } => "text".to_owned(),
            Kind::Text { pattern, .. } => pattern.to_owned(),
            Kind::Path { must_be: MustBe::Directory, .. } => "directory".to_owned(),
            Kind::Path { must_be: MustBe::Executable, .. } => "program".to_owned(),
            Kind::Path { must_be: MustBe::File, .. } => "file".to_owned(),
            Kind::Path { .. } => "path".to_owned(),
            Kind::List(_) => "word,word,..".to_owned(),
            Kind::Library(_) => "library ..".to_owned(),
            Kind::Download => "yes|no|path|URL".to_owned(),
        }
    }

    /// Whether the name alone means yes.
    pub(super) fn is_switch(&self) -> bool {
        matches!(self, Kind::Bool(_) | Kind::Auto(_) | Kind::Download)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(true) => f.write_str("yes"),
            Value::Bool(false) => f.write_str("no"),
            Value::Auto(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Real(value) => value.fmt(f),
            Value::Text(value) => f.write_str(value),
            Value::Path(path) => path.iter().try_for_each(|path| path.display().fmt(f)),
            Value::List(words) => {
                f.write_str(&words.iter().map(|word| item(word)).collect::<Vec<_>>().join(","))
            }
            Value::Words(words) => {
                f.write_str(&words.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" "))
            }
            Value::Download(value) => value.fmt(f),
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" | "y" => Some(true),
        "no" | "false" | "off" | "0" | "n" => Some(false),
        _ => None,
    }
}

/// Whether a text looks like one alternative.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| matches(after, &rest[at..]))
        }),
    }
}

/// Words with commas between them, perhaps in brackets.
fn list(text: &str) -> Result<Vec<String>, String> {
    split(bare(text).unwrap_or(text), |c, _| c == ',')
}

/// Of a command line, or a list. In `-Wl,-z,now` commas are no separators.
fn words(text: &str) -> Result<Vec<String>, String> {
    split(bare(text).unwrap_or(text), |c, word| c.is_whitespace() || (c == ',' && !word.starts_with("-W")))
}

/// Without the brackets of a list.
fn bare(text: &str) -> Option<&str> {
    text.trim().strip_prefix('[')?.strip_suffix(']')
}

/// As [`list`] reads it back.
fn item(word: &str) -> String {
    match quoted(word.as_ref()) {
        plain if plain == word && word.contains(',') => format!("'{plain}'"),
        quoted => quoted,
    }
}

/// As [`words`] reads it back.
fn shown(word: &str) -> String {
    if word.starts_with("-W") { quoted(word.as_ref()) } else { item(word) }
}

/// What is between separators, without empty words. Quotes and backslashes mean what they mean to a shell.
fn split(text: &str, separates: impl Fn(char, &str) -> bool) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = text.chars();
    let open = || format!("`{text}` is not allowed: it has a quote without its partner");
    while let Some(c) = rest.next() {
        match c {
            '\\' => word.push(rest.next().ok_or_else(open)?),
            '\'' => loop {
                match rest.next().ok_or_else(open)? {
                    '\'' => break,
                    other => word.push(other),
                }
            },
            '"' => loop {
                match rest.next().ok_or_else(open)? {
                    '"' => break,
                    '\\' => {
                        let next = rest.next().ok_or_else(open)?;
                        if !"\"\\$`".contains(next) {
                            word.push('\\');
                        }
                        word.push(next);
                    }
                    other => word.push(other),
                }
            },
            _ if separates(c, word.trim_start()) => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    Ok(words.into_iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect())
}

fn located(text: &str, must_be: MustBe, search: &OsStr, fs: &Fs) -> Result<PathBuf, String> {
    let path = std::path::absolute(text).map_err(|error| format!("`{text}` is no path: {error}"))?;
    match must_be {
        MustBe::Anything => Ok(path),
        MustBe::File if fs.is_file(&path) => Ok(path),
        MustBe::Directory if fs.directory(&path).is_ok_and(|dir| dir.is_some()) => Ok(path),
        MustBe::File => Err(format!("`{text}` is not there, or is no file")),
        MustBe::Directory => Err(format!("`{text}` is not there, or is no directory")),
        MustBe::Executable => {
            let found = which(text, search, fs).map_err(|why| format!("`{text}` is no program: {why}"))?;
            Ok(found.path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, text: &str) -> Result<Value, String> {
        kind.read(text, OsStr::new("/usr/bin:/bin"), &Fs::new(Default::default()))
    }

    #[test]
    fn each_kind_says_what_it_allows() {
        let int = Kind::Int { default: 1, min: 0, max: 9 };
        assert_eq!(read(int, "7"), Ok(Value::Int(7)));
        assert!(read(int, "10").unwrap_err().contains("from 0 to 9"));
        assert!(read(int, "seven").is_err());
        let real = Kind::Real { default: 1.0, min: 0.0, max: 2.0 };
        assert_eq!(read(real, "1.5"), Ok(Value::Real(1.5)));
        assert!(read(real, "nan").unwrap_err().contains("from 0 to 2"));
        assert_eq!(read(Kind::Bool(true), "off"), Ok(Value::Bool(false)));
        assert!(read(Kind::Bool(true), "maybe").unwrap_err().contains("`yes` or `no`"));
        assert_eq!(read(Kind::Auto(Auto::No), "auto"), Ok(Value::Auto(Auto::Auto)));
        let text = Kind::Text { default: "a", pattern: "single|double|c++*" };
        assert_eq!(read(text, "c++20"), Ok(Value::Text("c++20".to_owned())));
        assert!(read(text, "triple").unwrap_err().contains("single, double, c++*"));
        assert_eq!(read(Kind::Download, "no"), Ok(Value::Download(Download::No)));
        let url = "https://example.org/x.tar.gz";
        assert_eq!(read(Kind::Download, url), Ok(Value::Download(Download::From(url.to_owned()))));
        assert!(read(Kind::Download, "/no/such.tar").unwrap_err().contains("not there"));
    }

    #[test]
    fn paths_must_be_what_they_are_said_to_be() {
        let path = |must_be| Kind::Path { default: "", must_be };
        assert_eq!(read(path(MustBe::Directory), "/usr"), Ok(Value::Path(Some("/usr".into()))));
        assert!(read(path(MustBe::Directory), "/bin/sh").unwrap_err().contains("no directory"));
        assert!(read(path(MustBe::File), "/no/such").unwrap_err().contains("not there"));
        assert_eq!(read(path(MustBe::Executable), "sh"), Ok(Value::Path(Some("/usr/bin/sh".into()))));
        assert!(read(path(MustBe::Executable), "dijitso-none").unwrap_err().contains("not found on PATH"));
        assert!(read(path(MustBe::Executable), "/usr").unwrap_err().contains("is a directory"));
        let there = |default| Kind::Path { default, must_be: MustBe::Directory }.default_value(|_| false);
        assert_eq!(there("/usr"), Value::Path(None), "it is not there");
    }

    #[test]
    fn lists_and_libraries_are_written_in_any_usual_way() {
        assert_eq!(list("[a, 'b',\"c\"]").unwrap(), ["a", "b", "c"]);
        assert_eq!(list("/a b, 'c,d'").unwrap(), ["/a b", "c,d"]);
        assert_eq!(words("-L/x -lfoo bar").unwrap(), ["-L/x", "-lfoo", "bar"]);
        assert_eq!(words("[liba.a,b]").unwrap(), ["liba.a", "b"]);
        assert_eq!(words("-Wl,-z,now foo,bar").unwrap(), ["-Wl,-z,now", "foo", "bar"]);
        assert_eq!(words("'/a b/libx.a' \"/c,d/liby.a\"").unwrap(), ["/a b/libx.a", "/c,d/liby.a"]);
        assert!(list("").unwrap().is_empty() && words("").unwrap().is_empty());
        assert!(words("'a").unwrap_err().contains("a quote without its partner"));
    }

    #[test]
    fn a_value_is_read_back_as_it_was() {
        let hard =
            ["-Wl,-z,now", "-Wl,-rpath,/a b", "foo", "/c,d/libx.a", "it's", "[x]", "a\\\"b", "-L$HOME"];
        for of in [Kind::List(""), Kind::Library("")] {
            for words in [&hard[..], &hard[..1], &hard[3..4], &[]] {
                let value = of.of_words(words.iter().map(|word| (*word).to_owned()).collect()).unwrap();
                assert_eq!(read(of, &value.to_string()), Ok(value.clone()), "{value}");
            }
        }
        assert!(Kind::Bool(true).of_words(Vec::new()).unwrap_err().contains("yes|no"));
    }
}
