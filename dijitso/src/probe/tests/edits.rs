//! Random edits of what compilers see: no remembered answer may be wrong.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A xorshift: the same edits in every run, and others for another seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

const DIRS: [&str; 3] = ["a", "b", "c"];
const HEADERS: [&str; 3] = ["x.h", "y.h", "sub/z.h"];

/// The kinds of edits; the guide has the same list.
const KINDS: [&str; 25] = [
    "header written",
    "header removed",
    "header of equal length and time",
    "header replaced by a link",
    "directory renamed",
    "library replaced",
    "library removed",
    "CPATH set or unset",
    "LIBRARY_PATH set or unset",
    "compiler swapped in place",
    "gcc and clang in each other's place",
    "program installed or removed",
    "program made executable or not",
    "another linker chosen by a flag",
    "linker installed, replaced or removed",
    "file that a link flag names",
    "library that another one needs",
    "linker script in the place of a library",
    "library that a program is loaded with",
    "LD_LIBRARY_PATH set or unset",
    "file that Fortran includes",
    "response file",
    "PATH in another order",
    "C_INCLUDE_PATH, CPLUS_INCLUDE_PATH or COMPILER_PATH set or unset",
    "nothing",
];

fn edit(kind: usize, dice: &mut Dice, desk: &mut Desk) {
    let dir = dice.one_of(&DIRS);
    let header = dice.one_of(&HEADERS);
    let types = ["char", "short", "int", "long", "struct { char c[3]; }"];
    let text = |dice: &mut Dice| {
        let other = dice.one_of(&[
            "",
            "#include <y.h>\n",
            "#if __has_include(<sub/z.h>)\n#include <sub/z.h>\n#endif\n",
        ]);
        let guard = header.replace(['.', '/'], "_");
        let other = if header == "x.h" { other } else { "" };
        format!(
            "#ifndef {guard}\n#define {guard}\n{other}typedef {} {guard}_t;\n#endif\n",
            dice.one_of(&types)
        )
    };
    let path = desk.path(&format!("{dir}/{header}"));
    match kind {
        0 => {
            let text = text(dice);
            let _ = std::fs::remove_file(&path);
            desk.write(&format!("{dir}/{header}"), &text);
        }
        1 => drop(std::fs::remove_file(&path)),
        2 => {
            if let Ok(old) = std::fs::read_to_string(&path)
                && let Ok(time) = std::fs::metadata(&path).and_then(|data| data.modified())
            {
                // As long as before: only the content tells.
                let new = if old.contains("long ") {
                    old.replace("long ", "char ")
                } else {
                    old.replace("char ", "long ")
                };
                std::fs::write(&path, new).unwrap();
                let _ =
                    std::fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time));
            }
        }
        3 => {
            let target = desk.path(&format!("{}/{header}", dice.one_of(&DIRS)));
            let _ = std::fs::remove_file(&path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if target != path {
                std::os::unix::fs::symlink(target, &path).unwrap();
            }
        }
        4 => {
            let (one, two) = (desk.path(dir), desk.path("aside"));
            match one.exists() {
                true if !two.exists() => std::fs::rename(one, two).unwrap(),
                _ if two.exists() && !one.exists() => std::fs::rename(two, one).unwrap(),
                _ => {}
            }
        }
        5 => {
            shared(desk, &format!("lib{dir}/liblate.so"), dice.one_of(&["wanted", "other"]), &[]);
        }
        6 => drop(std::fs::remove_file(desk.path(&format!("lib{dir}/liblate.so")))),
        7 | 8 => {
            let (name, below) =
                if kind == 7 { ("CPATH", dir.to_owned()) } else { ("LIBRARY_PATH", format!("lib{dir}")) };
            switch(desk, name, &[&below]);
        }
        9 | 10 => {
            let compiler = if kind == 10 { dice.one_of(&["gcc", "clang"]) } else { "gcc" };
            let text = format!("exec /usr/bin/{compiler} -DSWAPPED={} \"$@\"", dice.below(3));
            desk.script("bin/cc", &text);
        }
        11 => match dice.below(2) {
            0 => drop(desk.script(&format!("path{dir}/tool"), &format!("echo tool {}.0", dice.below(4)))),
            _ => drop(std::fs::remove_file(desk.path(&format!("path{dir}/tool")))),
        },
        12 => {
            let mode = std::fs::Permissions::from_mode(if dice.below(2) == 0 { 0o644 } else { 0o755 });
            let _ = std::fs::set_permissions(desk.path(&format!("path{dir}/tool")), mode);
        }
        13 => drop(desk.write("linker", dice.one_of(&["-fuse-ld=bfd", "-fuse-ld=gold", "-fuse-ld=lld"]))),
        14 => match dice.below(3) {
            0 => drop(std::fs::remove_file(desk.path("pathb/ld.mold"))),
            1 => drop(desk.script("pathb/ld.mold", "echo 'ld.mold: error: none' >&2; exit 1")),
            _ => drop(desk.script("pathb/ld.mold", "exec /usr/bin/ld.lld \"$@\"")),
        },
        15 => {
            drop(desk.write("names.map", dice.one_of(&["{ global: *; };\n", "{ broken", "{ local: *; };\n"])))
        }
        16 => shared(desk, "inner/libinner.so", dice.one_of(&["inner", "other"]), &[]),
        17 => {
            // Never itself: linkers follow such a circle for ever.
            let target = desk.path(dice.one_of(&["libb/liblate.so", "libb/libother.so"]));
            let _ = std::fs::remove_file(desk.path("liba/liblate.so"));
            desk.write("liba/liblate.so", &format!("INPUT ( {} )\n", target.display()));
        }
        18 => match dice.below(3) {
            0 => drop(std::fs::remove_file(desk.path(&format!("run{dir}/libnumber.so")))),
            n => shared(desk, &format!("run{dir}/libnumber.so"), "number", &[&format!("-DNUMBER={n}")]),
        },
        19 => switch(desk, "LD_LIBRARY_PATH", &["runa", "runb", "inner"]),
        20 => match dice.below(3) {
            0 => drop(std::fs::remove_file(desk.path(&format!("{dir}/wanted.inc")))),
            n => drop(
                desk.write(&format!("{dir}/wanted.inc"), ["integer i\n", "no fortran\n"][n as usize - 1]),
            ),
        },
        21 => drop(desk.write("words", dice.one_of(&["-DWORDS=1\n", "-DWORDS=2\n", "-w\n"]))),
        22 => {
            let (_, path) = desk.variables.iter_mut().find(|(name, _)| *name == "PATH").unwrap();
            let mut own: Vec<&str> = path.split(':').take(DIRS.len()).collect();
            own.rotate_left(1);
            if dice.below(2) == 0 {
                own.swap(0, 1);
            }
            *path = format!("{}:/usr/bin:/bin", own.join(":"));
        }
        23 => match dice.one_of(&["C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "COMPILER_PATH"]) {
            // There a linker of that name comes and goes.
            "COMPILER_PATH" => switch(desk, "COMPILER_PATH", &["pathb"]),
            "C_INCLUDE_PATH" => switch(desk, "C_INCLUDE_PATH", &[dir]),
            _ => switch(desk, "CPLUS_INCLUDE_PATH", &[dir]),
        },
        _ => {}
    }
}

