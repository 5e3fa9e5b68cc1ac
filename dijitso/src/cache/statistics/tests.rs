use std::time::{Duration, SystemTime};

use super::*;
use crate::cache::store::tests::store;

fn done(disk_hits: u64) -> Stats {
    let misses = [
        ("changed: /usr/include/a.h".to_owned(), 1),
        ("axpy: changed: /b.h".to_owned(), 2),
        ("not in the cache; not in /opt/site".to_owned(), 4),
        ("something else".to_owned(), 8),
    ];
    Stats { disk_hits, saved_us: 1000 * disk_hits, misses: misses.into(), ..Stats::default() }
}

#[test]
fn what_is_recorded_adds_up_by_day_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("cache"));
    let counters = Counters::default();
    counters.memory_hits.add(7);
    store.record_all(&counters);
    assert_eq!(store.statistics(), Statistics::default(), "nothing that concerns the disk");
    // Who was at the disk once is counted with all else, before and after.
    counters.built.one();
    store.record_all(&counters);
    counters.memory_hits.add(2);
    store.record_all(&counters);
    store.record_all(&counters);
    let total = store.statistics().total();
    assert_eq!((total.memory_hits, total.built), (9, 1));
    store.zero_statistics().unwrap();
    store.record(&done(3));
    store.record(&done(4));
    let statistics = store.statistics();
    assert_eq!((statistics.days.len(), &statistics.days[0].date), (1, &date::date(SystemTime::now())));
    let total = statistics.total();
    assert_eq!((total.disk_hits, total.saved_time()), (7, Duration::from_millis(7)));
    let misses: Vec<(&str, u64)> = total.misses.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    assert_eq!(misses, [("a file that it was made from changed", 6), ("not in the cache", 8), ("other", 16)]);
    let folding = store.try_lock_named("statistics").unwrap();
    assert_eq!(store.zero_statistics().unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(store.statistics().total().disk_hits, 7);
    drop(folding);
    store.zero_statistics().unwrap();
    assert_eq!(store.statistics(), Statistics::default());
}

#[test]
fn a_line_that_was_cut_off_spoils_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("cache"));
    store.record(&done(1));
    let file = store.statistics_dir().join(date::date(SystemTime::now()));
    store.fs().append(&file, b"\n{\"disk_hits\": 5", Absent::Refuse).unwrap();
    store.record(&done(2));
    assert_eq!(store.statistics().total().disk_hits, 3);
}

#[test]
fn old_days_are_folded_and_nothing_is_counted_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("cache"));
    for n in 1..=3 {
        store.record(&done(n));
    }
    let now = SystemTime::now();
    let today = store.statistics_dir().join(date::date(now));
    // The same again, on another machine, and a folder that was killed before it had removed anything.
    let bytes = std::fs::read(&today).unwrap();
    std::fs::write(store.statistics_dir().join(format!("{}.other", date::date(now))), &bytes).unwrap();
    let before = store.statistics();
    assert_eq!(before.total().disk_hits, 12);
    store.fold_statistics(now);
    assert!(today.exists(), "today is not over");
    // What nobody understands is not replaced.
    let summary = store.statistics_dir().join("summary");
    std::fs::write(&summary, b"what a newer version counts").unwrap();
    store.fold_statistics(now + Duration::from_secs(10 * 24 * 3600));
    assert!(today.exists() && std::fs::read(&summary).unwrap() == b"what a newer version counts");
    std::fs::remove_file(&summary).unwrap();
    let later = now + Duration::from_secs(10 * 24 * 3600);
    store.fold_statistics(later);
    assert_eq!((today.exists(), store.statistics()), (false, before.clone()));
    let summary = std::fs::read(store.statistics_dir().join("summary")).unwrap();
    // As if whoever folded it had been killed before it was removed.
    let name = format!("{}.closed", today.file_name().unwrap().to_str().unwrap());
    let closed = today.with_file_name(&name);
    let taken = String::from_utf8(summary)
        .unwrap()
        .replace("\"taken\":{}", &format!("\"taken\":{{\"{name}\":{}}}", bytes.len()));
    std::fs::write(store.statistics_dir().join("summary"), taken).unwrap();
    std::fs::write(&closed, &bytes).unwrap();
    assert_eq!(store.statistics(), before);
    // What comes late is counted all the same.
    store.fs().append(&closed, b"\n{\"disk_hits\":100}", Absent::Refuse).unwrap();
    store.fs().append(&today, b"\n{\"disk_hits\":1000}", Absent::Create).unwrap();
    assert_eq!(store.statistics().total().disk_hits, 1112);
    store.fold_statistics(later);
    assert_eq!((closed.exists(), today.exists(), store.statistics().total().disk_hits), (false, true, 1112));
    store.fold_statistics(later);
    assert_eq!((today.exists(), store.statistics().total().disk_hits), (false, 1112));
}

#[test]
fn a_cache_that_is_not_there_or_cannot_be_written_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("cache");
    let store = store(&root);
    std::fs::remove_dir_all(&root).unwrap();
    store.record(&done(1));
    assert!(!root.exists());
    store.zero_statistics().unwrap();
    store.fold_statistics(SystemTime::now());
    assert!(!root.exists());
}
