//! `build`, `export`, `import`.

use std::process::Command;

use dijitso::{KernelOrigin, KernelSpec, Network, Signature, Source};
use dijitso_tests::kernels::{self, Loop};
use serde_json::json;

use super::{Cli, assert_golden, assert_schema, damage, filled, run};
use crate::harness::Place;

const AREA: &str =
    "#include <cmath>\nextern \"C\" double area(double r) { return SCALE * std::acos(-1.0) * r * r; }\n";

#[test]
fn a_file_is_built_once_and_then_found() {
    let place = Place::new();
    place.write("area.cpp", AREA);
    let build = |words: &str| run(&place, &format!("build area.cpp -D SCALE=2 {words}"));
    let first = build("--json").ok().json();
    assert_schema(
        &first,
        &json!({
            "signature": "signature", "path": "string", "origin": "string", "kernel": "string", "exports": ["string"],
            "compile_seconds": "number",
        }),
    );
    assert_eq!((first["origin"].as_str(), first["kernel"].as_str()), (Some("built"), Some("area")));
    assert_golden("build", &place, &build("").ok().out);
    assert_eq!(build("--json").ok().json()["signature"], first["signature"]);
    for other in ["--flag=-O1", "--std c++20", "--debug", "--name other --entry area"] {
        let answer = build(&format!("--json {other}")).ok().json();
        assert_ne!(answer["signature"], first["signature"], "{other}");
        assert_eq!(answer["origin"], "built", "{other}");
    }
    // A program in another language.
    let python = "import ctypes, sys\narea = ctypes.CDLL(sys.argv[1]).area\narea.restype, area.argtypes = ctypes.c_double, (ctypes.c_double,)\nprint(area(1.0))";
    let output =
        Command::new("python3").args(["-c", python, first["path"].as_str().unwrap()]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("6.28"), "{output:?}");
}

#[test]
fn files_of_c_and_headers_beside_them_and_libraries_are_built() {
    let place = Place::new();
    place.write(
        "src/wave.c",
        "#include \"wave.h\"\n#include <math.h>\ndouble wave(double x) { return FACTOR * sin(x); }\n",
    );
    place.write("src/wave.h", "#define FACTOR 2.0\n");
    let first = run(&place, "build src/wave.c -l m --std c11 --json").ok().json();
    place.write("src/wave.h", "#define FACTOR 3.0\n");
    let second = run(&place, "build src/wave.c -l m --std c11 --json").ok().json();
    assert_ne!(first["signature"], second["signature"], "the header is tracked");
    place.write("include/factor.h", "#define SCALE 1\n");
    place.write("area.cpp", &format!("#include <factor.h>\n{AREA}"));
    run(&place, "build area.cpp -I include").ok();
}

#[test]
fn a_file_may_be_linked_to_a_kernel_of_the_cache() {
    let place = Place::new();
    place.write("base.cpp", "#include \"base.h\"\nextern \"C\" int base() { return 40; }\n");
    place.write("base.h", "extern \"C\" int base();\n");
    place.write("top.cpp", "#include <base.h>\nextern \"C\" int top() { return base() + 2; }\n");
    let base = run(&place, "build base.cpp --header base.h --json").ok().json();
    let signature = base["signature"].as_str().unwrap();
    let words = format!("build top.cpp --json --depends {}", &signature[..10]);
    let top = run(&place, &words).ok().json();
    let again = run(&place, &words).ok().json();
    assert_eq!((&again["signature"], &again["origin"]), (&top["signature"], &json!("disk")));
    let explained = run(&place, "explain --json top").ok().json();
    assert_eq!(explained["dependencies"], json!([signature]));
    run(&place, "build top.cpp").failed(1, "base.h");
    run(&place, "build top.cpp --depends 0123456789").failed(1, "no kernel `0123456789`");
}

