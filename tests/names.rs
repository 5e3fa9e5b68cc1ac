//! The chapter "Moving from Python dijitso" has a row for every name there is, and each row is held by tests
//! that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{files, skip};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    let path = workspace().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// One row of a table.
#[derive(Debug)]
struct Row {
    names: Vec<String>,
    here: String,
    held_by: Vec<String>,
}

/// What a heading's tables are about, in front of each name.
fn prefix(heading: &str) -> Option<String> {
    let quoted = heading.split('`').nth(1).unwrap_or_default();
    Some(match heading.split_whitespace().next()? {
        "Module" => format!("{}.", quoted.strip_prefix("dijitso.")?),
        "Package" => "__init__.".to_owned(),
        "Parameters" => format!("[{quoted}] "),
        "Arguments" => "[jit] ".to_owned(),
        "Environment" => "[env] ".to_owned(),
        "Command" => "[cli] ".to_owned(),
        "What" => "[other] ".to_owned(),
        _ => return None,
    })
}

fn rows(chapter: &str) -> Vec<Row> {
    let (mut rows, mut section) = (Vec::new(), None);
    for line in chapter.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = prefix(heading);
            assert!(section.is_some(), "the heading `{heading}` says not what its names are");
        }
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else { continue };
        let cells: Vec<&str> = cells.split(" | ").collect();
        let [names, here, held_by] = *cells else { panic!("three cells: {line}") };
        if names == "Python" {
            continue;
        }
        let section = section.as_ref().expect("a heading above the table");
        rows.push(Row {
            names: quoted(names).map(|name| format!("{section}{name}")).collect(),
            here: here.to_owned(),
            held_by: quoted(held_by).map(str::to_owned).collect(),
        });
    }
    rows
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The committed list.
fn listed() -> BTreeSet<String> {
    read("tests/python/names.txt").lines().map(str::to_owned).collect()
}

/// The names of all tests in a tree, each with its file.
fn tests_below(dir: &Path, found: &mut BTreeMap<String, PathBuf>) {
    for file in files(dir).into_iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut test = false;
        for line in text.lines().map(str::trim) {
            test |= line == "#[test]";
            if let Some(rest) = line.strip_prefix("fn ")
                && std::mem::take(&mut test)
            {
                found.insert(rest.split('(').next().unwrap().to_owned(), file.clone());
            }
        }
    }
}

const CHAPTER: &str = "dijitso/src/guide/from_python.md";

#[test]
fn every_name_of_python_dijitso_has_a_row() {
    let rows = rows(&read(CHAPTER));
    let has: BTreeSet<String> = rows.iter().flat_map(|row| row.names.clone()).collect();
    let listed = listed();
    assert!(listed.len() > 200, "the list has {} names only", listed.len());
    let missing: Vec<_> = listed.difference(&has).collect();
    assert!(missing.is_empty(), "without a row in {CHAPTER}: {missing:#?}");
    let unknown: Vec<_> = has.difference(&listed).collect();
    assert!(unknown.is_empty(), "rows for names that Python dijitso has not: {unknown:#?}");
    let twice = rows.iter().map(|row| row.names.len()).sum::<usize>() - has.len();
    assert_eq!(twice, 0, "names with two rows");
}

#[test]
fn every_row_has_a_form_that_a_test_holds_or_a_reason() {
    let mut tests = BTreeMap::new();
    tests_below(&workspace().join("tests"), &mut tests);
    tests_below(&workspace().join("dijitso/src"), &mut tests);
    assert!(tests.len() > 300, "{} tests found", tests.len());
    for row in rows(&read(CHAPTER)) {
        let (names, here) = (&row.names, &row.here);
        assert!(!names.is_empty() && here.len() > 3, "{row:?}");
        let formless = ["None", "Comes with the feature `mpi`", "Comes with the feature `cli`"]
            .iter()
            .find(|start| here.starts_with(**start));
        match formless {
            // A reason, and not the bare word.
            Some(&"None") => assert!(here.len() > "None: because".len(), "{names:?} needs a reason: {here}"),
            Some(_) => {}
            None => assert!(!row.held_by.is_empty(), "{names:?} is held by no test: {here}"),
        }
        for test in &row.held_by {
            assert!(tests.contains_key(test), "{names:?}: there is no test `{test}`");
        }
    }
}

