//! Looking into the cache: what is listed, found, searched, extracted, checked and removed, while programs
//! use it and whatever else lies in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use dijitso::{Cache, CacheKind, Category, Entry, Error, Jit, KernelOrigin, ProblemKind};
use dijitso_tests::kernels::{self, Loop, NUMBER_BASE};

use crate::harness::{Nobody, Place, files, set_mode};

/// Some kernels, two of them linked to each other.
pub(crate) fn filled() -> (Place, Jit, Cache) {
    let place = Place::new();
    let jit = place.jit();
    jit.load_all(&[kernels::number(1), kernels::number(2), kernels::number(3)]).unwrap();
    jit.load(&kernels::axpy(Loop::Unrolled(2))).unwrap();
    jit.load(&kernels::successor(4)).unwrap();
    let cache = jit.cache();
    (place, jit, cache)
}

pub(crate) fn entries(cache: &Cache) -> Vec<Entry> {
    cache.entries().collect::<Result<_, _>>().unwrap()
}

#[test]
fn all_entries_are_listed_in_the_order_of_their_signatures() {
    let (place, _, cache) = filled();
    let found = entries(&cache);
    assert_eq!(found.iter().map(|e| e.path().to_owned()).collect::<Vec<_>>(), place.entries());
    assert!(found.is_sorted_by_key(Entry::signature));
    let mut names: Vec<&str> = found.iter().map(Entry::name).collect();
    names.sort_unstable();
    assert_eq!(names, ["axpy", "base", "k00001", "k00002", "k00003", "successor"]);
    for entry in &found {
        let sizes = entry.sizes();
        assert_eq!(sizes.file, entry.path().metadata().unwrap().len());
        assert_eq!(sizes.file, sizes.library + sizes.archive);
        assert!(entry.built() <= SystemTime::now() && entry.compile_time() > Duration::ZERO);
        assert!(entry.last_used().is_none_or(|used| used >= entry.built()));
        let bytes = std::fs::read(entry.path()).unwrap();
        assert_eq!(entry.library().unwrap(), bytes[..sizes.library as usize]);
        assert_eq!(entry.verify(), []);
    }
    assert_eq!(Cache::open(place.cache()).unwrap().entries().count(), 6);
}

#[test]
fn an_entry_tells_how_it_was_made() {
    let place = Place::new();
    let jit = place.builder().cxxflag("-Wall").build().unwrap();
    let spec = kernels::text("warned", "int warned() {\n  int unused = 1;\n  return 2;\n}\n");
    let kernel = jit.load(&spec).unwrap();
    let entry = jit.cache().find("warned").unwrap();
    assert_eq!((entry.signature(), entry.spec_signature()), (kernel.signature(), spec.signature()));
    assert_eq!(
        (entry.description(), entry.location()),
        (spec.description().as_str(), spec.location().as_str())
    );
    assert!(entry.log().unwrap().contains("unused variable"), "{}", entry.log().unwrap());
    assert_eq!(entry.source().unwrap(), "int warned() {\n  int unused = 1;\n  return 2;\n}\n");
    assert!(entry.flags().iter().any(|flag| flag.to_string() == "-Wall (builder)"));
    assert!(entry.commands()[0].contains("-Wall") && entry.commands()[0].contains("-c warned_unit.cpp"));
    assert!(
        entry.commands().iter().all(|command| !command.contains("dijitso-build-")),
        "{:?}",
        entry.commands()
    );
    assert!(entry.compiler().contains("version"), "{}", entry.compiler());
    assert_eq!(entry.exports().unwrap(), kernel.exports());
    assert!(entry.inputs().keys().all(|path| path.starts_with('/')));
    assert_eq!(entry.ingredients()["kernel"], "warned");
    assert!(entry.creator().starts_with("dijitso "));
    let names: Vec<&str> = entry.files().iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["warned.cpp", "warned_unit.cpp", "exports.map", "build.log", "entry.json"]);
}

#[test]
fn dependencies_are_known_without_running_anything() {
    let (_place, jit, cache) = filled();
    let (base, successor) = (cache.find("base").unwrap(), cache.find("successor").unwrap());
    assert_eq!(successor.dependencies(), [base.signature()]);
    assert!(successor.libraries().unwrap().contains(&format!("{}.so", base.signature())));
    assert_eq!(base.headers().unwrap()[0].0, "base.h");
    assert!(base.exports().unwrap().contains(&"base".to_owned()));
    let before = jit.stats().processes;
    assert!(cache.verify().is_sound());
    assert_eq!(jit.stats().processes, before);
}

