//! The failure card: what one needs to know, on one screen.

use std::path::PathBuf;

use super::{Log, Secrets};
use crate::config::origin::Origin;
use crate::configure::failed::{Failed, FailureKind};
use crate::fs::Fs;
use crate::probe::{Probes, Reason, first_error};

/// A screen has so many lines.
const MOST: usize = 40;
/// And so many columns; of what is longer the beginning is shown.
const WIDTH: usize = 160;

/// What is known about a failure, in at most [`MOST`] lines, the root cause first.
pub(in crate::configure) fn card(
    failed: &Failed,
    log: &Log,
    probes: &Probes,
    kept: Option<&PathBuf>,
) -> String {
    let mut card = Card { secrets: log.secrets(), lines: Vec::new() };
    let mut lines = failed.text().lines();
    card.line("failed", lines.next().unwrap_or_default());
    for line in lines.take(6) {
        card.line("", line);
    }
    if let Some(question) = failed.question() {
        card.line("question", question);
    }
    card.line(
        "verdict",
        match failed.kind() {
            FailureKind::No => "no",
            FailureKind::Unknown => "nobody could say: the machine or the tools are in trouble",
            FailureKind::Options => "the options cannot be used",
            FailureKind::Program => "a mistake in the modules",
            FailureKind::Circle => "modules come before each other in a circle",
            FailureKind::Stale => "remembered answers are wrong",
            FailureKind::Waiting => "answers are outstanding",
            FailureKind::Help => "help was asked for",
        },
    );
    let reason = failed.reason().cloned().or_else(|| last_refusal(failed, log));
    let said = reason.as_ref().map(Reason::said).unwrap_or_default();
    if !first_error(said).is_empty() {
        card.line("error", first_error(said));
    }
    if !failed.path().is_empty() {
        card.line("module", &failed.path().join(", needed by "));
    }
    if let Some(command) = reason.as_ref().and_then(|reason| reason.commands().last()) {
        card.wrapped("command", command, 5);
    }
    if let Some(evidence) = reason.as_ref().and_then(|reason| reason.evidence()) {
        // Those of the question first: they are the ones in question.
        let (general, own): (Vec<_>, Vec<_>) =
            evidence.flags.iter().partition(|flag| matches!(flag.origin, Origin::Environment(_)));
        card.several("flag", own.into_iter().chain(general).map(ToString::to_string), 8);
    }
    let of_reason = reason.as_ref().map_or(&[][..], Reason::tried);
    let tried = if failed.tried().is_empty() { of_reason } else { failed.tried() };
    let tried = tried.iter().map(|(name, why)| format!("{name}: {}", why.lines().next().unwrap_or_default()));
    card.several("tried", tried, 10);
    // What to do next must fit, whatever else does not.
    let advice = advice(failed, said);
    let room = (MOST - 2).saturating_sub(advice.len() + card.lines.len()).min(5);
    let other_words: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in other_words.iter().take(room).filter(|line| line.trim() != first_error(said)) {
        card.line("said", line);
    }
    if let Some((question, command)) = nearest_success(reason.as_ref(), log, probes) {
        card.line("worked", &format!("{command} ({question})"));
    }
    card.lines.truncate(MOST - 1 - advice.len().min(8));
    for advice in advice.into_iter().take(8) {
        card.line("try", &advice);
    }
    if let Some(kept) = kept {
        card.line("repeat", &format!("sh {}/command.sh", kept.display()));
    }
    card.text()
}

struct Card<'a> {
    secrets: &'a Secrets,
    lines: Vec<(String, String)>,
}

impl Card<'_> {
    fn line(&mut self, name: &str, text: &str) {
        // Before it is cut: half a secret would not be known.
        let text = self.secrets.hide(text).replace(['\n', '\r'], " ");
        let text: String = match text.chars().count() > WIDTH {
            true => text.chars().take(WIDTH - 3).chain(" ..".chars()).collect(),
            false => text,
        };
        self.lines.push((name.to_owned(), text));
    }

    /// Up to so many lines, and how many more there are.
    fn several(&mut self, name: &str, lines: impl Iterator<Item = String>, most: usize) {
        let lines: Vec<String> = lines.collect();
        let shown = if lines.len() > most { most - 1 } else { most };
        for line in lines.iter().take(shown) {
            self.line(name, line);
        }
        if lines.len() > most {
            self.line(name, &format!("(and {} more: see the log)", lines.len() - shown));
        }
    }

    /// A text that must not be cut, as long as it fits: each line but the last ends as a shell continues one.
    fn wrapped(&mut self, name: &str, text: &str, most: usize) {
        let text = self.secrets.hide(text);
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let last = lines.len() - 1;
            let (length, more) = (lines[last].chars().count(), word.chars().count());
            if length > 0 && length + more + 3 > WIDTH && lines.len() < most {
                lines[last].push_str(" \\");
                lines.push(word.to_owned());
            } else {
                let blank = if length > 0 { " " } else { "" };
                lines[last].push_str(&format!("{blank}{word}"));
            }
        }
        for line in &lines {
            self.line(name, line);
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut last = "";
        for (name, line) in &self.lines {
            let shown = if name == last { "" } else { name };
            text.push_str(&format!("| {shown:<9} {line}\n"));
            last = name;
        }
        text
    }
}

/// Of a module that failed in its own words: the last thing that it was refused.
fn last_refusal(failed: &Failed, log: &Log) -> Option<Reason> {
    let module = failed.path().first()?;
    let notes = log.notes();
    let refused = notes.iter().rev().find(|(by, note)| by == module && note.reason.is_some());
    refused.and_then(|(_, note)| note.reason.clone())
}

