use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::collect::Collected;
use super::*;
use crate::cache::store::tests::store;
use crate::fs::Stamp;
use crate::toolchain::{Place, SearchDir, SearchPath};

/// A cache and a tree of headers: `user` and `late` are searched before the compiler's `builtin`.
struct Tree {
    dir: tempfile::TempDir,
    store: Store,
    search: SearchPath,
    started: SystemTime,
}

impl Tree {
    fn new() -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str, place| SearchDir { path: dir.path().join(name), place };
        let dirs = vec![
            place("quote", Place::Quote),
            place("user", Place::User),
            place("late", Place::User),
            place("builtin/first", Place::Builtin),
            place("builtin", Place::Builtin),
        ];
        let store = store(&dir.path().join("cache"));
        let tree = Tree { store, search: SearchPath { dirs }, started: SystemTime::UNIX_EPOCH, dir };
        std::fs::create_dir_all(tree.path("user")).unwrap();
        std::fs::create_dir_all(tree.path("builtin/first")).unwrap();
        Tree { started: SystemTime::now() + Duration::from_secs(3600), ..tree }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn collect(&self, files: &[&PathBuf]) -> Collected {
        self.collect_since(files, self.started)
    }

    fn collect_since(&self, files: &[&PathBuf], started: SystemTime) -> Collected {
        let files: Vec<PathBuf> = files.iter().map(|file| (*file).clone()).collect();
        Inputs::collect(&self.store, &files, &[], &self.search, started).unwrap()
    }

    fn holds(&self, inputs: &Inputs) -> bool {
        !matches!(inputs.holds(&self.store), Holds::No(_))
    }

