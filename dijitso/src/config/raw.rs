//! One value as a variable or a configuration file spells it, read as the type its key asks for.
//!
//! Both sources go through here, so that `DIJITSO_TIMEOUT=90` and `timeout = 90` can never come to
//! mean different things. Every error says what is allowed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

/// A value that has not been given a type yet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'a> {
    Variable(&'a OsStr),
    Toml(&'a DeValue<'a>),
}

type Parsed<T> = Result<T, String>;

impl Raw<'_> {
    pub(super) fn path(self) -> Parsed<PathBuf> {
        match self {
            Raw::Variable(value) => Ok(value.into()),
            Raw::Toml(DeValue::String(text)) => Ok(text.as_ref().into()),
            Raw::Toml(_) => Err(self.wrong("a path in quotes")),
        }
    }

    pub(super) fn paths(self) -> Parsed<Vec<PathBuf>> {
        match self {
            // An empty one is what `LIST=$LIST:/another` leaves.
            Raw::Variable(value) => Ok(value
                .as_bytes()
                .split(|b| *b == b':')
                .filter(|path| !path.is_empty())
                .map(|path| OsStr::from_bytes(path).into())
                .collect()),
            Raw::Toml(DeValue::String(text)) => Ok(vec![text.as_ref().into()]),
            Raw::Toml(_) => Ok(self.strings("a list of paths")?.into_iter().map(PathBuf::from).collect()),
        }
    }

    pub(super) fn text(self) -> Parsed<String> {
        match self {
            Raw::Variable(value) => {
                value.to_str().map(str::to_owned).ok_or_else(|| "it is not valid UTF-8".to_owned())
            }
            Raw::Toml(DeValue::String(text)) => Ok(text.clone().into_owned()),
            Raw::Toml(_) => Err(self.wrong("a text in quotes")),
        }
    }

    /// Words: a list, or one text that is split as a shell would (`-DX="a b" -O2`).
    pub(super) fn words(self) -> Parsed<Vec<String>> {
        if let Raw::Toml(DeValue::Array(_)) = self {
            return self.strings("a list of texts");
        }
        let text = match self {
            Raw::Toml(value) if !value.is_str() => return Err(self.wrong("a list of texts")),
            _ => self.text()?,
        };
        shlex::split(&text).ok_or_else(|| format!("`{text}` has a quote that is not closed"))
    }

    pub(super) fn flag(self) -> Parsed<bool> {
        let allowed = match self {
            Raw::Toml(DeValue::Boolean(value)) => return Ok(*value),
            Raw::Toml(_) => "true or false",
            Raw::Variable(_) => match self.text()?.as_str() {
                "1" | "true" | "yes" | "on" => return Ok(true),
                "0" | "false" | "no" | "off" => return Ok(false),
                _ => "1 or 0",
            },
        };
        Err(self.wrong(allowed))
    }

    pub(super) fn seconds(self) -> Parsed<Duration> {
        let allowed = "a number of seconds, such as 90 or 0.5";
        let number: f64 = self.number().and_then(|n| n.parse().ok()).ok_or_else(|| self.wrong(allowed))?;
        Duration::try_from_secs_f64(number).map_err(|_| self.wrong(allowed))
    }

    pub(super) fn count(self) -> Parsed<usize> {
        self.number().and_then(|n| n.parse().ok()).ok_or_else(|| self.wrong("a whole number, at least 1"))
    }

    /// A whole number; 0 has a meaning.
    pub(super) fn amount(self) -> Parsed<u64> {
        self.number().and_then(|n| n.parse().ok()).ok_or_else(|| self.wrong("a whole number"))
    }

    /// Bytes: a number, or a text such as `512 MiB` or `5G`.
    pub(super) fn bytes(self) -> Parsed<u64> {
        let allowed = "a number of bytes, or a text such as \"512 MiB\" or \"5G\"";
        let text = self.number().or_else(|| self.text().ok()).ok_or_else(|| self.wrong(allowed))?;
        bytes(&text).ok_or_else(|| self.wrong(allowed))
    }

    /// One of a few words.
    pub(super) fn choice<T: Clone>(self, choices: &[(&str, T)]) -> Parsed<T> {
        let text = self.text().unwrap_or_default();
        match choices.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(value.clone()),
            None => {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                Err(self.wrong(&names.join(", ")))
            }
        }
    }

    fn number(self) -> Option<String> {
        match self {
            Raw::Variable(_) => self.text().ok().map(|text| text.trim().to_owned()),
            // Decimal only: the text is read again, and would lose its base.
            Raw::Toml(DeValue::Integer(n)) if n.radix() == 10 => Some(n.as_str().to_owned()),
            Raw::Toml(DeValue::Float(n)) => Some(n.as_str().to_owned()),
            Raw::Toml(_) => None,
        }
    }

    fn strings(self, allowed: &str) -> Parsed<Vec<String>> {
        let Raw::Toml(DeValue::Array(items)) = self else { return Err(self.wrong(allowed)) };
        items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Ok(text.clone().into_owned()),
                _ => Err(self.wrong(allowed)),
            })
            .collect()
    }

    fn wrong(self, allowed: &str) -> String {
        let got = match self {
            Raw::Variable(value) => format!("`{}`", value.to_string_lossy()),
            Raw::Toml(DeValue::String(text)) => format!("\"{text}\""),
            Raw::Toml(DeValue::Integer(n)) => n.to_string(),
            Raw::Toml(DeValue::Float(n)) => n.to_string(),
            Raw::Toml(DeValue::Boolean(value)) => value.to_string(),
            Raw::Toml(DeValue::Datetime(_)) => "a date".to_owned(),
            Raw::Toml(DeValue::Array(_)) => "a list".to_owned(),
            Raw::Toml(DeValue::Table(_)) => "a table".to_owned(),
        };
        format!("it is {got}, but must be {allowed}")
    }
}

/// A size as people write it. None for what is none, or more than there are bytes.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit.trim() {
        "" | "B" => 1,
        // As `truncate -s` and `head -c` read them.
        "K" | "k" | "KiB" => 1 << 10,
        "M" | "m" | "MiB" => 1 << 20,
        "G" | "g" | "GiB" => 1 << 30,
        "T" | "t" | "TiB" => 1 << 40,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    // In thousandths: what is finer nobody means.
    let thousandths = match part.len() {
        0 if number.contains('.') => return None,
        0..=3 => format!("{part:0<3}").parse::<u64>().ok()?,
        _ => return None,
    };
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    whole.checked_add(u64::try_from(u128::from(thousandths) * u128::from(scale) / 1000).ok()?)
}