#[test]
fn what_cannot_be_built_says_why() {
    let place = Place::new();
    place.write("area.cpp", AREA);
    run(&place, "build area.cpp").failed(1, "SCALE");
    run(&place, "build nothing.cpp").failed(1, "nothing.cpp");
    run(&place, "build area.cpp -D SCALE=1 --entry volume").failed(1, "exports nothing, and not `volume`");
    run(&place, "build area.cpp -D SCALE=1 --entry area --entry volume")
        .failed(1, "exports area, and not `volume`");
    run(&place, "build area.cpp --name 3d").failed(1, "`3d` is no identifier");
    std::fs::write(place.path("binary.cpp"), [0xff, 0xfe]).unwrap();
    run(&place, "build binary.cpp").failed(1, "no text");
    Cli::new(&place)
        .args(["build", "area.cpp", "-D", "SCALE=1"])
        .env("CXX", "/no/compiler")
        .run()
        .failed(1, "/no/compiler");
}

#[test]
fn what_is_linked_to_a_kernel_of_the_cache_is_found_by_its_spec() {
    let place = Place::new();
    let signature = place.jit().load(&kernels::base(40)).unwrap().signature();
    let run = || {
        let jit = place.jit();
        let base = jit.cached(&signature).unwrap();
        let top: KernelSpec<kernels::Number> = KernelSpec::new("top", signature, move || {
            let text = "#include \"base.h\"\nextern \"C\" int top() { return base() + 2; }\n";
            // SAFETY: adds two numbers.
            unsafe { Source::translation_unit(text) }.depends_on(&base)
        })
        .package("dijitso-tests", "1");
        assert_eq!(jit.load(&top).unwrap().call(), 42);
        let stats = jit.stats();
        (stats.compiled, stats.generated, stats.file_changes, stats.misses.values().sum::<u64>())
    };
    assert_eq!(run().0, 1);
    assert_eq!(run(), (0, 0, 0, 0));
    // What it is linked to is gone: then there is nothing to link to either.
    let path = place.jit().cache().entry(&signature).unwrap().unwrap().path().to_owned();
    std::fs::remove_file(path).unwrap();
    let error = place.jit().cached(&signature).unwrap_err().to_string();
    assert!(error.contains("no kernel"), "{error}");
}

#[test]
fn what_was_imported_is_loaded_as_the_rest_of_the_cache_is() {
    let (place, _, _) = filled();
    run(&place, "export all.tar.gz").ok();
    let other = Place::new();
    let archive = place.path("all.tar.gz").display().to_string();
    Cli::new(&other).args(["import", &archive]).run().ok();
    let jit = other.builder().network(Network::Yes).build().unwrap();
    assert_eq!(jit.load(&kernels::number(1)).unwrap().origin(), KernelOrigin::Site);
    assert_eq!(jit.stats().memory_loads, 1, "others can change what is on a network file system");
}

#[test]
fn what_others_can_write_is_not_imported() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, _, _) = filled();
    run(&place, "export site").ok();
    let site = place.path("site");
    let other = Place::new();
    let import = || Cli::new(&other).args(["import", &site.display().to_string()]).run();
    let entry = crate::harness::files(&site).into_iter().find(|path| path.extension().is_some()).unwrap();
    for path in [site.join("v1/table"), entry.parent().unwrap().to_owned(), entry] {
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let before = path.metadata().unwrap().permissions().mode();
        mode(0o777);
        import().failed(1, "can be written by");
        mode(before);
    }
    import().ok();
}

#[test]
fn what_is_beyond_the_bound_is_not_imported() {
    let (place, _, _) = filled();
    run(&place, "export all.tar.gz").ok();
    run(&place, "export site").ok();
    for from in ["all.tar.gz", "site"] {
        let other = Place::new();
        let from = place.path(from).display().to_string();
        let cli = Cli::new(&other).env("DIJITSO_MAX_SIZE", "20000");
        cli.args(["import", &from]).run().failed(1, "more than 16000 bytes, 80 % of what");
        assert_eq!(other.entries().len(), 0);
        let cli = Cli::new(&other).env("DIJITSO_MAX_FILES", "7");
        cli.args(["import", &from]).run().failed(1, "6 kernels, more than 5");
    }
}

