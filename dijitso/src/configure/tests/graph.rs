//! Modules, what they require, and what they see.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Mutex;

use super::*;

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
