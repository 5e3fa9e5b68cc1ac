//! What goes however small the cache is.

use super::*;

#[test]
fn what_nobody_needs_is_tidied_away() {
    let dir = tempfile::tempdir().unwrap();
    let store = bounded(&dir, 0, 0);
    let (v1, fs) = (store.v1().to_owned(), store.fs().clone());
    let write = |name: &str, old: Duration| {
        let path = v1.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"x").unwrap();
        age(&path, old);
        age(path.parent().unwrap(), old);
        path
    };
    // Index files: of an entry that is there; that nobody read; of nothing, old and new; of a failure; illegible.
    publish(&store, 1, 100);
    let index = |n: u32, outcome: VariantOutcome, old: Duration| {
        store.add_variant(&signature(n), variant(outcome)).unwrap();
        age(&store.index_path(&signature(n)), old);
        store.index_path(&signature(n))
    };
    let content = |n: u32| VariantOutcome::Content(signature(n));
    let keeps = [
        index(100, content(1), DAY * 29),
        index(101, content(99), Duration::from_secs(600)),
        index(102, VariantOutcome::Failure("{}".into()), DAY * 29),
    ];
    let (hex, used) = (signature(105).to_hex(), signature(106).to_hex());
    let goes = [
        index(103, content(1), DAY * 31),
        index(104, content(99), DAY),
        write(&format!("index/{}/{hex}", &hex[..2]), DAY),
    ];
    // Sources of a unit that has an entry, and of one that has none.
    store.add_variant(&crate::cache::unit_key(&digest(b"unit")), variant(content(1))).unwrap();
    let kept_source = write(&format!("sources/{}/a.cpp", digest(b"unit").to_hex()), DAY);
    let source = write(&format!("sources/{}/a.cpp", digest(b"other").to_hex()), DAY);
    let site = write(&format!("sites/{hex}/v1/table"), DAY * 40);
    age(&v1.join("sites").join(&hex), DAY * 40);
    let used_site = write(&format!("sites/{used}/v1/table"), DAY * 40);
    fs.mark_used(&v1.join("sites").join(&used)).unwrap();
    let failures: Vec<PathBuf> = (0..103)
        .map(|n: u32| write(&format!("failures/k-{n:012x}/error.log"), DAY / 1000 * (n + 1)))
        .collect();
    let old_failure = write("failures/old-00000000000a/error.log", DAY * 31);
    let (set, toolchain) = (write(&format!("sets/{hex}"), DAY), write(&format!("toolchains/{hex}"), DAY));
    let temporary = write("tmp/new-abc", Duration::ZERO);
    let aside = store.aside_path(&signature(7));
    std::fs::create_dir_all(aside.parent().unwrap()).unwrap();
    std::fs::write(&aside, b"x").unwrap();

    let others: Vec<PathBuf> = [
        "sets/a",
        "toolchains/a",
        "sites/a/b",
        "failures/a-1/b",
        "tmp/a",
        "locks/a",
        "statistics/a",
        "index/ab/a",
    ]
    .map(|name| write(name, DAY * 99))
    .into();

    let removed = look(&store).gc().run();
    assert_eq!(removed.failed, []);
    for path in keeps.iter().chain(&others).chain([&kept_source, &used_site, &aside]).chain(&failures[..100])
    {
        assert!(path.exists(), "{} is gone", path.display());
    }
    let gone = [&source, &site, &old_failure, &set, &toolchain, &temporary];
    for path in goes.iter().chain(gone).chain(&failures[100..]) {
        assert!(!path.exists(), "{} is there", path.display());
    }
    let count = |kind| removed.count(kind);
    assert_eq!(
        [CacheKind::Index, CacheKind::Source, CacheKind::Site, CacheKind::Failure].map(count),
        [3, 1, 1, 4],
        "{removed:?}"
    );
    assert_eq!([CacheKind::Toolchain, CacheKind::Temporary, CacheKind::Damaged].map(count), [2, 1, 0]);
    let mut bin = Bin::new(&store);
    let later = daily::Today { now: SystemTime::now() + DAY * 8, is_certain: true };
    tidy::Tidy::new(&mut bin, later).all();
    assert!(!aside.exists(), "somebody has looked by then");

    // What cannot be read now, or only a newer version understands, may lead somewhere.
    let newer = store.index_path(&signature(107));
    std::fs::create_dir_all(newer.parent().unwrap()).unwrap();
    std::fs::write(&newer, b"djindex9 what only a newer version understands").unwrap();
    age(&newer, DAY * 29);
    let unread = store.index_path(&signature(108));
    std::fs::create_dir_all(unread.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&unread, &unread).unwrap();
    let lists = write(&format!("sets/{hex}"), DAY);
    look(&store).gc().run();
    assert!(newer.exists() && unread.is_symlink() && lists.exists());
}

#[test]
fn the_housekeeping_is_done_once_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("cache");
    let again = || Store::open(&root, &Fs::new(Default::default()), &params()).unwrap();
    let first = bounded(&dir, 0, 0);
    let old = || {
        first.add_variant(&signature(1), variant(VariantOutcome::Content(signature(2)))).unwrap();
        age(&first.index_path(&signature(1)), DAY);
    };
    old();
    again().tidy_daily();
    assert!(first.index(&signature(1)).is_none());
    old();
    again().tidy_daily();
    assert!(first.index_path(&signature(1)).exists());
    assert_eq!(
        {
            let store = again();
            store.tidy_daily();
            let stats = store.fs().counters().snapshot();
            (stats.opens, stats.file_stats, stats.file_changes)
        },
        (0, 1, 0)
    );
    old();
    age(&first.v1().join("tidied"), DAY * 2);
    again().tidy_daily();
    assert!(!first.index_path(&signature(1)).exists());
}

