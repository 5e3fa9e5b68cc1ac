//! Logs: the same text however many compilers ran at once, wherever they ran, and whatever was remembered.

use super::*;
use crate::probe::{CMakePackage, Constant, Link, LinkerFlag, Macro, Member, Question, Symbol, Type};
use crate::toolchain::KernelCompiler;

const HEADERS: [&str; 20] = [
    "assert.h",
    "complex.h",
    "ctype.h",
    "errno.h",
    "fenv.h",
    "float.h",
    "inttypes.h",
    "limits.h",
    "locale.h",
    "math.h",
    "setjmp.h",
    "signal.h",
    "stdarg.h",
    "stddef.h",
    "stdint.h",
    "stdio.h",
    "stdlib.h",
    "string.h",
    "time.h",
    "wchar.h",
];
const FUNCTIONS: [&str; 10] =
    ["atoi", "fopen", "getenv", "malloc", "memcpy", "puts", "qsort", "strtol", "time", "toupper"];
const CXX_HEADERS: [&str; 4] = ["array", "cmath", "string", "utility"];
const CXX_FUNCTIONS: [&str; 5] = ["cos", "exp", "log", "sin", "sqrt"];

/// Questions that are asked side by side: about each of these, and about as many that are nowhere.
fn asks<Q: Question>(cx: &Cx<'_>, names: &[&str], question: impl Fn(String) -> Q)
where
    Q::Answer: std::fmt::Debug,
{
    let both = names.iter().flat_map(|name| [(*name).to_owned(), format!("dijitso_no_{name}")]);
    let questions: Vec<Q> = both.map(question).collect();
    let verdicts = cx.all(questions);
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_yes()).count(), names.len(), "{verdicts:?}");
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_no()).count(), names.len());
}

/// Questions that are one text and have to be told apart, and such as have a compiler each.
#[derive(Debug, Serialize, Deserialize)]
struct Many;

impl Module for Many {
    const NAME: &'static str = "many";

    fn configure(cx: &Cx<'_>) -> Result<Many, Failed> {
        asks(cx, &HEADERS, Header::new);
        asks(cx, &HEADERS, |name| Header::new(name).compiled());
        asks(cx, &FUNCTIONS, Function::new);
        asks(cx, &FUNCTIONS, |name| {
            Function::new(&name).with(&Settings::new().define(&format!("OF_{name}"), "1").lib("m"))
        });
        asks(cx, &FUNCTIONS, |name| {
            let headers = ["ctype.h", "stdio.h", "stdlib.h", "string.h", "time.h"];
            headers.iter().fold(Function::new(name), |function, header| function.after(header))
        });
        Ok(Many)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct ManyOfCxx;

impl Module for ManyOfCxx {
    const NAME: &'static str = "many_of_cxx";

    fn configure(cx: &Cx<'_>) -> Result<ManyOfCxx, Failed> {
        let cxx = Language::Cxx;
        asks(cx, &CXX_HEADERS, |name| Header::new(name).in_language(cxx));
        asks(cx, &CXX_HEADERS, |name| Header::new(name).in_language(cxx).compiled());
        asks(cx, &CXX_FUNCTIONS, |name| {
            Function::called(format!("std::{name}(1.0f)")).after("cmath").in_language(cxx)
        });
        let _ = cx.all((
            Size::new("std::pair<char, long>").after("utility").in_language(cxx),
            Type::new("std::dijitso_none").after("utility").in_language(cxx),
            Constant::new("sizeof(long) * 2").in_language(cxx),
            Macro::new("__cplusplus").in_language(cxx),
            Macro::new("DIJITSO_NONE").in_language(cxx),
            Member::new("std::pair<int, int>", "third").after("utility").in_language(cxx),
            Symbol::new("dijitso_none").in_language(cxx),
            CompilerFlag::new("-fno-exceptions").in_language(cxx),
            CompilerFlag::new("-fdijitso-none").in_language(cxx),
            LinkerFlag::new("-Wl,--dijitso-none").in_language(cxx),
            Compile::new(cxx, "#include <vector>\nint x = std::vector<int>();\n"),
            Link::body(cxx, "int dijitso_none();", "return dijitso_none();"),
        ));
        Ok(ManyOfCxx)
    }
}

/// One that fails, after others were asked.
#[derive(Debug, Serialize, Deserialize)]
struct Lacking;

impl Module for Lacking {
    const NAME: &'static str = "lacking";

    fn configure(cx: &Cx<'_>) -> Result<Lacking, Failed> {
        cx.require::<Types>()?;
        cx.need(&Function::new("none_at_all").with(&Settings::new().lib("dijitso_none")))?;
        Ok(Lacking)
    }
}

/// What was written: the log, and the events without their times.
fn written(place: &Place) -> (String, Vec<serde_json::Value>) {
    let events = place.read("build/configure.events");
    let events = events.lines().map(|line| {
        let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["at_ms"].is_u64(), "{line}");
        event["at_ms"] = 0.into();
        event
    });
    (place.read("build/configure.log"), events.collect())
}

/// Configures with as many compilers at once, with a cache that nobody else has, and then from memory.
fn logs_of(jobs: usize) -> (String, Vec<serde_json::Value>) {
    let place = Place::new();
    let run = || {
        let configure = place.configure().with::<App>().with::<Many>().with::<ManyOfCxx>().with::<Threads>();
        let configure = configure.with::<OpenMp>().with::<KernelCompiler>();
        let configure = configure.optional::<Lacking>().optional::<Blas>();
        let done = configure.arguments([format!("--jobs={jobs}")]).run().unwrap();
        (written(&place), done.probes().unwrap().stats().processes)
    };
    let (asked, processes) = run();
    assert!(processes > 100, "{processes}");
    let (remembered, processes) = run();
    // What some file of this machine says of BLAS may be no answer to remember.
    assert!(processes < 10, "{processes}");
    assert_same(&asked, &remembered, "remembered");
    asked
}

fn assert_same<T: PartialEq + std::fmt::Debug>(one: &(String, Vec<T>), two: &(String, Vec<T>), what: &str) {
    let lines = one.0.lines().zip(two.0.lines()).find(|(one, two)| one != two);
    assert!(one.0 == two.0, "{what}: {lines:?}");
    let events = one.1.iter().zip(&two.1).find(|(one, two)| one != two);
    assert!(one.1 == two.1, "{what}: {events:?}");
}

#[test]
fn the_logs_are_the_same_text_whether_one_compiler_runs_or_sixteen() {
    let one = logs_of(1);
    for jobs in [16, 16] {
        assert_same(&one, &logs_of(jobs), &format!("{jobs} jobs"));
    }
    let log = &one.0;
    assert!(log.contains("  yes     size of long (C): 8"), "{log}");
    assert!(log.matches("  no      ").count() > 100 && log.contains("== lacking: failed: "), "{log}");
    // Those that are needed come first.
    let at = |text: &str| log.find(text).unwrap();
    assert!(at("== types: done") < at("== app: done"));
}

/// Questions to which compilers, linkers and CMake answer with names that they make up.
#[derive(Debug, Serialize, Deserialize)]
struct Random;

impl Module for Random {
    const NAME: &'static str = "random";

