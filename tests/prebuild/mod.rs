//! `prebuild()`, as a build script calls it, but without cargo: what is compiled when, what is said, what the archive
//! holds. What cargo makes of it is in `cargo`.

mod faults;
mod headers;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use dijitso_tests::protocol::{ShimMode, ShimStep};

use crate::harness::{Place, Shim, need, real_compiler, which};

const PREBUILDER: &str = env!("CARGO_BIN_EXE_prebuilder");

/// A build script with its output directory and its compiler.
struct Script {
    place: Place,
    shim: Shim,
    variables: Vec<(String, String)>,
}

impl Script {
    fn new() -> Script {
        let place = Place::new();
        let shim = place.shim();
        std::fs::create_dir(place.path("out")).unwrap();
        Script { place, shim, variables: Vec::new() }
    }

    fn set(mut self, name: &str, value: impl Into<String>) -> Script {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    fn out(&self) -> PathBuf {
        self.place.path("out")
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(PREBUILDER);
        command.args(words).env_clear().current_dir(self.place.root());
        command.env("PATH", std::env::join_paths(path_of_tools()).unwrap());
        command.env("OUT_DIR", self.out()).env("CXX", self.shim.word());
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        command.env("TARGET", &host).env("HOST", &host).env("OPT_LEVEL", "2").env("NUM_JOBS", "2");
        command.env("CARGO_PKG_NAME", "tested").env("CARGO_PKG_VERSION", "1.0.0");
        command.envs(self.variables.iter().cloned()).output().unwrap()
    }

    /// Runs it, which must succeed; what it told cargo, and how many compilers it ran.
    fn ok(&self, words: &[&str]) -> (Vec<String>, usize) {
        let before = self.shim.compiles().len();
        let output = self.run(words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (lines(&output), self.shim.compiles().len() - before)
    }

    /// Runs it, which must fail with status 1 and not by a panic of its own; standard error and output.
    fn fails(&self, words: &[&str]) -> (String, String) {
        let output = self.run(words);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        (stderr, lines(&output).join("\n"))
    }

    fn archive(&self) -> PathBuf {
        let files = std::fs::read_dir(self.out()).unwrap().flatten().map(|entry| entry.path());
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == "a")).expect("an archive")
    }

    fn table(&self) -> String {
        std::fs::read_to_string(self.out().join("dijitso_prebuilt.rs")).unwrap()
    }

    /// When what the crate is built with was last written.
    fn times(&self) -> [SystemTime; 2] {
        [self.archive(), self.out().join("dijitso_prebuilt.rs")].map(|path| modified(&path))
    }
}

fn path_of_tools() -> Vec<PathBuf> {
    let dirs =
        [real_compiler(), which("ar").expect("binutils")].map(|path| path.parent().unwrap().to_owned());
    dirs.into_iter().collect()
}

fn modified(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// Standard output, of which cargo must understand every line.
fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines.iter().all(|line| line.starts_with("cargo::")), "{text}");
    lines
}

#[test]
fn what_did_not_change_is_not_compiled_again() {
    let script = Script::new();
    assert_eq!(script.ok(&["many=50"]).1, 50);
    let times = script.times();
    let processes = script.shim.calls().len();
    assert_eq!(script.ok(&["many=50"]).1, 0);
    assert_eq!(script.times(), times, "neither the archive nor the table");
    // Of the compiler only its kind is asked.
    let asked = &script.shim.calls()[processes..];
    assert!(!asked.iter().flatten().any(|word| word == "-c" || word == "-shared"), "{asked:?}");

    // Another text under the same key: one of 50 was edited.
    assert_eq!(script.ok(&["many=49", "edited=49"]).1, 1);
    assert_ne!(script.times()[0], times[0]);
    // Kernels that are not wanted any more leave nothing behind.
    assert_eq!(script.ok(&["many=2"]).1, 0);
    let kept = std::fs::read_dir(script.out().join("tested.kernels")).unwrap().flatten();
    let kept: Vec<_> =
        kept.map(|e| e.file_name()).filter(|n| n.to_string_lossy().ends_with(".json")).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(script.table().matches("Row {").count(), 2);
}