    fn reason(&self, inputs: &Inputs) -> String {
        match inputs.holds(&self.store) {
            Holds::No(change) => change.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Checks that creating `name` (a file, or with `/` at the end a directory) makes `inputs` fail, and
    /// removing it again makes them hold.
    fn notices(&self, inputs: &Inputs, name: &str) {
        assert!(self.holds(inputs), "before {name}");
        let path = self.write(name, "appeared");
        let reason = self.reason(inputs);
        assert!(reason.starts_with("would now be found earlier: "), "{name}: {reason}");
        std::fs::remove_file(&path).unwrap();
        let mut dir = path.parent().unwrap();
        while std::fs::remove_dir(dir).is_ok() {
            dir = dir.parent().unwrap();
        }
        std::fs::create_dir_all(self.path("user")).unwrap();
        assert!(self.holds(inputs), "after {name}");
    }
}

fn system_of(inputs: &Inputs) -> Signature {
    inputs.system.unwrap()
}

#[test]
fn a_changed_header_is_noticed_and_its_return_too() {
    let tree = Tree::new();
    let header = tree.write("user/a.h", "A");
    let a = tree.collect(&[&header]);
    assert!(tree.holds(&a.inputs));
    tree.write("user/a.h", "B");
    assert_eq!(tree.reason(&a.inputs), format!("changed: {}", header.display()));
    let b = tree.collect(&[&header]);
    assert_ne!(a.digest, b.digest);
    tree.write("user/a.h", "A");
    assert!(tree.holds(&a.inputs) && !tree.holds(&b.inputs));
    assert_eq!(tree.collect(&[&header]).digest, a.digest);
    std::fs::remove_file(&header).unwrap();
    assert_eq!(tree.reason(&a.inputs), format!("removed: {}", header.display()));
    std::fs::create_dir(&header).unwrap();
    assert!(tree.reason(&a.inputs).contains("cannot be read"));
}

#[test]
fn the_digest_does_not_depend_on_the_order() {
    let tree = Tree::new();
    let (a, b) = (tree.write("user/a.h", "A"), tree.write("user/b.h", "B"));
    let one = tree.collect(&[&a, &b, &a]);
    let two = tree.collect(&[&b, &a]);
    assert_eq!(one.digest, two.digest);
    assert_eq!(one.files.len(), 2);
    assert_ne!(one.digest, tree.collect(&[&a]).digest);
    let moved = tree.write("late/b.h", "B");
    assert_ne!(tree.collect(&[&b]).digest, tree.collect(&[&moved]).digest, "a header knows its __FILE__");
}

#[test]
fn a_header_that_would_be_found_earlier_is_noticed() {
    let tree = Tree::new();
    let late = [tree.write("late/a.h", "A"), tree.write("late/deep/er/b.h", "B")];
    let inputs = tree.collect(&[&late[0], &late[1]]).inputs;
    tree.notices(&inputs, "user/a.h");
    tree.notices(&inputs, "quote/a.h");
    tree.notices(&inputs, "user/deep/er/b.h");
    tree.notices(&inputs, "late/deep/er/a.h");
    tree.write("user/unrelated.h", "");
    tree.write("builtin/a.h", "searched later");
    tree.write("late/unrelated.h", "");
    assert!(tree.holds(&inputs));
}

#[test]
fn a_header_below_a_directory_that_exists_already_is_noticed() {
    let tree = Tree::new();
    let late = tree.write("late/lib/detail/a.h", "A");
    tree.write("user/lib/detail/other.h", "");
    tree.write("quote/lib/other.h", "");
    let inputs = tree.collect(&[&late]).inputs;
    tree.notices(&inputs, "user/lib/detail/a.h");
    tree.notices(&inputs, "quote/lib/detail/a.h");
    tree.write("user/lib/unrelated.h", "");
    assert!(tree.holds(&inputs));
}

#[test]
fn a_link_that_leads_nowhere_is_noticed_when_it_leads_somewhere() {
    let tree = Tree::new();
    let late = tree.write("late/a.h", "A");
    std::os::unix::fs::symlink(tree.path("elsewhere/a.h"), tree.path("user/a.h")).unwrap();
    let inputs = tree.collect(&[&late]).inputs;
    assert!(tree.holds(&inputs));
    tree.write("elsewhere/a.h", "");
    assert!(tree.reason(&inputs).contains("user/a.h"));
}

#[test]
fn a_header_that_was_there_but_was_not_used_stays_unnoticed() {
    let tree = Tree::new();
    let late = tree.write("late/a.h", "A");
    // As with a quote directory and an angle include: there, and rightly not found.
    tree.write("quote/a.h", "other");
    let inputs = tree.collect(&[&late]).inputs;
    assert!(tree.holds(&inputs));
    tree.write("quote/a.h", "changed");
    assert!(tree.holds(&inputs));
}

#[test]
fn the_compilers_headers_are_checked_once_per_process() {
    let tree = Tree::new();
    let system = tree.write("builtin/math.h", "math");
    let deep = tree.write("builtin/bits/deep.h", "deep");
    let user = tree.write("user/a.h", "A");
    let Collected { inputs, .. } = tree.collect(&[&user, &system, &deep]);
    inputs.keep(&tree.store).unwrap();
    let set = system_of(&inputs);
    sets::forget(&set);

    let stats = |tree: &Tree| tree.store.fs().counters().snapshot();
    assert!(tree.holds(&inputs));
    let first = stats(&tree);
    assert!(tree.holds(&inputs));
    let second = stats(&tree);
    tree.write("builtin/math.h", "changed in the middle of a process");
    assert!(tree.holds(&inputs));
    assert_eq!(second.opens - first.opens, 1, "the user's fresh header");

    sets::forget(&set);
    assert_eq!(tree.reason(&inputs), format!("changed: {}", system.display()));
    tree.write("builtin/math.h", "math");
    assert!(!tree.holds(&inputs), "once per process, also if it is bad news");
    let again = tree.collect(&[&user, &system, &deep]);
    assert_eq!(again.inputs.system, Some(set));
    assert!(tree.holds(&inputs), "a build has looked at them again");
}

#[test]
fn the_compilers_headers_can_be_shadowed_too() {
    let tree = Tree::new();
    let system = [tree.write("builtin/math.h", "math"), tree.write("builtin/bits/deep.h", "deep")];
    let user = tree.write("user/a.h", "A");
    std::fs::create_dir(tree.path("late")).unwrap();
    let inputs = tree.collect(&[&system[0], &system[1], &user]).inputs;
    inputs.keep(&tree.store).unwrap();
    tree.notices(&inputs, "user/math.h");
    tree.notices(&inputs, "late/bits/deep.h");
    tree.notices(&inputs, "quote/bits/deep.h");
    tree.write("builtin/first/math.h", "");
    assert!(tree.holds(&inputs));
    sets::forget(&system_of(&inputs));
    assert!(tree.reason(&inputs).contains("builtin/first/math.h"));
}

#[test]
fn a_set_survives_the_cache_and_a_lost_set_is_a_miss() {
    let tree = Tree::new();
    let system = tree.write("builtin/math.h", "math");
    let inputs = tree.collect(&[&system]).inputs;
    let set = system_of(&inputs);
    let path = tree.store.set_path(&set);
    inputs.keep(&tree.store).unwrap();
    std::fs::remove_dir_all(tree.path("cache")).unwrap();
    inputs.keep(&tree.store).unwrap();
    assert!(path.exists());

    let good = std::fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, bad).unwrap();
        sets::forget(&set);
        assert!(tree.reason(&inputs).contains("damaged"));
    }
    std::fs::remove_file(&path).unwrap();
    assert!(tree.reason(&inputs).contains("gone"));
    std::fs::write(&path, good).unwrap();
    assert!(tree.holds(&inputs), "a miss for want of the file is not remembered");
}

