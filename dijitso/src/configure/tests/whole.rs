//! A configuration as a whole: its name and place, its options, its shadow, its launcher.

use super::*;
use crate::probe::{Program, Run};

/// What every module can know: the configuration's name, and where the project is installed.
#[derive(Debug, Serialize, Deserialize)]
struct Where(Option<String>, String);

impl Module for Where {
    const NAME: &'static str = "where";

    fn configure(cx: &Cx<'_>) -> Result<Where, Failed> {
        Ok(Where(cx.name().map(str::to_owned), cx.prefix().display().to_string()))
    }
}

#[test]
fn configurations_lie_side_by_side_by_their_names() {
    let place = Place::new();
    for (name, level) in [("linux-debug", "9"), ("linux-opt", "1")] {
        let level = format!("--with-level={level}");
        let prefix = format!("--prefix=/opt/{name}");
        let configure = place.configure().named(name).with::<App>().with::<Where>();
        let configuration = configure.arguments([level, prefix.clone()]).run().unwrap();
        configuration.write_header("demo.h").unwrap();
        let found = configuration.get::<Where>().unwrap();
        assert_eq!((found.0.as_deref(), format!("--prefix={}", found.1)), (Some(name), prefix));
    }
    let found = place.configure().with::<Where>().run().unwrap().get::<Where>().unwrap();
    assert_eq!((found.0.as_deref(), found.1.as_str()), (None, "/usr/local"));
    assert_eq!(Configure::names(place.path("build")), ["linux-debug", "linux-opt"]);
    assert!(place.read("build/linux-debug/demo.h").contains("DEMO_LEVEL 9"));
    assert!(place.read("build/linux-opt/demo.h").contains("DEMO_LEVEL 1"));
}

#[test]
fn what_is_wrong_with_options_is_told_before_anything_runs() {
    let place = Place::new();
    let failed =
        place.configure().with::<App>().arguments(["--with-lvel=1", "--with-level=99"]).run().unwrap_err();
    assert_eq!(failed.kind(), FailureKind::Options);
    let text = failed.to_string();
    assert!(text.contains("did you mean --with-level?") && text.contains("from 0 to 9"), "{text}");
    let help = place.configure().with::<App>().arguments(["--help"]).run().unwrap_err();
    assert_eq!(help.kind(), FailureKind::Help);
    assert!(help.to_string().contains("--with-level=<0..9>") && help.to_string().contains("\napp:\n"));
    assert!(!place.path("build").exists());
}

module!(Undeclared, "undeclared", |cx| cx.get(&LEVEL).map(|level| Undeclared(level as u32)));

#[test]
fn an_option_that_nobody_declared_is_a_mistake_of_the_module() {
    let failed = Place::new().configure().with::<Undeclared>().run().unwrap_err().to_string();
    assert!(failed.contains("--with-level is used by undeclared and declared by no module"), "{failed}");
}

#[test]
fn compilers_and_flags_are_options_with_origins() {
    let place = Place::new();
    let configuration = place
        .configure()
        .with::<Types>()
        .arguments(["CFLAGS=-DONE=1 -O1", "CC=gcc -m64", "--with-ldflags=-Wl,-z,now"])
        .run()
        .unwrap();
    assert_eq!(configuration.compiler(Language::C).unwrap(), ["gcc", "-m64"]);
    let dump = configuration.dump();
    assert!(dump.contains("-DONE=1 (option --with-cflags)"), "{dump}");
    let summary = configuration.summary();
    assert!(summary.contains("CC flags") && summary.contains("-DONE=1 -O1"), "{summary}");
}

const MOODY: Opt<Option<std::path::PathBuf>> = Opt::path("with-moody", "", "a program with moods");

/// Its answer depends on what no record shows.
#[derive(Debug, Serialize, Deserialize)]
struct Moody(String);

impl Module for Moody {
    const NAME: &'static str = "moody";

    fn options(options: &mut Options) {
        options.add(&MOODY);
    }

