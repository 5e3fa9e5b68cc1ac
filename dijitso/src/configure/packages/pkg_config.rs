//! Files of pkg-config, read here: so nothing has to be run, and nothing to be remembered.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::places::multiarch;
use crate::config::origin::Origin;
use crate::configure::Cx;
use crate::fs::Fs;
use crate::probe::{Language, Settings, compare_versions};

/// What a file says about a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) version: String,
    pub(super) settings: Settings,
    /// What was read: its own file, and those of what it requires.
    files: Vec<PathBuf>,
}

/// In which of its directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    All,
    /// Those that variables name: somebody chose them for this session.
    Named,
    /// Those of the system.
    System,
}

/// Reads a package's file and those of the packages that it requires.
///
/// # Errors
/// There is no such file, or it cannot be understood.
pub(super) fn read(cx: &Cx<'_>, name: &str, search: Search) -> Result<Package, String> {
    let session = cx.probes().session();
    // The directories have the name of the machine that the compiler compiles for, whoever asks first.
    let compiler = session.compiler(Language::C).map_err(|reason| reason.to_string())?;
    let dirs = directories(cx, &multiarch(compiler.toolchain.target()), search);
    let package = read_in(&session.fs, name, &dirs);
    match &package {
        Ok(package) => package.files.iter().for_each(|file| cx.reads_file(file)),
        // It may be installed there.
        Err(_) => dirs.iter().filter(|dir| session.fs.exists(dir)).for_each(|dir| cx.reads_file(dir)),
    }
    package
}

/// Where pkg-config looks.
fn directories(cx: &Cx<'_>, target: &str, search: Search) -> Vec<PathBuf> {
    let list = |name| cx.reads_variable(name).map(|list| std::env::split_paths(&list).collect::<Vec<_>>());
    let mut named = list("PKG_CONFIG_PATH").unwrap_or_default();
    let system = match list("PKG_CONFIG_LIBDIR") {
        Some(dirs) => {
            named.extend(dirs);
            Vec::new()
        }
        None => ["/usr/local", "/usr"]
            .iter()
            .flat_map(|base| {
                let below = [&format!("lib/{target}"), "lib", "lib64", "share"];
                below.map(|below| Path::new(base).join(below).join("pkgconfig"))
            })
            .collect(),
    };
    let mut dirs = match search {
        Search::All => [named, system].concat(),
        Search::Named => named,
        Search::System => system,
    };
    dirs.retain(|dir| dir.is_absolute());
    dirs
}

fn read_in(fs: &Fs, name: &str, dirs: &[PathBuf]) -> Result<Package, String> {
    let (mut settings, mut version, mut files) = (Settings::new(), String::new(), Vec::new());
    let mut seen = BTreeSet::new();
    let mut todo = vec![Required { name: name.to_owned(), version: None, by: None }];
    while let Some(required) = todo.pop() {
        let name = &required.name;
        let file = dirs.iter().map(|dir| dir.join(format!("{name}.pc"))).find(|path| fs.is_file(path));
        let Some(file) = file else { return Err(format!("there is no {name}.pc{}", required.for_whom())) };
        let bytes =
            fs.read_at_most(&file, 1 << 20).map_err(|error| format!("{}: {error}", file.display()))?;
        let wrong = |why: String| format!("{} cannot be understood: {why}", file.display());
        let fields = fields(&String::from_utf8_lossy(&bytes), &file).map_err(wrong)?;
        let own = fields.get("Version").cloned().unwrap_or_default();
        required.is_met_by(&own)?;
        if !seen.insert(name.clone()) {
            continue;
        }
        if files.is_empty() {
            version = own;
        }
        let origin = Origin::Module(format!("pkg-config file {}", file.display()));
        settings = settings.and(&flags(&fields).map_err(wrong)?.asked_by(origin));
        todo.extend(packages(fields.get("Requires").map(String::as_str).unwrap_or_default(), name));
        files.push(file);
    }
    Ok(Package { version, settings, files })
}

/// Fields and variables, with these put in.
fn fields(text: &str, file: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let dir = file.parent().unwrap_or(Path::new("/"));
    values.insert("pcfiledir".to_owned(), dir.display().to_string());
    let joined = text.replace("\\\n", " ");
    for line in joined.lines() {
        let line = without_comment(line);
        let Some(at) = line.find(['=', ':']) else { continue };
        let (name, rest) = line.split_at(at);
        let value = expanded(rest[1..].trim(), &values)?;
        values.insert(name.trim().to_owned(), value);
    }
    Ok(values)
}

/// A `#` begins a comment, except in quotes and behind a backslash.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in line.char_indices() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            ('#', None) => return &line[..at],
            ('"' | '\'', None) => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            _ => {}
        }
    }
    // A quote that nobody closes is an apostrophe in a sentence.
    match quote {
        Some(_) => line.split('#').next().unwrap_or_default(),
        None => line,
    }
}

