//! Logs and cards: what somebody sees who has to find out why it failed.

use super::*;

#[derive(Debug, Serialize, Deserialize)]
struct Needs;

impl Module for Needs {
    const NAME: &'static str = "needs";

    fn configure(cx: &Cx<'_>) -> Result<Needs, Failed> {
        cx.need(&Size::new("int"))?;
        cx.need(&Function::new("puts"))?;
        cx.need(&Header::new("stdio.h").compiled())?;
        let with = Settings::new()
            .lib("dijitso_none")
            .asked_by(crate::config::origin::Origin::OptionGiven("with-none".to_owned()));
        cx.need(&Function::new("none_at_all").with(&with))?;
        Ok(Needs)
    }
}

#[test]
fn a_card_tells_cause_command_origins_and_what_worked() {
    let place = Place::new();
    let failed = place.configure().with::<Needs>().run().unwrap_err();
    let card = failed.card();
    assert!(card.lines().count() <= 40, "{card}");
    for text in [
        "question  function none_at_all (C), with -ldijitso_none",
        "verdict   no",
        "cannot find -ldijitso_none",
        "-ldijitso_none (option --with-none)",
        "module    needs",
        "command   ",
        "worked    ",
        "install the library, or name its directory",
        "repeat    sh ",
    ] {
        assert!(card.contains(text), "{text} is missing in\n{card}");
    }
    let script = place.path("build/failure/command.sh");
    let output = std::process::Command::new("sh").arg(&script).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("dijitso_none"), "it repeats the failure");
    let error: crate::error::Error = failed.clone().into();
    assert!(error.report().contains("| question"), "{}", error.report());
}

#[derive(Debug, Serialize, Deserialize)]
struct Basic;

impl Module for Basic {
    const NAME: &'static str = "basic";

    fn configure(cx: &Cx<'_>) -> Result<Basic, Failed> {
        cx.need(&Header::new("stdio.h").compiled())?;
        cx.need(&Size::new("int"))?;
        cx.need(&Function::new("puts"))?;
        Ok(Basic)
    }
}

/// Answers what a compiler is asked about itself, and misbehaves where it should work.
fn misbehaving(when: &str, then: &str) -> String {
    format!(
        "case \" $* \" in *' -### '*|*-print-prog-name*|*' -v '*) exec /usr/bin/gcc \"$@\";; esac\n\
         case \" $* \" in {when}) {then};; esac\nexec /usr/bin/gcc \"$@\""
    )
}

#[test]
fn the_root_cause_of_ten_broken_toolchains_is_within_twenty_lines() {
    let compiles = "*' -c '*|*' -E '*";
    let links = "*' -o program '*";
    let broken: Vec<(&str, String, &str)> = vec![
        ("crashes", misbehaving(compiles, "kill -11 $$"), "signal 11"),
        ("hangs", misbehaving(compiles, "sleep 60"), "did not"),
        ("links nothing", misbehaving(links, "exit 0"), "wrote no file"),
        (
            "has no headers",
            misbehaving(
                compiles,
                "echo 'u0.c:1:10: fatal error: stdio.h: No such file or directory' >&2; exit 1",
            ),
            "stdio.h: No such file",
        ),
        (
            "has no licence",
            misbehaving(compiles, "echo 'Could not check out a license: FLEXlm error -15' >&2; exit 1"),
            "licence",
        ),
        (
            "has no space",
            misbehaving(compiles, "echo 'u0.c: fatal error: closing: No space left on device' >&2; exit 1"),
            "no space left",
        ),
        (
            "wraps nothing",
            misbehaving(
                compiles,
                "echo 'mpicc: the compiler behind this wrapper, icc, is not installed' >&2; exit 1",
            ),
            "icc, is not installed",
        ),
        ("is for another machine", "exec /usr/bin/gcc -m32 \"$@\"".to_owned(), "another kind of machine"),
    ];
    for (what, script, cause) in broken {
        let place = Place::new();
        let failed = place.with_cc(&script).with::<Basic>().run().expect_err(what);
        let card = failed.card().to_owned();
        let top: Vec<&str> = card.lines().take(20).collect();
        assert!(top.iter().any(|line| line.contains(cause)), "{what}: {cause} is not in\n{card}");
        assert!(card.lines().count() <= 40, "{what}: {card}");
        assert!(card.contains("| try "), "{what}: {card}");
        assert_eq!(failed.kind(), FailureKind::Unknown, "{what}: {card}");
    }
    for (compiler, cause) in [("/no/such/cc", "does not exist"), ("/etc/passwd", "not executable")] {
        let place = Place::new();
        let failed =
            place.configure().with::<Basic>().arguments([format!("CC={compiler}")]).run().unwrap_err();
        let card = failed.card();
        assert!(card.lines().take(20).any(|line| line.contains(cause) && line.contains(compiler)), "{card}");
    }
}

