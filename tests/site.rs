//! Site caches and sealed programs: kernels that somebody exported load without compiler, build id and headers,
//! from places that can be trusted only, and what is missing is told at once.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use dijitso::{Cache, CacheKind, Cpu, Error, Jit, KernelOrigin, ProblemKind};
use dijitso_tests::kernels::{self, Loop, NUMBER_BASE};
use sha2::{Digest as _, Sha256};

use crate::harness::{Client, NOBODY, Nobody, Place, Ran, files, install, own, set_mode, skip};

const PLAIN: &str = env!("CARGO_BIN_EXE_variant-plain");
const COMMENTED: &str = env!("CARGO_BIN_EXE_variant-commented");
const BODY: &str = env!("CARGO_BIN_EXE_variant-body");

/// Where no cache can be.
const NOWHERE: &str = "/proc/nowhere";

/// A directory that everybody can enter, unlike a [`Place`], which protects what is in it.
fn open_place() -> tempfile::TempDir {
    let open = tempfile::Builder::new().prefix("dijitso-open-").tempdir_in("/tmp").unwrap();
    set_mode(open.path(), 0o755);
    open
}

/// Numbers 1 to 3, exported to `path`.
fn export(place: &Place, path: &Path) {
    let exported = place.jit().export([1, 2, 3].map(kernels::number), path).unwrap();
    assert_eq!((exported.kernels, exported.entries), (3, 3));
}

/// A `Jit` with no cache of its own, which does not compile.
fn sealed(site: &Path) -> Jit {
    Jit::builder().cache_dir(NOWHERE).site_cache(site).sealed().build().unwrap()
}

/// A program without compiler, home and cache, that only has a site cache.
fn bare(client: Client, site: &Path) -> Client {
    client
        .env("DIJITSO_SITE_CACHE", site)
        .env("PATH", "")
        .env("CXX", "")
        .without("HOME")
        .without("XDG_CACHE_HOME")
        .without("VIRTUAL_ENV")
        .without("CONDA_PREFIX")
        .without("DIJITSO_CACHE_DIR")
}

fn origins(ran: &Ran) -> Vec<KernelOrigin> {
    ran.outcome.kernels.iter().map(|kernel| kernel.origin).collect()
}

