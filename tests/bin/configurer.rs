//! A configuration whose answers need programs to be run by a launcher: a process of its own, because jobs outlive processes.
//!
//! `configurer <dir> <gate> <launcher> [words ..]` prints a [`Configured`] as JSON. One of its programs runs until there is a
//! file `gate`.

use std::path::PathBuf;

use dijitso::configure::{Configure, Cx, Failed, FailureKind, Module};
use dijitso::probe::{Language, Launcher, Probes, Run};
use dijitso_tests::protocol::Configured;
use serde::{Deserialize, Serialize};

const INCLUDES: &str = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>";

/// What programs say, and in which job of Slurm.
fn squares() -> [Run; 3] {
    [2, 3, 4].map(|n: u8| {
        let text = format!(
            "const char *job = getenv(\"SLURM_JOB_ID\"); printf(\"%d %s\\n\", {n} * {n}, job ? job : \"none\");"
        );
        Run::body(Language::C, INCLUDES, &text).named(format!("the square of {n}"))
    })
}

#[derive(Serialize, Deserialize)]
struct Squares {
    said: Vec<String>,
}

impl Module for Squares {
    const NAME: &'static str = "squares";

    fn configure(cx: &Cx<'_>) -> Result<Squares, Failed> {
        let mut said = Vec::new();
        for verdict in cx.all(squares()) {
            let reason = verdict.reason().map(ToString::to_string);
            let ran = verdict.yes().ok_or_else(|| cx.fail(reason.unwrap_or_default()))?;
            said.push(ran.stdout.trim().to_owned());
        }
        Ok(Squares { said })
    }
}

struct Gate(PathBuf);

#[derive(Serialize, Deserialize)]
struct Gated {
    status: i32,
}

impl Module for Gated {
    const NAME: &'static str = "gated";

    fn configure(cx: &Cx<'_>) -> Result<Gated, Failed> {
        let gate = cx.provided::<Gate>()?;
        // Another question than the squares, in another module, and yet in the same job.
        let text = "int main(int n, char **words) { (void)n; while (access(words[1], F_OK)) usleep(10000); return 7; }\n";
        let text = format!("{INCLUDES}\n{text}");
        let run =
            Run::new(Language::C, text).named("the gate").arg(gate.0.display().to_string()).any_status();
        Ok(Gated { status: cx.need(&run)?.status })
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [dir, gate, launcher, rest @ ..] = words.as_slice() else {
        panic!("usage: configurer <dir> <gate> <launcher> [words ..]")
    };
    let slurm = || rest.iter().fold(Launcher::slurm(), |launcher, word| launcher.option(word));
    let launcher = match launcher.as_str() {
        "exec" => Launcher::exec(rest.iter().cloned()),
        "slurm" => slurm(),
        "slurm-later" => slurm().waiting(false),
        "template" => Launcher::template(
            "#!/bin/sh\n#SBATCH --job-name=template\n#SBATCH --output=/dev/null\n@COMMAND@\n",
            rest.iter().cloned(),
        ),
        other => panic!("no launcher {other}"),
    };
    let dir = PathBuf::from(dir);
    let probes = Probes::builder().cache_dir(dir.join("cache")).launcher(dir.join("batch"), launcher);
    let configure = Configure::new("Batch").probes(probes.without_environment_flags());
    let configure = configure.with::<Squares>().with::<Gated>().provide(Gate(gate.into()));
    let told = match configure.run() {
        Ok(configuration) => Configured {
            answers: configuration.get::<Squares>().map(|squares| squares.said).unwrap_or_default(),
            status: configuration.get::<Gated>().map(|gated| gated.status),
            processes: configuration.probes().map_or(0, |probes| probes.stats().processes),
            ..Configured::default()
        },
        Err(failed) => Configured {
            waits: failed.kind() == FailureKind::Waiting,
            error: Some(failed.to_string()),
            ..Configured::default()
        },
    };
    println!("{}", serde_json::to_string(&told).expect("JSON"));
}
