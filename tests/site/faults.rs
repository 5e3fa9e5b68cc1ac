//! Site caches that are damaged, hostile, for other machines, or not to be trusted: whatever is wrong with one
//! costs a warning at most, and no kernel.

use super::*;

/// The table of a site cache with one kernel, in which a second one for a processor of the future comes first.
fn with_future_kernel(table: &[u8]) -> Vec<u8> {
    let (head, spec, kernel) = (24, 36, 100);
    let content = &table[..table.len() - 32];
    let row = &content[head + spec..head + spec + kernel];
    let mut future = row.to_vec();
    future[..32].fill(0);
    // The last of the bits that stand for features: none that this version knows.
    future[64 + 15] |= 0x80;
    // Without a name: that one is the other's.
    future[kernel - 4..].fill(0);
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

    assert!(!nobody.place.cache().exists(), "who finds everything there needs no cache");

    // Somebody's own.
    let chown = |path: &Path, user: u32| {
        files(path).iter().for_each(|file| own(file, user));
        own(path, user);
    };
    chown(&site, NOBODY);
    assert_eq!(origins(&run(&site)), [KernelOrigin::Site]);

    // A third one's.
    chown(&site, NOBODY - 1);
    let ran = run(&site);
    assert_eq!((origins(&ran), ran.warnings()), (vec![KernelOrigin::Built], 1), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("belongs to user {}", NOBODY - 1)), "{}", ran.stderr);
    survives(&site, 0, 1, "for root, too");
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

/// Whoever removed it was killed in the middle.
#[test]
fn an_archive_of_which_a_part_was_removed_is_unpacked_again() {
    let place = Place::new();
    let site = place.path("site.tar.gz");
    export(&place, &site);
    let own = Place::new();
    let load = || {
        let ran = own.client(["numbers", "1", "3"]).env("DIJITSO_SITE_CACHE", &site).ok();
        assert_eq!((ran.outcome.stats.site_hits, ran.warnings()), (2, 0), "{}", ran.stderr);
    };
    load();
    let sites = own.path("cache/v1/sites");
    let unpacked = std::fs::read_dir(&sites).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(unpacked.join("v1/table")).unwrap();
    let entry = files(&unpacked).into_iter().find(|file| file.extension().is_some()).unwrap();
    std::fs::remove_file(entry).unwrap();
    load();
    assert!(unpacked.join("v1/table").exists());
    // One entry alone, as somebody does who removes by age; or a disk that forgets.
    for damaged in [false, true] {
        for entry in files(&unpacked).into_iter().filter(|file| file.extension().is_some()) {
            match damaged {
                false => std::fs::remove_file(&entry).unwrap(),
                true => std::fs::write(&entry, b"\x7fELF").unwrap(),
            }
        }
        load();
        assert_eq!(files(&unpacked).iter().filter(|file| file.extension().is_some()).count(), 3);
    }
    // Our own removals leave either all or nothing.
    let cache = Cache::open(own.cache()).unwrap();
    std::fs::File::open(&unpacked).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(cache.gc().run().count(CacheKind::Site), 1);
    assert!(!unpacked.exists() && std::fs::read_dir(own.path("cache/v1/tmp")).unwrap().next().is_none());
    load();
}