/// A command that is most like the one that failed, and succeeded.
fn nearest_success(reason: Option<&Reason>, log: &Log, probes: &Probes) -> Option<(String, String)> {
    let failed = reason?.commands().last()?;
    let words: Vec<&str> = failed.split(' ').collect();
    let likeness = |command: &str| command.split(' ').filter(|word| words.contains(word)).count();
    let mut best: Option<(usize, String, String)> = None;
    for (_, note) in log.notes().into_iter().filter(|(_, note)| note.verdict == "yes") {
        for command in probes.commands_of(&note.used) {
            let likeness = likeness(&command);
            let same_program = command.split(' ').next() == words.first().copied();
            if same_program && command != *failed && best.as_ref().is_none_or(|(most, ..)| likeness > *most) {
                best = Some((likeness, note.question.clone(), command));
            }
        }
    }
    best.map(|(_, question, command)| (question, command))
}

/// What helps in most such cases.
fn advice(failed: &Failed, said: &str) -> Vec<String> {
    let text = format!("{}\n{said}", failed.text());
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let mut advice = Vec::new();
    if has(&["no usable"]) {
        advice.push("install a compiler, or say which one: CC=.., CXX=.., FC=..".to_owned());
    }
    if has(&["cannot even", "mean nothing", "wrote no file", "without the flag, too"]) {
        advice.push(
            "run the command below by hand: the compiler itself is broken, or wraps one that is".to_owned(),
        );
        advice.push(
            "another compiler: CC=.., CXX=.., FC=..; without the variables CFLAGS and LDFLAGS".to_owned(),
        );
    }
    if has(&["No such file or directory", "file not found", "there is no <"]) {
        advice.push(
            "install the development package that has the header, or name its directory: CPATH=..".to_owned(),
        );
    }
    if has(&[
        "cannot find -l",
        "unable to find library",
        "no library that is linked defines",
        "undefined reference",
    ]) {
        advice.push("install the library, or name its directory: LIBRARY_PATH=.., LDFLAGS=-L..".to_owned());
    }
    if has(&["no space left", "No space left"]) {
        advice.push("make room, or name another directory: TMPDIR=..".to_owned());
    }
    if has(&["licence"]) {
        advice.push("ask the licence server's administrator, or take another compiler: CC=..".to_owned());
    }
    if has(&["did not finish", "did not answer"]) {
        advice.push("look whether a file server hangs; a longer time: DIJITSO_TIMEOUT=seconds".to_owned());
    }
    if has(&["killed by signal 9", "out of memory"]) {
        advice.push("fewer compilers at once: DIJITSO_JOBS=1".to_owned());
    }
    if has(&["crashed", "signal 11", "signal 6", "signal 4"]) {
        advice.push(
            "the compiler crashes: another version, or another compiler: CC=.., CXX=.., FC=..".to_owned(),
        );
    }
    if has(&["another kind of machine"]) {
        advice.push(
            "a compiler for this machine: CC=.., CXX=.., and look at -m32 and --target in the flags"
                .to_owned(),
        );
    }
    if advice.is_empty() && failed.kind() == FailureKind::Unknown {
        advice.push("run the command by hand; another compiler: CC=.., CXX=.., FC=..".to_owned());
    }
    if failed.kind() == FailureKind::Stale {
        advice.push(
            "`dijitso clean --categories toolchain` forgets all answers; please report the disagreement"
                .to_owned(),
        );
    }
    advice
}

/// Writes down what repeats a failure; `None` if it cannot be written, or nothing was run.
pub(in crate::configure) fn keep(
    failed: &Failed,
    log: &Log,
    fs: &Fs,
    dir: &std::path::Path,
    environment: &[(String, String)],
) -> Option<PathBuf> {
    let reason = failed.reason().cloned().or_else(|| last_refusal(failed, log))?;
    let evidence = reason.evidence().filter(|evidence| !evidence.commands.is_empty())?;
    // What an earlier failure left would be taken for this one's.
    fs.remove_tree(dir).ok()?;
    fs.create_dir_all_public(dir).ok()?;
    for (name, text) in &evidence.texts {
        fs.write(&dir.join(name), log.secrets().hide(text).as_bytes()).ok()?;
    }
    fs.write(&dir.join("error.log"), log.secrets().hide(reason.said()).as_bytes()).ok()?;
    let what = failed.question().unwrap_or("the last question of the module that failed");
    let script = crate::cache::script(what, environment, &evidence.commands);
    fs.write(&dir.join("command.sh"), log.secrets().hide(&script).as_bytes()).ok()?;
    Some(dir.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_before_a_line_is_cut_or_continued() {
        let secrets = Secrets::new(vec!["correct horse battery staple".to_owned()]);
        let mut card = Card { secrets: &secrets, lines: Vec::new() };
        card.line("said", &format!("{} correct horse battery staple", "a".repeat(WIDTH - 10)));
        card.wrapped(
            "command",
            &format!("{} -DPW='correct horse battery staple' end", "b".repeat(WIDTH - 20)),
            5,
        );
        card.line("flag", "-DX=one\ntwo");
        let text = card.text();
        assert!(["correct", "horse", "staple"].iter().all(|word| !text.contains(word)), "{text}");
        assert!(text.contains("-DX=one two") && text.lines().all(|line| line.starts_with('|')), "{text}");
    }
}
