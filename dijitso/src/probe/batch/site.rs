//! Which machines a launcher's words mean. They are the same on all clusters that share a home directory.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::config::env;
use crate::fs::Fs;
use crate::signature::{Signature, Signer};
use crate::toolchain::native_digest;

/// Variables by which a user chooses a cluster, or nodes of it, beside the words. Those of Slurm that `srun` sets itself for
/// each job say nothing of the kind.
const CHOICES: [&str; 19] = [
    "SBATCH_",
    "SALLOC_",
    "SLURM_CONF",
    "SLURM_CONF_SERVER",
    "SLURM_CLUSTERS",
    "SLURM_CLUSTER_CONSTRAINT",
    "SLURM_ACCOUNT",
    "SLURM_CONSTRAINT",
    "SLURM_PARTITION",
    "SLURM_QOS",
    "SLURM_RESERVATION",
    "SLURM_HINT",
    "PBS_DEFAULT",
    "PBS_SERVER",
    "PBS_CONF_FILE",
    "LSF_ENVDIR",
    "LSB_DEFAULTQUEUE",
    "SGE_ROOT",
    "SGE_CELL",
];

/// Where Slurm's configuration is, if no variable says so; where there is none, its daemon keeps a copy.
const CONFIGURATIONS: [&str; 4] = [
    "/etc/slurm/slurm.conf",
    "/run/slurm/conf/slurm.conf",
    "/etc/slurm-llnl/slurm.conf",
    "/usr/local/etc/slurm.conf",
];
const LARGEST: u64 = 16 << 20;

/// Of this process.
pub(super) fn here(fs: &Fs) -> Signature {
    of(&env::starting_with(&CHOICES), &CONFIGURATIONS.map(PathBuf::from), fs)
}

fn of(set: &[(OsString, OsString)], configurations: &[PathBuf], fs: &Fs) -> Signature {
    let mut signer = Signer::quiet("dijitso site 1");
    let is_choice = |name: &OsStr| CHOICES.iter().any(|choice| name == *choice || is_prefix_of(choice, name));
    let mut chosen: Vec<_> = set.iter().filter(|(name, _)| is_choice(name)).collect();
    chosen.sort();
    for (name, value) in chosen {
        signer.field(&name.to_string_lossy(), value);
    }
    let named = set.iter().find(|(name, _)| name == "SLURM_CONF").map(|(_, path)| PathBuf::from(path));
    let cluster = match named {
        Some(path) => cluster(fs, &path),
        None => configurations.iter().find_map(|path| cluster(fs, path)),
    };
    match cluster {
        Some(name) => signer.field("cluster", &name),
        // The least that is known of where it is submitted.
        None => signer.field("machine", &native_digest()),
    };
    signer.finish()
}

fn is_prefix_of(choice: &str, name: &OsStr) -> bool {
    choice.ends_with('_') && name.to_string_lossy().starts_with(choice)
}

/// The name that a configuration of Slurm gives to its cluster.
fn cluster(fs: &Fs, path: &Path) -> Option<String> {
    let text = fs.read_at_most(path, LARGEST).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let is_name = key.trim().eq_ignore_ascii_case("ClusterName");
        let value = value.split(['#', ' ', '\t']).find(|word| !word.is_empty())?;
        is_name.then(|| value.trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(set: &[(&str, &str)], configurations: &[PathBuf]) -> Signature {
        let set: Vec<(OsString, OsString)> =
            set.iter().map(|(name, value)| (name.into(), value.into())).collect();
        of(&set, configurations, &Fs::new(Default::default()))
    }

    #[test]
    fn what_chooses_other_machines_is_another_site() {
        let plain = site(&[], &[]);
        for (name, value) in [
            ("SBATCH_PARTITION", "gpu"),
            ("SBATCH_CONSTRAINT", "skylake"),
            ("SBATCH_ACCOUNT", "me"),
            ("SLURM_CLUSTERS", "b"),
            ("SLURM_CONF", "/b/slurm.conf"),
            ("SLURM_PARTITION", "gpu"),
            ("PBS_DEFAULT", "b"),
        ] {
            assert_ne!(site(&[(name, value)], &[]), plain, "{name}");
            assert_ne!(site(&[(name, value)], &[]), site(&[(name, "another")], &[]), "{name}");
        }
        // Each job has another one.
        assert_eq!(site(&[("SLURM_JOB_ID", "17"), ("SLURM_CONFIG", "x"), ("HOME", "/h")], &[]), plain);
    }

    #[test]
    fn clusters_that_share_everything_but_the_name_are_two() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slurm.conf");
        let named = |text: &str| {
            std::fs::write(&path, text).unwrap();
            (site(&[], std::slice::from_ref(&path)), site(&[("SLURM_CONF", path.to_str().unwrap())], &[]))
        };
        let (one, two) = (named("# x\nClusterName=one\n"), named(" clustername = two # x\n"));
        assert!(one.0 != two.0 && one.1 != two.1);
        assert_eq!(named("SlurmctldHost=x\nClusterName=one"), one);
    }
}