fn missing(error: Error) -> Vec<String> {
    match error {
        Error::Sealed { missing, .. } => {
            missing.into_iter().map(|m| format!("{}: {}", m.kernel, m.reason)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_build_of_a_program_loads_what_was_exported_without_a_compiler() {
    for site in ["site", "site.tar.gz"] {
        let place = Place::new();
        let site = place.path(site);
        let exporter = Client::new(PLAIN, &place.cache()).args(["export", site.to_str().unwrap()]).ok();
        assert_eq!(exporter.values(), [7.0]);

        let ran = bare(Client::new(COMMENTED, Path::new("")), &site).env("DIJITSO_SEALED", "1").ok();
        assert_eq!((ran.values(), origins(&ran)), (vec![7.0], vec![KernelOrigin::Site]));
        assert_eq!(ran.outcome.stats.site_hits, 1);
        assert_eq!(ran.warnings(), 0, "{}", ran.stderr);
        ran.assert_warm();

        // Not sealed, with a cache that cannot be used.
        let ran = bare(Client::new(COMMENTED, Path::new("")), &site).env("DIJITSO_CACHE_DIR", NOWHERE).ok();
        assert_eq!((ran.values(), origins(&ran)), (vec![7.0], vec![KernelOrigin::Site]));
        ran.assert_warm();

        // Another generator is another kernel.
        let ran = bare(Client::new(BODY, Path::new("")), &site).env("DIJITSO_SEALED", "1").run();
        assert!(ran.error().contains("edited(7)") && ran.error().contains("sealed"), "{}", ran.error());
        ran.assert_warm();
    }
}

#[test]
fn an_exported_kernel_is_the_kernel_that_was_built() {
    let (place, open) = (Place::new(), open_place());
    let spec = kernels::axpy(Loop::Unrolled(4));
    let built = place.jit().load(&spec).unwrap();
    place.jit().export([spec.clone()], open.path().join("site")).unwrap();
    let jit = sealed(&open.path().join("site"));
    let kernel = jit.load(&spec).unwrap();
    assert_eq!((kernel.origin(), kernel.signature()), (KernelOrigin::Site, built.signature()));
    assert!(kernel.path().unwrap().starts_with(open.path()), "loaded where it is: {:?}", kernel.path());
    let (x, mut y) = ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0; 5]);
    // SAFETY: both have five elements.
    unsafe { kernel.call(5, 2.0, x.as_ptr(), y.as_mut_ptr()) };
    assert_eq!(y, [3.0, 5.0, 7.0, 9.0, 11.0]);
    assert_eq!(jit.load(&spec).unwrap().origin(), KernelOrigin::Memory);
    let stats = jit.stats();
    assert_eq!((stats.site_hits, stats.memory_loads, stats.processes, stats.file_changes), (1, 0, 0, 0));
}

#[test]
fn the_users_cache_comes_first_and_site_caches_in_their_order() {
    let (place, first, second) = (Place::new(), open_place(), open_place());
    let one = kernels::number(1);
    place.builder().cpu(Cpu::Generic).build().unwrap().export([one.clone()], first.path()).unwrap();
    place
        .builder()
        .cxxflag("-O1")
        .build()
        .unwrap()
        .export([1, 2].map(kernels::number), second.path())
        .unwrap();
    let builder = || Jit::builder().site_cache(first.path()).site_cache(second.path());

    let jit = builder().sealed().cache_dir(NOWHERE).build().unwrap();
    assert!(jit.load(&one).unwrap().path().unwrap().starts_with(first.path()));
    assert!(jit.load(&kernels::number(2)).unwrap().path().unwrap().starts_with(second.path()));

    let own = Place::new();
    own.jit().load(&one).unwrap();
    let jit = builder().cache_dir(own.cache()).build().unwrap();
    assert_eq!(jit.load(&one).unwrap().origin(), KernelOrigin::Disk);
    assert_eq!(jit.load(&kernels::number(2)).unwrap().origin(), KernelOrigin::Site);
    assert_eq!(jit.load(&kernels::number(3)).unwrap().origin(), KernelOrigin::Built);
}

#[test]
fn ffcs_module_graph_is_exported_and_loaded_sealed() {
    let Some(corpus) = dijitso_tests::corpus::root() else {
        return skip("the corpus of generated kernels is not there; say where with DIJITSO_CORPUS");
    };
    let (place, corpus) = (Place::new(), corpus.to_str().unwrap().to_owned());
    let built = place.client(["corpus", "ffc_jit", &corpus]).ok();
    let site = place.path("site");
    place.client(["export", site.to_str().unwrap(), "corpus", "ffc_jit", &corpus]).ok().assert_warm();

    let client = Client::new(crate::harness::CLIENT, Path::new("")).args(["corpus", "ffc_jit", &corpus]);
    let ran = bare(client, &site).env("DIJITSO_SEALED", "1").ok();
    assert_eq!(ran.values(), built.values());
    assert_eq!(ran.outcome.stats.site_hits, 19, "15 modules and 4 wrappers, each once");
    ran.assert_warm();
}

#[test]
fn a_kernel_brings_what_it_is_linked_to() {
    let (place, open) = (Place::new(), open_place());
    let exported = place.jit().export([kernels::successor(6)], open.path()).unwrap();
    assert_eq!((exported.kernels, exported.entries), (1, 2));
    let jit = sealed(open.path());
    assert_eq!(jit.load(&kernels::successor(6)).unwrap().call(), 7);
    assert_eq!(jit.stats().site_hits, 2);
}

#[test]
fn a_kernel_is_built_on_one_from_a_site_cache_and_found_again() {
    let (exporter, place, open) = (Place::new(), Place::new(), open_place());
    exporter.jit().export([kernels::base(6)], open.path()).unwrap();
    let run = || {
        let jit = place.builder().site_cache(open.path()).build().unwrap();
        let kernel = jit.load(&kernels::successor(6)).unwrap();
        assert_eq!(kernel.call(), 7);
        let stats = jit.stats();
        (kernel.origin(), stats.compiled, stats.generated, stats.site_hits)
    };
    assert_eq!(run(), (KernelOrigin::Built, 1, 1, 1), "its header and library come from the site cache");
    assert_eq!(run(), (KernelOrigin::Disk, 0, 0, 1));
    // Without the site cache all of it is built here.
    let jit = place.jit();
    assert_eq!(jit.load(&kernels::successor(6)).unwrap().call(), 7);
    assert_eq!(jit.stats().site_hits, 0);
}

#[test]
fn reading_costs_one_open_for_the_table_and_one_for_each_kernel() {
    let (place, open) = (Place::new(), open_place());
    let all: Vec<_> = (0..20).map(kernels::number).collect();
    place.jit().export(&all, open.path()).unwrap();
    let jit = sealed(open.path());
    assert_eq!(jit.stats().opens, 0, "nothing is read before a kernel is asked for");
    // The index of the cache that is not there is asked, too, for each kernel.
    let mut before = jit.stats().opens;
    let mut cost = |what: &dyn Fn()| {
        what();
        let (now, last) = (jit.stats().opens, before);
        before = now;
        now - last
    };
    assert_eq!(cost(&|| drop(jit.load(&all[0]).unwrap())), 1 + 1 + 1);
    assert_eq!(cost(&|| drop(jit.load(&all[1]).unwrap())), 1 + 1);
    assert_eq!(cost(&|| drop(jit.load(&kernels::number(99)).unwrap_err())), 1, "a miss reads nothing");
    assert_eq!(cost(&|| drop(jit.load_all(&all[..]).unwrap())), 18 * 2);
    assert_eq!(jit.stats().file_changes, 0);
    assert_eq!(jit.stats().processes, 0);
}

#[test]
fn a_sealed_program_is_told_everything_that_is_missing() {
    let (place, open) = (Place::new(), open_place());
    export(&place, open.path());
    let jit = sealed(open.path());
    let error = jit.load_all((
        &kernels::axpy(Loop::Unrolled(8)),
        &kernels::number(1),
        &kernels::number(7),
        &kernels::axpy(Loop::Plain),
        &kernels::number(7),
    ));
    let error = error.unwrap_err();
    let text = error.to_string();
    for part in [
        "3 kernels are missing",
        "axpy(Unrolled(8)), generated at",
        "axpy(Plain)",
        "k00007(7)",
        "kernels.rs",
        &kernels::number(7).signature().short(),
        NOWHERE,
        &format!("site cache {} (3 kernels)", open.path().display()),
        "Jit::export",
        "DIJITSO_SITE_CACHE",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(missing(error).len(), 3);
    let one = missing(jit.load(&kernels::number(8)).unwrap_err());
    assert!(one.len() == 1 && one[0].contains("not in the cache; not in "), "{one:?}");
    let stats = jit.stats();
    assert_eq!((stats.generated, stats.compiled, stats.processes), (0, 0, 0));
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1, "what is there is there");
}

#[test]
fn a_sealed_program_reads_the_users_cache_and_starts_nothing() {
    let place = Place::new();
    let shim = place.shim();
    place.builder().cxx(shim.word()).build().unwrap().load(&kernels::number(1)).unwrap();
    let calls = shim.calls().len();
    let jit = place.builder().cxx(shim.word()).sealed().build().unwrap();
    assert_eq!(jit.load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Disk);
    let gone = missing(jit.load(&kernels::successor(1)).unwrap_err());
    assert!(gone[0].starts_with("successor(1)"), "{gone:?}");
    assert_eq!((shim.calls().len(), jit.stats().generated), (calls, 0));
    place.client(["numbers", "1", "2"]).ok();
    let ran = place.client(["numbers", "1", "3"]).env("DIJITSO_SEALED", "1").run();
    assert!(
        ran.error().contains("1 kernel is missing") && ran.error().contains("k00002(2)"),
        "{}",
        ran.error()
    );
    assert_eq!(ran.warnings(), 0, "{}", ran.stderr);
    assert_eq!(ran.outcome.kernels.len(), 1);
}

#[test]
fn a_sealed_program_creates_nothing() {
    let place = Place::new();
    let jit = place.builder().sealed().build().unwrap();
    assert_eq!(missing(jit.load(&kernels::number(1)).unwrap_err()).len(), 1);
    assert!(!place.cache().exists());
    let ran = bare(Client::new(crate::harness::CLIENT, Path::new("")), Path::new(""))
        .args(["numbers", "1", "2"])
        .env("DIJITSO_SEALED", "1")
        .run();
    assert!(ran.error().contains("no site cache"), "{}", ran.error());
}

/// The table of a site cache with one kernel, in which a second one for a processor of the future comes first.
fn with_future_kernel(table: &[u8]) -> Vec<u8> {
    let (head, spec, kernel) = (24, 36, 100);
    let content = &table[..table.len() - 32];
    let row = &content[head + spec..head + spec + kernel];
    let mut future = row.to_vec();
    future[..32].fill(0);
    // The last of the bits that stand for features: none that this version knows.
    future[64 + 15] |= 0x80;
    let signature = &content[head..head + 32];
    let mut bytes = content[..8].to_vec();
    for count in [2u32, 2].map(u32::to_le_bytes) {
        bytes.extend_from_slice(&count);
    }
    bytes.extend_from_slice(&content[16..24]);
    for number in [0u32, 1].map(u32::to_le_bytes) {
        bytes.extend_from_slice(signature);
        bytes.extend_from_slice(&number);
    }
    bytes.extend_from_slice(&future);
    bytes.extend_from_slice(row);
    bytes.extend_from_slice(&content[head + spec + kernel..]);
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

#[test]
fn a_kernel_for_another_processor_is_passed_over() {
    let (place, open) = (Place::new(), open_place());
    let jit = place.builder().cpu(Cpu::Generic).build().unwrap();
    jit.export([kernels::number(1)], open.path()).unwrap();
    let table = open.path().join("v1/table");
    let with_both = with_future_kernel(&std::fs::read(&table).unwrap());
    std::fs::write(&table, &with_both).unwrap();
    let jit = sealed(open.path());
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);

    // Only the one of the future: the second spec row is cut away.
    let mut only = with_both[..with_both.len() - 32].to_vec();
    only[8] = 1;
    only.drain(24 + 36..24 + 72);
    let digest = Sha256::digest(&only);
    only.extend_from_slice(&digest);
    std::fs::write(&table, only).unwrap();
    let why = missing(sealed(open.path()).load(&kernels::number(1)).unwrap_err());
    assert!(why[0].contains("built for a processor with unknown feature 127"), "{why:?}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn exports_for_several_levels_make_one_site_cache_and_the_best_is_taken() {
    if !std::arch::is_x86_feature_detected!("sse4.2") {
        return skip("this processor is older than x86-64-v2");
    }
    let (place, open) = (Place::new(), open_place());
    let level = |cpu: Cpu| {
        let jit = place.builder().cpu(cpu).build().unwrap();
        let exported = jit.export([kernels::number(1)], open.path()).unwrap();
        (jit.load(&kernels::number(1)).unwrap().signature(), exported.bytes > 0)
    };
    let (v2, written) = level(Cpu::Named("x86-64-v2".into()));
    assert!(written);
    let (generic, written) = level(Cpu::Generic);
    assert!(written && generic != v2);
    let load = || sealed(open.path()).load(&kernels::number(1)).unwrap().signature();
    assert_eq!(load(), v2, "though it was exported first");
    assert_eq!(level(Cpu::Generic), (generic, false), "what is there is not written again");

    // A kernel takes the place of one for the same processors.
    let jit = place.builder().cpu(Cpu::Named("x86-64-v2".into())).cxxflag("-O1").build().unwrap();
    jit.export([kernels::number(1)], open.path()).unwrap();
    assert_eq!(load(), jit.load(&kernels::number(1)).unwrap().signature());
    let entries = files(open.path()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "so"));
    assert_eq!(entries.count(), 3, "the old entry stays for programs that run");
}

#[test]
fn archives_of_the_same_kernels_are_the_same_bytes_and_tar_reads_them() {
    let place = Place::new();
    let paths = ["one.tar.gz", "two.tgz"].map(|name| place.path(name));
    paths.iter().for_each(|path| export(&place, path));
    assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
    // The unpacked archive is the directory.
    let site = place.path("site");
    std::fs::create_dir(&site).unwrap();
    let unpacked = Command::new("tar").arg("-xzf").arg(&paths[0]).arg("-C").arg(&site).status().unwrap();
    assert!(unpacked.success());
    let directory = place.path("directory");
    export(&place, &directory);
    let content = |root: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let relative = |f: PathBuf| (f.strip_prefix(root).unwrap().to_owned(), std::fs::read(&f).unwrap());
        files(root).into_iter().map(relative).collect()
    };
    assert_eq!(content(&site), content(&directory));
    assert_eq!(sealed(&site).load(&kernels::number(2)).unwrap().call(), NUMBER_BASE + 2);
}

#[test]
fn an_archive_is_unpacked_once_and_again_when_it_is_another_one() {
    let place = Place::new();
    let site = place.path("site.tar.gz");
    export(&place, &site);
    let own = Place::new();
    let run = |number: u32| {
        let jit = own.builder().site_cache(&site).sealed().build().unwrap();
        let kernel = jit.load(&kernels::number(number)).unwrap();
        assert_eq!((kernel.origin(), kernel.call()), (KernelOrigin::Site, NUMBER_BASE + number as i32));
        assert!(kernel.path().unwrap().starts_with(own.cache()));
        jit.stats().file_changes
    };
    assert!(run(1) > 0);
    assert_eq!(run(2), 0, "it lies in the user's cache now");
    place.jit().export([kernels::number(4)], &site).unwrap();
    assert!(run(4) > 0);

    // Where no cache can be written, it is unpacked for the one program.
    let jit = sealed(&site);
    let kernel = jit.load(&kernels::number(4)).unwrap();
    let path = kernel.path().unwrap().to_owned();
    assert!(path.exists() && kernel.origin() == KernelOrigin::Site);
    drop(jit);
    assert!(!path.exists(), "{} is left behind", path.display());
    assert_eq!(kernel.call(), NUMBER_BASE + 4);
}

/// What becomes of numbers 1 and 2 with a site cache that is not all right: they are right all the same.
fn survives(site: &Path, from_site: u64, warnings: usize, what: &str) -> Ran {
    let place = Place::new();
    let ran = place.client(["numbers", "1", "3"]).env("DIJITSO_SITE_CACHE", site).ok();
    assert_eq!(ran.values(), [1, 2].map(|i| f64::from(NUMBER_BASE + i)), "{what}");
    assert_eq!(ran.outcome.stats.site_hits, from_site, "{what}: {}", ran.stderr);
    assert_eq!(ran.warnings(), warnings, "{what}: {}", ran.stderr);
    ran
}

#[test]
fn a_table_that_is_no_table_costs_one_warning() {
    let (place, open) = (Place::new(), open_place());
    export(&place, open.path());
    let table = open.path().join("v1/table");
    let good = std::fs::read(&table).unwrap();
    survives(open.path(), 2, 0, "untouched");
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    for (bad, what) in [
        (flipped, "a flipped bit"),
        (good[..good.len() / 2].to_vec(), "truncated"),
        (Vec::new(), "empty"),
        (vec![0; 4096], "zeros"),
        (b"#!/bin/sh\n".to_vec(), "something else"),
    ] {
        std::fs::write(&table, bad).unwrap();
        survives(open.path(), 0, 1, what);
        let why = sealed(open.path()).load(&kernels::number(1)).unwrap_err().to_string();
        assert!(why.contains("which is not used: its table"), "{what}: {why}");
    }
    std::fs::remove_file(&table).unwrap();
    survives(open.path(), 0, 1, "missing");
    std::fs::create_dir(&table).unwrap();
    survives(open.path(), 0, 1, "a directory");
    survives(Path::new("/nonexistent/site"), 0, 1, "no site cache at all");
    std::fs::remove_dir(&table).unwrap();
    // An export puts it right.
    export(&place, open.path());
    survives(open.path(), 2, 0, "exported again");
}

#[test]
fn a_damaged_entry_is_passed_over_with_one_warning_and_stays() {
    let (place, open) = (Place::new(), open_place());
    export(&place, open.path());
    let entry = sealed(open.path()).load(&kernels::number(1)).unwrap().path().unwrap().to_owned();
    let good = std::fs::read(&entry).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 4] ^= 1;
    for (bad, what) in [
        (flipped, "a flipped bit"),
        (good[..good.len() - 1].to_vec(), "truncated"),
        (b"#include".to_vec(), "something else"),
    ] {
        let new = entry.with_extension("new");
        std::fs::write(&new, &bad).unwrap();
        std::fs::rename(&new, &entry).unwrap();
        let ran = survives(open.path(), 1, 1, what);
        assert_eq!(ran.outcome.stats.quarantined, 0);
        assert_eq!(std::fs::read(&entry).unwrap(), bad, "it is not ours to move");
        // Asked for twice, warned about once.
        let jit = sealed(open.path());
        let why = [(); 2].map(|()| missing(jit.load(&kernels::number(1)).unwrap_err()).remove(0));
        assert!(why[1].contains("its entry is not used"), "{why:?}");
    }
    std::fs::remove_file(&entry).unwrap();
    survives(open.path(), 1, 1, "missing");
    // An export mends it.
    std::fs::write(&entry, b"damaged").unwrap();
    export(&place, open.path());
    survives(open.path(), 2, 0, "exported again");
}

