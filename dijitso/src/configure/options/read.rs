//! Texts as values of options, and back.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Download;
use super::kind::{Auto, Kind, MustBe, Value};

impl Kind {
    pub(in crate::configure) fn default_value(&self) -> Value {
        match *self {
            Kind::Bool(default) => Value::Bool(default),
            Kind::Auto(default) => Value::Auto(default),
            Kind::Int { default, .. } => Value::Int(default),
            Kind::Real { default, .. } => Value::Real(default),
            Kind::Text { default, .. } => Value::Text(default.to_owned()),
            // A default that is not there is none: only what somebody asked for must be there.
            Kind::Path { default, must_be } => Value::Path(match default {
                "" => None,
                path if must_be == MustBe::Executable => Some(path.into()),
                path => Some(PathBuf::from(path)).filter(|path| must_be == MustBe::Anything || path.exists()),
            }),
            Kind::List(default) => Value::List(list(default)),
            Kind::Library(default) => Value::List(words(default)),
            Kind::Download => Value::Download(Download::No),
        }
    }

    /// Reads what somebody wrote.
    ///
    /// # Errors
    /// What is allowed instead.
    pub(in crate::configure) fn read(&self, text: &str, path: &std::ffi::OsStr) -> Result<Value, String> {
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
            Kind::Path { must_be, .. } => located(text, must_be, path).map(|path| Value::Path(Some(path))),
            Kind::List(_) => Ok(Value::List(list(text))),
            Kind::Library(_) => Ok(Value::List(words(text))),
            Kind::Download => match truth(text) {
                Some(false) => Ok(Value::Download(Download::No)),
                Some(true) => Ok(Value::Download(Download::Yes)),
                None if text.is_empty() => refused("write `yes`, `no`, or a path or URL".to_owned()),
                None if text.contains("://") => Ok(Value::Download(Download::From(text.to_owned()))),
                None => {
                    let path = located(text, MustBe::File, path)?;
                    Ok(Value::Download(Download::From(path.to_string_lossy().into_owned())))
                }
            },
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
            Value::List(words) => f.write_str(&words.join(",")),
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

fn list(text: &str) -> Vec<String> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    text.split(',')
        .map(|word| word.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|w| !w.is_empty())
        .collect()
}

/// Of a command line, or a list.
fn words(text: &str) -> Vec<String> {
    if text.trim_start().starts_with('[') || (text.contains(',') && !text.contains("-Wl,")) {
        return list(text);
    }
    shlex::split(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
}

fn located(text: &str, must_be: MustBe, search: &std::ffi::OsStr) -> Result<PathBuf, String> {
    let path = std::path::absolute(text).map_err(|error| format!("`{text}` is no path: {error}"))?;
    match must_be {
        MustBe::Anything => Ok(path),
        MustBe::File if path.is_file() => Ok(path),
        MustBe::Directory if path.is_dir() => Ok(path),
        MustBe::File => Err(format!("`{text}` is not there, or is no file")),
        MustBe::Directory => Err(format!("`{text}` is not there, or is no directory")),
        MustBe::Executable if text.contains('/') => match is_executable(&path) {
            true => Ok(path),
            false => Err(format!("`{text}` is not there, or cannot be executed")),
        },
        MustBe::Executable => std::env::split_paths(search)
            .map(|dir| dir.join(text))
            .find(|path| is_executable(path))
            .ok_or_else(|| format!("`{text}` is no program on PATH")),
    }
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, text: &str) -> Result<Value, String> {
        kind.read(text, std::ffi::OsStr::new("/usr/bin:/bin"))
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
        assert!(read(path(MustBe::Executable), "dijitso-none").unwrap_err().contains("no program on PATH"));
    }

    #[test]
    fn lists_and_libraries_are_written_in_any_usual_way() {
        assert_eq!(list("[a, 'b',\"c\"]"), ["a", "b", "c"]);
        assert_eq!(words("-L/x -lfoo bar"), ["-L/x", "-lfoo", "bar"]);
        assert_eq!(words("[liba.a,b]"), ["liba.a", "b"]);
        assert_eq!(words("-Wl,-z,now foo"), ["-Wl,-z,now", "foo"]);
        assert!(list("").is_empty() && words("").is_empty());
    }
}
