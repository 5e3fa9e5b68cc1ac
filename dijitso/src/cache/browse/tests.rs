//! Entries that no build wrote: whoever can write into a cache can forge a seal, too.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::*;
use crate::cache::Texts;
use crate::cache::encode;
use crate::cache::entry::tests::{elf, encoded, meta};
use crate::cache::entry::{META, tests};
use crate::signature::digest;
use crate::toolchain::CpuFeatures;

struct Place {
    dir: tempfile::TempDir,
    cache: Cache,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("cache")).unwrap();
        Place { dir, cache }
    }

    fn put(&self, signature: &Signature, bytes: &[u8]) {
        let path = self.cache.place(signature);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn only(&self) -> Result<Entry, Damaged> {
        let mut entries: Vec<_> = self.cache.entries().collect();
        assert_eq!(entries.len(), 1);
        entries.pop().unwrap()
    }
}

fn forged(signature: Signature, files: &[(&str, &[u8])], headers: &[(&str, &str)]) -> Vec<u8> {
    let headers: Vec<_> = headers.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    encode(&elf(500), &signature, CpuFeatures::NONE, &Texts::default(), files, &headers, &meta(signature))
        .unwrap()
}

#[test]
fn an_entry_says_what_is_in_it() {
    let place = Place::new();
    let signature = digest(b"content");
    let bytes = encoded(signature, &elf(1000));
    place.put(&signature, &bytes);
    let entry = place.only().unwrap();
    assert_eq!((entry.name(), entry.location()), ("axpy", "src/kernels.rs:12:5"));
    let sizes = entry.sizes();
    assert_eq!((sizes.library, sizes.file, sizes.sources), (1000, bytes.len() as u64, 26));
    assert_eq!(entry.built(), SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    assert_eq!(
        (entry.compile_time(), entry.link_time()),
        (Duration::from_millis(500), Duration::from_millis(250))
    );
    assert_eq!(entry.library().unwrap(), elf(1000));
    assert_eq!(entry.source().unwrap(), "void axpy() {}");
    assert_eq!(entry.headers().unwrap(), [("axpy.h".to_owned(), "void axpy();".to_owned())]);
    assert_eq!(entry.log().unwrap(), "");
    assert_eq!(entry.cpu_features().len(), 2);
    let problems = entry.verify();
    assert!(
        problems.iter().any(|p| p.kind == ProblemKind::Library),
        "its library is no library: {problems:?}"
    );
    assert!(entry.libraries().is_err() && entry.exports().unwrap().is_empty());
}

#[test]
fn a_listing_reads_the_ends_only() {
    let place = Place::new();
    for n in 0..20u8 {
        let signature = digest(&[n]);
        place.put(&signature, &encoded(signature, &elf(3_000_000)));
    }
    let stats = || place.cache.store.fs().counters().snapshot();
    let before = stats();
    assert_eq!(place.cache.entries().flatten().count(), 20);
    let after = stats();
    assert!(after.bytes_read - before.bytes_read <= 20 * 32 * 1024, "{}", after.bytes_read);
    // The entries, their folders, and the directory of these.
    assert!(after.opens - before.opens <= 20 + 20 + 1, "{}", after.opens);
}

#[test]
fn large_texts_and_facts_are_read_from_where_they_are() {
    let place = Place::new();
    let signature = digest(b"large");
    let text: String =
        (0..50_000u32).map(|i| format!("double a{i} = {};\n", i.wrapping_mul(2_654_435_761))).collect();
    let mut facts = meta(signature);
    facts.inputs =
        (0..3000).map(|i| (format!("/usr/include/{i}.h"), digest(format!("{i}").as_bytes()))).collect();
    let files = [("axpy.cpp", text.as_bytes()), ("build.log", &b"warning: x\n"[..])];
    let bytes =
        encode(&elf(100_000), &signature, CpuFeatures::NONE, &Texts::default(), &files, &[], &facts).unwrap();
    place.put(&signature, &bytes);
    let entry = place.only().unwrap();
    assert_eq!(entry.inputs().len(), 3000);
    assert_eq!(entry.source().unwrap(), text);
    assert_eq!(entry.log().unwrap(), "warning: x\n");
}

#[test]
fn names_that_lead_elsewhere_are_refused_before_anything_is_written() {
    let signature = digest(b"x");
    for name in ["../x", "/tmp/x", "a/b", "..", "a\\b", "x\ny", "headers/", "headers/../x", "headers//x"] {
        let place = Place::new();
        place.put(&signature, &forged(signature, &[("ok.cpp", b"1"), (name, b"2")], &[]));
        let damaged = place.only().unwrap_err();
        assert!(damaged.problem.contains("no build writes"), "{name:?}: {damaged}");
        assert_eq!(damaged.signature, Some(signature));
        assert!(place.cache.find("axpy").is_err());
    }
}

#[test]
fn headers_named_as_our_own_files_are_kept_apart() {
    let place = Place::new();
    let signature = digest(b"x");
    let files: [(&str, &[u8]); 2] = [("axpy.cpp", b"1"), ("build.log", b"log")];
    place.put(&signature, &forged(signature, &files, &[("build.log", "header"), ("command.sh", "header")]));
    let out = place.dir.path().join("out");
    let extracted = place.only().unwrap().extract(&out, &Category::ALL).unwrap();
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!((read("build.log"), read("dijitso-build.log")), ("header".to_owned(), "log".to_owned()));
    assert!(extracted.files.contains(&format!("{signature}.so")), "{extracted:?}");
}

#[test]
fn times_that_no_clock_shows_are_no_panic() {
    let place = Place::new();
    let signature = digest(b"x");
    for (seconds, created) in [(-1.0, u64::MAX), (1e300, u64::MAX), (0.0, 1 << 62)] {
        let mut facts = meta(signature);
        (facts.compile_seconds, facts.link_seconds, facts.created) = (seconds, seconds, created);
        let bytes =
            encode(&elf(64), &signature, CpuFeatures::NONE, &Texts::default(), &[], &[], &facts).unwrap();
        place.put(&signature, &bytes);
        let entry = place.only().unwrap();
        let _ = (entry.built(), entry.last_used());
        assert_eq!(entry.compile_time() + entry.link_time(), Duration::ZERO);
        assert!(entry.source().is_err() && entry.log().unwrap().is_empty());
    }
}

#[test]
fn facts_that_are_none_are_told() {
    let place = Place::new();
    let signature = digest(b"x");
    let bytes = encoded(signature, &elf(64));
    let at = bytes.windows(9).position(|w| w == b"\"content\"").unwrap();
    let mut bad = bytes.clone();
    bad[at] = b'!';
    place.put(&signature, &bad);
    assert!(
        place.only().unwrap_err().problem.contains("facts"),
        "a changed byte shows in the zip's own checksum"
    );
    assert!(bytes.windows(META.len()).any(|w| w == META.as_bytes()));
    let other =
        encode(&elf(64), &signature, CpuFeatures::NONE, &Texts::default(), &[], &[], &meta(digest(b"other")))
            .unwrap();
    place.put(&signature, &other);
    assert!(place.only().unwrap_err().problem.contains("those of the entry"));
}

#[test]
fn whatever_bytes_lie_there_nothing_panics_and_nothing_is_written_outside() {
    let place = Place::new();
    let signature = digest(b"x");
    let good = encoded(signature, &tests::elf(64));
    let out = place.dir.path().join("out");
    let look = |bytes: &[u8]| {
        place.put(&signature, bytes);
        let Ok(entry) = place.only() else { return };
        let _ = (
            entry.verify(),
            entry.source(),
            entry.log(),
            entry.headers(),
            entry.libraries(),
            entry.exports(),
        );
        let _ = entry.grep("axpy", &Category::ALL);
        let _ = entry.extract_function("axpy", &Category::ALL);
        if entry.extract(&out, &Category::ALL).is_ok() {
            std::fs::remove_dir_all(&out).unwrap();
        }
        assert!(!out.exists());
    };
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= [0x01, 0x40, 0xff][at % 3];
        look(&bad);
        if at % 5 == 0 {
            look(&good[..at]);
        }
    }
    look(&[]);
    let names: Vec<_> =
        std::fs::read_dir(place.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["cache"]);
    let _ = (place.cache.verify(), place.cache.summary(), place.cache.clean().run());
}