/// Sets a variable to these directories, or unsets it if it is set.
fn switch(desk: &mut Desk, name: &'static str, dirs: &[&str]) {
    let before = desk.variables.len();
    desk.variables.retain(|(known, _)| *known != name);
    if before == desk.variables.len() {
        let dirs: Vec<String> = dirs.iter().map(|dir| desk.path(dir).display().to_string()).collect();
        desk.variables.push((name, dirs.join(":")));
    }
}

/// Makes a shared library with one function.
fn shared(desk: &Desk, place: &str, function: &str, more: &[&str]) {
    let text =
        format!("#ifndef NUMBER\n#define NUMBER 1\n#endif\nint {function}(void) {{ return NUMBER; }}\n");
    let source = desk.write("made.c", &text);
    let target = desk.path(place);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    let mut command = std::process::Command::new("gcc");
    command.args(["-shared", "-fPIC", "-o"]).arg(&target).arg(&source).args(more);
    assert!(command.status().unwrap().success());
}

fn ask(probes: &Probes, desk: &Desk) -> Vec<String> {
    let mut with = Settings::new().include_dir(desk.path("a")).include_dir(desk.path("b"));
    with = with.lib_dir(desk.path("liba")).lib_dir(desk.path("libb"));
    let (x, there, compiled, library, swapped, tool) = probes.ask_all((
        Size::new("x_h_t").after("x.h").with(&with),
        Header::new("sub/z.h").with(&with),
        Compile::new(Language::C, "#include <x.h>\n#include <y.h>\ny_h_t y;\n").with(&with),
        Library::new("late").function(Function::new("wanted")).with(&with),
        Macro::new("SWAPPED"),
        Program::new("tool"),
    ));
    let chosen = std::fs::read_to_string(desk.path("linker")).unwrap_or_default();
    let chosen = Settings::new().link_flag(if chosen.is_empty() { "-fuse-ld=bfd" } else { &chosen });
    let names = format!("-Wl,--version-script={}", desk.path("names.map").display());
    let outer = Settings::new().lib(desk.path("libouter.so").to_str().unwrap());
    let outer = outer.link_flag(format!("-Wl,-rpath-link,{}", desk.path("inner").display()));
    let number = "int number(void); int main(void) { return number(); }\n";
    let run = Settings::new().lib(desk.path("libnumber.so").to_str().unwrap());
    let words = Settings::new().compile_flag(format!("@{}", desk.path("words").display()));
    let text = "program p\nINCLUDE 'wanted.inc'\ni = 3\nend program\n";
    let (linked, mold, scripted, needs, ran, words, fortran) = probes.ask_all((
        Library::new("late").function(Function::new("wanted")).with(&with).with(&chosen),
        LinkerFlag::new("-fuse-ld=mold"),
        Link::new(Language::C, "int main(void) { return 0; }\n").with(&Settings::new().link_flag(names)),
        Link::new(Language::C, "int outer(void); int main(void) { return outer(); }\n").with(&outer),
        Run::new(Language::C, number).any_status().with(&run),
        Macro::new("WORDS").with(&words),
        Compile::new(Language::Fortran, text).with(&with.of_compile()),
    ));
    // Without a directory of their own: what only variables name.
    let plain = "#include <y.h>\ny_h_t y;\n";
    let (in_c, in_cxx, both) = probes.ask_all((
        Compile::new(Language::C, plain),
        Compile::new(Language::Cxx, plain),
        Compile::new(Language::Cxx, "#include <x.h>\n#include <sub/z.h>\nsub_z_h_t z;\n").with(&with),
    ));
    let size = x.clone().yes().map(|bytes| bytes.to_string()).unwrap_or_default();
    vec![
        format!("{} {size}", x.word()),
        there.word().to_owned(),
        compiled.word().to_owned(),
        library.word().to_owned(),
        swapped.yes().unwrap_or_default(),
        tool.yes().map(|tool| tool.version).unwrap_or_default(),
        [linked.word(), mold.word(), scripted.word(), needs.word(), fortran.word()].join(" "),
        ran.yes().map(|ran| ran.status.to_string()).unwrap_or_default(),
        words.yes().unwrap_or_default(),
        [in_c.word(), in_cxx.word(), both.word()].join(" "),
    ]
}