/// An archive has heads and padding, too, which count for nothing.
#[test]
fn what_just_fits_is_imported_and_counted() {
    let (place, _, _) = filled();
    let bytes = run(&place, "export site --json").ok().json()["bytes"].as_u64().unwrap();
    run(&place, "export all.tar.gz").ok();
    for from in ["all.tar.gz", "site"] {
        let other = Place::new();
        let cli = Cli::new(&other).env("DIJITSO_MAX_SIZE", (bytes * 130 / 100).to_string());
        cli.args(["import", &place.path(from).display().to_string()]).run().ok();
        assert_eq!(other.entries().len(), 6, "{from}");
        let stats = run(&other, "stats --json").ok().json();
        assert_eq!(
            (&stats["total"]["published"], &stats["total"]["published_bytes"]),
            (&json!(6), &json!(bytes))
        );
    }
}

#[test]
fn what_is_imported_once_more_is_in_use() {
    let (place, _, cache) = filled();
    run(&place, "export all.tar.gz").ok();
    let path = cache.find("successor").unwrap().path().to_owned();
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_secs(24 * 3600);
    std::fs::File::open(&path).unwrap().set_modified(yesterday).unwrap();
    run(&place, "import all.tar.gz").ok();
    assert!(path.metadata().unwrap().modified().unwrap() > yesterday);
}

/// Exported for others and imported into one's own cache, which has since seen why it is not what it should be.
#[test]
fn what_was_imported_is_not_asked_when_the_cache_knows_better() {
    let place = Place::new();
    let header = place.write("state.h", "#define STATE 1\n");
    let spec = kernels::state(header.parent().unwrap().to_owned(), false);
    let load = || {
        let jit = place.jit();
        (jit.load(&spec).unwrap().call(), jit.stats().compiled)
    };
    assert_eq!(load(), (1, 1));
    run(&place, "export all.tar.gz").ok();
    run(&place, "import all.tar.gz").ok();
    assert_eq!(load(), (1, 0));
    place.write("state.h", "#define STATE 2\n");
    assert_eq!((load(), load()), ((2, 1), (2, 0)));
    // Nor where the index of this program, or for these flags, knows nothing.
    place.write("state.h", "#define STATE 3\n");
    let jit = place.builder().cxxflag("-DOTHER").build().unwrap();
    assert_eq!((jit.load(&spec).unwrap().call(), jit.stats().compiled), (3, 1));
    std::fs::remove_dir_all(place.path("cache/v1/index")).unwrap();
    assert_eq!(load(), (3, 1));
    place.write("state.h", "#define STATE 1\n");
    assert_eq!(load().0, 1);
    // On another machine, where nobody knows, it is what it was when it was exported.
    let other = Place::new();
    Cli::new(&other).args(["import", &place.path("all.tar.gz").display().to_string()]).run().ok();
    assert_eq!(other.jit().load(&spec).unwrap().origin(), KernelOrigin::Site);
}

/// A farm has built again what a cache knows of earlier: by another compiler, or without the entry.
#[test]
fn what_was_imported_helps_where_the_cache_only_lacks_it() {
    let (place, farm) = (Place::new(), Place::new());
    let spec = kernels::number(1);
    place.jit().load(&spec).unwrap();
    std::fs::remove_file(&place.entries()[0]).unwrap();
    farm.builder().cxxflag("-DFARM").build().unwrap().load(&spec).unwrap();
    run(&farm, "export all.tar.gz").ok();
    Cli::new(&place).args(["import", &farm.path("all.tar.gz").display().to_string()]).run().ok();
    let jit = place.jit();
    assert_eq!((jit.load(&spec).unwrap().origin(), jit.stats().compiled), (KernelOrigin::Site, 0));
}

#[test]
fn what_is_linked_to_an_import_is_built_anew_when_that_changed() {
    let place = Place::new();
    place.write("n.h", "#define N 1\n");
    place.write("low.cpp", "#include \"n.h\"\nextern \"C\" int low() { return N; }\n");
    let low = run(&place, "build low.cpp --json").ok().json();
    run(&place, "export all.tar.gz").ok();
    run(&place, "import all.tar.gz").ok();
    assert!(!place.path("cache/v1/imported").exists(), "the cache has built all of it");
    place.write("n.h", "#define N 2\n");
    let again = run(&place, "build low.cpp --json").ok().json();
    assert_ne!(low["signature"], again["signature"]);
    assert_eq!(again["origin"], "built");
}