#[test]
fn a_file_is_no_cache_and_no_directory_is_an_empty_one() {
    let place = Place::new();
    let file = place.dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(Cache::open(&file), Err(Error::CacheDir { .. })));
    assert!(!place.cache.exists() && !Path::new(place.cache.dir()).exists());
    assert_eq!(place.cache.summary(), Summary::default());
    assert_eq!(place.cache.verify(), Integrity::default());
    assert!(place.cache.failures().unwrap().is_empty());
    assert_eq!(place.cache.clean().run(), Removed::default());
    assert!(!place.cache.dir().exists(), "looking creates nothing");
}

/// Fills a cache with entries that have as many facts as real ones.
fn fill(place: &Place, count: usize) {
    for number in 0..count {
        let signature = digest(number.to_string().as_bytes());
        let mut meta = meta(signature);
        meta.name = format!("kernel{}", number % 100);
        meta.description = format!("kernel{}({number})", number % 100);
        meta.inputs =
            (0..100).map(|i| (format!("/usr/include/c++/12/bits/header{i}.h"), signature)).collect();
        for (name, text) in
            [("compiler", "c++"), ("compiler version", "gcc version 12"), ("compiler target", "x")]
        {
            meta.ingredients.insert(name.to_owned(), text.to_owned());
        }
        let files: [(&str, &[u8]); 2] = [("k.cpp", b"int k() { return 1; }"), ("build.log", b"warning")];
        let headers = [("k.h".to_owned(), "int k();".to_owned())];
        let texts = Texts::default();
        let bytes =
            encode(&elf(9000), &signature, CpuFeatures::NONE, &texts, &files, &headers, &meta).unwrap();
        place.put(&signature, &bytes);
    }
}