#[test]
fn an_archive_that_is_damaged_or_hostile_costs_one_warning() {
    let place = Place::new();
    let site = place.path("site.tar.gz");
    export(&place, &site);
    survives(&site, 2, 0, "untouched");
    let good = std::fs::read(&site).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for (bad, what) in [
        (good[..good.len() / 2].to_vec(), "truncated"),
        (good[..good.len() - 8].to_vec(), "without its checksum"),
        (flipped, "a flipped bit"),
        (Vec::new(), "empty"),
    ] {
        std::fs::write(&site, bad).unwrap();
        survives(&site, 0, 1, what);
    }
    // What tar makes of other things under names that look right.
    let from = place.path("from");
    export(&place, &from);
    let entry = files(&from).into_iter().find(|f| f.extension().is_some()).unwrap();
    let archive = |what: &str, args: &[&str]| {
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(&site).arg("-C").arg(&from).args(args);
        assert!(tar.output().unwrap().status.success(), "{what}");
    };
    archive("honest", &["."]);
    survives(&site, 2, 0, "packed by tar");
    archive("above", &["--transform", "s,^v1/table,../escaped,", "-P", "v1"]);
    survives(&site, 0, 1, "a name that leads upwards");
    archive("absolute", &["--transform", "s,^v1/table,/tmp/escaped,", "-P", "v1"]);
    survives(&site, 0, 1, "an absolute name");
    archive("no table", &["--exclude", "table", "v1"]);
    survives(&site, 0, 1, "without a table");
    let mut bytes = std::fs::read(&entry).unwrap();
    bytes[300] ^= 1;
    std::fs::write(&entry, bytes).unwrap();
    archive("damaged entry", &["v1"]);
    survives(&site, 0, 1, "with a damaged entry");
    std::fs::remove_file(&entry).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &entry).unwrap();
    archive("link", &["v1"]);
    survives(&site, 0, 1, "with a link");
    let escaped = [place.path("escaped"), PathBuf::from("/tmp/escaped")];
    assert!(escaped.iter().all(|path| !path.exists()));
}

