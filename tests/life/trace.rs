//! What a trace shows of real builds.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use dijitso::Threads;
use dijitso_tests::kernels;
use dijitso_tests::protocol::{ShimMode, ShimStep};
use serde_json::Value;

use super::end;
use crate::harness::{Place, files};

/// The steps of a file, whose end is missing.
fn steps(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let events: Vec<Value> =
        serde_json::from_str(&(text.clone() + "]")).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((&events[0]["ph"], &events[0]["name"]), (&"M".into(), &"process_name".into()));
    events.into_iter().filter(|event| event["ph"] == "X").collect()
}

fn names(steps: &[Value]) -> BTreeSet<&str> {
    steps.iter().map(|step| step["name"].as_str().unwrap()).collect()
}

#[test]
fn every_step_of_a_build_and_of_a_warm_start_is_shown() {
    let place = Place::new();
    let run = |file: &str| {
        // One by one, and several in one call of the compiler.
        for words in [["numbers", "0", "2"], ["batch", "10", "22"]] {
            place.client(words).env("DIJITSO_TRACE", place.path(file)).env("DIJITSO_JOBS", "1").ok();
        }
        let mut written = files(place.root());
        written.retain(|path| path.extension().is_some_and(|e| e == "json"));
        let all: Vec<Value> = written.iter().flat_map(|path| steps(path)).collect();
        written.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        (written.len(), all)
    };
    let ((cold_files, cold), (warm_files, warm)) = (run("%p.json"), run("trace.json"));
    assert_eq!((cold_files, warm_files), (2, 1), "the second run writes the first one's file anew");
    assert_eq!(names(&warm), ["load", "lookup"].into());
    assert_eq!(warm.len(), 24);
    assert!(warm.iter().all(|step| step["dur"].as_u64().is_some() && step["pid"] == warm[0]["pid"]));
    assert_eq!(names(&cold), ["compile", "generate", "link", "load", "lookup", "publish"].into());
    let count = |name: &str| cold.iter().filter(|step| step["name"] == name).count();
    assert_eq!((count("generate"), count("link"), count("publish"), count("load")), (14, 14, 14, 14));
    assert!(count("compile") < 14, "packs");
    assert!(cold.iter().any(|step| step["args"]["kernel"].as_str().unwrap().contains("k00000")));
}

#[test]
fn a_wait_for_another_process_is_shown() {
    let place = Place::new();
    let shim = place.shim();
    shim.set(ShimMode::Slow { milliseconds: 3000 }, ShimStep::Compile);
    let client = || {
        let client = place.client(["numbers", "1", "2"]).env("CXX", shim.path());
        client.env("DIJITSO_TRACE", place.path("%p.json")).spawn()
    };
    let builder = client();
    while shim.compiles().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let waiter = client();
    let (built, waited) = (builder.id(), waiter.id());
    let (_, ran) = (end(builder), end(waiter));
    assert_eq!(ran.outcome.stats.compiled, 0);
    let steps = |process: u32| steps(&place.path(&format!("{process}.json")));
    let (built, waited) = (steps(built), steps(waited));
    assert!(names(&built).contains("compile") && !names(&built).contains("wait"));
    assert!(names(&waited).contains("wait") && !names(&waited).contains("compile"), "{:?}", names(&waited));
    assert_ne!(built[0]["pid"], waited[0]["pid"]);
}

#[test]
fn a_file_that_another_process_writes_is_left_to_it() {
    let place = Place::new();
    let theirs = "[\n{\"cat\":\"dijitso\"}";
    let file = place.write("trace.json", theirs);
    let open = std::fs::File::open(&file).unwrap();
    rustix::fs::flock(&open, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let client = || place.client(["numbers", "1", "2"]).env("DIJITSO_TRACE", &file).spawn();
    let process = {
        let child = client();
        let id = child.id();
        end(child);
        id
    };
    assert_eq!(std::fs::read_to_string(&file).unwrap(), theirs);
    assert!(names(&steps(&place.path(&format!("trace.json.{process}")))).contains("load"));
    drop(open);
    end(client());
    assert!(names(&steps(&file)).contains("load"), "nobody writes it any more");
    // What is no trace stays, and the kernels come all the same.
    let notes = place.write("notes.txt", "precious");
    let ran = place.client(["numbers", "1", "2"]).env("DIJITSO_TRACE", &notes).ok();
    assert!(ran.warnings() == 1 && ran.stderr.contains("is no trace"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "precious");
    let ran = place.client(["numbers", "1", "2"]).env("DIJITSO_TRACE", "/no/such/directory/trace").ok();
    assert_eq!(ran.warnings(), 1, "{}", ran.stderr);
}

#[test]
fn ranks_have_files_and_numbers_of_their_own() {
    let place = Place::new();
    let file = place.path("trace.json");
    Threads::run(3, |comm| {
        let jit = place.builder().trace(&file).build().unwrap();
        jit.on(&comm).load_all(&[1, 2].map(kernels::number)).unwrap();
    });
    let mut seen = Vec::new();
    for rank in 0..3 {
        let steps = steps(&place.path(&format!("trace.json.{rank}")));
        assert!(steps.iter().all(|step| step["pid"] == rank), "{steps:?}");
        assert!(names(&steps).contains("load"), "rank {rank}: {:?}", names(&steps));
        seen.extend(steps);
    }
    assert!(
        names(&seen).is_superset(&["compile", "generate", "publish", "wait"].into()),
        "{:?}",
        names(&seen)
    );
    assert!(!file.exists());
}