#[test]
fn a_header_that_a_text_asks_for_is_noticed_when_it_is_installed() {
    let tree = Tree::new();
    let user = tree.write("user/a.h", "#if __has_include(<opt/fast.h>)\n#include <opt/fast.h>\n#endif");
    let inputs = tree.collect(&[&user]).inputs;
    for place in ["user", "late", "quote", "builtin", "builtin/first"] {
        tree.notices(&inputs, &format!("{place}/opt/fast.h"));
    }
    let fast = tree.write("late/opt/fast.h", "1");
    let collected = tree.collect(&[&user]);
    assert!(collected.files.iter().any(|(path, _)| *path == fast), "tracked, since its presence counts");
    std::fs::remove_file(&fast).unwrap();
    assert!(!tree.holds(&collected.inputs));
}

#[test]
fn a_header_that_a_failed_compile_missed_is_noticed() {
    let tree = Tree::new();
    let missing = ["missing.h".to_owned(), tree.path("absolute/missing.h").display().to_string()];
    let inputs = Inputs::collect(&tree.store, &[], &missing, &tree.search, tree.started).unwrap().inputs;
    tree.notices(&inputs, "builtin/missing.h");
    tree.notices(&inputs, "user/missing.h");
    tree.notices(&inputs, "absolute/missing.h");
}

#[test]
fn what_changes_during_the_build_is_told() {
    let tree = Tree::new();
    let header = tree.write("late/a.h", "A");
    let before = SystemTime::now() - Duration::from_secs(60);
    let changed = |started| tree.collect_since(&[&header], started).changed;
    assert_eq!(changed(before), Some(header.clone()));
    let later = SystemTime::now() + Duration::from_secs(60);
    assert_eq!(changed(later), None);
    let appeared = tree.write("user/a.h", "earlier");
    assert_eq!(changed(later), None);
    assert!([Some(header.clone()), Some(appeared)].contains(&changed(before)));
    let error = Inputs::collect(&tree.store, &[tree.path("gone.h")], &[], &tree.search, before).unwrap_err();
    assert_eq!((error.path, error.error.kind()), (tree.path("gone.h"), std::io::ErrorKind::NotFound));
}

#[test]
fn stamps_settle_and_then_prove_without_reading() {
    let tree = Tree::new();
    let header = tree.write("late/a.h", "A");
    let inputs = tree.collect(&[&header]).inputs;
    assert!(matches!(inputs.holds(&tree.store), Holds::Yes), "holds, but nothing has settled");
    std::thread::sleep(Duration::from_millis(2100));
    let Holds::Restamped(settled) = inputs.holds(&tree.store) else { panic!("it has settled") };
    let before = tree.store.fs().counters().snapshot();
    assert!(matches!(settled.holds(&tree.store), Holds::Yes));
    let after = tree.store.fs().counters().snapshot();
    assert_eq!(after.opens, before.opens, "nothing is read");
    assert_eq!(after.file_stats - before.file_stats, 3, "the file, and the two directories searched earlier");

    // Stamps of another machine: replaced in a cache of our own, left alone in a shared one.
    let stamp = tree.store.fs().stamp(&tree.path("late/a.h")).unwrap().unwrap();
    let theirs = Stamp { ino: stamp.ino + 1, ..stamp };
    let digest = crate::signature::digest(b"A");
    let file = record::Tracked { path: tree.path("late/a.h"), stamp: theirs, settled: true, digest };
    let record = Record::encode(&[file], &[], &[]);
    assert!(matches!(record.check(tree.store.fs(), &Glance::each(), false, &[]), Check::Restamped(_)));
    assert!(matches!(record.check(tree.store.fs(), &Glance::each(), true, &[]), Check::Yes));

    // A new file in a watched directory, and a touched header: looked at again, still right.
    tree.write("user/unrelated.h", "");
    tree.write("late/a.h", "A");
    assert!(tree.holds(&settled));
    tree.write("late/a.h", "B");
    assert!(!tree.holds(&settled));
}