#[test]
fn a_site_cache_that_others_can_write_to_is_not_used() {
    let (place, open) = (Place::new(), open_place());
    let site = open.path().join("site");
    export(&place, &site);
    let entry = sealed(&site).load(&kernels::number(1)).unwrap().path().unwrap().to_owned();
    for (path, from_site) in [
        (open.path(), 0),
        (&site, 0),
        (&site.join("v1"), 0),
        (&site.join("v1/table"), 0),
        (entry.parent().unwrap(), 1),
        (&entry, 1),
    ] {
        let mode = path.metadata().unwrap().permissions().mode();
        for bits in [0o020, 0o002] {
            set_mode(path, mode | bits);
            let ran = survives(&site, from_site, 1, &path.display().to_string());
            assert!(ran.stderr.contains("chmod g-w,o-w"), "{}", ran.stderr);
        }
        set_mode(path, mode);
    }
    survives(&site, 2, 0, "mended");
    let archive = open.path().join("site.tar.gz");
    export(&place, &archive);
    set_mode(&archive, 0o664);
    survives(&archive, 0, 1, "an archive that a group can write to");
}

#[test]
fn root_may_install_a_site_cache_for_all_and_nobody_else() {
    let Some(nobody) = Nobody::new() else { return };
    let (place, open) = (Place::new(), open_place());
    let site = open.path().join("site");
    export(&place, &site);
    let run = |site: &Path| nobody.client(&["numbers", "1", "2"]).env("DIJITSO_SITE_CACHE", site).ok();
    let ran = run(&site);
    assert_eq!((origins(&ran), ran.warnings()), (vec![KernelOrigin::Site], 0), "{}", ran.stderr);

    // Somebody's own.
    std::fs::remove_dir_all(nobody.place.cache()).unwrap();
    let chown = |path: &Path, user: u32| {
        files(path).iter().for_each(|file| own(file, user));
        own(path, user);
    };
    chown(&site, NOBODY);
    assert_eq!(origins(&run(&site)), [KernelOrigin::Site]);

    // A third one's.
    std::fs::remove_dir_all(nobody.place.cache()).unwrap();
    chown(&site, NOBODY - 1);
    let ran = run(&site);
    assert_eq!((origins(&ran), ran.warnings()), (vec![KernelOrigin::Built], 1), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("belongs to user {}", NOBODY - 1)), "{}", ran.stderr);
    survives(&site, 0, 1, "for root, too");
}

