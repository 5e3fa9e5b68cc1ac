//! Site caches and sealed programs: kernels that somebody exported load without compiler, build id and headers,
//! from places that can be trusted only, and what is missing is told at once.

mod export;
mod faults;
mod sealed;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use dijitso::{Cache, CacheKind, Cpu, Error, Jit, KernelOrigin, KernelSpec, ProblemKind, Source};
use dijitso_tests::kernels::{self, Loop, NUMBER_BASE, Number};
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

/// A kernel whose generator loads another one, and writes what that returns into the text.
fn asking(jit: &Jit, i: u32) -> KernelSpec<Number> {
    let jit = jit.clone();
    KernelSpec::new("asking", i, move || -> dijitso::Result<Source<Number>> {
        let value = jit.load(&kernels::number(i))?.call();
        // SAFETY: has no arguments and no state.
        Ok(unsafe { Source::new(format!("int asking() {{ return {value} + 1; }}")) })
    })
    .package("dijitso-tests", "1")
}

#[test]
fn a_kernel_whose_generator_loads_another_one_is_exported_without_it() {
    let (place, open) = (Place::new(), open_place());
    let exporter = place.jit();
    let exported = exporter.export([asking(&exporter, 1)], open.path()).unwrap();
    assert_eq!((exported.kernels, exported.entries), (1, 1));
    let jit = sealed(open.path());
    assert_eq!(jit.load(&asking(&jit, 1)).unwrap().call(), NUMBER_BASE + 2);
    assert_eq!(missing(jit.load(&asking(&jit, 2)).unwrap_err()).len(), 1, "no generator runs");
}

#[test]
fn a_generator_may_load_kernels_of_a_site_cache() {
    let (exporter, place, open) = (Place::new(), Place::new(), open_place());
    export(&exporter, open.path());
    let run = || {
        let jit = place.builder().site_cache(open.path()).build().unwrap();
        let kernel = jit.load(&asking(&jit, 1)).unwrap();
        assert_eq!(kernel.call(), NUMBER_BASE + 2);
        (kernel.origin(), jit.stats().compiled, jit.stats().generated)
    };
    assert_eq!(run(), (KernelOrigin::Built, 1, 1));
    assert_eq!(run(), (KernelOrigin::Disk, 0, 0));
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
    let size = |path: &Path| path.metadata().unwrap().len();
    let entry = jit.load(&all[0]).unwrap().path().unwrap().to_owned();
    assert_eq!(jit.stats().bytes_read, size(&open.path().join("v1/table")) + size(&entry), "each once");
    assert_eq!(cost(&|| drop(jit.load(&all[1]).unwrap())), 1 + 1);
    let miss = || drop(jit.load(&kernels::number(99)).unwrap_err());
    assert_eq!(cost(&miss), 1 + 1, "the first one looks for what was imported");
    assert_eq!(cost(&miss), 1, "a miss reads nothing");
    assert_eq!(cost(&|| drop(jit.load_all(&all[..]).unwrap())), 18 * 2);
    assert_eq!(jit.stats().file_changes, 0);
    assert_eq!(jit.stats().processes, 0);
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

#[test]
fn a_kernel_whose_entry_vanished_from_a_site_cache_is_built_when_another_one_needs_it() {
    let (place, open) = (Place::new(), open_place());
    place.jit().export([kernels::base(6)], open.path()).unwrap();
    let own = Place::new();
    let jit = own.builder().site_cache(open.path()).build().unwrap();
    let base = jit.load(&kernels::base(6)).unwrap();
    assert_eq!(base.origin(), KernelOrigin::Site);
    std::fs::remove_file(base.path().unwrap()).unwrap();
    assert_eq!(jit.load(&kernels::successor(6)).unwrap().call(), 7);
    assert_eq!(jit.stats().compiled, 2);
}

#[test]
fn processes_that_unpack_one_archive_at_once_share_it() {
    let (place, own) = (Place::new(), Place::new());
    let site = place.path("site.tar.gz");
    export(&place, &site);
    let start = || {
        let client = own.client(["numbers", "1", "4"]).env("DIJITSO_SITE_CACHE", &site);
        client.env("DIJITSO_SEALED", "1").spawn()
    };
    let running: Vec<_> = (0..8).map(|_| start()).collect();
    for client in running {
        let ran = Ran::of(client.wait_with_output().unwrap());
        assert!(ran.outcome.error.is_none(), "{:?}\n{}", ran.outcome.error, ran.stderr);
        assert_eq!((origins(&ran), ran.warnings()), (vec![KernelOrigin::Site; 3], 0), "{}", ran.stderr);
    }
    let unpacked = own.cache().join("v1/sites");
    assert_eq!(std::fs::read_dir(unpacked).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(own.cache().join("v1/tmp")).unwrap().count(), 0, "nothing is left behind");
}
