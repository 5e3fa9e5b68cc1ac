//! The cache directory and its entries: whom it trusts, what it survives, what it never serves.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use dijitso::{Error, Jit, KernelOrigin};
use dijitso_tests::kernels::{self, NUMBER_BASE};

use crate::harness::{NOBODY, Nobody, Place, files, mounted, own, root, set_mode};

#[test]
fn the_directory_is_made_private_and_marked() {
    let place = Place::new();
    let jit = place.builder().cache_dir(place.path("a/b/cache")).build().unwrap();
    jit.load(&kernels::number(1)).unwrap();
    let root = place.path("a/b/cache");
    assert_eq!(root.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let tag = std::fs::read_to_string(root.join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
    for file in files(&root) {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0, "{} can be written by others", file.display());
    }
}

#[test]
fn an_entry_is_one_file_named_by_its_signature() {
    let place = Place::new();
    let kernel = place.jit().load(&kernels::number(1)).unwrap();
    assert_eq!(place.entries(), [kernel.path().unwrap()]);
    let name = format!("{}.so", kernel.signature());
    assert_eq!(kernel.path().unwrap().file_name().unwrap().to_str(), Some(name.as_str()));
    assert_eq!(kernel.path().unwrap().metadata().unwrap().nlink(), 1, "no temporary name is left");
}

/// Loads number 1 from the place's cache without a compiler: it is served intact or not at all.
fn without_compiler(place: &Place) -> Result<i32, Error> {
    let jit = place.builder().cxx("/nonexistent/c++").build().unwrap();
    jit.load(&kernels::number(1)).map(|kernel| kernel.call())
}

/// Puts `damaged` in the place of number 1's entry, and proves that it is not served but set aside.
fn refused(place: &Place, entry: &Path, damaged: &[u8], what: &str) {
    write_new(entry, damaged);
    match without_compiler(place) {
        Err(Error::NoCompiler { .. }) => {}
        Err(error) => panic!("{what}: {error:?}"),
        Ok(value) => panic!("{what}: served, and returned {value}"),
    }
    assert!(!entry.exists(), "{what}: it must be set aside");
}

/// As a publisher does: a new file, never a write into one that may be mapped.
fn write_new(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[test]
fn a_truncated_entry_is_refused_at_every_length() {
    let place = Place::new();
    let entry = place.jit().load(&kernels::number(1)).unwrap().path().unwrap().to_owned();
    let bytes = std::fs::read(&entry).unwrap();
    for length in 0..bytes.len() {
        refused(&place, &entry, &bytes[..length], &format!("{length} of {} bytes", bytes.len()));
    }
    write_new(&entry, &bytes);
    assert_eq!(without_compiler(&place).unwrap(), NUMBER_BASE + 1);
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let place = Place::new();
    let entry = place.jit().load(&kernels::number(1)).unwrap().path().unwrap().to_owned();
    let bytes = std::fs::read(&entry).unwrap();
    let elf = elf_length(&bytes);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        write_new(&entry, &damaged);
        match without_compiler(&place) {
            Err(Error::NoCompiler { .. }) => assert!(!entry.exists()),
            Err(error) => panic!("byte {at}: {error:?}"),
            // The archive behind the library is only for readers: a load does not even look at it.
            Ok(value) => assert!(value == NUMBER_BASE + 1 && at >= elf, "byte {at} of {elf}: served {value}"),
        }
    }
}

/// Where the library ends and the archive begins: the first local file header of a zip.
fn elf_length(bytes: &[u8]) -> usize {
    bytes.windows(4).rposition(|w| w == b"PK\x01\x02").map_or(bytes.len(), |directory| {
        bytes[..directory].windows(4).position(|w| w == b"PK\x03\x04").unwrap_or(directory)
    })
}

#[test]
fn zeroed_empty_and_swapped_entries_are_refused() {
    let place = Place::new();
    let jit = place.jit();
    let entry = jit.load(&kernels::number(1)).unwrap().path().unwrap().to_owned();
    let other = jit.load(&kernels::number(2)).unwrap().path().unwrap().to_owned();
    let bytes = std::fs::read(&entry).unwrap();
    let mut half = bytes.clone();
    half[bytes.len() / 2..].fill(0);
    refused(&place, &entry, &vec![0; bytes.len()], "zeroed");
    refused(&place, &entry, &half, "its second half zeroed, as after a crash");
    refused(&place, &entry, &[], "empty");
    refused(&place, &entry, &std::fs::read(&other).unwrap(), "another kernel's");
    refused(&place, &entry, &[bytes.as_slice(), b"more"].concat(), "something behind it");
    refused(&place, &entry, &std::fs::read("/proc/self/exe").unwrap(), "a program");
}

#[test]
fn what_is_no_file_in_an_entrys_place_is_not_served() {
    let place = Place::new();
    let entry = place.jit().load(&kernels::number(1)).unwrap().path().unwrap().to_owned();
    std::fs::remove_file(&entry).unwrap();
    std::fs::create_dir(&entry).unwrap();
    assert!(matches!(without_compiler(&place), Err(Error::NoCompiler { .. })));
    let jit = place.jit();
    assert_eq!(jit.load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
}

#[test]
fn a_damaged_entry_is_rebuilt_once_with_one_warning() {
    let place = Place::new();
    place.client(["numbers", "1", "2"]).ok();
    let entry = place.entries().remove(0);
    let mut bytes = std::fs::read(&entry).unwrap();
    bytes[2000] ^= 1;
    write_new(&entry, &bytes);
    let ran = place.client(["numbers", "1", "2"]).ok();
    assert_eq!(
        (ran.outcome.stats.quarantined, ran.outcome.stats.compiled, ran.warnings()),
        (1, 1, 1),
        "{}",
        ran.stderr
    );
    assert!(files(&place.cache()).iter().any(|f| f.extension().is_some_and(|e| e == "corrupt")));
    place.client(["numbers", "1", "2"]).ok().assert_warm();
}

#[test]
fn a_damaged_index_is_a_miss_that_finds_the_entry_again() {
    let place = Place::new();
    place.client(["numbers", "1", "2"]).ok();
    let index: Vec<PathBuf> = files(&place.cache())
        .into_iter()
        .filter(|f| f.components().any(|c| c.as_os_str() == "index"))
        .collect();
    assert!(!index.is_empty());
    for file in &index {
        let bytes = std::fs::read(file).unwrap();
        for damaged in [&bytes[..bytes.len() / 2], &[], &vec![0xff; bytes.len()]] {
            write_new(file, damaged);
            let ran = place.client(["numbers", "1", "2"]).ok();
            assert_eq!(ran.values(), [f64::from(NUMBER_BASE + 1)]);
            place.client(["numbers", "1", "2"]).ok().assert_warm();
        }
    }
}

#[test]
fn an_entry_for_another_architecture_is_not_loaded() {
    let place = Place::new();
    let entry = place.jit().load(&kernels::number(1)).unwrap().path().unwrap().to_owned();
    let mut bytes = std::fs::read(&entry).unwrap();
    // e_machine: another architecture. The seal notices; the library itself would not load either.
    bytes[18] ^= 0xff;
    refused(&place, &entry, &bytes, "another machine");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_kernel_for_a_processor_that_this_one_is_not_is_never_run() {
    if std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|info| info.contains(" fma4 ")) {
        return;
    }
    // Instructions that one line of processors had, ten years ago.
    let place = Place::new();
    for _ in 0..2 {
        let jit = place.builder().cxxflag("-mfma4").build().unwrap();
        let error = jit.load(&kernels::number(1)).expect_err("it would end in SIGILL");
        assert!(error.to_string().contains("fma4"), "{error}");
        assert!(jit.stats().compiled <= 1);
    }
    assert_eq!(place.jit().load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
}

#[test]
fn a_directory_removed_while_running_is_made_again() {
    let place = Place::new();
    let jit = place.jit();
    jit.load(&kernels::number(1)).unwrap();
    std::fs::remove_dir_all(place.cache()).unwrap();
    assert_eq!(jit.load(&kernels::number(2)).unwrap().call(), NUMBER_BASE + 2);
    assert_eq!(jit.load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Memory);
    assert_eq!(place.jit().load(&kernels::number(2)).unwrap().origin(), KernelOrigin::Disk);
}

/// Why a directory is refused, which must name it and the command that mends it.
fn refusal(dir: &Path, command: &str) {
    let error = Jit::builder().cache_dir(dir).build().expect_err("it must be refused");
    let text = error.to_string();
    assert!(matches!(error, Error::CacheDir { .. }), "{error:?}");
    assert!(text.contains(command) && text.contains(&dir.display().to_string()), "{text}");
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let place = Place::new();
    // The place itself is private, which protects everything below; so leave it.
    let open = tempfile::Builder::new().prefix("dijitso-open-").tempdir_in("/tmp").unwrap();
    let dir = open.path().join("cache");
    std::fs::create_dir(&dir).unwrap();
    set_mode(open.path(), 0o755);
    set_mode(&dir, 0o777);
    refusal(&dir, "chmod");
    set_mode(&dir, 0o770);
    refusal(&dir, "chmod");
    set_mode(&dir, 0o700);
    set_mode(open.path(), 0o777);
    refusal(&dir, "chmod");
    set_mode(open.path(), 0o755);
    Jit::builder().cache_dir(&dir).build().unwrap();
    drop(place);
}

#[test]
fn a_directory_of_another_user_is_refused() {
    if !root() {
        let error = Jit::builder().cache_dir("/etc").build().expect_err("not ours");
        assert!(matches!(error, Error::CacheDir { .. }), "{error:?}");
        return;
    }
    let place = Place::new();
    set_mode(place.root(), 0o755);
    let dir = place.path("theirs");
    std::fs::create_dir(&dir).unwrap();
    own(&dir, NOBODY);
    refusal(&dir, "DIJITSO_CACHE_DIR");
    // Nor may it be above.
    std::fs::create_dir(dir.join("ours")).unwrap();
    let error =
        Jit::builder().cache_dir(dir.join("ours")).build().expect_err("below another user's directory");
    assert!(matches!(error, Error::CacheDir { .. }), "{error:?}");
}

#[test]
fn a_link_to_a_directory_of_ours_is_followed_and_one_to_another_is_not() {
    let place = Place::new();
    std::fs::create_dir(place.path("real")).unwrap();
    set_mode(&place.path("real"), 0o700);
    std::os::unix::fs::symlink(place.path("real"), place.cache()).unwrap();
    assert_eq!(place.jit().load(&kernels::number(1)).unwrap().call(), NUMBER_BASE + 1);
    assert_eq!(place.jit().load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Disk);

    let open = tempfile::Builder::new().prefix("dijitso-open-").tempdir_in("/tmp").unwrap();
    std::fs::create_dir(open.path().join("loose")).unwrap();
    set_mode(open.path(), 0o755);
    set_mode(&open.path().join("loose"), 0o777);
    std::os::unix::fs::symlink(open.path().join("loose"), place.path("link")).unwrap();
    let error =
        Jit::builder().cache_dir(place.path("link")).build().expect_err("it leads to a loose directory");
    assert!(matches!(error, Error::CacheDir { .. }), "{error:?}");
}

#[test]
fn a_file_in_the_directorys_place_is_reported() {
    let place = Place::new();
    std::fs::write(place.cache(), "not a directory").unwrap();
    let error = place.builder().build().expect_err("a file is no cache");
    assert!(error.to_string().contains(&place.cache().display().to_string()), "{error}");
}

#[test]
fn a_read_only_directory_is_read_and_new_kernels_are_used_from_memory() {
    let Some(nobody) = Nobody::new() else { return };
    nobody.client(&["numbers", "1", "2"]).ok();
    let cache = nobody.place.cache();
    let write = |mode: u32| {
        let mut dirs = vec![cache.clone()];
        while let Some(dir) = dirs.pop() {
            set_mode(&dir, mode);
            dirs.extend(std::fs::read_dir(&dir).unwrap().flatten().map(|e| e.path()).filter(|p| p.is_dir()));
        }
    };
    write(0o500);
    let ran = nobody.client(&["numbers", "1", "4"]).ok();
    let origins: Vec<_> = ran.outcome.kernels.iter().map(|k| k.origin).collect();
    assert_eq!(origins, [KernelOrigin::Disk, KernelOrigin::Built, KernelOrigin::Built]);
    assert_eq!(ran.values(), [1, 2, 3].map(|i| f64::from(NUMBER_BASE + i)));
    assert_eq!(ran.warnings(), 1, "one warning: {}", ran.stderr);
    assert!(ran.outcome.stats.publish_failures > 0);
    nobody.client(&["numbers", "1", "2"]).ok().assert_warm();
    write(0o700);
}

#[test]
fn a_directory_that_cannot_be_made_does_not_stop_the_program() {
    let Some(nobody) = Nobody::new() else { return };
    own(nobody.place.root(), 0);
    set_mode(nobody.place.root(), 0o755);
    let ran = nobody.client(&["numbers", "1", "3"]).ok();
    assert_eq!(ran.values(), [1, 2].map(|i| f64::from(NUMBER_BASE + i)));
    assert!(ran.outcome.stats.publish_failures > 0 && ran.warnings() == 1, "{}", ran.stderr);
}

#[test]
fn a_read_only_mount_is_read_and_survived() {
    let place = Place::new();
    let dir = place.path("mount");
    // A tmpfs that is read-only from its start is empty: every kernel is built and used from memory.
    let Some(ran) = mounted("ro,mode=700", &dir, &["numbers", "1", "3"]) else { return };
    assert!(ran.outcome.error.is_none(), "{:?}", ran.outcome.error);
    assert_eq!(ran.values(), [1, 2].map(|i| f64::from(NUMBER_BASE + i)));
    assert_eq!(ran.warnings(), 1, "{}", ran.stderr);
}

#[test]
fn a_full_disk_costs_a_warning_and_no_kernel() {
    let place = Place::new();
    let dir = place.path("mount");
    let Some(ran) = mounted("size=64k,mode=700", &dir, &["numbers", "0", "12"]) else { return };
    assert!(ran.outcome.error.is_none(), "{:?}", ran.outcome.error);
    assert_eq!(ran.outcome.kernels.len(), 12);
    assert!(ran.outcome.stats.publish_failures > 0);
    assert_eq!(ran.warnings(), 1, "{}", ran.stderr);
    // Dependents of kernels that could not be stored.
    let Some(ran) = mounted("size=8k,mode=700", &dir, &["successor", "6"]) else { return };
    assert_eq!(ran.values(), [7.0], "{:?}", ran.outcome.error);
}

#[test]
fn a_filesystem_that_forbids_execution_is_loaded_from_memory() {
    let place = Place::new();
    let dir = place.path("mount");
    let Some(ran) = mounted("noexec,mode=700", &dir, &["numbers", "1", "3"]) else { return };
    assert!(ran.outcome.error.is_none(), "{:?}", ran.outcome.error);
    assert_eq!(ran.outcome.stats.memory_loads, 2);
    assert_eq!(ran.outcome.stats.publish_failures, 0);
}

#[test]
fn an_entry_is_usable_for_the_systems_own_tools() {
    let Some(nm) = crate::harness::which("nm") else { return };
    let place = Place::new();
    let kernel = place.jit().load(&kernels::number(1)).unwrap();
    let listing = std::process::Command::new(nm).arg("-D").arg(kernel.path().unwrap()).output().unwrap();
    let listing = String::from_utf8_lossy(&listing.stdout);
    let exported: Vec<&str> = listing.lines().filter(|line| line.contains(" T ")).collect();
    assert!(exported.len() == 1 && exported[0].contains("dijitso_k00001_"), "{listing}");
}

#[test]
fn durable_entries_are_the_same_entries() {
    let place = Place::new();
    place.builder().durable(true).build().unwrap().load(&kernels::number(1)).unwrap();
    assert_eq!(place.jit().load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Disk);
}

#[test]
fn a_kernel_whose_entry_was_removed_is_built_again() {
    let place = Place::new();
    place.client(["successor", "1"]).ok();
    for entry in place.entries() {
        std::fs::remove_file(&entry).unwrap();
        let ran = place.client(["successor", "1"]).ok();
        assert_eq!(ran.values(), [2.0]);
        place.client(["successor", "1"]).ok().assert_warm();
    }
}