/// `${name}` replaced.
fn expanded(text: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        out.push_str(before);
        let (name, after) = behind.split_once('}').ok_or_else(|| format!("`${{{behind}` has no `}}`"))?;
        out.push_str(values.get(name).ok_or_else(|| format!("nobody defines its variable `{name}`"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out.replace("$$", "$"))
}

fn flags(fields: &BTreeMap<String, String>) -> Result<Settings, String> {
    let words = |name: &str| {
        let text = fields.get(name).map(String::as_str).unwrap_or_default();
        shlex::split(text).ok_or_else(|| format!("the quotes in its {name} do not match: {text}"))
    };
    let mut settings = Settings::new();
    let cflags = words("Cflags")?.into_iter().chain(words("CFlags")?);
    for word in cflags {
        settings = match word.strip_prefix("-I") {
            Some(dir) if dir.starts_with('/') => settings.include_dir(dir),
            _ => settings.compile_flag(word),
        };
    }
    for word in words("Libs")? {
        settings = match (word.strip_prefix("-L"), word.strip_prefix("-l")) {
            (Some(dir), _) if dir.starts_with('/') => settings.lib_dir(dir),
            (_, Some(name)) => settings.lib(name),
            _ => settings.link_flag(word),
        };
    }
    Ok(settings)
}

/// A package that another one requires.
#[derive(Debug, PartialEq, Eq)]
struct Required {
    name: String,
    /// How it is compared, and with what.
    version: Option<(String, String)>,
    by: Option<String>,
}

impl Required {
    fn for_whom(&self) -> String {
        self.by.as_ref().map(|by| format!(", which {by}.pc requires")).unwrap_or_default()
    }

    /// # Errors
    /// It is of another version.
    fn is_met_by(&self, version: &str) -> Result<(), String> {
        let Some((how, wanted)) = &self.version else { return Ok(()) };
        let order = compare_versions(version, wanted);
        let met = match how.as_str() {
            "=" => order == Ordering::Equal,
            "!=" => order != Ordering::Equal,
            "<" => order == Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            ">=" => order != Ordering::Less,
            _ => return Err(format!("`{how}` compares no versions{}", self.for_whom())),
        };
        if met {
            return Ok(());
        }
        let by = self.by.as_deref().unwrap_or_default();
        Err(format!("{} is of version {version}, and {by}.pc requires {how} {wanted}", self.name))
    }
}

/// `a >= 1.2, b c` names a, b and c, and a version of the first.
fn packages(list: &str, by: &str) -> Vec<Required> {
    // `a>=1.2` is met, too.
    let is_order = |c: char| "<>=!".contains(c);
    let mut spaced = String::new();
    for c in list.chars() {
        if spaced.chars().last().is_some_and(|last| is_order(last) != is_order(c)) {
            spaced.push(' ');
        }
        spaced.push(c);
    }
    let mut all: Vec<Required> = Vec::new();
    let mut words = spaced.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        match all.last_mut() {
            Some(last) if word.starts_with(is_order) => {
                last.version = words.next().map(|version| (word.to_owned(), version.to_owned()));
            }
            _ => {
                let by = Some(by.to_owned());
                all.push(Required { name: word.to_owned(), version: None, by });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_what_it_requires() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "one.pc",
            "prefix=/opt/one\nlibdir=${prefix}/lib # here\n\nName: one\nVersion: 1.2\n\
             Requires: two >= 2.0\nLibs: -L${libdir} -lone \\\n -Wl,--as-needed\nCflags: -I${prefix}/include -DONE\n",
        );
        write("two.pc", "Name: two\nVersion: 2.1\nLibs: -ltwo\n");
        let fs = Fs::new(Default::default());
        let package = read_in(&fs, "one", &["/no/such".into(), dir.path().into()]).unwrap();
        assert_eq!(package.version, "1.2");
        let words = package.settings.to_string();
        assert_eq!(words, "-DONE -I/opt/one/include -Wl,--as-needed -L/opt/one/lib -lone -ltwo");
        assert!(package.settings.explain()[0].contains("one.pc"));
        assert_eq!(read_in(&fs, "three", &[dir.path().into()]).unwrap_err(), "there is no three.pc");
    }

    #[test]
    fn lists_of_packages_have_versions_or_not() {
        let told = |list: &str| -> Vec<(String, String)> {
            let version = |all: Required| all.version.map(|(how, what)| how + &what).unwrap_or_default();
            packages(list, "x").into_iter().map(|all| (all.name.clone(), version(all))).collect()
        };
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(told("a >= 1.2, b c"), [pair("a", ">=1.2"), pair("b", ""), pair("c", "")]);
        assert_eq!(told("a>=1.2,b"), [pair("a", ">=1.2"), pair("b", "")]);
        assert!(told("").is_empty());
    }

    #[test]
    fn what_cannot_be_met_or_understood_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::new(Default::default());
        let read = |text: &str| {
            std::fs::write(dir.path().join("one.pc"), text).unwrap();
            std::fs::write(dir.path().join("two.pc"), "Version: 2.1\nLibs: -ltwo\n").unwrap();
            read_in(&fs, "one", &[dir.path().into()]).map(|package| package.settings.to_string())
        };
        assert_eq!(read("Requires: two >= 2.1\nLibs: -lone").unwrap(), "-lone -ltwo");
        let problem = read("Requires: two >= 2.10\nLibs: -lone").unwrap_err();
        assert_eq!(problem, "two is of version 2.1, and one.pc requires >= 2.10");
        let problem = read("Requires: three\nLibs: -lone").unwrap_err();
        assert_eq!(problem, "there is no three.pc, which one.pc requires");
        let problem = read("Libs: -lone \"-L/a b\n").unwrap_err();
        assert!(
            problem.contains("one.pc cannot be understood: the quotes in its Libs do not match"),
            "{problem}"
        );
        let problem = read("Libs: -L${nowhere} -lone\n").unwrap_err();
        assert!(problem.contains("nobody defines its variable `nowhere`"), "{problem}");
        let words = read("Cflags: \"-DX=#a\" -DY=\\#b -DZ # -DNO\nLibs: -lone # it's\n").unwrap();
        assert_eq!(words, "'-DX=#a' '-DY=#b' -DZ -lone");
    }
}