#[test]
fn flags_reach_the_compiler_in_the_order_of_those_who_set_them() {
    let script = Script::new().set("CXXFLAGS", "-DFROM_ENVIRONMENT");
    script.ok(&["flag=-DFROM_SCRIPT", "cpu=x86-64-v3", "own_flag=-DFROM_KERNEL"]);
    let compiles = script.shim.compiles();
    let [call] = &compiles[..] else { panic!("{compiles:?}") };
    let at = |word: &str| call.iter().position(|w| w == word).unwrap_or_else(|| panic!("{word}: {call:?}"));
    let order = [
        "-O2",
        "-fno-math-errno",
        "-DFROM_SCRIPT",
        "-DFROM_ENVIRONMENT",
        "-march=x86-64-v3",
        "-DFROM_KERNEL",
    ];
    assert!(order.map(at).is_sorted(), "{call:?}");

    let debug = Script::new().set("OPT_LEVEL", "0").set("DEBUG", "true");
    debug.ok(&["many=1"]);
    let call = debug.shim.compiles().remove(0).join(" ");
    assert!(call.contains("-O0") && !call.contains("-fno-math-errno"), "{call}");
}

#[test]
fn equal_kernels_are_compiled_once_and_others_each() {
    let script = Script::new();
    assert_eq!(script.ok(&["many=2", "many=3"]).1, 3);
    assert_eq!(script.table().matches("// numbered(").count(), 3);
    // None at all is a table without rows, and needs no compiler.
    assert_eq!((script.ok(&[]).1, script.table().contains("static ROWS: [Row; 0]")), (0, true));
    let (text, _) = script.fails(&["same_name"]);
    assert!(text.contains("two different generators have this name and key"), "{text}");
}

#[test]
fn a_text_that_does_not_compile_is_shown_as_the_compiler_shows_it() {
    let script = Script::new();
    let (text, told) = script.fails(&["many=1", "broken"]);
    let compiler = text.find("broken.cpp:1:34: error: 'y1' was not declared").expect(&text);
    let ours = text.find("error: kernel broken(1), generated at tests/bin/prebuilder.rs:").expect(&text);
    assert!(compiler < ours && text.contains("'y2' was not declared"), "{text}");
    assert!(!text.contains("panicked") && !text.contains("stack backtrace"), "{text}");
    assert_eq!(told.matches("cargo::error=kernel broken(").count(), 2, "{told}");

    assert!(!told.contains("rerun"), "nothing stands before the compiler's text: {told}");

    // The script that is left does what the build did.
    let place =
        text.lines().find_map(|line| line.strip_prefix("sources, log and a script that repeats this: "));
    let again = Command::new(Path::new(place.expect(&text)).join("command.sh")).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("'y1' was not declared"));
}

#[test]
fn other_failures_say_what_and_where() {
    let script = Script::new();
    let (text, told) = script.fails(&["panics", "many=1"]);
    assert!(text.contains("panics(), generated at") && text.contains("panicked: no such element"), "{text}");
    assert!(told.contains("cargo::error=kernel panics()"), "{told}");

    let (text, _) = script.fails(&["undefined", "many=1"]);
    assert!(text.contains("kernel undefined(1), generated at") && text.contains("nowhere(double)"), "{text}");
    assert!(text.contains("`.link(..)`"), "{text}");

    let (text, _) = script.fails(&["own_flag=-Wl,--gc-sections"]);
    assert!(text.contains("`-Wl,--gc-sections`") && text.contains("rustc-link-arg"), "{text}");

    let (text, _) = script.fails(&["many=1", "again"]);
    assert!(text.contains("called twice"), "{text}");
    for name in ["", "../x", "a b", "-x"] {
        let (text, _) = script.fails(&["many=1", &format!("name={name}")]);
        assert!(text.contains("letters, digits"), "{text}");
    }
    script.shim.set(ShimMode::Die { signal: 9 }, ShimStep::Compile);
    let (text, _) = script.fails(&["many=9"]);
    assert!(text.contains("killed by signal 9"), "{text}");

    let output = Command::new(PREBUILDER).arg("many=1").env_remove("OUT_DIR").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("OUT_DIR is not set") && text.contains("build.rs"), "{text}");
}

