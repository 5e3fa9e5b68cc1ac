//! Writing site caches: as directories that are extended, and as archives.

use super::*;

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
