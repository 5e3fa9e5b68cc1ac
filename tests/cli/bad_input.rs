//! What people, other programs and damaged disks put in front of the command.

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dijitso_tests::kernels;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{CLI, Cli, filled, run};
use crate::harness::{Place, set_mode};

#[test]
fn an_unknown_subcommand_is_answered_with_what_was_meant() {
    let place = Place::new();
    run(&place, "shwo").failed(2, "show");
    run(&place, "grepfuncton x").failed(2, "grepfunction");
    run(&place, "show --sort larges").failed(2, "size");
    run(&place, "show --quiet --verbose").failed(2, "cannot be used with");
}

#[test]
fn an_unknown_or_ambiguous_kernel_is_answered_with_candidates() {
    let (place, ..) = filled();
    for command in ["show", "explain", "checkout", "export out", "grep x --signature", "clean --kernel"] {
        run(&place, &format!("{command} axpi")).failed(1, "did you mean `axpy`?");
    }
    let ambiguous = run(&place, "checkout axpy").failed(1, "2 entries are `axpy`");
    assert!(
        ambiguous.err.contains("axpy(Plain)") && ambiguous.err.contains("axpy(Unrolled(2))"),
        "{ambiguous:?}"
    );
    run(&place, "explain ffffffffffffffff").failed(1, "no kernel");
    run(&place, "explain axpy --against k0000").failed(1, "did you mean `k00001`");
}

#[test]
fn a_malformed_configuration_is_the_users_to_mend() {
    let place = Place::new();
    let config = place.write("config.toml", "[build]\ntimeout = \"soon\"\n");
    for command in ["config", "show", "doctor", "clean --all", "build x.cpp"] {
        let words: Vec<&str> = command.split(' ').collect();
        let said = Cli::new(&place).args(&words).env("DIJITSO_CONFIG", &config).run();
        said.failed(2, "config.toml, line 2");
    }
    Cli::new(&place).args(["show"]).env("DIJITSO_CACHE_DIR", "relative").run().failed(2, "absolute path");
    let file = place.write("file", "");
    Cli::new(&place).args(["show", "--cache-dir"]).args([&file]).run().failed(1, "it is a file");
}

#[test]
fn a_newer_caches_files_are_left_alone() {
    let (place, ..) = filled();
    let newer = place.write("cache/v2/00/entry.so", "of another time");
    let said = run(&place, "show").ok();
    assert!(said.err.contains("newer dijitso (v2), which is left alone"), "{said:?}");
    run(&place, "verify --repair").ok();
    run(&place, "clean --all").ok();
    assert_eq!(std::fs::read_to_string(newer).unwrap(), "of another time");
    assert!(run(&place, "show --quiet").ok().err.is_empty());
}

#[test]
fn a_pipe_that_is_closed_early_is_no_error() {
    let (place, ..) = filled();
    for words in
        [&["show", "--json"][..], &["grep", "", "--categories", "all"], &["--help"], &["completions", "bash"]]
    {
        let mut child = Command::new(CLI)
            .args(words)
            .env("DIJITSO_CACHE_DIR", place.cache())
            .env("DIJITSO_CONFIG", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Closed before anything is written, or after the first byte.
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() && errors.is_empty(), "{words:?}: {status}, {errors}");
    }
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let (place, ..) = filled();
    let escapes = |cli: Cli| cli.run().ok().out.contains('\x1b');
    assert!(!escapes(Cli::new(&place).args(["show"])));
    assert!(escapes(Cli::new(&place).args(["show", "--color", "always"])));
    assert!(!escapes(Cli::new(&place).args(["show", "--color=never"])));
    assert!(escapes(Cli::new(&place).args(["--color=always", "--help"])));
    assert!(!escapes(Cli::new(&place).args(["show"]).env("NO_COLOR", "1")));
}

