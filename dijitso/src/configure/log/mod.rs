//! What happened, for whoever has to find out why it failed.
//!
//! There are two logs. The event log has a line of JSON for each thing that happened, with its time, for programs. The
//! readable log has a section for each module, each behind those that it needs, and no times: so it is the same text
//! whether one compiler ran at once or sixteen, and two runs can be compared with `diff`.

mod card;
mod secrets;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value as Json, json};

pub(super) use card::{card, keep};
pub(super) use secrets::{HIDDEN, Secrets};

use super::failed::Failed;
use super::framework::lock;
use crate::probe::Note;

#[derive(Debug)]
pub(super) struct Log {
    started: Instant,
    secrets: Secrets,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Json>,
    /// In the order in which they began.
    sections: Vec<Section>,
    /// Names of sections, in the order in which these were done.
    done: Vec<String>,
    notes: Vec<(String, Note)>,
    mistakes: Vec<Failed>,
}

#[derive(Debug)]
struct Section {
    module: String,
    lines: Vec<String>,
    outcome: String,
}

/// Lines of a compiler's words that the readable log has at most.
const LINES: usize = 12;

impl Log {
    pub(super) fn new(secrets: Secrets) -> Log {
        Log { started: Instant::now(), secrets, inner: Mutex::default() }
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(super) fn begin(&self, module: &str) {
        self.event(json!({ "event": "begin", "module": module }));
        let section = Section { module: module.to_owned(), lines: Vec::new(), outcome: String::new() };
        lock(&self.inner).sections.push(section);
    }

    pub(super) fn end(&self, module: &str, failed: Option<&Failed>) {
        let outcome = failed.map_or("done".to_owned(), |failed| format!("failed: {failed}"));
        self.event(json!({ "event": "end", "module": module, "outcome": outcome }));
        let mut inner = lock(&self.inner);
        inner.done.push(module.to_owned());
        if let Some(section) = inner.sections.iter_mut().find(|section| section.module == module) {
            section.outcome = outcome;
        }
    }

    pub(super) fn note(&self, module: &str, text: &str) {
        self.event(json!({ "event": "note", "module": module, "text": text }));
        self.line(module, format!("  {text}"));
    }

    pub(super) fn mistake(&self, module: &str, failed: Failed) {
        self.event(json!({ "event": "mistake", "module": module, "text": failed.text() }));
        self.line(module, format!("  mistake: {}", failed.text()));
        lock(&self.inner).mistakes.push(failed);
    }

    pub(super) fn mistakes(&self) -> Vec<Failed> {
        lock(&self.inner).mistakes.clone()
    }

    pub(super) fn questions(&self, module: &str, notes: Vec<Note>) {
        for note in notes {
            let evidence = note.reason.as_ref().and_then(|reason| reason.evidence());
            let flags = evidence.map(|evidence| {
                let flags = evidence.flags.iter();
                flags.map(|flag| json!({ "text": flag.text, "origin": flag.origin.to_string() })).collect()
            });
            self.event(json!({
                "event": "question",
                "module": module,
                "question": note.question,
                "verdict": note.verdict,
                "answer": note.answer,
                "reason": note.reason.as_ref().map(ToString::to_string),
                "commands": evidence.map(|evidence| evidence.commands.clone()),
                "said": evidence.map(|evidence| evidence.said.clone()),
                "flags": flags.unwrap_or(Json::Array(Vec::new())),
            }));
            let answer = if note.answer.is_empty() { String::new() } else { format!(": {}", note.answer) };
            self.line(module, format!("  {:<7} {}{answer}", note.verdict, note.question));
            if let Some(reason) = &note.reason {
                self.line(module, format!("          because: {reason}"));
                for command in reason.commands() {
                    self.line(module, format!("          $ {command}"));
                }
                for line in reason.said().lines().take(LINES) {
                    self.line(module, format!("          | {line}"));
                }
            }
            lock(&self.inner).notes.push((module.to_owned(), note));
        }
    }

    pub(super) fn notes(&self) -> Vec<(String, Note)> {
        lock(&self.inner).notes.clone()
    }

    fn line(&self, module: &str, text: String) {
        let text = self.secrets.hide(&text);
        let mut inner = lock(&self.inner);
        if let Some(section) = inner.sections.iter_mut().find(|section| section.module == module) {
            section.lines.push(text);
        }
    }

    fn event(&self, mut event: Json) {
        hide(&mut event, &self.secrets);
        event["at_ms"] = json!(self.started.elapsed().as_millis() as u64);
        lock(&self.inner).events.push(event);
    }

    /// One line of JSON for each event.
    pub(super) fn events(&self) -> String {
        lock(&self.inner).events.iter().fold(String::new(), |mut text, event| {
            let _ = writeln!(text, "{event}");
            text
        })
    }

    /// The sections, each behind those of the modules it needs.
    pub(super) fn readable(&self) -> String {
        let inner = lock(&self.inner);
        let mut text = String::new();
        for module in &inner.done {
            let Some(section) = inner.sections.iter().find(|section| section.module == *module) else {
                continue;
            };
            let _ = writeln!(text, "== {module}: {}", self.secrets.hide(&section.outcome));
            for line in &section.lines {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }
}

/// In every text of it.
pub(super) fn hide(json: &mut Json, secrets: &Secrets) {
    match json {
        Json::String(text) => *text = secrets.hide(text),
        Json::Array(items) => items.iter_mut().for_each(|item| hide(item, secrets)),
        Json::Object(fields) => fields.values_mut().for_each(|field| hide(field, secrets)),
        _ => {}
    }
}
