//! Random edits of what compilers see: no remembered answer may be wrong.

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

/// The kinds of edits, for whoever reads a report.
const KINDS: [&str; 12] = [
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
    "program installed or removed",
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
            let function = dice.one_of(&["wanted", "other"]);
            let source = desk.write("made.c", &format!("int {function}(void) {{ return 1; }}\n"));
            std::fs::create_dir_all(desk.path(&format!("lib{dir}"))).unwrap();
            let target = desk.path(&format!("lib{dir}/liblate.so"));
            let mut command = std::process::Command::new("gcc");
            command.args(["-shared", "-fPIC", "-o"]).arg(&target).arg(&source);
            assert!(command.status().unwrap().success());
        }
        6 => drop(std::fs::remove_file(desk.path(&format!("lib{dir}/liblate.so")))),
        7 | 8 => {
            let name = if kind == 7 { "CPATH" } else { "LIBRARY_PATH" };
            let below = if kind == 7 { dir.to_owned() } else { format!("lib{dir}") };
            let before = desk.variables.len();
            desk.variables.retain(|(known, _)| *known != name);
            if before == desk.variables.len() {
                let value = desk.path(&below).to_str().unwrap().to_owned();
                desk.variables.push((name, value));
            }
        }
        9 => drop(desk.script("bin/cc", &format!("exec /usr/bin/gcc -DSWAPPED={} \"$@\"", dice.below(3)))),
        10 => match dice.below(2) {
            0 => drop(desk.script(&format!("path{dir}/tool"), &format!("echo tool {}.0", dice.below(4)))),
            _ => drop(std::fs::remove_file(desk.path(&format!("path{dir}/tool")))),
        },
        _ => {}
    }
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
    let size = x.clone().yes().map(|bytes| bytes.to_string()).unwrap_or_default();
    vec![
        format!("{} {size}", x.word()),
        there.word().to_owned(),
        compiled.word().to_owned(),
        library.word().to_owned(),
        swapped.yes().unwrap_or_default(),
        tool.yes().map(|tool| tool.version).unwrap_or_default(),
    ]
}

fn edits(count: usize, seed: u64) {
    let mut desk = Desk::new();
    let mut dice = Dice(seed);
    let compiler = desk.script("bin/cc", "exec /usr/bin/gcc -DSWAPPED=0 \"$@\"");
    desk.compilers = vec![(Language::C, compiler)];
    let path = DIRS.map(|dir| desk.path(&format!("path{dir}")).display().to_string()).join(":");
    desk.variables = vec![("PATH", format!("{path}:/usr/bin:/bin"))];
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

#[test]
fn after_random_edits_no_remembered_answer_is_wrong() {
    edits(40, 0x9e37_79b9_7f4a_7c15);
}

#[test]
#[ignore = "takes minutes: a thousand edits"]
fn after_a_thousand_random_edits_no_remembered_answer_is_wrong() {
    edits(1000, 0x2545_f491_4f6c_dd1d);
}