#[test]
fn names_that_would_act_on_a_terminal_are_shown_harmlessly() {
    let (place, jit, cache) = filled();
    let evil = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{202e}";
    let text = format!("int spoken() {{ return 1; }}\n// {evil}\n");
    jit.load(&kernels::text("spoken", &text)).unwrap();
    // Not only texts: names of files that lie where entries lie, arguments, and whatever is on the command line.
    let folder = cache.list().entries[0].path(&cache).parent().unwrap().to_owned();
    std::fs::write(folder.join(format!("x{evil}.so")), "no entry").unwrap();
    let acts = |text: &str| {
        text.chars().any(|c| (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202e}' | '\u{9b}'))
    };
    let commands = [
        "show",
        "show --json",
        "show --files",
        "grep owned",
        "grep owned --json --categories all",
        "grepfunction spoken",
        "explain spoken",
        "explain spoken --files",
        "explain --json spoken",
        "verify",
        "verify --json",
        "clean --dry-run",
    ];
    for words in commands {
        let said = run(&place, words);
        assert!(!acts(&said.out) && !acts(&said.err), "{words}: {said:?}");
    }
    for words in [
        &["show", evil][..],
        &["explain", evil],
        &["config", "--key", evil],
        &["export", "out", evil],
        &["clean", "--older-than", evil],
        &["gc", "--max-size", evil],
        &["stats", evil],
    ] {
        let said = Cli::new(&place).args(words).run();
        assert!(said.status != 0 && !acts(&said.err), "{words:?}: {said:?}");
    }
}

#[test]
fn entries_that_come_and_go_while_a_command_runs_are_no_problem() {
    let place = Place::new();
    let jit = place.jit();
    jit.load_all(&(0..10).map(kernels::number).collect::<Vec<_>>()).unwrap();
    let cache = jit.cache();
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for round in 0..6u32 {
                let jit = place.jit();
                jit.load_all(&(0..10).map(|i| kernels::number(round % 2 * 10 + i)).collect::<Vec<_>>())
                    .unwrap();
                cache.clean().run();
            }
        });
        while !changing.is_finished() {
            for words in ["show", "show --files", "verify", "grep int --countonly", "export out.tar.gz"] {
                let said = run(&place, words);
                let nothing =
                    (said.status == 1 && words.starts_with("grep")) || said.err.contains("no kernels");
                let gone = words.starts_with("export") && said.status == 1;
                assert!(said.status == 0 || nothing || gone, "{words}: {said:?}");
                assert!(!said.out.contains("damaged"), "{words}: {said:?}");
            }
        }
    });
}

/// The members of an archive as they are, and behind them what is written of `more`.
fn extended(good: &Path, to: &Path, more: impl FnOnce(&mut dyn Write)) {
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(good).unwrap()).read_to_end(&mut bytes).unwrap();
    // Without its end, which is zeros.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.resize(end.next_multiple_of(512), 0);
    let mut encoder = GzEncoder::new(std::fs::File::create(to).unwrap(), Compression::fast());
    encoder.write_all(&bytes).unwrap();
    more(&mut encoder);
    encoder.write_all(&[0; 1024]).unwrap();
    encoder.finish().unwrap();
}

fn header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    if kind.is_symlink() || kind.is_hard_link() {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    header
}

fn exported() -> (Place, PathBuf) {
    let (place, _, _) = filled();
    run(&place, "export good.tar.gz").ok();
    let good = place.path("good.tar.gz");
    (place, good)
}

fn nothing_came_of_it(place: &Place) {
    assert!(place.entries().is_empty());
    let left = std::fs::read_dir(place.path("cache/v1/tmp")).map_or(0, |dir| dir.count());
    assert_eq!(left, 0, "what was unpacked is gone");
}