#[test]
fn a_path_may_be_printed_without_its_links_and_dots() {
    let tree = Tree::new();
    let search = SearchPath {
        dirs: vec![
            SearchDir { path: tree.path("user"), place: Place::User },
            SearchDir { path: tree.path("builtin/first/../../builtin/./first/.."), place: Place::Builtin },
        ],
    };
    let printed = tree.write("builtin/math.h", "math").canonicalize().unwrap();
    let inputs = Inputs::collect(&tree.store, &[printed], &[], &search, tree.started).unwrap().inputs;
    assert!(inputs.system.is_some());
    tree.notices(&inputs, "user/math.h");
}

#[test]
fn a_record_that_is_nonsense_never_holds_and_never_panics() {
    let tree = Tree::new();
    let header = tree.write("late/a.h", "A");
    let inputs = tree.collect(&[&header]).inputs;
    let good = inputs.record.as_bytes();
    for len in 0..good.len() - 4 {
        let cut = Inputs { record: Record::from_bytes(&good[..len]), system: None };
        let _ = (cut.holds(&tree.store), cut.record.names(), cut.record.identity());
    }
    for at in 0..good.len() {
        let mut bad = good.to_vec();
        bad[at] ^= 0xff;
        let bad = Inputs { record: Record::from_bytes(&bad), system: None };
        let _ = (bad.holds(&tree.store), bad.record.names(), bad.record.identity());
    }
    assert!(matches!(Inputs::default().holds(&tree.store), Holds::Yes));
    let unknown = Inputs { record: Record::default(), system: Some(crate::signature::digest(b"unknown")) };
    assert!(tree.reason(&unknown).contains("gone"));
    assert!(Path::new("/").exists());
}

#[test]
fn a_set_of_system_headers_reaches_another_cache() {
    let tree = Tree::new();
    let header = tree.write("builtin/system.h", "a");
    let inputs = tree.collect(&[&header]).inputs;
    let set = inputs.set().unwrap();
    inputs.keep(&tree.store).unwrap();
    let bytes = sets::export(&tree.store, &set).unwrap();

    let other = Tree { store: store(&tree.path("other")), ..tree };
    sets::forget(&set);
    assert!(other.reason(&inputs).contains("is gone"));
    assert!(sets::import(&other.store, &set, &bytes[1..]).is_err());
    sets::import(&other.store, &set, &bytes).unwrap();
    assert!(other.holds(&inputs));
    // Whether it holds is a question of the machine where it arrived.
    sets::forget(&set);
    other.write("builtin/system.h", "other");
    assert!(!other.holds(&inputs));
    // From the file, if this process has not looked at it.
    sets::forget(&set);
    assert_eq!(sets::export(&other.store, &set).unwrap(), bytes);
    assert_eq!(sets::export(&other.store, &crate::signature::digest(b"unknown")), None);
}

#[test]
fn kernels_that_travel_together_carry_each_set_once() {
    use crate::cache::{Routes, Sets, Variant, VariantOutcome};
    use crate::signature::digest;
    let tree = Tree::new();
    let header = tree.write("builtin/system.h", "a");
    let inputs = tree.collect(&[&header]).inputs;
    let route = |n: u8| {
        let variant = Variant {
            toolchain: digest(b"toolchain"),
            unit: digest(&[n]),
            outcome: VariantOutcome::Content(digest(&[n])),
            entry: true,
            cpu: crate::toolchain::CpuFeatures::NONE,
            created: 1,
            took_us: 0,
            dependencies: Vec::new(),
            inputs: inputs.clone(),
        };
        let mut routes = Routes::default();
        routes.add(&tree.store, digest(&[n]), None, &variant);
        routes
    };
    let whole = [route(1), route(2), route(3)];
    let (mut sent, mut carried) = (whole.clone(), Sets::default());
    sent.iter_mut().for_each(|routes| routes.lighten(&mut carried));
    let lengths = sent.clone().map(|routes| postcard::to_stdvec(&routes).unwrap().len());
    assert!(sent[0] == whole[0] && lengths[1] < lengths[0] && lengths[1] == lengths[2], "{lengths:?}");
    let mut arrived = Sets::default();
    sent.iter_mut().for_each(|routes| routes.complete(&mut arrived));
    assert_eq!(sent, whole);
}