#[test]
fn an_index_of_fifty_thousand_files_is_no_slower_and_soon_tidied() {
    let dir = tempfile::tempdir().unwrap();
    let store = bounded(&dir, 0, 0);
    publish(&store, 0, 100);
    // As a test binary leaves them that is rebuilt again and again; the last one is in use.
    let leads = |n: u32| {
        let mut index = crate::cache::Index::default();
        index.variants.push(variant(VariantOutcome::Content(signature(n % 2))));
        index
    };
    for n in 0..50_000 {
        let (key, path) = (signature(n | 1 << 30), store.index_path(&signature(n | 1 << 30)));
        let bytes = leads(n).encode(&key);
        if std::fs::write(&path, &bytes).is_err() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        age(&path, DAY * (n % 60));
    }
    let again = Store::open(store.root(), &Fs::new(Default::default()), &params()).unwrap();
    assert!(again.index(&signature(1 << 30)).is_some());
    let stats = again.fs().counters().snapshot();
    assert_eq!((stats.opens, stats.file_stats), (1, 0));

    // The daily housekeeping reads a part of it.
    again.tidy_daily();
    let before = held(&store).1;
    assert!((40_000..50_000).contains(&before), "{before}");
    let stats = again.fs().counters().snapshot();
    assert!(stats.opens < 7_000, "{}", stats.opens);

    let removed = look(&store).gc().run();
    // Of sixty days thirty are too long, and of the rest every second file leads nowhere.
    let left = held(&store).1;
    assert!((12_000..14_000).contains(&left), "{left}");
    assert_eq!(removed.count(CacheKind::Index) as u64, before - left);
    assert!(store.index(&signature(1 << 30)).is_some());
}

#[test]
fn the_daily_housekeeping_is_bounded_whatever_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut params = params();
    params.network.value = Network::Yes;
    let store = Store::open(&dir.path().join("cache"), &Fs::new(Default::default()), &params).unwrap();
    store.create_softly();
    for n in 0..600 {
        let source = store.sources_dir().join(signature(n).to_hex());
        std::fs::create_dir_all(&source).unwrap();
        age(&source, DAY);
    }
    // And more index files in one folder than one day's work.
    for n in 0..3_000 {
        let path = store.index_path(&Signature::from_hex(&format!("ab{n:062x}")).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"illegible").unwrap();
        age(&path, DAY);
    }
    store.tidy_daily();
    let before = store.fs().counters().snapshot();
    let indices = held(&store).1;
    assert!((2_700..3_000).contains(&indices), "{indices}");
    let left = std::fs::read_dir(store.sources_dir()).unwrap().count();
    assert!((400..600).contains(&left), "{left}");
    let stats = before;
    assert!(stats.opens < 700 && stats.file_stats < 1_500, "{} {}", stats.opens, stats.file_stats);
}

#[test]
fn what_a_wrong_clock_has_marked_is_used_today() {
    let dir = tempfile::tempdir().unwrap();
    let store = bounded(&dir, 0, 0);
    let paths = [0, 1, 2].map(|n| publish(&store, n, 1000));
    let later = SystemTime::now() + DAY * 40;
    let move_to = |path: &Path, time| std::fs::File::open(path).unwrap().set_modified(time).unwrap();
    move_to(&paths[1], later);
    age(&paths[0], DAY);
    // Who sees all others' files in the future has a clock that is behind: it must not remove what they use.
    look(&store).gc().max_files(5).max_age(DAY * 2).run();
    assert_eq!(paths.each_ref().map(|path| path.exists()), [false, true, true]);
    // From now on it ages: else it would be the last that goes for forty days.
    let marked = std::fs::metadata(&paths[1]).unwrap().modified().unwrap();
    assert!(marked < SystemTime::now() + DAY);
}

/// An index file that nobody read for forty days goes; not if all looks like that because nobody was here, or a clock was moved.
#[test]
fn nothing_goes_by_its_age_while_time_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let store = bounded(&dir, 0, 0);
    publish(&store, 1, 100);
    let (unread, tidied) = (store.index_path(&signature(1 | 1 << 31)), store.v1().join("tidied"));
    let now = SystemTime::now();
    let last = |time: SystemTime| {
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&tidied)
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    for (time, what) in [(now + DAY * 40, "a clock that was ahead"), (now - DAY * 20, "three weeks away")] {
        age(&unread, DAY * 40);
        last(time);
        store.tidy_daily();
        assert!(unread.exists(), "{what}");
        let is_now = tidied.metadata().unwrap().modified().unwrap();
        assert!(is_now > now - DAY && is_now < now + DAY, "{what}");
        // As if it was the next day, and the day after.
        for _ in 0..2 {
            last(now - DAY * 2);
            store.tidy_daily();
            look(&store).gc().run();
            assert!(unread.exists(), "{what}");
        }
        // What leads nowhere goes at any age.
        store.add_variant(&signature(9), variant(VariantOutcome::Content(signature(99)))).unwrap();
        age(&store.index_path(&signature(9)), DAY);
        last(now - DAY * 2);
        store.tidy_daily();
        assert!(!store.index_path(&signature(9)).exists(), "{what}");
    }
    // A month later all that is used has been marked.
    let text = std::fs::read_to_string(&tidied).unwrap();
    let until: u64 = text.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    let month = now + DAY * 29;
    assert!(SystemTime::UNIX_EPOCH + Duration::from_secs(until) > month, "{text}");
    std::fs::write(&tidied, "in doubt until 1700000000\n").unwrap();
    last(now - DAY * 2);
    store.tidy_daily();
    assert!(!unread.exists());
}