    fn configure(cx: &Cx<'_>) -> Result<Moody, Failed> {
        let path = cx.get(&MOODY)?.unwrap_or_default();
        let tool = Program::new(path.to_string_lossy()).reads("/dijitso/is/not/there");
        Ok(Moody(cx.need(&tool)?.version))
    }
}

#[test]
fn a_shadow_configuration_fails_on_any_disagreement() {
    let place = Place::new();
    let tool = place.script("bin/moody", &format!("cat {}", place.path("mood").display()));
    let run = |more: &[&str]| {
        let words =
            [format!("--with-moody={tool}")].into_iter().chain(more.iter().map(|word| (*word).to_owned()));
        place.configure().with::<App>().with::<Moody>().arguments(words).run()
    };
    place.write("mood", "moody 1.0");
    let version = |configuration: Configuration| configuration.get::<Moody>().unwrap().0.clone();
    assert_eq!(version(run(&[]).unwrap()), "1.0");
    let shadow = run(&["--shadow"]).unwrap();
    assert!(shadow.probes().unwrap().stats().processes > 0, "all is asked, and agrees");
    place.write("mood", "moody 2.0");
    assert_eq!(version(run(&[]).unwrap()), "1.0", "as remembered");
    let failed = run(&["--shadow"]).unwrap_err();
    assert_eq!(failed.kind(), FailureKind::Stale);
    let card = failed.card();
    assert!(card.contains("remembered answers are wrong") && card.contains("moody"), "{card}");
    assert!(card.contains("1.0") && card.contains("2.0") && card.contains("forgets all answers"), "{card}");
    assert_eq!(version(run(&[]).unwrap()), "2.0", "and what is wrong is forgotten");
}

module!(Running, "running", |cx| {
    let text = "puts(getenv(\"SLURM_JOB_ID\") ? getenv(\"SLURM_JOB_ID\") : \"here\");";
    let run = Run::body(Language::C, "#include <stdio.h>\n#include <stdlib.h>", text).named("where it runs");
    let said = cx.need(&run)?.stdout;
    Ok(Running(said.trim().parse().unwrap_or(0)))
});

#[test]
fn options_choose_where_programs_run_and_which_answers_are_known() {
    let place = Place::new();
    let of = |arguments: &[&str]| {
        let configure = place.configure().with::<Running>().arguments(arguments.iter().copied());
        configure.run().map(|configuration| configuration.get::<Running>().unwrap().0)
    };
    let launcher = place.script("launch", "SLURM_JOB_ID=7 exec \"$@\"");
    let script = place.write("job.template", "#!/bin/sh\nSLURM_JOB_ID=8; export SLURM_JOB_ID\n@COMMAND@\n");
    let exec = format!("--with-batch=exec:{launcher}");
    let template = format!("--with-batch=template:{} sh", script.display());
    assert_eq!(of(&["--with-batch=local"]).unwrap(), 0);
    assert!(place.path("build/batch/job-1").exists(), "jobs are where all is written");
    let jobs = place.path("jobs");
    assert_eq!(of(&[&exec, "--with-batch-dir", jobs.to_str().unwrap()]).unwrap(), 7);
    assert!(jobs.join("job-1").exists());
    let waiting = of(&[&template, "--without-batch-wait"]).unwrap_err();
    assert_eq!(waiting.kind(), FailureKind::Waiting);
    assert_eq!(of(&[&template, "--without-batch-wait"]).unwrap(), 8);
    assert_eq!(of(&["--with-known=where it runs=9"]).unwrap(), 9);
    let failed = of(&["--with-known-status=where it runs=1"]).unwrap_err().to_string();
    assert!(failed.contains("known to fail"), "{failed}");
    let missing = format!("--with-batch=template:{} sh", place.path("none").display());
    for wrong in [
        "--with-batch=pbs",
        "--with-batch=exec:",
        "--with-batch=template:x",
        &missing,
        "--with-known=x",
        "--with-known-status=x=y",
    ] {
        let failed = of(&[wrong]).unwrap_err();
        assert_eq!(failed.kind(), FailureKind::Options, "{wrong}: {failed}");
    }
}