#[test]
fn a_kernel_for_a_debugger_is_none_of_those_that_were_imported() {
    let place = Place::new();
    place.write("area.cpp", AREA);
    run(&place, "build area.cpp -D SCALE=2").ok();
    run(&place, "export all.tar.gz").ok();
    let other = Place::new();
    Cli::new(&other).args(["import", &place.path("all.tar.gz").display().to_string()]).run().ok();
    other.write("area.cpp", AREA);
    let origin = |words: &str| run(&other, &format!("build area.cpp -D SCALE=2 --json {words}")).ok().json();
    assert_eq!(origin("")["origin"], "site");
    assert_eq!(origin("--debug")["origin"], "built");
}

#[test]
fn what_is_linked_to_something_that_was_removed_is_left_out() {
    let (place, _, cache) = filled();
    std::fs::remove_file(cache.find("base").unwrap().path()).unwrap();
    let said = run(&place, "export all.tar.gz --json").ok();
    assert!(said.err.contains("left out") && said.err.contains("successor"), "{said:?}");
    assert_eq!((&said.json()["kernels"], &said.json()["entries"]), (&json!(4), &json!(4)));
    run(&place, "export named.tar.gz successor").failed(1, "is not in this cache");
    // So is what is damaged.
    damage(cache.find("k00001").unwrap().path(), 100);
    let damaged = run(&place, "export damaged.tar.gz --json").ok();
    assert!(damaged.err.contains("its library is damaged"), "{damaged:?}");
    assert_eq!(damaged.json()["kernels"], json!(3));
    let other = Place::new();
    Cli::new(&other).args(["import", &place.path("all.tar.gz").display().to_string()]).run().ok();
    assert_eq!(other.entries().len(), 4);
}

#[test]
fn a_cache_is_not_exported_into_a_cache() {
    let (place, _, _) = filled();
    let other = Place::new();
    other.jit().load(&kernels::number(7)).unwrap();
    for cache in [place.cache(), other.cache()] {
        let said = Cli::new(&place).args(["export", &cache.display().to_string()]).run();
        said.failed(1, "it is a cache");
        let inside = cache.join("v1/all.tar.gz").display().to_string();
        let said = Cli::new(&place).args(["export", &inside]).run();
        assert!(said.status == 1 || cache != place.cache(), "{said:?}");
        assert!(!cache.join("v1/table").exists());
    }
    run(&place, "clean --all").ok();
    assert_eq!(place.entries().len(), 0);
}

#[test]
fn what_was_imported_and_is_gone_is_forgotten() {
    let (place, _, _) = filled();
    run(&place, "export all.tar.gz").ok();
    let other = Place::new();
    let archive = place.path("all.tar.gz").display().to_string();
    Cli::new(&other).args(["import", &archive]).run().ok();
    let table = other.path("cache/v1/imported");
    let length = || std::fs::metadata(&table).unwrap().len();
    let before = length();
    run(&other, "gc").ok();
    assert_eq!(length(), before);
    run(&other, "clean --kernel axpy").ok();
    run(&other, "gc").ok();
    assert!(length() < before);
    let jit = other.jit();
    assert_eq!(jit.load(&kernels::successor(4)).unwrap().origin(), KernelOrigin::Site);
    run(&other, "gc --max-size 1").ok();
    assert!(!table.exists());
}

#[test]
fn a_table_of_another_version_is_left_as_it_is() {
    let (place, _, _) = filled();
    run(&place, "export all.tar.gz").ok();
    let archive = place.path("all.tar.gz").display().to_string();
    let other = Place::new();
    Cli::new(&other).args(["import", &archive]).run().ok();
    let table = other.path("cache/v1/imported");
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[7] = 9;
    std::fs::write(&table, &bytes).unwrap();
    Cli::new(&other).args(["import", &archive]).run().failed(1, "of another version");
    run(&other, "clean --all").ok();
    assert_eq!(std::fs::read(&table).unwrap(), bytes);
}

