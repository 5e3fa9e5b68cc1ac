//! Modules, what they require, and what they see.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Mutex;

use super::*;
use crate::probe::{Program, Run};

macro_rules! module {
    ($name:ident, $text:literal, |$cx:ident| $body:expr $(, order: |$order:ident| $edges:expr)?) => {
        #[derive(Debug, Serialize, Deserialize)]
        struct $name(u32);

        impl Module for $name {
            const NAME: &'static str = $text;

            $(fn order($order: &mut Order) {
                $edges
            })?

            fn configure($cx: &Cx<'_>) -> Result<$name, Failed> {
                $body
            }
        }
    };
}

#[test]
fn results_are_typed_and_reached_by_type() {
    let place = Place::new();
    let configuration = place.configure().with::<App>().arguments(["--with-level=7"]).run().unwrap();
    assert_eq!(configuration.get::<App>(), Some(App { bits: 64, level: 7 }));
    assert_eq!(configuration.get::<Types>(), Some(Types { long: 8, has_math: true }));
    assert!(configuration.get::<Mpi>().is_none());
    assert_eq!(configuration.compiler(Language::C).unwrap(), ["gcc"]);
}

#[test]
fn a_warm_configuration_starts_no_process() {
    let place = Place::new();
    let cold = place.configure().with::<App>().run().unwrap();
    assert!(cold.probes().unwrap().stats().processes > 0);
    let warm = place.configure().with::<App>().run().unwrap();
    assert_eq!(warm.probes().unwrap().stats().processes, 0);
    assert_eq!(warm.log(), cold.log());
    assert!(warm.changes().is_empty() && !warm.is_first() && cold.is_first());
}

#[test]
fn a_received_configuration_says_the_same_on_another_rank() {
    let place = Place::new();
    let here = place.configure().with::<App>().run().unwrap();
    let there = Configuration::from_bytes(&here.to_bytes()).unwrap();
    assert_eq!(there.get::<App>(), here.get::<App>());
    assert_eq!((there.summary(), there.log(), there.dump()), (here.summary(), here.log(), here.dump()));
    assert_eq!(there.flags(), here.flags());
    assert!(there.probes().is_none());
}

#[test]
fn a_configuration_is_sent_whatever_the_bytes_of_its_paths() {
    #[derive(Serialize, Deserialize)]
    struct Strange(Settings);
    impl Module for Strange {
        const NAME: &'static str = "strange";
        fn options(options: &mut Options) {
            options.add(&LEVEL);
        }
        fn configure(cx: &Cx<'_>) -> Result<Strange, Failed> {
            // It says where it comes from.
            let settings = Settings::new().lib("m").asked_by(cx.origin(&LEVEL)?);
            cx.settings(Some(Language::C), &settings);
            cx.template(strange(".in"), strange(""));
            Ok(Strange(settings))
        }
    }
    fn strange(end: &str) -> PathBuf {
        OsString::from_vec([b"\xff", end.as_bytes()].concat()).into()
    }
    let place = Place::new();
    let file = place.path("").join(strange(".toml"));
    std::fs::write(&file, "with-level = 7\n").unwrap();
    let here = place.configure().options_file(file).with::<Strange>().run().unwrap();
    let bytes = here.to_bytes();
    let there = Configuration::from_bytes(&bytes).unwrap();
    assert_eq!((there.summary(), there.dump()), (here.summary(), here.dump()));
    assert_eq!(there.flags().explain("-lm"), here.flags().explain("-lm"));
    assert_eq!(there.to_bytes(), bytes, "it goes on to others");
}

module!(CircleA, "circle.a", |cx| cx.require::<CircleB>().map(|_| CircleA(0)));
module!(CircleB, "circle.b", |cx| cx.require::<CircleC>().map(|_| CircleB(0)));
module!(CircleC, "circle.c", |cx| cx.require::<CircleB>().map(|_| CircleC(0)));

#[test]
fn a_circle_is_told_with_its_path() {
    let failed = Place::new().configure().with::<CircleA>().run().unwrap_err();
    let text = failed.to_string();
    assert!(text.contains("circle.b -> circle.c -> circle.b"), "{text}");
    assert!(!text.contains("circle.a ->"), "only what is in the circle: {text}");
    assert_eq!(failed.kind(), FailureKind::Circle);
}

module!(Broken, "broken", |cx| Err(cx.fail("it is broken")));
module!(NeedsBroken, "needs", |cx| cx.require::<Broken>().map(|_| NeedsBroken(0)));
module!(DoesWithout, "without", |cx| Ok(DoesWithout(cx.optional::<Broken>()?.map_or(1, |_| 0))));

