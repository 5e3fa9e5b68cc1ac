use super::*;
use crate::cache::Variant;
use crate::cache::entry::tests::{elf, encoded};
use crate::cache::{Inputs, VariantOutcome};
use crate::config::Sourced;
use crate::config::origin::Origin;
use crate::config::params::Load;
use crate::signature::digest;
use crate::toolchain::CpuFeatures;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

pub(in crate::cache) fn params() -> Cache {
    fn sourced<T>(value: T) -> Sourced<T> {
        Sourced { value, origin: Origin::Default }
    }
    Cache {
        root: sourced(PathBuf::new()),
        sites: Vec::new(),
        load: sourced(Load::Auto),
        durable: sourced(false),
        lock_wait: sourced(Duration::ZERO),
        failures: sourced(true),
        network: sourced(Network::Auto),
        max_size: sourced(crate::config::MAX_SIZE),
        max_files: sourced(0),
    }
}

/// A cache that somebody has begun to fill.
pub(in crate::cache) fn store(root: &Path) -> Store {
    let store = Store::open(root, &Fs::new(Default::default()), &params()).unwrap();
    store.create_softly();
    store
}

pub(super) fn variant(n: u32) -> Variant {
    Variant {
        toolchain: digest(b"toolchain"),
        unit: digest(b"unit"),
        outcome: VariantOutcome::Content(digest(&n.to_le_bytes())),
        entry: true,
        cpu: CpuFeatures::NONE,
        created: 1,
        took_us: 0,
        dependencies: Vec::new(),
        inputs: Inputs::default(),
    }
}

fn content() -> Signature {
    digest(b"content")
}

#[test]
fn where_anybody_may_put_a_directory_it_is_made_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(dir.path(), 0o755);
    let sticky = dir.path().join("tmp");
    std::fs::create_dir(&sticky).unwrap();
    mode(&sticky, 0o1777);
    let root = sticky.join("a/cache");
    for open in [Store::open, Store::open_to_read] {
        drop(open(&root, &Fs::new(Default::default()), &params()).unwrap());
        assert_eq!(std::fs::metadata(sticky.join("a")).unwrap().mode() & 0o7777, 0o700);
        std::fs::remove_dir_all(sticky.join("a")).unwrap();
    }
}

#[test]
fn a_cache_is_created_private_and_tagged() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/b");
    drop(Store::open(&root, &Fs::new(Default::default()), &params()).unwrap());
    assert!(!root.exists(), "nothing before somebody needs it");
    let store = store(&root);
    assert_eq!(std::fs::metadata(&root).unwrap().mode() & 0o7777, 0o700);
    assert!(
        std::fs::read_to_string(root.join("CACHEDIR.TAG")).unwrap().starts_with("Signature: 8a477f597d28")
    );
    assert!(store.loadable_in_place() || store.mount().noexec);
    let hex = content().to_hex();
    assert_eq!(store.entry_path(&content()), root.join("v1").join(&hex[..2]).join(format!("{hex}.so")));
}

#[test]
fn entries_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    assert!(matches!(store.read(&content()), Err(Defect::Missing)));
    let bytes = encoded(content(), &elf(3000));
    assert_eq!(store.publish(&content(), &bytes).unwrap(), Published::New);
    assert_eq!(store.publish(&content(), &bytes).unwrap(), Published::Existing);
    assert_eq!(store.read(&content()).unwrap().elf, elf(3000));
    let (library, headers) = store.archive(&content()).map(|mut a| (a.elf().to_vec(), a.headers())).unwrap();
    assert_eq!((library, headers.len()), (elf(3000), 1));
}

#[test]
fn a_damaged_entry_is_set_aside_once_and_can_be_published_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let bytes = encoded(content(), &elf(3000));
    let path = store.entry_path(&content());
    let aside = path.with_extension("so.corrupt");
    store.publish(&content(), &bytes).unwrap();
    let spoil: [&dyn Fn(); 4] = [
        &|| std::fs::write(&path, b"").unwrap(),
        &|| std::fs::create_dir_all(path.join("below")).unwrap(),
        &|| std::fs::create_dir_all(path.join("below")).unwrap(),
        &|| std::fs::write(&path, b"short").unwrap(),
    ];
    for spoil in spoil {
        std::fs::remove_file(&path).unwrap();
        spoil();
        let defect = store.read(&content()).unwrap_err();
        store.quarantine(&content(), &defect);
        assert!(!path.exists() && aside.exists());
        store.quarantine(&content(), &defect);
        assert_eq!(store.publish(&content(), &bytes).unwrap(), Published::New);
        store.quarantine(&content(), &defect);
        store.read(&content()).unwrap();
    }
    assert_eq!(store.fs().counters().snapshot().quarantined, 1, "one warning");
}

#[test]
fn answers_add_up_and_survive_other_writers() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (store(dir.path()), store(dir.path()));
    let key = digest(b"key");
    assert_eq!(one.index(&key), None);
    one.add_variant(&key, variant(1)).unwrap();
    two.add_variant(&key, variant(2)).unwrap();
    assert_eq!(one.index(&key).unwrap().variants, [variant(2), variant(1)]);
    let path = one.place("index/", &key, "");
    std::fs::write(&path, b"damaged").unwrap();
    assert_eq!(one.index(&key), None);
    one.add_variant(&key, variant(3)).unwrap();
    assert_eq!(two.index(&key).unwrap().variants, [variant(3)]);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(one.index(&key), None);
    one.add_variant(&key, variant(4)).unwrap();
    assert_eq!(one.index(&key).unwrap().variants, [variant(4)]);
}