#[test]
fn an_entry_is_found_by_name_arguments_and_any_signature() {
    let (_place, jit, cache) = filled();
    let axpy = jit.load(&kernels::axpy(Loop::Unrolled(2))).unwrap().signature();
    let spec = kernels::axpy(Loop::Unrolled(2)).signature();
    let file = format!("{axpy}.so");
    let upper = axpy.to_hex().to_uppercase();
    let unit = cache.find("axpy").unwrap().unit_signature();
    for query in [
        "axpy",
        "axpy(Unrolled(2))",
        &axpy.to_hex(),
        &axpy.short(),
        &file,
        &upper,
        &spec.to_hex(),
        &spec.short(),
        &unit.short(),
    ] {
        assert_eq!(cache.find(query).unwrap_or_else(|e| panic!("{query}: {e}")).signature(), axpy, "{query}");
    }
}

#[test]
fn what_is_unknown_or_ambiguous_is_told_with_candidates() {
    let (_place, jit, cache) = filled();
    jit.load(&kernels::axpy(Loop::Plain)).unwrap();
    let error = cache.find("axpi").unwrap_err();
    assert!(error.to_string().contains("did you mean `axpy`?"), "{error}");
    let Error::Entry { candidates, .. } = cache.find("axpy").unwrap_err() else { panic!("two of a name") };
    assert!(candidates.len() == 2 && candidates.iter().any(|c| c.contains("axpy(Plain)")), "{candidates:?}");
    assert_eq!(cache.find_all("axpy").unwrap().len(), 2);
    for query in ["", "../../etc", "zzzz", "\u{0}", "é", &"0".repeat(64), &"f".repeat(65), "%s", ".so"] {
        let error = cache.find(query).unwrap_err();
        assert!(matches!(error, Error::Entry { .. }), "{query:?}: {error}");
    }
    // One digit that several signatures begin with, if there is one.
    let firsts: Vec<String> =
        entries(&cache).iter().map(|e| e.signature().to_hex()[..1].to_owned()).collect();
    if let Some(twice) = firsts.iter().find(|first| firsts.iter().filter(|f| f == first).count() > 1) {
        assert!(cache.find(twice).unwrap_err().to_string().contains("give more of a signature"));
    }
}

