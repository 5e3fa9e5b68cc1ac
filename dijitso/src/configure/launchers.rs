//! Where the programs of a configuration are run, and which answers are known, as its options say.

use std::collections::BTreeMap;
use std::path::Path;

use super::failed::{Failed, FailureKind};
use super::options::{Given, Opt, OptionValue, Options};
use crate::fs::Fs;
use crate::probe::{Launcher, ProbesBuilder};

const BATCH: Opt<String> = Opt::text(
    "with-batch",
    "no",
    "no|local|slurm|slurm:*|exec:*|template:*",
    "run the programs of a configuration in one job: local, slurm:OPTIONS of sbatch, exec:WORDS, template:FILE WORDS",
);
const WAIT: Opt<bool> =
    Opt::boolean("with-batch-wait", true, "wait for the job, else configure again when it has run");
const DIR: Opt<Option<std::path::PathBuf>> =
    Opt::path("with-batch-dir", "batch", "where jobs are, which their machine must see");
const KNOWN: Opt<Vec<String>> = Opt::list(
    "with-known",
    "",
    "what programs print that are not run: NAME=TEXT for each, by the names of questions",
);
const KNOWN_STATUS: Opt<Vec<String>> =
    Opt::list("with-known-status", "", "with which status they end, if not 0: NAME=STATUS for each");

pub(super) fn options(options: &mut Options) {
    options.section("Batch").add(&BATCH).add(&WAIT).add(&DIR).add(&KNOWN).add(&KNOWN_STATUS);
}

/// The session's launcher and known answers; without these options what the program has chosen. Jobs are in `dir`, if nobody says
/// where.
pub(super) fn choose(
    mut probes: ProbesBuilder,
    options: &Options,
    given: &Given,
    dir: Option<&Path>,
    fs: &Fs,
) -> Result<ProbesBuilder, Failed> {
    if let Some(text) = value(&BATCH, options, given).filter(|_| given.is_set(BATCH.name())) {
        let place = value(&DIR, options, given).flatten().unwrap_or_default();
        let place = match dir.filter(|_| !given.is_set(DIR.name())) {
            Some(dir) => dir.join(place),
            None => place,
        };
        probes = match launcher(&text, fs)? {
            Some(launcher) => {
                let waits = value(&WAIT, options, given).unwrap_or(true);
                probes.launcher(place, launcher.waiting(waits))
            }
            None => probes.without_launcher(),
        };
    }
    let mut known: BTreeMap<String, (i32, String)> = BTreeMap::new();
    for (name, text) in pairs(&KNOWN, options, given)? {
        known.entry(name).or_default().1 = text;
    }
    for (name, text) in pairs(&KNOWN_STATUS, options, given)? {
        let status = text.parse().map_err(|_| {
            wrong(&KNOWN_STATUS, &format!("{name}={text}"), "write a number, the status of the program")
        })?;
        known.entry(name).or_default().0 = status;
    }
    Ok(known.into_iter().fold(probes, |probes, (name, (status, text))| probes.known(name, status, text)))
}

fn value<T: OptionValue>(option: &Opt<T>, options: &Options, given: &Given) -> Option<T> {
    T::of(&given.value(options.get(option.name())?).0)
}

fn launcher(text: &str, fs: &Fs) -> Result<Option<Launcher>, Failed> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let words =
        shlex::split(rest).ok_or_else(|| wrong(&BATCH, text, "it has a quote without its partner"))?;
    Ok(Some(match (kind, words.as_slice()) {
        ("local", _) => Launcher::local(),
        ("slurm", options) => options.iter().fold(Launcher::slurm(), |launcher, word| launcher.option(word)),
        ("exec", [_, ..]) => Launcher::exec(words),
        ("exec", []) => {
            return Err(wrong(&BATCH, text, "write the words that start it, as in exec:srun -n1"));
        }
        ("template", [file, submit @ ..]) if !submit.is_empty() => {
            let script = fs.read_at_most(Path::new(file), 1 << 20).map_err(|error| {
                wrong(&BATCH, text, &format!("the script {file} cannot be read: {error}"))
            })?;
            Launcher::template(String::from_utf8_lossy(&script), submit.iter().cloned())
        }
        ("template", _) => {
            let form =
                "write the script and the words that submit it, as in template:job.sh qsub -W block=true";
            return Err(wrong(&BATCH, text, form));
        }
        _ => return Ok(None),
    }))
}

fn pairs(
    option: &Opt<Vec<String>>,
    options: &Options,
    given: &Given,
) -> Result<Vec<(String, String)>, Failed> {
    let all = value(option, options, given).unwrap_or_default().into_iter();
    all.map(|word| {
        let pair = word.split_once('=').map(|(name, text)| (name.trim().to_owned(), text.to_owned()));
        pair.ok_or_else(|| wrong(option, &word, "write NAME=VALUE, with the name of a question"))
    })
    .collect()
}

fn wrong<T>(option: &Opt<T>, text: &str, why: &str) -> Failed {
    Failed::new(FailureKind::Options, format!("--{}: `{text}` is not allowed: {why}", option.name()))
}
