//! The link of a trial, and what it read.

use super::*;

impl Job {
    pub(super) fn link(&mut self) -> Next {
        self.stage = Stage::Link;
        let dir = self.dir();
        let driver = self.around.compiler(self.trial.linker).clone();
        let mut command = driver.toolchain.question(&dir, self.around.timeout);
        // As `make` would: the compiler's flags, the linker's, the objects, the libraries.
        let flags = driver.flags.compile.iter().cloned().chain(driver.flags.link_flags());
        let flags: Vec<_> = flags.chain(self.trial.settings.link_flags()).collect();
        let libraries: Vec<_> = self.trial.settings.libraries().chain(driver.flags.libraries()).collect();
        self.line = Line::read(flags.iter().chain(&libraries).cloned(), &self.around.fs);
        self.linker = self.around.linker(&driver.toolchain, &self.line.flags);
        command = command.args(flags.into_iter().map(|flag| flag.text)).args(&self.trial.link_extra);
        command = command.args((0..self.trial.units.len()).map(object_name)).args(["-o", PROGRAM]);
        command = command.args(libraries.into_iter().map(|flag| flag.text));
        command = command.arg(match self.linker.tells_attempts {
            true => "-Wl,--verbose",
            false => "-Wl,--trace",
        });
        self.run(command)
    }

    /// What the linker read, and where it looked for libraries in vain.
    pub(super) fn linked(&mut self, output: &Output) {
        let dir = self.dir();
        let before = self.trace.files.len() + self.trace.asked.len();
        match self.linker.tells_attempts {
            true => self.read_attempts(&String::from_utf8_lossy(&output.stdout)),
            false => self.trace.files.extend(traced_files(&output.stdout)),
        }
        // One that fails over a flag has read nothing.
        let told = self.trace.files.len() + self.trace.asked.len() > before;
        self.trace.incomplete |= output.status.success() && !told;
        if !self.linker.tells_attempts {
            self.look_for_libraries(output.status.success());
            self.trace.incomplete |= !output.status.success() && self.looks_elsewhere();
            // lld does not tell where the members of such an archive are.
            let is_thin =
                |file: &PathBuf| self.around.fs.read_head(file, 7).is_ok_and(|head| head == b"!<thin>");
            let thin = self.trace.files.iter().any(is_thin);
            self.trace.incomplete |= thin;
        }
        for file in self.line.named_files() {
            self.read_or_missed(file);
        }
        // A bare name is looked for where nobody tells.
        let bare = self.words().any(|word| {
            let specs = word.strip_prefix("-specs=").or_else(|| word.strip_prefix("--specs="));
            specs.is_some_and(|name| !name.contains('/'))
        });
        self.trace.incomplete |= bare;
        self.trace.files.extend(self.linker.files.iter().cloned());
        let absent = self.linker.absent.iter().map(|path| path.to_string_lossy().into_owned());
        self.trace.asked.extend(absent);
        self.trace.files.retain(|file| file.is_absolute() && !file.starts_with(&dir));
        self.trace.asked.retain(|name| !Path::new(name).starts_with(&dir));
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.line
            .flags
            .iter()
            .map(|flag| flag.text.as_str())
            .chain(self.trial.link_extra.iter().map(String::as_str))
    }

    /// Whether a library that was not found may be looked for where nobody told.
    fn looks_elsewhere(&self) -> bool {
        let is_hidden = |word: &str| {
            let passed =
                word.strip_prefix("-Wl,").is_some_and(|rest| rest.contains("-l") || rest.contains("-L"));
            passed || matches!(word, "-l" | "-L" | "-Xlinker" | "-m32" | "-mx32")
        };
        (self.linker.dirs.is_empty() && self.words().any(|word| word.starts_with("-l")))
            || self.words().any(is_hidden)
    }

    fn read_or_missed(&mut self, file: PathBuf) {
        match self.around.fs.is_file(&file) {
            true => self.trace.files.push(file),
            false => self.trace.asked.push(file.to_string_lossy().into_owned()),
        }
    }

    /// GNU ld's list (`--verbose`).
    fn read_attempts(&mut self, told: &str) {
        for line in told.lines() {
            if let Some(rest) = line.strip_prefix("attempt to open ") {
                if let Some(path) = rest.strip_suffix(" succeeded") {
                    self.trace.files.push(path.into());
                } else if let Some(path) = rest.strip_suffix(" failed") {
                    self.trace.asked.push(path.to_owned());
                }
            } else if let Some((_, path)) =
                line.strip_prefix("found ").and_then(|rest| rest.split_once(" at "))
            {
                // A library that another one needs.
                self.trace.files.push(path.into());
            } else if line.starts_with('/') && self.around.fs.is_file(Path::new(line)) {
                // What a thin archive only names.
                self.trace.files.push(line.into());
            }
        }
    }

    /// Where a linker that only tells what it read has looked for the libraries before.
    fn look_for_libraries(&mut self, success: bool) {
        let words: Vec<String> = self.words().map(str::to_owned).collect();
        let given = words.iter().filter_map(|word| word.strip_prefix("-L")).map(PathBuf::from);
        let dirs: Vec<PathBuf> = given.chain(self.linker.dirs.iter().cloned()).collect();
        // Below a sysroot, or wherever the next word says.
        self.trace.incomplete |= dirs.iter().any(|dir| !dir.is_absolute());
        for name in words.iter().filter_map(|word| word.strip_prefix("-l")) {
            let names = match name.strip_prefix(':') {
                Some(file) => vec![file.to_owned()],
                None => ["so", "a"].map(|end| format!("lib{name}.{end}")).to_vec(),
            };
            for place in dirs.iter().flat_map(|dir| names.iter().map(|name| dir.join(name))) {
                let found = self.around.fs.is_file(&place);
                // A script for the linker is no file that it traces, and what one names in vain nobody tells.
                let head = self.around.fs.read_head(&place, 7).unwrap_or_default();
                let is_script = found && !head.starts_with(b"\x7fELF") && !head.starts_with(b"!<");
                self.trace.incomplete |= is_script && !success;
                self.read_or_missed(place);
                if found {
                    break;
                }
            }
        }
    }
}

/// What a linker complained about, without the list of what it read that some print among complaints.
pub(super) fn without_trace(said: &str) -> String {
    let is_trace = |line: &str| line.contains("attempt to open ") || line.starts_with("trace: ");
    said.split_inclusive('\n').filter(|line| !is_trace(line)).collect()
}