#[test]
fn a_cache_moves_to_another_place() {
    let (place, _, cache) = filled();
    assert_golden("export", &place, &run(&place, "export all.tar.gz").ok().out);
    let answer = run(&place, "export --json one successor").ok().json();
    assert_schema(
        &answer,
        &json!({ "path": "string", "kernels": "number", "entries": "number", "bytes": "number" }),
    );
    assert_eq!((&answer["kernels"], &answer["entries"]), (&json!(1), &json!(2)), "with what it is linked to");

    let other = Place::new();
    let archive = place.path("all.tar.gz").display().to_string();
    let answer = Cli::new(&other).args(["import", "--json", &archive]).run().ok().json();
    assert_schema(
        &answer,
        &json!({ "path": "string", "cache": "string", "entries": "number", "new": "number", "bytes": "number" }),
    );
    assert_eq!((&answer["entries"], &answer["new"]), (&json!(6), &json!(6)));
    assert_golden("import", &place, &Cli::new(&place).args(["import", &archive]).run().ok().out);
    let signatures = |place: &Place| run(place, "show --signatures").ok().out;
    assert_eq!(signatures(&other), signatures(&place));
    run(&other, "verify").ok();

    let jit = other.jit();
    let successor = jit.load(&kernels::successor(4)).unwrap();
    assert_eq!((successor.call(), successor.origin()), (5, KernelOrigin::Site));
    jit.load(&kernels::axpy(Loop::Plain)).unwrap();
    assert_eq!(jit.stats().compiled, 0);
    assert!(jit.lookup(&kernels::number(9)).unwrap().is_none());

    // A directory does the same, and one more import changes nothing.
    let directory = place.path("one").display().to_string();
    let answer = Cli::new(&other).args(["import", "--json", &directory]).run().ok().json();
    assert_eq!((&answer["entries"], &answer["new"]), (&json!(2), &json!(0)));
    // What is cleaned away is built again, without a warning.
    run(&other, "clean --kernel axpy").ok();
    let jit = other.jit();
    jit.load(&kernels::axpy(Loop::Plain)).unwrap();
    assert_eq!(jit.stats().compiled, 1);
    run(&other, "clean --all").ok();
    assert!(!other.path("cache/v1/imported").exists());
    assert_eq!(cache.entries().count(), 6);
}

#[test]
fn of_one_spec_the_newest_is_found() {
    let place = Place::new();
    let spec = kernels::number(1);
    let load = |flag: &str| place.builder().cxxflag(flag).build().unwrap().load(&spec).unwrap().signature();
    let old = load("-DA");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let new = load("-DB");
    assert_ne!(old, new);
    run(&place, "export site").ok();
    let jit = Place::new().builder().site_cache(place.path("site")).sealed().build().unwrap();
    assert_eq!(jit.load(&spec).unwrap().signature(), new);
}

#[test]
fn a_damaged_export_is_refused_and_leaves_the_cache_as_it_was() {
    let (place, _, cache) = filled();
    run(&place, "export site").ok();
    let victim = cache.find("k00001").unwrap();
    let entry = |signature: &Signature| {
        let hex = signature.to_hex();
        place.path(&format!("site/v1/{}/{hex}.so", &hex[..2]))
    };
    let other = Place::new();
    let import =
        |path: &str| Cli::new(&other).args(["import", &place.path(path).display().to_string()]).run();
    damage(&entry(&victim.signature()), 100);
    import("site").failed(1, "its library is damaged");
    std::fs::remove_file(entry(&victim.signature())).unwrap();
    import("site").failed(1, "it is missing");
    damage(&place.path("site/v1/table"), 40);
    import("site").failed(1, "table");
    import("nothing").failed(1, "nothing");
    place.write("text.tar.gz", "no archive");
    import("text.tar.gz").failed(1, "no intact archive");
    place.write("folder/readme.txt", "no site cache");
    import("folder").failed(1, "no site cache");
    assert!(other.entries().is_empty() && !other.path("cache/v1/imported").exists());
    let damaged = Place::new();
    damaged.jit().load(&kernels::number(1)).unwrap();
    damage(&damaged.entries()[0], 100);
    run(&damaged, "export out.tar.gz k00001").failed(1, "its library is damaged");
    assert!(!damaged.path("out.tar.gz").exists());
}