#[test]
fn nothing_is_written_into_a_site_cache_that_is_read() {
    let (place, open) = (Place::new(), open_place());
    export(&place, open.path());
    let state = || -> Vec<(PathBuf, i64, i64)> {
        let all = files(open.path()).into_iter();
        all.map(|f| (f.clone(), f.metadata().unwrap().mtime_nsec(), f.metadata().unwrap().ctime_nsec()))
            .collect()
    };
    let before = state();
    survives(open.path(), 2, 0, "read");
    sealed(open.path()).load(&kernels::number(9)).unwrap_err();
    assert_eq!(state(), before);
}

#[test]
fn whatever_the_umask_is_an_export_can_be_used() {
    for (umask, mode) in [("002", 0o755), ("022", 0o755), ("077", 0o700), ("000", 0o755)] {
        let (place, open) = (Place::new(), open_place());
        let site = open.path().join("a/site");
        let client = place.path("client");
        install(crate::harness::CLIENT.as_ref(), &client);
        let script = format!("umask {umask}; exec \"$@\"");
        let ran = Client::new("sh", &place.cache()).args(["-c", &script, "sh"]).args([&client]);
        ran.args(["export", site.to_str().unwrap(), "numbers", "1", "3"]).ok();
        survives(&site, 2, 0, umask);
        assert_eq!(site.metadata().unwrap().permissions().mode() & 0o777, mode);
        for file in files(&site) {
            let bits = file.metadata().unwrap().permissions().mode();
            assert_eq!(bits & 0o133, 0, "{}", file.display());
        }
    }
}