#[test]
fn a_disk_that_is_full_is_the_root_cause_within_twenty_lines() {
    let place = Place::new();
    let small = place.dir.join("small");
    std::fs::create_dir(&small).unwrap();
    let script = "mount -t tmpfs -o size=64k,mode=700 dijitso-test \"$1\" && export TMPDIR=\"$1\" && shift && exec \"$@\"";
    let mut alone = std::process::Command::new("unshare");
    let privileges = if rustix::process::geteuid().is_root() { "-m" } else { "-Urm" };
    alone.args([privileges, "sh", "-c", script, "sh"]).arg(&small).arg(std::env::current_exe().unwrap());
    alone.args(["--exact", "configure::tests::diagnosis::on_a_full_disk", "--ignored"]);
    let output = alone.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{errors}");
}

#[derive(Debug, Serialize, Deserialize)]
struct Large;

impl Module for Large {
    const NAME: &'static str = "Large";

    fn configure(cx: &Cx<'_>) -> Result<Large, Failed> {
        // Its object alone is larger than what is free.
        let text = "char large[1 << 20] = { 1 };\n";
        cx.need(&crate::probe::Compile::new(crate::probe::Language::C, text)).map(|_| Large)
    }
}

/// In a process of its own, whose `TMPDIR` is a file system of 64 KiB.
#[test]
#[ignore = "run by the test above"]
fn on_a_full_disk() {
    let small = std::env::temp_dir();
    // The cache lies there, too: nowhere else is room.
    let probes = crate::probe::Probes::builder().cache_dir(small.join("cache")).without_environment_flags();
    let failed = Configure::new("Test").probes(probes).with::<Large>().run().unwrap_err();
    let card = failed.card();
    assert_eq!(failed.kind(), FailureKind::Unknown, "{card}");
    let mut top = card.lines().take(20);
    assert!(top.any(|line| line.contains("no space left") || line.contains("No space left")), "{card}");
}

const TOKEN: Opt<String> =
    Opt::text("with-token", "", "*", "for a download").variable("DEMO_DOWNLOAD").secret();

#[derive(Debug, Serialize, Deserialize)]
struct Secretive;

impl Module for Secretive {
    const NAME: &'static str = "secretive";

    fn options(options: &mut Options) {
        options.add(&TOKEN);
    }

    fn configure(cx: &Cx<'_>) -> Result<Secretive, Failed> {
        let token = cx.get(&TOKEN)?;
        cx.note(format!("downloads with {token}"));
        let define = Settings::new().define("TOKEN", &token);
        cx.need(&crate::probe::Compile::new(Language::C, format!("#error {token}\n")).with(&define))?;
        Ok(Secretive)
    }
}

/// From the environment, where one source overrules another, and where a variable only sounds secret.
#[test]
fn secrets_of_the_environment_are_nowhere() {
    const SELF: &str = "configure::tests::diagnosis::secrets_of_the_environment_are_nowhere";
    if let Some(dir) = crate::config::env::named("DIJITSO_TEST_CHILD") {
        let place = Place::of(dir.into());
        let arguments = ["--with-token=winning-value"];
        let ok =
            place.configure().with::<Types>().optional::<Secretive>().arguments(arguments).run().unwrap();
        ok.write_reconfigure(place.path("build/reconfigure")).unwrap();
        place.write("said", &[ok.dump(), ok.log().to_owned(), ok.events().to_owned(), ok.summary()].concat());
        let failed = place.configure().with::<Secretive>().arguments(arguments).run().unwrap_err();
        place.write("card", &format!("{failed}\n{}", failed.card()));
        return;
    }
    let place = Place::new();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", SELF, "--nocapture"])
        .env("DIJITSO_TEST_CHILD", place.path(""))
        // The option's own variable, which the argument overrules; and the compiler's words have what sounds secret.
        .envs([
            ("DEMO_DOWNLOAD", "overruled-value"),
            ("MY_API_KEY", "guessed-value"),
            ("CPATH", "/guessed-value"),
        ])
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let mut seen = String::new();
    let mut look = vec![place.path("build"), place.path("card"), place.path("said")];
    while let Some(path) = look.pop() {
        if path.is_dir() {
            look.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for value in ["winning-value", "overruled-value", "guessed-value"] {
            assert!(!text.contains(value), "{}: {text}", path.display());
        }
        seen.push_str(&format!("{}\n", path.display()));
    }
    for name in ["configure.log", "configure.events", "configure.json", "failure/command.sh", "reconfigure"] {
        assert!(seen.contains(name), "{seen}");
    }
}

#[test]
fn secrets_are_in_no_log_no_card_and_no_record() {
    let place = Place::new();
    let failed =
        place.configure().with::<Secretive>().arguments(["--with-token=hunter2secret"]).run().unwrap_err();
    assert!(failed.card().contains("(secret)"), "{}", failed.card());
    let mut texts = vec![failed.card().to_owned()];
    texts.push(failed.to_string());
    for name in
        ["configure.log", "configure.events", "failure/command.sh", "failure/u0.c", "failure/error.log"]
    {
        texts.push(place.read(&format!("build/{name}")));
    }
    for text in &texts {
        assert!(!text.contains("hunter2secret"), "{text}");
    }
    let ok =
        place.configure().with::<Types>().optional::<Secretive>().arguments(["--with-token=hunter2secret"]);
    let ok = ok.run().unwrap();
    for text in [ok.dump(), ok.log().to_owned(), ok.events().to_owned(), ok.summary()] {
        assert!(!text.contains("hunter2secret"), "{text}");
    }
}