/// What PETSc's manual names for BuildSystem: its chapter on it, and the modules that it describes.
const BUILDSYSTEM: [&str; 58] = [
    "namespacing",
    "provenance",
    "explicit control flow",
    "multi-language tests",
    "subpackages",
    "batch environments",
    "caching",
    "Framework",
    "Base",
    "setupHelp",
    "setupDependencies",
    "require",
    "getChild",
    "addChild",
    "PETSC_ARCH",
    "providers",
    "addDefine",
    "delDefine",
    "addTypedef",
    "addPrototype",
    "addMakeMacro",
    "addMakeRule",
    "addSubstitution",
    "addArgumentSubstitution",
    "addSubstitutionFile",
    "checkPreprocess",
    "outputPreprocess",
    "checkCompile",
    "outputCompile",
    "checkLink",
    "outputLink",
    "checkRun",
    "outputRun",
    "executeTest",
    "headers.check",
    "functions.check",
    "libraries.check",
    "types.check",
    "checkSizeof",
    "pushLanguage",
    "popLanguage",
    "getExecutable",
    "Dump",
    "printSummary",
    "addCompilerFlag",
    "addLinkerFlag",
    "checkCompilerFlag",
    "checkLinkerFlag",
    "headerPrefix",
    "substPrefix",
    "preprocess",
    "cleanup",
    "storeSubstitutions",
    "argDB",
    "archProvider",
    "languageProvider",
    "installDirProvider",
    "externalPackagesDirProvider",
];

#[test]
fn every_capability_of_buildsystem_has_a_form_that_a_test_holds() {
    let mut tests = BTreeMap::new();
    tests_below(&workspace().join("dijitso/src"), &mut tests);
    tests_below(&workspace().join("tests"), &mut tests);
    let chapter = read("dijitso/src/guide/configure.md");
    let (_, table) = chapter.split_once("## From BuildSystem").expect("the table");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| BuildSystem"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() > 30, "{} rows", rows.len());
    for row in &rows {
        let [_, here, held_by] = row[..] else { panic!("three cells: {row:?}") };
        assert!(here.len() > 3, "{row:?}");
        for test in quoted(held_by) {
            assert!(tests.contains_key(test), "{row:?}: there is no test `{test}`");
        }
        assert!(quoted(held_by).next().is_some(), "{row:?} is held by no test");
    }
    for name in BUILDSYSTEM {
        assert!(rows.iter().any(|row| row[0].contains(name)), "there is no row for `{name}`");
    }
}

#[test]
fn features_that_exist_are_not_said_to_come() {
    let manifest = read("dijitso/Cargo.toml");
    for feature in ["mpi", "cli"] {
        let exists = manifest.lines().any(|line| line.starts_with(&format!("{feature} =")));
        let comes = rows(&read(CHAPTER))
            .iter()
            .any(|row| row.here.contains(&format!("omes with the feature `{feature}`")));
        assert!(
            !(exists && comes),
            "the feature `{feature}` is there: {CHAPTER} must say what its names are now"
        );
    }
}

#[test]
fn the_list_is_what_python_dijitso_has() {
    // Debian's own interpreter: another one does not see its packages.
    let python = Path::new("/usr/bin/python3");
    let script = workspace().join("tests/python/names.py");
    let has = |what: &str| Command::new(python).args(["-I", "-W", "ignore", "-c", what]).output();
    if !has("import dijitso").is_ok_and(|output| output.status.success()) {
        return skip("python3-dijitso is not installed");
    }
    let output = Command::new(python).args(["-I", "-W", "ignore"]).arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let real: BTreeSet<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let listed = listed().into_iter().filter(|name| !name.starts_with("[other]")).collect();
    let difference: Vec<_> = real.symmetric_difference(&listed).collect();
    assert!(difference.is_empty(), "in one of them only: {difference:#?}");
}