#[test]
fn exports_to_one_directory_at_once_lose_nothing() {
    let (place, open) = (Place::new(), open_place());
    let jit = place.jit();
    std::thread::scope(|scope| {
        for i in 0..4 {
            let (jit, site) = (&jit, open.path());
            scope.spawn(move || jit.export([kernels::number(i)], site).unwrap());
        }
    });
    let all: Vec<_> = (0..4).map(kernels::number).collect();
    assert_eq!(sealed(open.path()).load_all(&all).unwrap().len(), 4);
    let left: Vec<_> = files(open.path()).into_iter().filter(|f| f.extension().is_none()).collect();
    assert_eq!(left, [open.path().join("v1/table")]);
}

#[test]
fn an_export_of_what_does_not_compile_or_cannot_be_cached_or_written_is_an_error() {
    let (place, open) = (Place::new(), open_place());
    let broken = kernels::text("broken", "int broken() { return nothing; }");
    let site = open.path().join("site");
    let error = place.jit().export(&[kernels::number(1), broken][..], &site).unwrap_err();
    assert!(matches!(error, Error::Compile { .. }), "{error:?}");
    assert!(!site.exists());
    let jit = Jit::builder().cache_dir(NOWHERE).build().unwrap();
    let error = jit.export([kernels::number(1)], &site).unwrap_err();
    assert!(matches!(&error, Error::CacheDir { .. }) && error.to_string().contains("k00001"), "{error}");
    let error = place.jit().export([kernels::number(1)], "/proc/nowhere/site").unwrap_err();
    assert!(
        matches!(&error, Error::Io { .. }) && error.to_string().contains("/proc/nowhere/site"),
        "{error}"
    );
    let error = place.jit().export([kernels::number(1)], "/proc/nowhere/site.tgz").unwrap_err();
    assert!(matches!(&error, Error::Io { .. }), "{error}");
    // What it has is exported without compiling, even by a sealed program.
    let jit = place.builder().sealed().build().unwrap();
    assert_eq!(jit.export([kernels::number(1)], &site).unwrap().entries, 1);
    assert_eq!(missing(jit.export([kernels::number(2)], &site).unwrap_err()).len(), 1);
}

