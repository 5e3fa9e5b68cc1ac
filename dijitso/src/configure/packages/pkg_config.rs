//! Files of pkg-config, read here: so nothing has to be run, and nothing to be remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::config::env;
use crate::config::origin::Origin;
use crate::configure::Cx;
use crate::fs::Fs;
use crate::probe::Settings;

/// What a file says about a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::configure) struct Package {
    pub(in crate::configure) version: String,
    pub(in crate::configure) settings: Settings,
}

/// Reads a package's file and those of the packages that it requires.
///
/// # Errors
/// There is no such file, or it cannot be understood.
pub(in crate::configure) fn read(cx: &Cx<'_>, name: &str, first: &[PathBuf]) -> Result<Package, String> {
    let session = cx.probes().session();
    let target = session.compilers().values().next().map(|compiler| compiler.toolchain.target().to_owned());
    let dirs: Vec<PathBuf> = first.iter().cloned().chain(search(target.as_deref())).collect();
    let package = read_in(&session.fs, name, &dirs)?;
    Ok(package)
}

/// Where pkg-config looks.
fn search(target: Option<&str>) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> =
        env::named("PKG_CONFIG_PATH").map(|list| std::env::split_paths(&list).collect()).unwrap_or_default();
    match env::named("PKG_CONFIG_LIBDIR") {
        Some(list) => dirs.extend(std::env::split_paths(&list)),
        None => {
            let target = target.unwrap_or("x86_64-linux-gnu").replace("-pc-", "-");
            for base in ["/usr/local", "/usr"] {
                for below in
                    [format!("lib/{target}"), "lib".to_owned(), "lib64".to_owned(), "share".to_owned()]
                {
                    dirs.push(Path::new(base).join(below).join("pkgconfig"));
                }
            }
        }
    }
    dirs.retain(|dir| dir.is_absolute());
    dirs
}

fn read_in(fs: &Fs, name: &str, dirs: &[PathBuf]) -> Result<Package, String> {
    let (mut settings, mut version) = (Settings::new(), String::new());
    let mut seen = BTreeSet::new();
    let mut todo = vec![name.to_owned()];
    while let Some(name) = todo.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let file = dirs.iter().map(|dir| dir.join(format!("{name}.pc"))).find(|path| fs.is_file(path));
        let Some(file) = file else { return Err(format!("there is no {name}.pc")) };
        let bytes =
            fs.read_at_most(&file, 1 << 20).map_err(|error| format!("{}: {error}", file.display()))?;
        let fields = fields(&String::from_utf8_lossy(&bytes), &file);
        if version.is_empty() {
            version = fields.get("Version").cloned().unwrap_or_default();
        }
        let origin = Origin::Module(format!("pkg-config file {}", file.display()));
        settings = settings.and(&flags(&fields).asked_by(origin));
        todo.extend(packages(fields.get("Requires").map(String::as_str).unwrap_or_default()));
    }
    Ok(Package { version, settings })
}

/// Fields and variables, with these put in.
fn fields(text: &str, file: &Path) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let dir = file.parent().unwrap_or(Path::new("/"));
    values.insert("pcfiledir".to_owned(), dir.display().to_string());
    let joined = text.replace("\\\n", " ");
    for line in joined.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some(at) = line.find(['=', ':']) else { continue };
        let (name, rest) = line.split_at(at);
        let value = expanded(rest[1..].trim(), &values);
        values.insert(name.trim().to_owned(), value);
    }
    values
}

/// `${name}` replaced.
fn expanded(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        out.push_str(before);
        match behind.split_once('}') {
            Some((name, after)) => {
                out.push_str(values.get(name).map(String::as_str).unwrap_or_default());
                rest = after;
            }
            None => rest = behind,
        }
    }
    out.push_str(rest);
    out.replace("$$", "$")
}

fn flags(fields: &BTreeMap<String, String>) -> Settings {
    let words = |name: &str| {
        let text = fields.get(name).map(String::as_str).unwrap_or_default();
        shlex::split(text).unwrap_or_default()
    };
    let mut settings = Settings::new();
    let cflags = words("Cflags").into_iter().chain(words("CFlags"));
    for word in cflags {
        settings = match word.strip_prefix("-I") {
            Some(dir) if dir.starts_with('/') => settings.include_dir(dir),
            _ => settings.compile_flag(word),
        };
    }
    for word in words("Libs") {
        settings = match (word.strip_prefix("-L"), word.strip_prefix("-l")) {
            (Some(dir), _) if dir.starts_with('/') => settings.lib_dir(dir),
            (_, Some(name)) => settings.lib(name),
            _ => settings.link_flag(word),
        };
    }
    settings
}

/// `a >= 1.2, b c` names a, b and c.
fn packages(list: &str) -> Vec<String> {
    let words: Vec<&str> = list.split([',', ' ', '\t']).filter(|word| !word.is_empty()).collect();
    let mut names = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word.starts_with(['<', '>', '=', '!']) {
            words.next();
        } else {
            names.push(word.to_owned());
        }
    }
    names
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
        assert_eq!(packages("a >= 1.2, b c"), ["a", "b", "c"]);
        assert!(packages("").is_empty());
    }
}