#[test]
fn a_compiler_that_is_missing_is_named() {
    let script = Script::new().set("PATH", "/nowhere").set("CXX", "");
    let (text, _) = script.fails(&["many=1"]);
    assert!(text.contains("c++: not found on PATH") && text.contains("set CXX"), "{text}");
    // The one for another machine.
    let other = if std::env::consts::ARCH == "x86_64" { "aarch64" } else { "x86_64" };
    let script = script.set("TARGET", format!("{other}-unknown-linux-gnu"));
    let (text, _) = script.fails(&["many=1"]);
    assert!(text.contains(&format!("{other}-linux-gnu-g++: not found")), "{text}");
    assert!(text.contains(&format!("CXX_{other}_unknown_linux_gnu")), "{text}");
}

#[test]
fn another_processor_level_is_another_object_with_its_own_needs() {
    if std::env::consts::ARCH != "x86_64" {
        return crate::harness::skip("processor levels are of x86-64");
    }
    let script = Script::new();
    assert_eq!(script.ok(&["many=2", "cpu=x86-64,x86-64-v3,x86-64-v3"]).1, 4);
    let table = script.table();
    let needs: Vec<u128> = table
        .lines()
        .filter_map(|line| line.split_once("features: 0x"))
        .map(|(_, rest)| u128::from_str_radix(&rest.split(',').next().unwrap().replace('_', ""), 16).unwrap())
        .collect();
    assert_eq!(needs.len(), 4, "{table}");
    assert_eq!((needs[0], needs[1]), (needs[2], needs[3]));
    assert!(needs[0] & needs[1] == needs[1] && needs[0] != needs[1], "the most demanding first: {needs:?}");
    let (text, told) = script.fails(&["many=1", "cpu=nonsense"]);
    assert!(text.contains("nonsense"), "{text}");
    assert_eq!(told.matches("cargo::error=").count(), 1);
    let (_, told) = script.fails(&["many=1", "broken", "cpu=x86-64,x86-64-v2,x86-64-v3"]);
    assert_eq!(told.matches("cargo::error=").count(), 2, "once for each kernel: {told}");
}

#[test]
fn warnings_that_were_asked_for_are_cargos() {
    let script = Script::new();
    let (told, _) = script.ok(&["flag=-Wunused-variable", "warned"]);
    assert!(told.iter().any(|line| line.starts_with("cargo::warning=") && line.contains("idle")), "{told:?}");
}

#[test]
fn a_wrong_prototype_is_an_error_in_c_too() {
    let script = Script::new().set("CFLAGS", "-w");
    let (text, _) = script.fails(&["wrong_c"]);
    assert!(text.contains("kernel wrong_c()") && text.contains("error:"), "{text}");
}

/// A compiler for another machine, if there is one here.
#[test]
fn kernels_for_another_target_are_compiled_for_it() {
    let (other, machine) = if std::env::consts::ARCH == "x86_64" { ("aarch64", 183) } else { ("x86_64", 62) };
    let Some(compiler) = need(&format!("{other}-linux-gnu-g++")) else { return };
    let script = Script::new().set("TARGET", format!("{other}-unknown-linux-gnu")).set("CXX", "");
    script.ok(&[
        "many=2",
        "classes",
        if other == "aarch64" { "cpu=generic,neoverse-v1" } else { "cpu=x86-64-v3" },
    ]);
    let dir = script.place.path("members");
    std::fs::create_dir(&dir).unwrap();
    let ar = compiler.with_file_name(format!("{other}-linux-gnu-ar"));
    assert!(Command::new(ar).arg("x").arg(script.archive()).current_dir(&dir).status().unwrap().success());
    let members = crate::harness::files(&dir);
    assert_eq!(members.len(), if other == "aarch64" { 8 } else { 4 });
    for member in members {
        let bytes = std::fs::read(&member).unwrap();
        assert_eq!(u16::from_le_bytes([bytes[18], bytes[19]]), machine, "{}", member.display());
    }
    // What only the second processor has.
    assert!(script.table().contains("features: 0x0000,") == (other == "aarch64"), "{}", script.table());
}