#[test]
fn kernels_from_a_site_cache_are_exported_as_the_exporter_builds_them() {
    let (place, open) = (Place::new(), open_place());
    let (first, second) = (open.path().join("first"), open.path().join("second"));
    place.jit().export([kernels::number(1)], &first).unwrap();
    let own = Place::new();
    let jit = own.builder().cxxflag("-O1").site_cache(&first).build().unwrap();
    let theirs = jit.load(&kernels::number(1)).unwrap();
    assert_eq!(theirs.origin(), KernelOrigin::Site);
    jit.export([kernels::number(1)], &second).unwrap();
    let ours = sealed(&second).load(&kernels::number(1)).unwrap();
    assert_ne!(ours.signature(), theirs.signature());
}

#[test]
fn checking_compares_the_text_of_what_a_site_cache_has() {
    let (place, open) = (Place::new(), open_place());
    let file = place.write("text", "int unkeyed() { return 1; }\n");
    place.jit().export([kernels::unkeyed(file.clone())], open.path()).unwrap();
    let own = Place::new();
    let load = |check: bool| {
        let builder = own.builder().site_cache(open.path()).check(check);
        [builder.clone(), builder.sealed()]
            .map(|builder| builder.build().unwrap().load(&kernels::unkeyed(file.clone())))
    };
    for kernel in load(true) {
        assert_eq!(kernel.unwrap().origin(), KernelOrigin::Site);
    }
    std::fs::write(&file, "int unkeyed() { return 2; }\n").unwrap();
    for kernel in load(true) {
        let error = kernel.unwrap_err().to_string();
        assert!(error.contains("return 1;") && error.contains("return 2;"), "{error}");
    }
    for kernel in load(false) {
        assert_eq!(kernel.unwrap().call(), 1, "unchecked, the spec alone decides");
    }
}

#[test]
fn a_header_that_changed_is_not_asked_about() {
    let (place, open) = (Place::new(), open_place());
    place.write("include/state.h", "#define STATE 1\n");
    let spec = kernels::state(place.path("include"), true);
    place.jit().export([spec.clone()], open.path()).unwrap();
    place.write("include/state.h", "#define STATE 2\n");
    assert_eq!(sealed(open.path()).load(&spec).unwrap().call(), 1, "who exports vouches for what was read");
    assert_eq!(place.jit().load(&spec).unwrap().call(), 2);
}

#[test]
fn site_caches_load_from_memory_as_well() {
    let (place, open) = (Place::new(), open_place());
    export(&place, open.path());
    let builder = Jit::builder().cache_dir(NOWHERE).site_cache(open.path()).sealed();
    let jit = builder.load_mode(dijitso::Load::Memory).build().unwrap();
    assert_eq!(jit.load(&kernels::number(3)).unwrap().call(), NUMBER_BASE + 3);
    assert_eq!(jit.stats().memory_loads, 1);
}

#[test]
fn where_site_caches_are_can_be_said_in_three_places() {
    let (place, open) = (Place::new(), open_place());
    for (name, number) in [("program", 1), ("environment", 2), ("file", 3)] {
        place.jit().export([kernels::number(number)], open.path().join(name)).unwrap();
    }
    let config = format!("[cache]\nsites = [\"{}/file\"]\n[build]\nsealed = true\n", open.path().display());
    let config = place.write("config.toml", &config);
    let environment = format!(":{}/environment:", open.path().display());
    let ran = Client::new(crate::harness::CLIENT, Path::new(NOWHERE))
        .args(["numbers", "1", "4"])
        .env("DIJITSO_CONFIG", &config)
        .env("DIJITSO_SITE_CACHE", &environment)
        .run();
    assert!(ran.error().contains("k00001(1)"), "{}", ran.error());
    let (at, file) = (ran.error().find("/environment (1 kernels)"), ran.error().find("/file (1 kernels)"));
    assert!(at.is_some() && at < file, "{}", ran.error());
    let ran = Client::new(crate::harness::CLIENT, Path::new(NOWHERE))
        .args(["numbers", "2", "4"])
        .env("DIJITSO_CONFIG", &config)
        .env("DIJITSO_SITE_CACHE", &environment)
        .ok();
    assert_eq!(origins(&ran), [KernelOrigin::Site; 2]);
    let error = place.client(["nothing"]).env("DIJITSO_SITE_CACHE", "relative").run();
    assert!(error.error().contains("absolute path"), "{}", error.error());
}

