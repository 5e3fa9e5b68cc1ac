//! The script that runs the programs of a job: for any shell, on a machine that has nothing of ours.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::entry::Entry;
use crate::probe::job::PATIENCE;

/// By which a launcher tells a task its number. Those of MPI are first: below `mpirun`, Slurm counts daemons.
pub(super) const RANKS: [&str; 8] = [
    "OMPI_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_RANK",
    "PMIX_RANK",
    "PMI_RANK",
    "PALS_RANKID",
    "ALPS_APP_PE",
    "FLUX_TASK_RANK",
    "SLURM_PROCID",
];

/// What a launcher says to the programs that it starts: without it those of MPI do not find each other.
pub(super) const LAUNCHERS: [&str; 18] = [
    "SLURM_",
    "SLURMD_",
    "PMI_",
    "PMIX_",
    "OMPI_",
    "PRTE_",
    "OPAL_",
    "HYDRA_",
    "HYDI_",
    "MPI_LOCAL",
    "MV2_",
    "I_MPI_",
    "PALS_",
    "ALPS_",
    "FLUX_",
    "PBS_",
    "LSB_",
    "JSM_",
];

/// All of it but the programs.
///
/// Every program has the environment that it would have here, and what it said comes as one directory, at once and whole:
/// a job that is started again, by Slurm after a node has failed, finds what it has and does the rest. Shells cannot tell
/// a signal from a status of the same number, awk can; not every one.
const FRAME: &str = r#"
umask 077
become() {
  key=$1 part=$2
  shift 2
  limit=$*
  set --
  for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
    case $name in @LAUNCHERS@) eval "value=\${$name-}"; set -- "$@" "$name=$value" ;; esac
  done
  cd "$key" || exit 1
  exec </dev/null >"$part/stdout" 2>"$part/stderr"
  case $key in
@PROGRAMS@
  esac
  exit 1
}
[ $# = 0 ] || become "$@"
limit=
if timeout -s KILL 60 true 2>/dev/null; then limit='timeout -s KILL @SECONDS@'; fi
awk=
if [ "$(awk 'BEGIN { print system("kill -9 $$") }' 2>/dev/null)" = 265 ]; then awk=yes; fi
rank=@RANK@
here=$(uname -n | tr -cd 'A-Za-z0-9._-').$$
node=$(uname -nm; for what in 'model name' flags Features; do sed -n "/^$what/{p;q;}" /proc/cpuinfo; done 2>/dev/null)
for key in @KEYS@; do
  if [ -d $key/told ]; then continue; fi
  part=part.$here
  rm -rf "$key/$part"
  mkdir "$key/$part" || continue
  if [ -n "$awk" ]; then
    status=$(awk -v "command=exec /bin/sh ./run.sh $key $part $limit" 'BEGIN {
      status = system(command)
      if (status < 256) print "exit", status; else print "signal", status % 256
    }')
  else
    /bin/sh ./run.sh "$key" "$part" $limit
    status="shell $?"
  fi
  # All tasks run it, as a program of MPI wants; the first is listened to.
  if [ "$rank" != 0 ]; then rm -rf "$key/$part"; continue; fi
  # Whoever was ended from outside has said nothing, and may be run again.
  case $status in
    'signal 1' | 'signal 2' | 'signal 9' | 'signal 15' | 'signal 24' | 'signal 25') to=ended; rm -rf "$key/ended" ;;
    'shell 129' | 'shell 130' | 'shell 137' | 'shell 143' | 'shell 152' | 'shell 153') to=ended; rm -rf "$key/ended" ;;
    *) to=told ;;
  esac
  printf '%s\n' "$node" >"$key/$part/node" && echo "$status" >"$key/$part/status" && mv "$key/$part" "$key/$to"
done
if [ "$rank" = 0 ]; then : >finished; fi
"#;

/// For the programs in `dir`.
///
/// # Errors
/// A script cannot name the directory.
pub(super) fn script(dir: &Path, programs: &BTreeMap<String, Entry>) -> io::Result<Vec<u8>> {
    let mut lines: Vec<u8> = Vec::new();
    for (key, entry) in programs {
        lines.extend_from_slice(
            format!("{key}) exec $limit env -i \"$@\" LC_ALL=C \"TMPDIR=$PWD\"").as_bytes(),
        );
        for (name, value) in &entry.variables {
            lines.push(b' ');
            lines.extend(word(&[name.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
        lines.extend_from_slice(format!(" {} ;;\n", entry.command()).as_bytes());
    }
    let keys: Vec<&str> = programs.keys().map(String::as_str).collect();
    let launchers = LAUNCHERS.map(|prefix| format!("{prefix}*")).join("|");
    let rank = RANKS.iter().rev().fold("0".to_owned(), |rest, name| format!("${{{name}:-{rest}}}"));
    let frame = FRAME
        .replace("@LAUNCHERS@", &launchers)
        .replace("@SECONDS@", &PATIENCE.as_secs().to_string())
        .replace("@RANK@", &rank)
        .replace("@KEYS@", &keys.join(" "));
    let (before, after) = frame.split_once("@PROGRAMS@\n").unwrap_or_default();
    let head = format!(
        "#!/bin/sh\n# Runs {} programs of a configuration; `told` of each is what it said.\ncd {} || exit 1",
        programs.len(),
        quoted(dir)?
    );
    Ok([head.as_bytes(), before.as_bytes(), &lines, after.as_bytes()].concat())
}

/// For a shell, exactly.
pub(super) fn quoted(path: &Path) -> io::Result<String> {
    let text = path.to_str().and_then(|text| shlex::try_quote(text).ok());
    text.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "a script cannot name this directory; choose another one")
    })
}

fn word(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let quoted = shlex::bytes::try_quote(bytes).map_err(|_| {
        let name = OsStr::from_bytes(bytes).to_string_lossy();
        let name = name.split('=').next().unwrap_or_default().to_owned();
        io::Error::new(io::ErrorKind::InvalidInput, format!("a script cannot name the value of {name}"))
    })?;
    Ok(quoted.into_owned())
}