/// As a publisher does: another file.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[test]
fn one_damaged_file_hides_no_other() {
    let (place, _, cache) = filled();
    let all = entries(&cache);
    let bytes = std::fs::read(all[0].path()).unwrap();
    replace(all[0].path(), &bytes[..bytes.len() / 2]);
    let mut flipped = std::fs::read(all[1].path()).unwrap();
    flipped[100] ^= 1;
    replace(all[1].path(), &flipped);
    std::fs::remove_file(all[2].path()).unwrap();
    std::os::unix::fs::symlink("/nonexistent/entry", all[2].path()).unwrap();
    std::fs::remove_file(all[3].path()).unwrap();
    std::fs::create_dir(all[3].path()).unwrap();
    let folder = all[4].path().parent().unwrap();
    std::fs::write(folder.join("notes.txt"), "x").unwrap();
    let lost = all[4].path().parent().unwrap().join(all[5].path().file_name().unwrap());
    let elsewhere = folder != all[5].path().parent().unwrap();
    std::fs::copy(all[5].path(), &lost).unwrap_or_default();
    std::fs::write(place.cache().join("v1/README"), "foreign").unwrap();

    let (good, bad): (Vec<_>, Vec<_>) = cache.entries().partition(Result::is_ok);
    let good: Vec<_> = good.into_iter().map(|e| e.unwrap().signature()).collect();
    // The flipped bit is in the library, which a listing does not read.
    assert_eq!(good, [all[1].signature(), all[4].signature(), all[5].signature()]);
    let bad: Vec<String> = bad.into_iter().map(|e| e.unwrap_err().to_string()).collect();
    assert_eq!(bad.len(), 4 + usize::from(elsewhere), "{bad:?}");
    for what in ["seal", "missing", "not a file", "no entry"] {
        assert!(bad.iter().any(|problem| problem.contains(what)), "{what}: {bad:?}");
    }

    let found = cache.verify();
    assert!(!found.is_sound());
    let of = |kind| found.problems.iter().filter(|p| p.kind == kind).count();
    assert!(of(ProblemKind::Damaged) >= 4 && of(ProblemKind::Foreign) == 1, "{found:#?}");
    assert!(
        found
            .problems
            .iter()
            .any(|p| p.signature == Some(all[1].signature()) && p.text.contains("library is damaged"))
    );
    assert!(matches!(cache.entry(&all[0].signature()), Err(Error::Damaged { .. })));
    assert!(matches!(all[1].library(), Err(Error::Damaged { .. })));
    for query in [all[0].signature().to_hex(), all[0].signature().short()] {
        assert!(matches!(cache.find(&query), Err(Error::Damaged { .. })), "{query}");
    }
    assert!(
        matches!(cache.find(&all[4].signature().to_hex()), Ok(entry) if entry.signature() == all[4].signature())
    );
    assert!(cache.summary().damaged.files >= 4);

    // All of it can be removed, and then all is well.
    let removed = cache.clean().run();
    assert!(removed.failed.is_empty(), "{removed:?}");
    assert_eq!(cache.entries().flatten().count(), 0);
    let left: Vec<_> = cache.verify().problems.into_iter().map(|p| p.path).collect();
    assert_eq!(left, [folder.join("notes.txt")], "what is not ours stays");
    assert!(folder.join("notes.txt").exists() && place.cache().join("v1/README").exists());
    assert_eq!(place.jit().load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
}

#[test]
fn a_missing_dependency_and_an_index_that_leads_nowhere_are_reported_and_mended() {
    let (place, _, cache) = filled();
    let base = cache.find("base").unwrap();
    std::fs::remove_file(base.path()).unwrap();
    let found = cache.verify();
    let dependency = found.problems.iter().find(|p| p.kind == ProblemKind::Dependency).expect("a problem");
    assert_eq!(dependency.signature, Some(cache.find("successor").unwrap().signature()));
    assert!(found.problems.iter().any(|p| p.kind == ProblemKind::Index), "{found:#?}");
    let out = place.path("out");
    let extracted = cache.find("successor").unwrap().extract(&out, &Category::ALL).unwrap();
    assert_eq!(extracted.missing, [base.signature()]);
    assert_eq!(place.jit().load(&kernels::successor(4)).unwrap().call(), 5);
    assert_eq!(cache.verify().problems, []);
}

#[test]
fn what_a_load_sets_aside_is_counted_and_removed() {
    let (place, _, cache) = filled();
    let entry = cache.find("k00001").unwrap();
    replace(entry.path(), b"garbage");
    assert!(place.jit().lookup(&kernels::number(1)).unwrap().is_none());
    assert_eq!(cache.entries().flatten().count(), 5);
    let found = cache.verify();
    assert!(found.problems.iter().any(|p| p.kind == ProblemKind::SetAside), "{found:?}");
    assert!(found.is_sound(), "only space is lost");
    let removed = cache.clean().kinds(&[CacheKind::Damaged, CacheKind::Index]).run();
    assert_eq!(removed.count(CacheKind::Damaged), 1, "{removed:?}");
    assert_eq!(cache.verify().problems, []);
    assert_eq!(cache.entries().flatten().count(), 5);
}

/// The script of an extracted entry builds its library again: the same bytes but for SONAME and build id.
fn rebuilt_equals(entry: &Entry, out: &Path) {
    let extracted = entry.extract(out, &Category::ALL).unwrap();
    assert!(extracted.missing.is_empty());
    let names: Vec<_> =
        files(out).iter().map(|f| f.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let mut listed = extracted.files.clone();
    listed.sort_unstable();
    assert_eq!(names, listed);
    let output = Command::new(extracted.script.unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut again, library) = (std::fs::read(out.join("unit.so")).unwrap(), entry.library().unwrap());
    let name = format!("{}.so", entry.signature());
    let at = library.windows(name.len()).position(|w| w == name.as_bytes()).expect("the SONAME");
    again[at..at + name.len()].copy_from_slice(name.as_bytes());
    let differing = again.iter().zip(&library).filter(|(a, b)| a != b).count();
    assert!(again.len() == library.len() && differing <= 20, "{}: {differing} bytes differ", entry.name());
}

#[test]
fn an_extracted_kernel_can_be_built_again() {
    let (place, _, cache) = filled();
    rebuilt_equals(&cache.find("axpy").unwrap(), &place.path("axpy"));
    rebuilt_equals(&cache.find("successor").unwrap(), &place.path("successor"));
    // Perhaps compiled together with others, which makes another object and the same kernel.
    let extracted = cache.find("k00001").unwrap().extract(place.path("k00001"), &Category::ALL).unwrap();
    assert!(Command::new(extracted.script.unwrap()).status().unwrap().success());
    assert!(place.path("successor").join("base.h").exists());
}

#[test]
fn extracting_replaces_nothing_and_follows_nothing() {
    let (place, _, cache) = filled();
    let entry = cache.find("axpy").unwrap();
    let refused = |dir: PathBuf, what: &str| {
        let error = entry.extract(&dir, &Category::ALL).expect_err(what);
        assert!(
            matches!(error, Error::Io { kind: std::io::ErrorKind::AlreadyExists, .. }),
            "{what}: {error:?}"
        );
    };
    let kept = place.write("full/axpy.cpp", "mine");
    refused(place.path("full"), "a directory with something in it");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "mine");
    refused(place.write("file", "mine"), "a file");
    std::fs::create_dir(place.path("target")).unwrap();
    std::os::unix::fs::symlink(place.path("target"), place.path("link")).unwrap();
    refused(place.path("link"), "a link to a directory");
    std::os::unix::fs::symlink(place.path("nowhere"), place.path("dangling")).unwrap();
    refused(place.path("dangling"), "a link to nothing");
    assert!(files(&place.path("target")).is_empty() && !place.path("nowhere").exists());
    entry.extract(place.path("target"), &[Category::Log]).unwrap();
    assert_eq!(files(&place.path("target")), [place.path("target/build.log")]);
    assert!(entry.extract(place.path("a/b"), &Category::ALL).is_err(), "its parent must be there");
    std::fs::remove_file(entry.path()).unwrap();
    let error = entry.extract(place.path("new"), &Category::ALL).unwrap_err();
    assert!(matches!(error, Error::Io { kind: std::io::ErrorKind::NotFound, .. }), "{error:?}");
    assert!(!place.path("new").exists());
}

#[test]
fn lines_are_found_in_what_is_asked_for() {
    let (_place, _, cache) = filled();
    let found = |pattern: &str, categories: &[Category]| {
        let lines = cache.grep(pattern, categories).map(|m| m.unwrap());
        lines.map(|m| format!("{}:{}:{}:{}", m.entry.name(), m.file, m.line, m.text)).collect::<Vec<_>>()
    };
    assert_eq!(found("int base()", &[Category::Source]), ["base:base.cpp:2:int base() { return 4; }"]);
    assert_eq!(found("int base()", &[Category::Header]), ["base:base.h:1:extern \"C\" int base();"]);
    assert_eq!(found("int base()", &[Category::Log]), [""; 0]);
    let base = cache.find("base").unwrap().signature();
    let needed = found(&base.to_hex(), &[Category::Library]);
    assert!(needed.len() == 1 && needed[0].starts_with("successor:"), "{needed:?}");
    let unrolled = cache.grep(|line: &str| line.trim_start().starts_with("y[i +"), &[Category::Source]);
    assert_eq!(
        unrolled.flatten().map(|m| m.text.trim().to_owned()).collect::<Vec<_>>(),
        ["y[i + 0] += a * x[i + 0];", "y[i + 1] += a * x[i + 1];"]
    );
    assert_eq!(
        cache.find("axpy").unwrap().grep("void axpy(".to_owned(), &[Category::Source]).unwrap().len(),
        1
    );
    assert!(found("nowhere to be found", &Category::ALL).is_empty());
}

#[test]
fn a_function_is_taken_out_of_the_source_it_is_in() {
    let place = Place::new();
    let jit = place.jit();
    let text = "// int helper() { return 1; }\nstatic int helper(int a) {\n  const char *s = \"}\"; (void)s;\n  return a; /* } */\n}\n\
                extern \"C\" int outer() { return helper(3); }\n";
    assert_eq!(jit.load(&kernels::unit("outer", text)).unwrap().call(), 3);
    let cache = jit.cache();
    let all: Vec<_> =
        cache.extract_function("helper", &[Category::Source]).map(|found| found.unwrap()).collect();
    assert_eq!(all.len(), 1);
    let (entry, functions) = &all[0];
    assert_eq!((entry.name(), functions.len(), functions[0].line), ("outer", 1, 2));
    assert_eq!(functions[0].head, "static int helper(int a)");
    assert!(functions[0].text.ends_with("return a; /* } */\n}"), "{}", functions[0].text);
    assert_eq!(cache.extract_function("absent", &Category::ALL).count(), 0);
}

#[test]
fn looking_is_no_use() {
    let (_place, _, cache) = filled();
    let entry = cache.find("axpy").unwrap();
    let file = std::fs::File::options().write(true).open(entry.path()).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(10 * 24 * 3600);
    file.set_times(std::fs::FileTimes::new().set_accessed(long_ago)).unwrap();
    let accessed = || entry.path().metadata().unwrap().accessed().unwrap();
    let before = accessed();
    let _ = (entries(&cache), entry.source(), entry.library(), cache.verify(), cache.summary());
    assert_eq!(accessed(), before);
}

#[test]
fn a_summary_adds_up() {
    let (place, jit, cache) = filled();
    jit.load(&kernels::text("broken", "int broken() { return x; }")).unwrap_err();
    let summary = cache.summary();
    let sizes: Vec<_> = entries(&cache).iter().map(Entry::sizes).collect();
    assert_eq!((summary.entries.files, summary.entries.bytes), (6, sizes.iter().map(|s| s.file).sum()));
    assert_eq!(summary.libraries + summary.archives, summary.entries.bytes);
    assert_eq!((summary.kernels.len(), summary.kernels["axpy"].files), (6, 1));
    assert_eq!((summary.failures.files, summary.remembered_failures, summary.damaged.files), (1, 1, 0));
    assert!(summary.toolchains.files > 0 && summary.index.files >= 12);
    let on_disk: u64 = files(&place.cache().join("v1")).iter().map(|f| f.metadata().unwrap().len()).sum();
    assert_eq!(summary.total().bytes, on_disk);
}

#[test]
fn what_may_not_be_read_is_an_item_and_no_end() {
    let Some(nobody) = Nobody::new() else { return };
    nobody.client(&["numbers", "1", "5"]).ok();
    let cache = Cache::open(nobody.place.cache()).unwrap();
    let all = entries(&cache);
    let (file, folder) = (all[0].path().to_owned(), all[1].path().parent().unwrap().to_owned());
    set_mode(&file, 0);
    set_mode(&folder, 0);
    let ran = nobody.client(&["browse"]).ok();
    set_mode(&folder, 0o700);
    let (good, bad): (Vec<_>, Vec<_>) = ran.outcome.kernels.iter().partition(|k| k.value == 1.0);
    let hidden = all.iter().filter(|e| e.path().parent() == Some(&folder)).count();
    let in_both = file.parent() == Some(&folder);
    assert_eq!(good.len(), 4 - hidden - usize::from(!in_both), "{ran:?}", ran = ran.outcome);
    assert!(!bad.is_empty() && bad.iter().all(|k| k.name.contains("ermission denied")), "{bad:?}");
}

#[test]
fn a_lookup_tells_what_is_there_and_does_nothing() {
    let place = Place::new();
    let spec = kernels::number(7);
    assert!(place.jit().lookup(&spec).unwrap().is_none());
    place.jit().load(&spec).unwrap();
    let jit = place.jit();
    let found = jit.lookup(&spec).unwrap().expect("it is in the cache");
    assert_eq!((found.origin(), found.call()), (KernelOrigin::Disk, NUMBER_BASE + 7));
    assert_eq!(jit.lookup(&spec).unwrap().map(|k| k.origin()), Some(KernelOrigin::Memory));
    assert_eq!(jit.load(&spec).unwrap().origin(), KernelOrigin::Memory);
    assert!(jit.lookup(&kernels::number(8)).unwrap().is_none());
    let stats = jit.stats();
    assert_eq!((stats.generated, stats.compiled, stats.processes), (0, 0, 0));
    assert!(jit.lookup(&kernels::text("../x", "")).is_err());
}