#[test]
fn a_kernel_that_the_loader_refuses_is_built() {
    let (place, open) = (Place::new(), open_place());
    let library = place.path("libtwo.so");
    place.write("two.c", "int two(void) { return 2; }\n");
    let made = Command::new(crate::harness::real_compiler())
        .args(["-x", "c", "-shared", "-fPIC", "-Wl,-soname,libtwo.so", "-o"])
        .arg(&library)
        .arg(place.path("two.c"))
        .status();
    assert!(made.unwrap().success());
    let text = "extern \"C\" int two(); int uses() { return two(); }";
    let builder = place.builder().lib_dir(place.root()).lib("two").rpath_dir(place.root());
    builder.build().unwrap().export([kernels::text("uses", text)], open.path()).unwrap();
    // Another machine, where that library is elsewhere.
    let other = Place::new();
    std::fs::rename(&library, other.path("libtwo.so")).unwrap();
    let dir = other.root().display();
    let config = format!("[build]\nlibs = [\"two\"]\nlib_dirs = [\"{dir}\"]\nrpath_dirs = [\"{dir}\"]\n");
    let config = other.write("config.toml", &config);
    let client = || {
        let client = other.client(["text", "uses", text]).env("DIJITSO_SITE_CACHE", open.path());
        client.env("DIJITSO_CONFIG", &config)
    };
    let refused = client().env("DIJITSO_SEALED", "1").run();
    assert!(refused.error().contains("it cannot be loaded here: libtwo.so"), "{}", refused.error());
    let ran = client().ok();
    assert_eq!((ran.values(), origins(&ran), ran.warnings()), (vec![2.0], vec![KernelOrigin::Built], 1));
}

#[test]
fn a_site_cache_can_be_looked_into_and_not_cleaned() {
    let (place, open) = (Place::new(), open_place());
    place.jit().export([kernels::successor(6)], open.path()).unwrap();
    let cache = Cache::open(open.path()).unwrap();
    let names: Vec<_> = cache.entries().map(|entry| entry.unwrap().name().to_owned()).collect();
    assert!(names.len() == 2 && names.contains(&"successor".to_owned()), "{names:?}");
    assert!(cache.find("successor").unwrap().source().unwrap().contains("base() + 1"));
    let (sound, summary) = (cache.verify(), cache.summary());
    assert!(sound.problems.is_empty() && sound.entries == 2, "{sound:?}");
    assert_eq!((summary.entries.files, summary.index.files), (2, 1));
    let removed = cache.clean().run();
    assert!(removed.files.is_empty() && removed.failed.len() == 1, "{removed:?}");

    let jit = sealed(open.path());
    assert_eq!(jit.lookup(&kernels::successor(6)).unwrap().unwrap().origin(), KernelOrigin::Site);
    assert!(jit.lookup(&kernels::successor(7)).unwrap().is_none());

    std::fs::remove_file(cache.find("base").unwrap().path()).unwrap();
    let lost = cache.verify().problems;
    assert!(lost.iter().any(|p| p.kind == ProblemKind::Index && p.text.contains("not there")), "{lost:?}");
    std::fs::write(open.path().join("v1/table"), b"nothing").unwrap();
    let lost = cache.verify().problems;
    assert!(lost.iter().any(|p| p.kind == ProblemKind::Index && p.text.contains("no table")), "{lost:?}");
}

#[test]
fn unpacked_archives_are_counted_and_cleaned() {
    let (place, own) = (Place::new(), Place::new());
    let site = place.path("site.tar.gz");
    export(&place, &site);
    let jit = own.builder().site_cache(&site).build().unwrap();
    let kernel = jit.load(&kernels::number(1)).unwrap();
    let cache = jit.cache();
    assert_eq!((cache.summary().sites.files, cache.entries().count()), (1, 0));
    let removed = cache.clean().run();
    assert_eq!(removed.count(CacheKind::Site), 1, "{removed:?}");
    assert!(!kernel.path().unwrap().exists() && kernel.call() == NUMBER_BASE + 1);
    let jit = own.builder().site_cache(&site).sealed().build().unwrap();
    assert_eq!(jit.load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Site);
}
