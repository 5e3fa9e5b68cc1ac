//! What a trace shows of real builds.

use std::collections::BTreeSet;
use std::path::Path;

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
fn processes_at_once_write_files_of_their_own_and_waits_are_shown() {
    let place = Place::new();
    let shim = place.shim();
    shim.set(ShimMode::Slow { milliseconds: 300 }, ShimStep::Compile);
    let file = place.path("trace.json");
    let client =
        || place.client(["numbers", "1", "3"]).env("CXX", shim.path()).env("DIJITSO_TRACE", &file).spawn();
    let running: Vec<_> = (0..4).map(|_| client()).collect();
    running.into_iter().for_each(|child| drop(end(child)));
    let mut all = files(place.root());
    all.retain(|f| f.file_name().unwrap().to_string_lossy().starts_with("trace.json"));
    assert_eq!(all.len(), 4, "{all:?}");
    let steps: Vec<Value> = all.iter().flat_map(|file| steps(file)).collect();
    let processes: BTreeSet<u64> = steps.iter().map(|step| step["pid"].as_u64().unwrap()).collect();
    assert_eq!(processes.len(), 4);
    assert_eq!(steps.iter().filter(|step| step["name"] == "compile").count(), 2);
    assert!(names(&steps).contains("wait"), "{:?}", names(&steps));
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
