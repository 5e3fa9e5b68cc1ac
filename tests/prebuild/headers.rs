//! Headers that kernels read, or would read if they were there.

use super::*;

#[test]
fn headers_and_flags_concern_those_who_read_them() {
    let script = Script::new();
    let header = script.place.write("include/tracked.h", "#define FACTOR 2\n");
    let include = format!("header={}", script.place.path("include").display());
    let words = ["many=3", &include];
    let (told, compiled) = script.ok(&words);
    assert_eq!(compiled, 4);
    let line = format!("cargo::rerun-if-changed={}", header.display());
    assert!(told.contains(&line), "{told:?}");
    for variable in ["CXX", "CXXFLAGS", "CPATH", "AR"] {
        assert!(told.contains(&format!("cargo::rerun-if-env-changed={variable}")), "{variable}");
    }

    // The shelf trusts times, and two writes within one tick of the clock look the same.
    std::thread::sleep(std::time::Duration::from_millis(20));
    script.place.write("include/tracked.h", "#define FACTOR 3\n");
    assert_eq!(script.ok(&words).1, 1);
    assert_eq!(script.ok(&words).1, 0);
    std::fs::remove_file(&header).unwrap();
    let (text, told) = script.fails(&words);
    assert!(text.contains("tracked.h: No such file"), "{text}");
    assert!(told.contains("cargo::error=kernel with_header()"), "{told}");
    script.place.write("include/tracked.h", "#define FACTOR 3\n");

    let script = script.set("CXXFLAGS", "-DUNUSED");
    assert_eq!(script.ok(&words).1, 4, "a flag concerns all");
    assert_eq!(script.ok(&words).1, 0);
    let script = script.set("CPATH", "/nowhere");
    assert_eq!(script.ok(&words).1, 4, "and so does what compilers read by themselves");
}

#[test]
fn a_header_that_appears_where_it_is_found_earlier_is_noticed() {
    let script = Script::new();
    let first = script.place.path("first");
    let header = script.place.write("include/tracked.h", "#define FACTOR 2\n");
    script.place.write("first/sub/other.h", "");
    let dir = |name: &str| format!("header={}", script.place.path(name).display());
    let words = ["many=2".to_owned(), dir("missing"), dir("first"), dir("include")];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (told, compiled) = script.ok(&words);
    assert_eq!(compiled, 3);
    let watched =
        |told: &[String], path: &Path| told.contains(&format!("cargo::rerun-if-changed={}", path.display()));
    assert!(watched(&told, &first) && watched(&told, &header), "{told:?}");
    assert!(
        !told.iter().any(|line| line.contains("missing")),
        "cargo would always find it changed: {told:?}"
    );
    assert_eq!(script.ok(&words).1, 0);

    let appears = |name: &str| {
        let path = script.place.write(name, "#define FACTOR 3\n");
        assert_eq!([script.ok(&words).1, script.ok(&words).1], [1, 0], "{name} is there");
        path
    };
    let found = appears("first/tracked.h");
    appears("missing/tracked.h");
    std::fs::remove_dir_all(script.place.path("missing")).unwrap();
    assert_eq!(script.ok(&words).1, 1);
    std::fs::remove_file(found).unwrap();
    assert_eq!([script.ok(&words).1, script.ok(&words).1], [1, 0]);

    // What a text only asks for.
    let asks =
        "#if __has_include(\"maybe/more.h\")\n#include \"maybe/more.h\"\n#else\n#define FACTOR 2\n#endif\n";
    script.place.write("include/tracked.h", asks);
    assert_eq!(script.ok(&words).1, 1);
    let asked = appears("include/maybe/more.h");
    std::fs::remove_file(asked).unwrap();
    assert_eq!([script.ok(&words).1, script.ok(&words).1], [1, 0]);
    // And what somebody put there, for others.
    script.place.write("first/unasked.h", "");
    assert_eq!(script.ok(&words).1, 0);
}

/// Cargo looks at everything below a directory that it watches.
#[test]
fn directories_that_never_come_to_rest_are_not_watched() {
    let script = Script::new();
    script.place.write("package/include/tracked.h", "#define FACTOR 2\n");
    for name in ["package/src/a.h", "large/sub/a.h", "linked/a.h", "small/a.h"] {
        script.place.write(name, "");
    }
    std::os::unix::fs::symlink(script.place.root(), script.place.path("linked/all")).unwrap();
    (0..2000).for_each(|n| drop(script.place.write(&format!("large/sub/{n}.h"), "")));
    let package = script.place.path("package").display().to_string();
    let script = script.set("CARGO_MANIFEST_DIR", package);
    let dirs = ["", "out", "large", "linked", "small", "package", "package/src", "package/include"];
    let words = dirs.map(|dir| format!("header={}", script.place.path(dir).display()));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (told, _) = script.ok(&words);
    let watched: Vec<&str> = told
        .iter()
        .filter_map(|line| line.strip_prefix("cargo::rerun-if-changed="))
        .filter(|path| Path::new(path).is_dir())
        .collect();
    assert_eq!(
        watched,
        ["package/include", "package/src", "small"].map(|dir| script.place.path(dir).display().to_string())
    );
    // The script itself looks everywhere, whenever it runs.
    script.place.write("large/tracked.h", "#define FACTOR 3\n");
    assert_eq!(script.ok(&words).1, 1);
}
