//! A command line as a question gives it, which may have any word: response files are read, and words that no kernel may
//! have are passed over where only what a compiler looks at is asked.

use std::path::PathBuf;

use super::words;
use crate::config::origin::Flag;
use crate::fs::Fs;

/// Response files name each other; compilers stop, too.
const DEPTH: usize = 8;
/// No response file is so long.
const LONGEST: u64 = 4 << 20;

/// Words with those of the response files among them in their places.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    pub(crate) flags: Vec<Flag>,
    /// The response files, whether or not they are there.
    pub(crate) responses: Vec<PathBuf>,
}

impl Line {
    pub(crate) fn read(flags: impl IntoIterator<Item = Flag>, fs: &Fs) -> Line {
        let mut line = Line::default();
        flags.into_iter().for_each(|flag| line.add(flag, fs, 0));
        line
    }

    fn add(&mut self, flag: Flag, fs: &Fs, depth: usize) {
        let named = match flag.text.strip_prefix("-Wl,") {
            Some(list) => list.split(',').filter_map(|word| word.strip_prefix('@')).collect(),
            None => Vec::from_iter(flag.text.strip_prefix('@')),
        };
        let named: Vec<PathBuf> =
            named.into_iter().filter(|name| !name.is_empty()).map(PathBuf::from).collect();
        let mut replaced = false;
        for path in named {
            let text = fs.read_at_most(&path, LONGEST).ok().filter(|_| depth < DEPTH);
            self.responses.push(path);
            let Some(text) = text else { continue };
            replaced |= flag.text.starts_with('@');
            let text = String::from_utf8_lossy(&text);
            let words = shlex::split(&text)
                .unwrap_or_else(|| text.split_ascii_whitespace().map(str::to_owned).collect());
            for word in words {
                self.add(Flag::new(word, flag.origin.clone()), fs, depth + 1);
            }
        }
        if !replaced {
            self.flags.push(flag);
        }
    }

    /// Those that a kernel might have, too: where a compiler looks depends on no other.
    pub(super) fn usual(&self) -> Vec<Flag> {
        let mut usual = Vec::new();
        let mut flags = self.flags.iter();
        while let Some(flag) = flags.next() {
            let word = words::takes_a_word(&flag.text).then(|| flags.next().cloned()).flatten();
            if words::is_of_kernels(&flag.text) {
                usual.extend(words::checked(std::iter::once(flag.clone()).chain(word)).unwrap_or_default());
            }
        }
        usual
    }

    /// The files that words of a link name, each once: what a linker reads and does not always tell.
    pub(crate) fn named_files(&self) -> Vec<PathBuf> {
        let mut files = self.responses.clone();
        let grouped = words::grouped(&self.flags).flat_map(|group| group.files());
        files.extend(grouped);
        // What it writes is none of these.
        let words = self.flags.iter().filter(|flag| !flag.text.contains("-Map"));
        let pieces = words.flat_map(|flag| flag.text.split([',', '=', '@']));
        let pieces = pieces.map(|piece| piece.strip_prefix("-T").unwrap_or(piece));
        files.extend(pieces.filter(|piece| piece.starts_with('/')).map(PathBuf::from));
        files.retain(|path| path.is_absolute() && !path.is_dir());
        files.sort();
        files.dedup();
        files
    }
}

/// The same words with absolute paths, because compilers run in a directory of their own: those of directories and
/// libraries, and what is there.
pub(crate) fn absolute_paths(flags: Vec<Flag>) -> Vec<Flag> {
    let mut all = Vec::with_capacity(flags.len());
    let mut flags = flags.into_iter();
    while let Some(flag) = flags.next() {
        let mut group = vec![flag];
        if words::takes_a_word(&group[0].text) {
            group.extend(flags.next());
        }
        let text = &mut group[0].text;
        if let Some(list) = text.strip_prefix("-Wl,") {
            let list: Vec<String> = list.split(',').map(of_linker).collect();
            *text = format!("-Wl,{}", list.join(","));
        } else if let Some(name) = text.strip_prefix('@') {
            *text = format!("@{}", if_there(name));
        } else {
            let before = group.clone();
            if words::make_absolute(&mut group).is_err() {
                group = before;
            }
        }
        all.extend(group);
    }
    all
}