#[test]
fn link_time_optimization_cannot_hide_the_symbols() {
    let script = Script::new().set("CXXFLAGS", "-flto");
    script.ok(&["many=1", "own_flag=-flto"]);
    assert_eq!(script.table().matches("Exported {").count(), 2);
}

#[test]
fn tokens_of_the_jobserver_are_given_back() {
    use std::io::{Read as _, Write as _};
    let script = Script::new();
    let fifo = script.place.path("tokens");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut pipe = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
    pipe.write_all(b"ab").unwrap();
    let script = script.set("CARGO_MAKEFLAGS", format!("-j --jobserver-auth=fifo:{}", fifo.display()));
    assert_eq!(script.ok(&["many=12"]).1, 12);
    script.fails(&["many=12", "broken"]);
    let mut back = [0; 2];
    pipe.read_exact(&mut back).unwrap();
    back.sort();
    assert_eq!(&back, b"ab");
}

/// Two units with one class name in one program, with every linker that is here.
#[test]
fn units_with_classes_of_one_name_share_a_program() {
    for compiler in ["g++", "clang++"] {
        let Some(compiler) = need(compiler) else { continue };
        // Without optimization nothing is inlined, and everything that could be merged is there.
        let script = Script::new().set("CXX", compiler.display().to_string()).set("OPT_LEVEL", "0");
        script.ok(&["classes"]);
        let table = script.table();
        let names = table.lines().filter_map(|line| line.trim().strip_prefix("#[link_name = \"create_form."));
        let names: Vec<&str> = names.filter_map(|rest| rest.strip_suffix("\"]")).collect();
        let [first, second] = names[..] else { panic!("{table}") };
        let text = format!(
            "#include <cstdio>
             extern \"C\" {{ int one() __asm__(\"create_form.{first}\"); int two() __asm__(\"create_form.{second}\"); }}
             int main() {{ std::printf(\"%d %d\\n\", one(), two()); }}"
        );
        let main = script.place.write("main.cpp", &text);
        let linkers =
            ["bfd", "gold", "lld"].into_iter().filter(|linker| which(&format!("ld.{linker}")).is_some());
        for linker in linkers {
            let program = script.place.path(linker);
            let linked = Command::new(&compiler)
                .args([&main, &script.archive()])
                .arg(format!("-fuse-ld={linker}"))
                .arg("-o")
                .arg(&program)
                .output()
                .unwrap();
            assert!(linked.status.success(), "{linker}: {}", String::from_utf8_lossy(&linked.stderr));
            let output = Command::new(&program).output().unwrap();
            let values = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut values: Vec<i32> = values.split_whitespace().map(|n| n.parse().unwrap()).collect();
            values.sort();
            assert_eq!(values, [1 + 10 + 100 + 1000 + 1, 2 + 20 + 200 + 2000 + 1], "{linker}");
        }
    }
}

#[test]
fn archives_that_kernels_link_to_become_part_of_each() {
    let script = Script::new();
    let compiler = real_compiler();
    let mut words = Vec::new();
    for n in [1, 2] {
        let source = script
            .place
            .write(&format!("{n}/helper.cpp"), &format!("extern \"C\" int helper() {{ return {n}; }}"));
        let object = source.with_extension("o");
        let made =
            Command::new(&compiler).args(["-fPIC", "-c", "-o"]).args([&object, &source]).status().unwrap();
        let archive = source.with_file_name("libhelper.a");
        assert!(
            made.success()
                && Command::new("ar").arg("rcs").args([&archive, &object]).status().unwrap().success()
        );
        words.push(format!("archive={}", archive.display()));
    }
    // One `helper` would have to win, if both were in the program under this name.
    let (told, compiled) = script.ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(compiled, 2);
    assert!(told.iter().any(|line| line.ends_with("1/libhelper.a")), "{told:?}");
    let symbols = Command::new("nm").arg(script.archive()).output().unwrap();
    let symbols = String::from_utf8_lossy(&symbols.stdout).into_owned();
    assert_eq!(symbols.matches(" T helper.archive_").count(), 2, "{symbols}");
    assert!(!symbols.contains(" U helper"), "{symbols}");
}
