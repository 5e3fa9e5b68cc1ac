//! What Slurm says of a job that somebody has submitted.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::Around;
use crate::config::env;
use crate::process::Command;
use crate::toolchain::which;

/// How a job is known to a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket<'a> {
    /// No other job ever has it.
    pub(super) name: &'a str,
    /// As `sbatch --parsable` has said it; whoever was killed meanwhile could not note it.
    pub(super) id: Option<&'a str>,
}

/// How a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    UnderWay,
    /// Its last answer has been given.
    Ended,
    /// The queue does not know it. It may not have it yet.
    Lost,
}

/// States of a job that does not run again by itself. One that completes is not among them: it may be queued again.
const ENDED: [&str; 12] = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "LAUNCH_FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "SPECIAL_EXIT",
    "TIMEOUT",
];

/// `None`: it did not say.
pub(super) fn life(around: &Around<'_>, dir: &Path, options: &[String], ticket: Ticket<'_>) -> Option<Life> {
    let squeue = which("squeue", around.path, around.fs).ok()?;
    let mut words = ["--noheader", "--states=all", "--format=%T"].map(OsString::from).to_vec();
    words.push(format!("--name={}", ticket.name).into());
    let (id, cluster) = match ticket.id.map(|id| id.split_once(';').unwrap_or((id, ""))) {
        Some((id, cluster)) => (Some(id), Some(cluster.to_owned()).filter(|cluster| !cluster.is_empty())),
        None => (None, None),
    };
    words.extend(id.map(|id| format!("--jobs={id}").into()));
    let cluster = cluster.map(OsString::from).or_else(|| clusters(options));
    words.extend(cluster.map(|cluster| {
        let mut word = OsString::from("--clusters=");
        word.push(cluster);
        word
    }));
    let mut command = Command::new(squeue.path, dir, Duration::from_secs(60)).args(words);
    // The user's own view of the queue hides jobs.
    for (name, _) in env::starting_with(&["SQUEUE_"]) {
        command = command.set(name, None::<OsString>);
    }
    let output = command.spawn(around.counters).ok()?.into_output();
    if !output.status.success() {
        let is_forgotten = String::from_utf8_lossy(&output.stderr).contains("Invalid job id");
        return (is_forgotten && id.is_some()).then_some(Life::Ended);
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Some(read(&said, id.is_some()))
}

fn read(said: &str, has_id: bool) -> Life {
    // Several clusters have a line for each, with a colon.
    let states: Vec<&str> =
        said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains(':')).collect();
    match states.iter().all(|state| ENDED.contains(state)) {
        false => Life::UnderWay,
        true if states.is_empty() && !has_id => Life::Lost,
        true => Life::Ended,
    }
}

/// Of many clusters those that were meant, as options or variables say.
fn clusters(options: &[String]) -> Option<OsString> {
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if matches!(option.as_str(), "-M" | "--clusters" | "--cluster") {
            return options.next().map(OsString::from);
        }
        let joined = ["--clusters=", "--cluster=", "-M"].iter().find_map(|name| option.strip_prefix(name));
        if let Some(clusters) = joined {
            return Some(clusters.into());
        }
    }
    // `squeue` itself does not read the first.
    env::named("SBATCH_CLUSTERS").or_else(|| env::named("SLURM_CLUSTERS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_run_again_has_ended() {
        for state in ENDED {
            assert_eq!(read(&format!("{state}\n"), false), Life::Ended);
        }
        for state in ["PENDING", "RUNNING", "COMPLETING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "STOPPED"]
        {
            assert_eq!(read(&format!("{state}\n"), true), Life::UnderWay, "{state}");
        }
        assert_eq!(read("CLUSTER: a\nREVOKED\nCLUSTER: b\nRUNNING\n", true), Life::UnderWay);
        assert_eq!((read("", false), read("", true)), (Life::Lost, Life::Ended));
    }

    #[test]
    fn the_cluster_is_found_in_every_spelling() {
        let of = |options: &[&str]| clusters(&options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>());
        for options in [
            &["-M", "b"][..],
            &["-Mb"],
            &["--clusters=b"],
            &["--clusters", "b"],
            &["--cluster-constraint=x", "--cluster=b"],
        ] {
            assert_eq!(of(options), Some("b".into()), "{options:?}");
        }
        assert_eq!(of(&["--cluster-constraint=x", "--partition=M"]), None);
    }
}