fn edits(count: usize, seed: u64) {
    let mut desk = Desk::new();
    let mut dice = Dice(seed);
    let compiler = desk.script("bin/cc", "exec /usr/bin/gcc -DSWAPPED=0 \"$@\"");
    let others = [(Language::Cxx, "g++".to_owned()), (Language::Fortran, "gfortran".to_owned())];
    desk.compilers = [(Language::C, compiler)].into_iter().chain(others).collect();
    let path = DIRS.map(|dir| desk.path(&format!("path{dir}")).display().to_string()).join(":");
    desk.variables = vec![("PATH", format!("{path}:/usr/bin:/bin"))];
    for (name, text) in [("names.map", "{ global: *; };\n"), ("words", "-w\n")] {
        desk.write(name, text);
    }
    shared(&desk, "inner/libinner.so", "inner", &[]);
    let outer = desk.write("outer.c", "int inner(void); int outer(void) { return inner(); }\n");
    let mut gcc = std::process::Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-o"]).arg(desk.path("libouter.so")).arg(outer);
    assert!(gcc.arg("-L").arg(desk.path("inner")).arg("-linner").status().unwrap().success());
    shared(&desk, "libnumber.so", "number", &["-Wl,-soname,libnumber.so"]);
    let mut answers = std::collections::BTreeSet::new();
    for n in 0..count {
        let kind = dice.below(KINDS.len() as u64) as usize;
        edit(kind, &mut dice, &mut desk);
        let shadow = desk.builder().shadow().build().unwrap();
        let truth = ask(&shadow, &desk);
        let wrong = shadow.disagreements();
        assert!(wrong.is_empty(), "edit {n} ({}): {}", KINDS[kind], wrong[0]);
        // And as it is used: the same, mostly without asking.
        assert_eq!(ask(&desk.probes(), &desk), truth, "edit {n} ({})", KINDS[kind]);
        answers.insert(truth);
    }
    assert!(answers.len() > count / 12, "the edits change the answers: {}", answers.len());
}

/// A thousand edits where repeat counts are full (`tests/soak/run`).
#[test]
fn after_random_edits_no_remembered_answer_is_wrong() {
    match crate::config::env::named("DIJITSO_SOAK") {
        Some(_) => edits(1000, 0x2545_f491_4f6c_dd1d),
        None => edits(24, 0x9e37_79b9_7f4a_7c15),
    }
}

#[test]
fn the_guide_lists_the_kinds_of_edits() {
    let guide = include_str!("../../guide/configure.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let all = KINDS.join(", ");
    assert!(guide.contains(&all), "the guide must say: {all}");
}
