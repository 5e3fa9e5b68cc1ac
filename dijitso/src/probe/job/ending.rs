//! How a trial ends: what it has read, and what that says.

use super::*;

impl Job {
    /// Whether there is a list.
    pub(super) fn read_list(&mut self, name: &str) -> bool {
        let dir = self.dir();
        let listed = depfile::foreign(&self.around.fs, &dir, [name, ""], std::iter::empty(), false);
        self.trace.files.extend(listed.into_iter().filter(|file| file.is_absolute()));
        self.wrote(name)
    }

    /// What the texts look for, wherever it is.
    pub(super) fn collect_questions(&mut self) {
        let Trial { units, settings, .. } = &self.trial;
        let mut search = SearchPath::default();
        for (n, unit) in units.iter().enumerate() {
            let compiler = self.around.compiler(unit.language);
            let flags: Vec<_> = compiler.flags.compile_words().chain(settings.compile_words()).collect();
            let surround = self.around.surround(&compiler.toolchain, &flags);
            let dirs = flags.iter().filter_map(|flag| flag.text.strip_prefix("-I"));
            // Where it looks is part of what an answer rests on.
            self.trace.incomplete |= surround.search.is_none();
            let found = surround.search.unwrap_or_default();
            let beside = found.dirs.iter().filter_map(|dir| dir.path.to_str());
            let dirs: Vec<&str> = dirs.chain(beside).collect();
            self.trace.asked.extend(asked_by(unit, &dirs));
            for dir in found.dirs {
                if n == 0 || !search.dirs.iter().any(|known| known.path == dir.path) {
                    search.dirs.push(dir);
                }
            }
        }
        self.trace.search = search;
    }

    pub(super) fn wrote(&self, name: &str) -> bool {
        let stamp = self.around.fs.stamp(&self.dir().join(name)).ok().flatten();
        stamp.is_some_and(|stamp| stamp.size > 0)
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.scratch.as_ref().map(|scratch| scratch.path().to_owned()).unwrap_or_default()
    }

    pub(super) fn done(&mut self, success: bool) -> Next {
        self.told.success = success;
        Next::Done(self.end(Ok(())))
    }

    pub(super) fn unknown(&mut self, problem: String) -> Next {
        Next::Done(self.end(Err(problem)))
    }

    pub(super) fn end(&mut self, result: Result<(), String>) -> Ended {
        self.scratch = None;
        let trace = Trace { search: std::mem::take(&mut self.trace.search), ..self.trace.clone() };
        let told = std::mem::take(&mut self.told);
        let told = match result {
            Ok(()) => Ok(told),
            Err(text) => {
                // The one that did not come back, too.
                let started = Some(std::mem::take(&mut self.current)).filter(|command| !command.is_empty());
                let commands = told.steps.iter().map(|step| step.command.clone()).chain(started).collect();
                Err(Problem { text, commands, said: told.said() })
            }
        };
        Ended { told, trace }
    }
}

pub(super) fn object_name(unit: usize) -> String {
    format!("u{unit}.o")
}

/// Whether somebody else ended a program: its own faults are answers.
pub(in crate::probe) fn is_from_outside(status: Status) -> bool {
    const HUP: i32 = 1;
    const INT: i32 = 2;
    const KILL: i32 = 9;
    const TERM: i32 = 15;
    // A limit of the batch system's, or of the shell's.
    const XCPU: i32 = 24;
    const XFSZ: i32 = 25;
    matches!(status, Status::TimedOut | Status::Signaled(HUP | INT | KILL | TERM | XCPU | XFSZ))
}

/// `u0.c:1:10: fatal error: x.h: No such file or directory`, `fatal error: 'x.h' file not found`
pub(super) fn header_missing(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("fatal error: ")?;
    let name = match rest.strip_suffix(" file not found") {
        Some(quoted) => quoted.trim_matches('\''),
        None => rest.strip_suffix(": No such file or directory")?,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_compilers_name_the_header_that_is_missing() {
        let gcc = "u0.c:1:10: fatal error: x/y.h: No such file or directory";
        assert_eq!(header_missing(gcc).as_deref(), Some("x/y.h"));
        let clang = "u0.c:1:10: fatal error: 'x/y.h' file not found";
        assert_eq!(header_missing(clang).as_deref(), Some("x/y.h"));
        assert_eq!(header_missing("fatal error: too many errors emitted"), None);
    }

    #[test]
    fn only_what_ended_a_program_from_outside_is_no_answer() {
        assert!(is_from_outside(Status::TimedOut));
        assert!([1, 2, 9, 15, 24, 25].map(Status::Signaled).into_iter().all(is_from_outside));
        assert!(!is_from_outside(Status::Signaled(11)) && !is_from_outside(Status::Exited(1)));
    }
}