#[test]
fn what_fails_poisons_only_those_that_need_it() {
    let place = Place::new();
    let configure = || place.configure().optional::<Broken>().with::<DoesWithout>().with::<Types>();
    let configuration = configure().run().unwrap();
    assert_eq!(configuration.get::<DoesWithout>().unwrap().0, 1);
    assert!(configuration.log().contains("== broken: failed: module broken: it is broken"));
    let failed = configure().with::<NeedsBroken>().run().unwrap_err();
    assert_eq!(failed.to_string(), "module broken: it is broken");
    assert_eq!(failed.path(), ["broken", "needs"]);
    assert!(
        place.read("build/configure.log").contains("== types: done"),
        "the others are configured nevertheless"
    );
}

module!(Unsure, "unsure", |cx| {
    let hangs = Compile::new(Language::C, "int x;\n").named("whether it compiles");
    cx.need(&hangs).map(|_| Unsure(0))
});
module!(DoesWithoutUnsure, "without.unsure", |cx| Ok(DoesWithoutUnsure(
    cx.optional::<Unsure>()?.map_or(1, |_| 0)
)));

#[test]
fn what_nobody_could_say_is_nothing_to_do_without() {
    let place = Place::new();
    let configure = || place.with_cc("kill -9 $$");
    let failed = configure().optional::<Unsure>().run().unwrap_err();
    assert_eq!(failed.kind(), FailureKind::Unknown, "{}", failed.card());
    let failed = configure().with::<DoesWithoutUnsure>().run().unwrap_err();
    assert_eq!(
        (failed.kind(), failed.path()),
        (FailureKind::Unknown, &["unsure".to_owned(), "without.unsure".to_owned()][..])
    );
}

struct Given;

module!(Leaves, "leaves", |cx| {
    cx.define("HAVE_LEFT", "1", "of a module that fails");
    cx.flag(Language::C, Stage::Compile, "-DLEFT");
    cx.make_macro("LEFT", "1", "of a module that fails");
    cx.provide(Given)?;
    Err(cx.fail("after all that"))
});
module!(Takes, "takes", |cx| Ok(Takes(u32::from(cx.provided::<Given>().is_ok()))), order: |order| order.after::<Leaves>());

#[test]
fn what_fails_leaves_nothing_behind() {
    let place = Place::new();
    let configuration = place.configure().optional::<Leaves>().with::<Takes>().run().unwrap();
    assert_eq!(configuration.get::<Takes>().unwrap().0, 0);
    configuration.write_header("config.h").unwrap();
    configuration.write_make_macros("variables").unwrap();
    let written =
        place.read("build/config.h") + &place.read("build/variables") + &configuration.cargo().join("\n");
    assert!(!written.contains("LEFT"), "{written}");
    assert_eq!(configuration.flags().iter().count(), 0);
}

module!(One, "same.name", |_cx| Ok(One(1)));
module!(Two, "same.name", |_cx| Ok(Two(2)));

#[test]
fn two_modules_of_one_name_are_a_mistake_that_names_both() {
    let failed = Place::new().configure().with::<One>().with::<Two>().run().unwrap_err();
    assert_eq!(failed.kind(), FailureKind::Program);
    let text = failed.to_string();
    assert!(
        text.contains("graph::One and ") && text.contains("graph::Two both have the name same.name"),
        "{text}"
    );
}

#[derive(Debug, Serialize, Deserialize)]
struct Ratio(f64);

impl Module for Ratio {
    const NAME: &'static str = "ratio";

    fn configure(_: &Cx<'_>) -> Result<Ratio, Failed> {
        Ok(Ratio(f64::NAN))
    }
}

#[test]
fn a_result_that_others_could_not_read_is_a_mistake() {
    let failed = Place::new().configure().with::<Ratio>().run().unwrap_err();
    assert!(failed.to_string().contains("cannot be written down and read again"), "{failed}");
}

module!(Hidden, "hidden", |_cx| Ok(Hidden(0)), order: |order| order.before::<Types>());
module!(NeedsHidden, "needs.hidden", |cx| cx.require::<Hidden>().map(|_| NeedsHidden(0)));
module!(AfterHidden, "after.hidden", |_cx| Ok(AfterHidden(0)), order: |order| order.after::<Hidden>());

#[test]
fn an_order_that_comes_too_late_is_a_mistake_and_not_ignored() {
    let place = Place::new();
    let failed = place.configure().with::<Types>().with::<NeedsHidden>().run().unwrap_err();
    let text = failed.to_string();
    assert!(text.contains("hidden comes before types, which was configured already: name hidden"), "{text}");
    let failed = place.configure().with::<AfterHidden>().with::<NeedsHidden>().run().unwrap_err();
    assert!(failed.to_string().contains("hidden comes before after.hidden"), "{failed}");
    place.configure().optional::<Hidden>().with::<Types>().with::<NeedsHidden>().run().unwrap();
    place.configure().with::<AfterHidden>().optional::<Hidden>().with::<NeedsHidden>().run().unwrap();
}