#[test]
fn hostile_archives_are_refused() {
    let (_exporter, good) = exported();
    let place = Place::new();
    let path = place.path("hostile.tar.gz");
    let hex = "ab".repeat(32);
    let entry = format!("v1/ab/{hex}.so");
    let other = "is no file of a site cache";
    let cases = [
        ("../../outside.so", tar::EntryType::Regular, 1, other),
        ("/tmp/dijitso-outside.so", tar::EntryType::Regular, 1, other),
        ("v1/../../outside", tar::EntryType::Regular, 1, other),
        ("v1/other", tar::EntryType::Regular, 1, other),
        ("v1/table", tar::EntryType::Regular, 1, "twice"),
        ("v1/table", tar::EntryType::Symlink, 0, "is no file but Symlink"),
        (&entry, tar::EntryType::Symlink, 0, "is no file but Symlink"),
        (&entry, tar::EntryType::Link, 0, "is no file but Link"),
        (&entry, tar::EntryType::Fifo, 0, "is no file but Fifo"),
        (&entry, tar::EntryType::Regular, 1, "is not used"),
        (&entry, tar::EntryType::Regular, 1 << 40, "has 1099511627776 bytes"),
    ];
    for (name, kind, size, why) in cases {
        extended(&good, &path, |into| {
            into.write_all(header(name, kind, size).as_bytes()).unwrap();
            into.write_all(&[0; 512]).unwrap();
        });
        let said = run(&place, "import hostile.tar.gz");
        assert_eq!(said.status, 1, "{name} {kind:?}: {said:?}");
        assert!(said.err.contains("hostile.tar.gz") && said.err.contains(why), "{name} {kind:?}: {said:?}");
        nothing_came_of_it(&place);
    }
    assert!(!place.path("outside").exists() && !Path::new("/tmp/dijitso-outside.so").exists());
    // Nothing else was wrong with it.
    extended(&good, &path, |_| {});
    run(&place, "import hostile.tar.gz").ok();
    assert_eq!(place.entries().len(), 6);
}

/// Hundreds of megabytes of zeros in one megabyte.
#[test]
fn a_bomb_is_refused_before_it_fills_anything() {
    let (_exporter, good) = exported();
    let place = Place::new();
    let bomb = place.path("bomb.tar.gz");
    let zeros = |into: &mut dyn Write, megabytes: u32| {
        let some = vec![0; 1 << 20];
        (0..megabytes).for_each(|_| into.write_all(&some).unwrap());
    };
    let name = format!("v1/ab/{}.so", "ab".repeat(32));
    let size = 300 << 20;
    let import = || {
        let client = Cli::new(&place).args(["import", "bomb.tar.gz"]).env("DIJITSO_MAX_SIZE", "100M");
        client.run().failed(1, "more than 83886080 bytes");
        nothing_came_of_it(&place);
    };
    extended(&good, &bomb, |into| {
        into.write_all(header(&name, tar::EntryType::Regular, size).as_bytes()).unwrap();
        zeros(into, 300);
    });
    import();
    // Where nobody looks: after its end.
    extended(&good, &bomb, |into| zeros(into, 300));
    assert!(bomb.metadata().unwrap().len() < 3 << 20);
    import();
    // Within what is allowed: it is no kernel.
    extended(&good, &bomb, |into| {
        into.write_all(header(&name, tar::EntryType::Regular, 50 << 20).as_bytes()).unwrap();
        zeros(into, 50);
    });
    run(&place, "import bomb.tar.gz").failed(1, "is not used");
    nothing_came_of_it(&place);
}

#[test]
fn a_cache_that_others_can_write_is_looked_at_and_not_changed() {
    let (place, _, cache) = filled();
    run(&place, "export out.tar.gz").ok();
    set_mode(place.root(), 0o755);
    set_mode(&place.cache(), 0o777);
    run(&place, "show").ok();
    run(&place, "verify").ok();
    let said = run(&place, "clean --all");
    assert!(said.status == 1 && said.out.contains("every user"), "{said:?}");
    run(&place, "import out.tar.gz").failed(1, "every user");
    assert_eq!(cache.entries().count(), 6);
}