#[test]
fn a_listing_says_what_entries_say_and_reads_the_last_bytes_of_each() {
    let place = Place::new();
    let count = 300;
    fill(&place, count);
    let listing = place.cache.list();
    let entries: Vec<Listed> = place.cache.entries().map(|entry| Listed::from(&entry.unwrap())).collect();
    assert_eq!(listing.entries, entries);
    assert_eq!((entries.len(), listing.damaged.len()), (count, 0));
    assert_eq!((entries[0].sources, entries[0].headers, entries[0].log), (21, 8, 7));
    assert_eq!(&*entries[0].compiler, "c++: gcc version 12, for x");

    let before = place.cache.store.fs().counters().snapshot();
    place.cache.list();
    let after = place.cache.store.fs().counters().snapshot();
    let folders = place.cache.store.fs().list(place.cache.store.v1()).unwrap().len();
    assert!(after.bytes_read - before.bytes_read <= count as u64 * 3 * 1024);
    assert_eq!(after.opens - before.opens, (count + folders + 1) as u64);
    assert_eq!(after.file_stats - before.file_stats, 1, "whether it is a site cache");
}

#[test]
fn a_listing_reports_what_it_cannot_list() {
    let place = Place::new();
    fill(&place, 5);
    let victims: Vec<Signature> = place.cache.list().entries.iter().map(|entry| entry.signature).collect();
    let bytes = std::fs::read(place.cache.place(&victims[0])).unwrap();
    place.put(&victims[0], &bytes[..bytes.len() - 10]);
    place.put(&victims[1], b"");
    // Without a listing it is read as any other.
    let mut bytes = std::fs::read(place.cache.place(&victims[2])).unwrap();
    while let Some(at) = memchr::memmem::find(&bytes, b"listing.json") {
        bytes[at..at + 12].copy_from_slice(b"listing.txt.");
    }
    place.put(&victims[2], &bytes);
    std::fs::write(place.cache.place(&victims[3]).with_file_name("readme"), "").unwrap();
    let listing = place.cache.list();
    let listed: Vec<Signature> = listing.entries.iter().map(|entry| entry.signature).collect();
    assert_eq!(listed, victims[2..]);
    let errors: Vec<Damaged> = place.cache.entries().filter_map(Result::err).collect();
    assert_eq!(listing.damaged.len(), 3);
    assert!(errors.iter().all(|error| listing.damaged.contains(error)), "{errors:?}\n{:?}", listing.damaged);
}

#[test]
fn of_a_large_index_the_size_is_estimated() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path()).unwrap();
    let index = dir.path().join("v1/index");
    for folder in 0..64 {
        let folder = index.join(format!("{folder:02x}"));
        std::fs::create_dir_all(&folder).unwrap();
        for file in 0..350 {
            std::fs::write(folder.join(file.to_string()), [0; 10]).unwrap();
        }
    }
    let summary = cache.summary();
    assert!(summary.index_is_estimated);
    assert_eq!((summary.index.files, summary.index.bytes), (64 * 350, 64 * 3500));
    std::fs::remove_dir_all(index.join("00")).unwrap();
    (1..16).for_each(|folder| std::fs::remove_dir_all(index.join(format!("{folder:02x}"))).unwrap());
    let summary = cache.summary();
    assert!(!summary.index_is_estimated);
    assert_eq!((summary.index.files, summary.index.bytes), (48 * 350, 48 * 3500));
}