    fn configure(cx: &Cx<'_>) -> Result<Random, Failed> {
        let optimised = |language| {
            Link::body(language, "int dijitso_none();", "return dijitso_none();")
                .with(&Settings::new().flag("-flto"))
        };
        let package = cx.provided::<CMakePackage>()?;
        let (c, cxx, cmake) = cx.all((optimised(Language::C), optimised(Language::Cxx), (*package).clone()));
        assert!(c.is_no() && cxx.is_no() && cmake.is_no(), "{c:?} {cxx:?} {cmake:?}");
        // Clang has no assembler's file but then.
        let assembled = Compile::new(Language::C, "void f(void) { __asm__(\"no_such_instruction\"); }\n");
        assert!(cx.ask(&assembled.with(&Settings::new().compile_flag("-fno-integrated-as"))).is_no());
        Ok(Random)
    }
}

#[test]
fn what_compilers_and_cmake_name_at_random_is_in_no_log_and_no_answer() {
    let package = Place::new();
    let text = "file(WRITE ${CMAKE_BINARY_DIR}/t.c \"int none(void); int main(void) { return none(); }\")\n\
        try_compile(links ${CMAKE_BINARY_DIR} ${CMAKE_BINARY_DIR}/t.c OUTPUT_VARIABLE said)\n\
        if(NOT links)\n  message(FATAL_ERROR \"${said}\")\nendif()\n";
    package.write("share/cmake/Demo/DemoConfig.cmake", text);
    let package = CMakePackage::new("Demo").below(package.path(""));
    for compiler in ["gcc", "clang"].into_iter().filter(|name| there(name)) {
        let run = |place: &Place, argument: &str| {
            let configure = place.configure().provide(package.clone()).with::<Random>();
            configure.arguments([&format!("CC={compiler}"), argument]).run().unwrap();
            written(place)
        };
        let (one, two) = (Place::new(), Place::new());
        let asked = run(&one, "--jobs=1");
        assert_same(&asked, &run(&two, "--jobs=16"), compiler);
        // What is remembered would be wrong.
        assert_same(&asked, &run(&one, "--shadow"), compiler);
    }
}