/// `--version-script=names.map`, `names.map`, `@words`
fn of_linker(word: &str) -> String {
    let at = word.find(['=', '@']).map_or(0, |at| at + 1);
    let (name, path) = word.split_at(at);
    format!("{name}{}", if_there(path))
}

fn if_there(path: &str) -> String {
    match std::path::absolute(path) {
        Ok(there) if !path.starts_with(['-', '/']) && there.is_file() => there.to_string_lossy().into_owned(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::origin::Origin;

    fn line(words: &[&str]) -> Line {
        let fs = Fs::new(Arc::default());
        Line::read(words.iter().map(|word| Flag::new(*word, Origin::Builder)), &fs)
    }

    fn texts(flags: &[Flag]) -> Vec<&str> {
        flags.iter().map(|flag| flag.text.as_str()).collect()
    }

    #[test]
    fn response_files_are_read_wherever_they_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, format!("-DA='x y'\n@{}\n@/no/such/file", two.display())).unwrap();
        std::fs::write(&two, format!("-O1 @{}", two.display())).unwrap();
        let line = line(&["-g", &format!("@{}", one.display()), "-w"]);
        let flags = texts(&line.flags);
        assert_eq!(
            (flags[..3].to_vec(), flags[flags.len() - 2..].to_vec()),
            (vec!["-g", "-DA=x y", "-O1"], vec!["@/no/such/file", "-w"])
        );
        assert!(line.responses.contains(&one) && line.responses.contains(&PathBuf::from("/no/such/file")));
    }

    #[test]
    fn what_no_kernel_may_have_is_passed_over_with_its_word() {
        let line = line(&[
            "-static",
            "-I/a",
            "-MT",
            "-I/none",
            "-save-temps",
            "-x",
            "c",
            "-isystem",
            "/b",
            "junk",
            "-I",
        ]);
        assert_eq!(texts(&line.usual()), ["-I/a", "-isystem", "/b"]);
    }

    #[test]
    fn relative_names_become_absolute_where_they_name_something() {
        let here = std::env::current_dir().unwrap().display().to_string();
        let words = [
            "-Iinc",
            "-I",
            "inc",
            "libx.a",
            "-O2",
            "-Wl,--version-script=Cargo.toml,-z,now",
            "@Cargo.toml",
            "@no",
        ];
        let flags = words.iter().map(|word| Flag::new(*word, Origin::Builder)).collect();
        let script = format!("-Wl,--version-script={here}/Cargo.toml,-z,now");
        let expected = [
            &format!("-I{here}/inc"),
            "-I",
            &format!("{here}/inc"),
            &format!("{here}/libx.a"),
            "-O2",
            &script,
            &format!("@{here}/Cargo.toml"),
            "@no",
        ];
        assert_eq!(texts(&absolute_paths(flags)), expected);
    }

    #[test]
    fn a_link_names_files_in_many_ways() {
        let words = [
            "-Wl,--version-script=/v",
            "-Wl,-T,/t",
            "-T/u",
            "-Wl,@/r",
            "/x/libx.a",
            "-specs=/s",
            "-L/tmp",
            "-Wl,-Map,/m",
        ];
        let files: Vec<String> =
            line(&words).named_files().iter().map(|file| file.display().to_string()).collect();
        for name in ["/v", "/t", "/u", "/r", "/x/libx.a", "/s"] {
            assert!(files.iter().any(|file| file == name), "{name}: {files:?}");
        }
        assert!(!files.iter().any(|file| file == "/m" || file == "/tmp"), "{files:?}");
    }
}
