//! The record of a configuration: machine, process, options, compilers, results. It is what the next one is compared with.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::flags::Flags;
use super::framework::Framework;
use super::log::{HIDDEN, Secrets, hide};
use super::options::Sources;
use super::outputs::Outputs;
use crate::config::env;
use crate::config::origin::Origin;
use crate::fs::Fs;
use crate::probe::{Language, Settings};

/// A compiler of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CompilerRecord {
    pub(super) words: Vec<String>,
    pub(super) program: String,
    pub(super) version: String,
    pub(super) target: String,
    /// Of its contents.
    pub(super) identity: String,
    pub(super) flags: Vec<String>,
    pub(super) link_flags: Vec<String>,
    /// The same, with who asked.
    pub(super) explained: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) project: String,
    pub(super) version: String,
    pub(super) machine: BTreeMap<String, String>,
    pub(super) program: Vec<String>,
    /// Where it ran: relative names in arguments mean files below it.
    pub(super) directory: String,
    /// Who ran it, and when, in seconds since 1970.
    pub(super) process: BTreeMap<String, String>,
    pub(super) arguments: Vec<String>,
    /// Options whose values are secrets, with the variable that gave one, if it was a variable.
    pub(super) secret: BTreeMap<String, Option<String>>,
    /// What compilers, programs and modules saw of the environment.
    pub(super) environment: BTreeMap<String, String>,
    /// What they looked for there, and was not set.
    pub(super) unset: Vec<String>,
    /// Value and origin by name.
    pub(super) options: BTreeMap<String, (String, String)>,
    /// By the variable that names them.
    pub(super) compilers: BTreeMap<String, CompilerRecord>,
    pub(super) modules: BTreeMap<String, Json>,
    /// Who comes before whom.
    pub(super) edges: Vec<(String, String)>,
    pub(super) defines: BTreeMap<String, String>,
    pub(super) undefined: Vec<String>,
    pub(super) make_macros: BTreeMap<String, String>,
    /// With who asked for each.
    pub(super) flags: Vec<String>,
    pub(super) conflicts: Vec<String>,
}

impl Record {
    /// Its name in the directory of a configuration.
    pub(super) const FILE: &str = "configure.json";

