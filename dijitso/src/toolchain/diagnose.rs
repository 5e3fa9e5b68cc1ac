//! What a compiler's or linker's exit means: a mistake in the text, or a machine in trouble.
//!
//! Only a mistake in the text may be remembered: a negative entry for a compiler that was killed
//! would keep a correct kernel from ever being built.

use std::time::Duration;

use crate::error::human;
use crate::process::{Output, Status};

/// Why a step did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The text is wrong, and will be wrong again.
    Text,
    /// No space for what the compiler writes; another directory may have some.
    Space(String),
    /// Killed, out of memory, timed out, crashed: says nothing about the text.
    Machine(String),
}

/// `None` if the step says it succeeded.
pub(crate) fn trouble(step: &str, output: &Output, timeout: Duration) -> Option<Trouble> {
    let text = String::from_utf8_lossy(&output.stderr);
    let code = match output.status {
        Status::Exited(0) => return None,
        Status::Exited(code) => code,
        Status::TimedOut => {
            return Some(Trouble::Machine(format!(
                "the {step} did not finish within {} and was killed with everything it had started; \
                 raise the timeout (DIJITSO_TIMEOUT, in seconds) or make the kernel smaller",
                human(timeout)
            )));
        }
        Status::Signaled(signal) => {
            return Some(Trouble::Machine(format!(
                "the {step} was killed by signal {signal}{}",
                if signal == 9 { " (often the system is out of memory: lower DIJITSO_JOBS)" } else { "" }
            )));
        }
    };
    let has = |needles: &[&str]| needles.iter().any(|n| text.contains(n));
    if has(&["No space left on device", "Disk quota exceeded", "disk full"]) {
        return Some(Trouble::Space(format!("the {step} found no space left for its files")));
    }
    if has(&[
        "Killed signal terminated program",
        "virtual memory exhausted",
        "out of memory",
        "Cannot allocate memory",
    ]) {
        return Some(Trouble::Machine(format!(
            "the {step} was killed or ran out of memory; lower DIJITSO_JOBS or give the job more memory"
        )));
    }
    if has(&["internal compiler error", "PLEASE submit a bug report", "signal terminated program"]) {
        return Some(Trouble::Machine(format!("the {step} crashed on this text")));
    }
    if has(&[
        "license server",
        "licence server",
        "FLEXlm",
        "FlexNet",
        "Could not check out a license",
        "license checkout",
        "License checkout",
        "valid license",
    ]) {
        return Some(Trouble::Machine(format!(
            "the {step} has no licence to run now; look at its licence server and LM_LICENSE_FILE"
        )));
    }
    if text.trim().is_empty() && output.stdout.is_empty() {
        return Some(Trouble::Machine(format!("the {step} exited with status {code} and said nothing")));
    }
    Some(Trouble::Text)
}

/// Whether a compiler's refusal names a place in a text, and nothing that may have passed by tomorrow: a
/// wrapper's own complaint, or a file server's, must not keep a correct kernel from being built.
pub(crate) fn blames_the_text(log: &str) -> bool {
    !may_pass(log) && log.lines().any(names_a_place)
}

/// Whether it names something that may have passed by tomorrow, or that no list of what was read tells.
pub(crate) fn may_pass(log: &str) -> bool {
    const PASSING: [&str; 11] = [
        "Too many levels of symbolic links",
        "Stale file handle",
        "Input/output error",
        "Permission denied",
        "Resource temporarily unavailable",
        "Too many open files",
        "Connection timed out",
        "Transport endpoint",
        "Interrupted system call",
        "Device or resource busy",
        "Cannot allocate memory",
    ];
    PASSING.iter().any(|words| log.contains(words))
}

/// `axpy.cpp:3:5: error: ..`, `axpy.cpp:3:10: fatal error: ..`, `axpy.cpp:3: error: ..`
fn names_a_place(line: &str) -> bool {
    let Some((place, _)) = line.split_once(": error: ").or_else(|| line.split_once(": fatal error: ")) else {
        return false;
    };
    place.rsplit_once(':').is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Undefined symbols that a linker complained about, each once, in its order.
pub(crate) fn undefined_symbols(log: &str) -> Vec<String> {
    let mut symbols = Vec::new();
    for line in log.lines() {
        let Some(at) = line.find("undefined reference to").or_else(|| line.find("undefined symbol:")) else {
            continue;
        };
        let rest = &line[at..];
        // GNU: undefined reference to `foo(int)'; lld: undefined symbol: foo(int)
        let name = match rest.split_once('`') {
            Some((_, quoted)) => quoted.trim_end().trim_end_matches('\''),
            None => rest.split_once(':').map_or("", |(_, name)| name.trim()),
        };
        if !name.is_empty() && !symbols.iter().any(|s| s == name) {
            symbols.push(name.to_owned());
        }
    }
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(status: Status, stderr: &str) -> Output {
        Output { status, stdout: Vec::new(), stderr: stderr.into(), cut: false, elapsed: Duration::ZERO }
    }

    #[test]
    fn only_ordinary_diagnostics_blame_the_text() {
        let text = |s, e| trouble("compiler", &output(s, e), Duration::from_secs(1));
        assert_eq!(text(Status::Exited(0), "warning: x"), None);
        assert_eq!(text(Status::Exited(1), "a.cpp:1: error: expected ';'"), Some(Trouble::Text));
        for (status, log) in [
            (Status::Signaled(9), ""),
            (Status::TimedOut, "a.cpp:1: error: x"),
            (Status::Exited(1), "g++: fatal error: Killed signal terminated program cc1plus"),
            (Status::Exited(1), "cc1plus: out of memory allocating 65536 bytes"),
            (Status::Exited(4), "internal compiler error: Segmentation fault"),
            (Status::Exited(1), "Error: A license for Comp-CL could not be obtained.  FLEXlm error -15"),
            (Status::Exited(1), ""),
        ] {
            assert!(matches!(text(status, log), Some(Trouble::Machine(_))), "{status:?} {log}");
        }
        let full = "a.cpp:3: fatal error: error writing to a.s: No space left on device";
        assert!(matches!(text(Status::Exited(1), full), Some(Trouble::Space(_))));
    }

    #[test]
    fn only_what_names_a_place_is_remembered() {
        for text in
            ["a.cpp:3:5: error: x", "note\na.cpp:3:1: fatal error: b.h: No such file", "a.c:3: error: x"]
        {
            assert!(blames_the_text(text), "{text}");
        }
        for text in ["", "ccache: error: x", "cc1plus: error: x", "a.cpp:3:5: error: b.h: Stale file handle"]
        {
            assert!(!blames_the_text(text), "{text}");
        }
    }

    #[test]
    fn undefined_symbols_of_both_linkers_are_named_once() {
        let log = "/usr/bin/ld: a.o: in function `f':\na.cpp:(.text+0x1): undefined reference to `g(int)'\n\
                   a.cpp:2: undefined reference to `g(int)'\nld.lld: error: undefined symbol: h\n";
        assert_eq!(undefined_symbols(log), ["g(int)", "h"]);
    }
}