module!(Wrong, "wrong", |cx| {
    for (name, value) in [("A", "1"), ("A", "2"), ("B", "1"), ("B", "2"), ("C D", "1")] {
        cx.define(name, value, "");
    }
    Ok(Wrong(0))
});

#[test]
fn all_mistakes_are_told_at_once_and_logged() {
    let place = Place::new();
    let failed = place.configure().with::<Wrong>().run().unwrap_err();
    let text = failed.to_string();
    assert!(
        text.contains("3 mistakes")
            && text.contains("the macro A")
            && text.contains("the macro B")
            && text.contains("`C D`"),
        "{text}"
    );
    for part in ["the macro A", "the macro B", "`C D`"] {
        assert!(failed.card().contains(part), "{}", failed.card());
        assert!(
            place
                .read("build/configure.log")
                .contains(&format!("mistake: {}", part.split(' ').next().unwrap()))
        );
    }
}

/// In which order modules of the next test ran.
static RAN: Mutex<Vec<&str>> = Mutex::new(Vec::new());

fn ran(name: &'static str) {
    RAN.lock().unwrap().push(name);
}

module!(Late, "late", |_cx| { ran("late"); Ok(Late(0)) }, order: |order| order.after::<Early>());
module!(Early, "early", |cx| {
    ran("early");
    Err(cx.fail("no matter"))
});
module!(First, "first", |_cx| { ran("first"); Ok(First(0)) }, order: |order| { order.before::<Early>(); order.before::<Absent>() });
module!(Absent, "absent", |_cx| Ok(Absent(0)));

#[test]
fn edges_without_a_result_order_modules_that_are_there() {
    let place = Place::new();
    place.configure().with::<Late>().optional::<Early>().with::<First>().run().unwrap();
    assert_eq!(*RAN.lock().unwrap(), ["first", "early", "late"]);
}

module!(BeforeB, "before.b", |_cx| Ok(BeforeB(0)), order: |order| order.after::<AfterB>());
module!(AfterB, "after.b", |_cx| Ok(AfterB(0)), order: |order| order.after::<BeforeB>());

#[test]
fn edges_that_contradict_each_other_are_a_circle() {
    let failed = Place::new().configure().with::<BeforeB>().with::<AfterB>().run();
    // One of them runs, and says that the other one cannot come first.
    let failed = failed.unwrap_err().to_string();
    assert!(failed.contains("in a circle"), "{failed}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Utility(usize);

impl Child for Utility {
    const NAME: &'static str = "utilities";
    type Key = String;

    fn configure(key: &String, cx: &Cx<'_>) -> Result<Utility, Failed> {
        cx.note(format!("looks at {key}"));
        Ok(Utility(key.len()))
    }
}

module!(Utilities, "all_utilities", |cx| {
    let names = cx.provided::<Vec<String>>()?;
    let mut sum = 0;
    for name in names.iter() {
        sum += cx.child::<Utility>(name)?.0 as u32;
    }
    Ok(Utilities(sum))
});

#[test]
fn modules_are_made_for_each_entry_of_a_list() {
    let names: Vec<String> = ["arch", "git", "arch"].map(str::to_owned).to_vec();
    let place = Place::new();
    let configuration = place.configure().provide(names).with::<Utilities>().run().unwrap();
    assert_eq!(configuration.get::<Utilities>().unwrap().0, 4 + 3 + 4);
    assert_eq!(configuration.child::<Utility>(&"git".to_owned()), Some(Utility(3)));
    assert_eq!(configuration.log().matches("looks at arch").count(), 1, "each once");
    assert!(configuration.log().contains("== utilities[git]: done"));
    let failed = place.configure().with::<Utilities>().run().unwrap_err().to_string();
    assert!(failed.contains("which nobody provides"), "{failed}");
}

struct Precision(&'static str);

module!(Single, "single", |cx| cx.provide(Precision("single")).map(|()| Single(0)));
module!(UsesPrecision, "uses", |cx| {
    cx.require::<Single>()?;
    cx.define("PRECISION", format!("\"{}\"", cx.provided::<Precision>()?.0), "as it is provided");
    Ok(UsesPrecision(0))
});

#[test]
fn values_are_provided_by_the_program_or_by_modules_and_by_one_only() {
    let place = Place::new();
    let configuration = place.configure().with::<UsesPrecision>().run().unwrap();
    assert!(configuration.dump().contains("\\\"single\\\""));
    let failed = place.configure().provide(Precision("double")).with::<UsesPrecision>().run().unwrap_err();
    let text = failed.to_string();
    assert!(text.contains("provided by the program and by single"), "{text}");
}

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