    pub(super) fn of(
        framework: &Framework,
        sources: &Sources,
        program: Vec<String>,
        outputs: &Outputs,
    ) -> Record {
        let secrets = framework.log.secrets();
        let secret = framework
            .options
            .all()
            .filter(|declared| declared.secret && framework.given.is_set(declared.name));
        let secret: BTreeMap<String, Option<String>> = secret
            .filter_map(|declared| match framework.given.value(declared).1 {
                Origin::Environment(name) => Some((declared.name.to_owned(), Some(name.to_string()))),
                Origin::OptionGiven(_) => Some((declared.name.to_owned(), None)),
                // The program and the file say it again.
                _ => None,
            })
            .collect();
        let options = framework.options.all().map(|declared| {
            let (value, origin) = framework.given.value(declared);
            let value = if declared.secret { HIDDEN.to_owned() } else { value.to_string() };
            (declared.name.to_owned(), (value, origin.to_string()))
        });
        let session = framework.probes.session();
        let given = session.compilers().into_iter().map(|(language, compiler)| (language, compiler.flags));
        let given: BTreeMap<Language, Settings> = given.collect();
        let compilers = session.compilers().into_iter().map(|(language, compiler)| {
            let texts = |flags: &mut dyn Iterator<Item = crate::config::origin::Flag>| {
                flags.map(|flag| flag.text).collect::<Vec<String>>()
            };
            let record = CompilerRecord {
                words: compiler.toolchain.words().to_vec(),
                program: compiler.toolchain.program().to_string_lossy().into_owned(),
                version: compiler.toolchain.version(),
                target: compiler.toolchain.target().to_owned(),
                identity: compiler.toolchain.identity().short(),
                flags: texts(&mut compiler.flags.compile_words()),
                link_flags: texts(&mut compiler.flags.link_words()),
                explained: compiler.flags.explain(),
            };
            (language.variable().to_owned(), record)
        });
        let defined =
            |(name, wanted): (&String, &super::outputs::Wanted)| (name.clone(), wanted.value.clone());
        let config = &session.config;
        let paths = [("PATH", &config.path), ("LD_LIBRARY_PATH", &config.library_path)];
        let paths = paths.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let environment = config.compiler_env.iter().map(|(name, value)| (*name, value)).chain(paths);
        let mut environment: BTreeMap<String, String> = environment
            .map(|(name, value)| (name.to_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let mut unset = Vec::new();
        let is_secret = |name: &String| {
            let mut secret = framework.options.all().filter(|declared| declared.secret);
            secret.any(|declared| declared.variables(&sources.prefix).any(|variable| variable == *name))
        };
        for name in framework.variables(sources).into_iter().filter(|name| !is_secret(name)) {
            match env::named(&name) {
                Some(value) => drop(environment.entry(name).or_insert(value.to_string_lossy().into_owned())),
                None => unset.push(name),
            }
        }
        let directory = std::env::current_dir().unwrap_or_default();
        let record = Record {
            project: framework.project.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine(),
            program,
            directory: directory.to_string_lossy().into_owned(),
            process: process(),
            arguments: without_values(&sources.arguments, &secret, framework),
            secret,
            environment,
            unset,
            options: options.collect(),
            compilers: compilers.collect(),
            modules: framework.results().into_iter().collect(),
            edges: framework.edges(),
            defines: outputs.defines.iter().map(defined).collect(),
            undefined: outputs.undefined.keys().cloned().collect(),
            make_macros: outputs.make_macros.iter().map(defined).collect(),
            flags: outputs.flags.iter().map(ToString::to_string).collect(),
            conflicts: contradictions(&outputs.flags.behind(&given)),
        };
        record.hidden(secrets)
    }

    /// Whatever a secret got into.
    fn hidden(self, secrets: &Secrets) -> Record {
        let Ok(mut json) = serde_json::to_value(&self) else { return self };
        hide(&mut json, secrets);
        let Ok(hidden) = serde_json::from_value::<Record>(json) else { return self };
        // What the script must have exactly. These are paths, and no place for a secret.
        Record { directory: self.directory, program: self.program, ..hidden }
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// What an earlier configuration left; `None` if there is none, or one of another version.
    pub(super) fn read(fs: &Fs, dir: &Path) -> Option<Record> {
        let bytes = fs.read_at_most(&dir.join(Record::FILE), 64 << 20).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// One line for each thing that is different from an earlier configuration.
    pub(super) fn changes_since(&self, before: &Record) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, old: BTreeMap<String, String>, new: BTreeMap<String, String>| {
            for (name, value) in &old {
                match new.get(name) {
                    None => changes.push(format!("{what} {name}: {value} -> (gone)")),
                    Some(now) if now != value => changes.push(format!("{what} {name}: {value} -> {now}")),
                    Some(_) => {}
                }
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                changes.push(format!("{what} {name}: (new) {value}"));
            }
        };
        let options = |record: &Record| -> BTreeMap<String, String> {
            // How it is asked is no answer.
            let asked = |name: &str| matches!(name, "diff" | "shadow" | "jobs");
            let options = record.options.iter().filter(|(name, _)| !asked(name));
            let text = |value: &str, origin: &str| match origin.starts_with("default") {
                // Where its line is now is no change.
                true => format!("{value} (default)"),
                false => format!("{value} ({origin})"),
            };
            options.map(|(name, (value, origin))| (name.clone(), text(value, origin))).collect()
        };
        let compilers = |record: &Record| -> BTreeMap<String, String> {
            let compilers = record.compilers.iter();
            let text = |c: &CompilerRecord| {
                let words: Vec<&str> = c.words.iter().chain(&c.flags).map(String::as_str).collect();
                format!("{}, {} [{}]", words.join(" "), c.version, c.identity)
            };
            compilers.map(|(name, compiler)| (name.clone(), text(compiler))).collect()
        };
        let modules = |record: &Record| -> BTreeMap<String, String> {
            record.modules.iter().map(|(name, json)| (name.clone(), json.to_string())).collect()
        };
        compare("machine", before.machine.clone(), self.machine.clone());
        compare("option", options(before), options(self));
        compare("compiler", compilers(before), compilers(self));
        compare("module", modules(before), modules(self));
        compare("macro", before.defines.clone(), self.defines.clone());
        compare("Make macro", before.make_macros.clone(), self.make_macros.clone());
        let (old, new) = (&before.flags, &self.flags);
        changes
            .extend(old.iter().filter(|flag| !new.contains(flag)).map(|flag| format!("flag gone: {flag}")));
        changes.extend(new.iter().filter(|flag| !old.contains(flag)).map(|flag| format!("flag new: {flag}")));
        changes
    }
}

/// Arguments, without the values of secret options.
fn without_values(
    arguments: &[String],
    secret: &BTreeMap<String, Option<String>>,
    framework: &Framework,
) -> Vec<String> {
    let is_variable_of = |word: &str| {
        let mut secrets = framework.options.all().filter(|declared| secret.contains_key(declared.name));
        secrets.any(|declared| declared.variable == Some(word))
    };
    let mut kept = Vec::new();
    let mut is_value = false;
    for argument in arguments {
        if std::mem::take(&mut is_value) {
            continue;
        }
        let word = argument.trim_start_matches('-');
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        // `TOKEN=..`, too, which has no dashes.
        let is_secret = secret.contains_key(name) || value.is_some() && is_variable_of(name);
        match is_secret {
            true => is_value = value.is_none(),
            false => kept.push(argument.clone()),
        }
    }
    kept
}

fn process() -> BTreeMap<String, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    BTreeMap::from([
        ("id".to_owned(), std::process::id().to_string()),
        ("user".to_owned(), rustix::process::getuid().as_raw().to_string()),
        ("time".to_owned(), now.as_secs().to_string()),
    ])
}

/// Each once: flags for the link stand in the settings of every language.
fn contradictions(flags: &Flags) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for conflict in flags.conflicts() {
        let text = conflict.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// What there is to be said about the machine.
fn machine() -> BTreeMap<String, String> {
    let uname = rustix::system::uname();
    let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    BTreeMap::from([
        ("name".to_owned(), word(uname.nodename())),
        ("system".to_owned(), format!("{} {}", word(uname.sysname()), word(uname.release()))),
        ("architecture".to_owned(), word(uname.machine())),
        ("cores".to_owned(), cores.to_string()),
    ])
}