#[test]
fn what_is_in_the_way_of_a_write_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (entry, index) = (store.entry_path(&content()), store.place("index/", &content(), ""));
    for path in [&entry, &index] {
        std::fs::create_dir_all(path.parent().unwrap().parent().unwrap()).unwrap();
        std::fs::write(path.parent().unwrap(), b"a file where a directory should be").unwrap();
    }
    store.add_variant(&content(), variant(1)).unwrap();
    assert_eq!(store.publish(&content(), &encoded(content(), &elf(300))).unwrap(), Published::New);
    store.read(&content()).unwrap();
    std::fs::remove_file(&entry).unwrap();
    std::os::unix::fs::symlink("nowhere", &entry).unwrap();
    let defect = store.read(&content()).unwrap_err();
    store.quarantine(&content(), &defect);
    assert_eq!(store.publish(&content(), &encoded(content(), &elf(300))).unwrap(), Published::New);
}

#[test]
fn a_shortage_of_the_system_condemns_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store.publish(&content(), &encoded(content(), &elf(300))).unwrap();
    let shortage = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
    store.quarantine(&content(), &Defect::Unreadable(shortage));
    store.read(&content()).unwrap();
    store.quarantine(&content(), &Defect::Unreadable(io::ErrorKind::PermissionDenied.into()));
    assert!(matches!(store.read(&content()), Err(Defect::Missing)));
}

#[test]
fn a_cache_that_was_removed_is_created_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("cache");
    let store = store(&root);
    let bytes = encoded(content(), &elf(300));
    std::fs::remove_dir_all(&root).unwrap();
    assert!(matches!(store.read(&content()), Err(Defect::Missing)));
    assert_eq!(store.publish(&content(), &bytes).unwrap(), Published::New);
    std::fs::remove_dir_all(&root).unwrap();
    store.add_variant(&digest(b"key"), variant(1)).unwrap();
    assert!(root.join("CACHEDIR.TAG").exists());
    std::fs::remove_dir_all(&root).unwrap();
    assert!(store.try_lock(&content()).is_some());
    assert_eq!(store.sweep(), 0, "the lock is gone with its holder");
}

#[test]
fn a_cache_that_cannot_be_created_is_empty_and_says_why_on_writing() {
    let store = store(Path::new("/proc/nowhere/cache"));
    assert!(matches!(store.read(&content()), Err(Defect::Missing)));
    assert_eq!(store.index(&content()), None);
    assert!(store.publish(&content(), b"x").is_err());
    assert!(store.add_variant(&content(), variant(1)).is_err());
    assert!(store.try_lock(&content()).is_some());
    assert_eq!(store.sweep(), 0);
    assert!(store.loadable_in_place());
}

#[test]
fn a_cache_that_others_can_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = Store::open(dir.path(), &Fs::new(Default::default()), &params()).unwrap_err();
    assert!(error.to_string().contains("chmod g-w,o-w"), "{error}");
}

#[test]
fn one_process_at_a_time_holds_a_units_lock() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (store(dir.path()), store(dir.path()));
    let lock = one.try_lock(&content()).unwrap();
    assert!(two.try_lock(&content()).is_none());
    assert!(two.try_lock(&digest(b"other")).is_some());
    assert_eq!(two.sweep(), 0, "a lock in use stays");
    drop(lock);
    assert!(two.try_lock(&content()).is_some());
}

#[test]
fn a_sweep_removes_what_killed_processes_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    drop(store.try_lock(&content()));
    std::fs::write(dir.path().join("v1/locks").join(digest(b"left").to_hex()), b"").unwrap();
    std::fs::write(store.tmp_dir().join("new-left"), b"half").unwrap();
    assert_eq!(store.sweep(), 2);
    assert!(store.fs().list(&store.tmp_dir()).unwrap().is_empty());
}

#[test]
fn what_is_in_a_directory_that_was_mended_is_looked_at_too() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    for path in [dir.path(), &outside] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let root = outside.join("cache");
    store(&root);
    // After `chmod -R g+w`, and a `chmod g-w` of the directory alone.
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(root.join("v1"), std::fs::Permissions::from_mode(0o775)).unwrap();
    let error = Store::open(&root, &Fs::new(Default::default()), &params()).unwrap_err().to_string();
    assert!(error.contains("cache/v1` can be written by its group"), "{error}");
}

#[test]
fn an_entry_that_a_file_server_forgot_for_a_moment_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("cache"));
    store.publish(&content(), &encoded(content(), &elf(64))).unwrap();
    for error in [Errno::STALE, Errno::TIMEDOUT, Errno::NFILE] {
        store.quarantine(&content(), &Defect::Unreadable(error.into()));
    }
    assert!(store.read(&content()).is_ok());
}

#[test]
fn what_the_user_says_about_the_file_system_counts() {
    let dir = tempfile::tempdir().unwrap();
    let told = |network| {
        let mut params = params();
        params.network.value = network;
        let store = Store::open(dir.path(), &Fs::new(Default::default()), &params).unwrap();
        store.create_softly();
        store
    };
    let network = told(Network::Yes);
    assert!(network.is_shared() && !network.loadable_in_place());
    assert!(network.try_lock(&content()).is_some() && network.try_lock(&content()).is_some(), "no locks");
    std::fs::write(network.tmp_dir().join("new-left"), b"half").unwrap();
    assert_eq!(network.sweep(), 0, "another machine may be writing it");
    let local = told(Network::No);
    assert!(!local.is_shared());
    assert_eq!(local.sweep(), 1);
    assert_eq!(local.mount().file_system, network.mount().file_system);
}
