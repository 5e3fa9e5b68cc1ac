//! Packages that are built: each kind of build system, and what goes wrong on the way.

use super::*;

/// A tarball with these files in a directory `small-1.0`, and its digest.
pub(super) fn tarball(place: &Place, files: &[(&str, &str, u32)]) -> (PathBuf, String) {
    let path = place.path("small-1.0.tar.gz");
    let file = std::fs::File::create(&path).unwrap();
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
    for (name, text, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(*mode);
        header.set_cksum();
        tar.append_data(&mut header, format!("small-1.0/{name}"), text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    let digest = crate::signature::digest(&std::fs::read(&path).unwrap());
    (path, digest.to_hex())
}

/// Shaped as those of Autotools; a file beside the tarball makes it fail, or kills who builds it.
const CONFIGURE: &str = r#"#!/bin/sh
for word; do case $word in
  --prefix=*) prefix=${word#*=};;
  CC=*) cc=${word#*=};;
  --fail) echo 'configure: error: as told' >&2; exit 1;;
esac; done
root=../../..
echo "configured" >> $root/times
kill_once() { echo "test ! -e $root/../../../kill-$1 || test -e $root/$1 || { touch $root/$1; $2 kill -9 \$\$(cut -d' ' -f4 /proc/\$\$PPID/stat); $3; }"; }
if test -e $root/../../../kill-configure && test ! -e $root/killed; then
  echo 'half' > Makefile; touch $root/killed; kill -9 $PPID; exit 1
fi
cat > Makefile <<END
all: libsmall.so
libsmall.so: small.c
	@test ! -e $root/../../../make-fails || { echo make-fails is there; exit 1; }
	@$(kill_once make 'echo half > libsmall.so;' "until test -e $root/../../../go-make; do sleep 0.01; done; exit 1")
	$cc \$(CFLAGS) -shared -fPIC -o libsmall.so small.c
install:
	mkdir -p \$(DESTDIR)$prefix/lib \$(DESTDIR)$prefix/include
	@$(kill_once install "echo half > $prefix/lib/libsmall.so;" "until test -e $root/../../../go-install; do sleep 0.01; done; echo late > $prefix/lib/libsmall.so; exit 1")
	cp libsmall.so \$(DESTDIR)$prefix/lib
	cp small.h \$(DESTDIR)$prefix/include
END
"#;

#[derive(Debug, Serialize, Deserialize)]
struct Small {
    settings: Settings,
}

impl Module for Small {
    const NAME: &'static str = "packages.small";

    fn configure(cx: &Cx<'_>) -> Result<Small, Failed> {
        let recipe = cx.provided::<Recipe>()?;
        let settings = cx.build(&recipe)?.lib("small");
        cx.need(&Function::new("small").after("small.h").with(&settings))?;
        Ok(Small { settings })
    }
}

impl Place {
    /// Of the only package that is built.
    fn root(&self) -> PathBuf {
        let mut all = self.roots();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn read_root(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.root().join(name)).unwrap()
    }

    fn roots(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("build/packages")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn autotools(place: &Place) -> (PathBuf, String) {
    tarball(
        place,
        &[
            ("configure", CONFIGURE, 0o755),
            ("small.c", "int small(void) { return 1; }\n", 0o644),
            ("small.h", "int small(void);\n", 0o644),
        ],
    )
}

#[test]
fn a_package_is_built_once_from_its_tarball_and_then_tested() {
    let place = Place::new();
    let (path, sha256) = autotools(&place);
    let recipe = Recipe::new("small", path.to_str().unwrap(), sha256, BuildWith::Autotools);
    let run = |recipe: &Recipe| place.configure().provide(recipe.clone()).with::<Small>().run();
    let first = run(&recipe).unwrap();
    assert!(first.get::<Small>().unwrap().settings.to_string().contains("-lsmall"));
    let second = run(&recipe).unwrap();
    assert_eq!(second.probes().unwrap().stats().processes, 0, "neither built nor asked again");
    // Another argument is another prefix.
    run(&recipe.clone().argument("--other")).unwrap();
    assert_eq!(place.roots().len(), 2);
    // And so is another compiler, by its contents and not by its name.
    let with_cc = |script: &str| {
        let cc = place.script("bin/cc", script);
        let probes = Probes::builder().cache_dir(place.path("cache")).without_environment_flags();
        let probes = probes.compiler(Language::C, cc).compiler(Language::Cxx, "g++");
        let configure = Configure::new("Demo").probes(probes).dir(place.path("build"));
        configure.provide(recipe.clone()).with::<Small>().run().unwrap();
        place.roots().len()
    };
    assert_eq!(with_cc("exec gcc \"$@\""), 3);
    assert_eq!(with_cc("exec gcc \"$@\""), 3);
    assert_eq!(with_cc("exec gcc -O1 \"$@\""), 4);
}

#[test]
fn a_tarball_with_another_digest_is_refused_before_anything_of_it_runs() {
    let place = Place::new();
    let (path, _) = autotools(&place);
    let recipe = Recipe::new("small", path.to_str().unwrap(), "00".repeat(32), BuildWith::Autotools);
    let failed = place.configure().provide(recipe).with::<Small>().run().unwrap_err().to_string();
    assert!(failed.contains("must have 0000") && failed.contains("not what the recipe means"), "{failed}");
    let short = Recipe::new("small", path.to_str().unwrap(), "00", BuildWith::Autotools);
    let failed = place.configure().provide(short).with::<Small>().run().unwrap_err().to_string();
    assert!(failed.contains("not of 64 digits"), "{failed}");
    let cut = std::fs::read(&path).unwrap();
    std::fs::write(&path, &cut[..cut.len() / 2]).unwrap();
    let digest = crate::signature::digest(&cut[..cut.len() / 2]).to_hex();
    let recipe = Recipe::new("small", path.to_str().unwrap(), digest, BuildWith::Autotools);
    let failed = place.configure().provide(recipe.clone()).with::<Small>().run().unwrap_err().to_string();
    assert!(failed.contains("it is cut off or damaged"), "{failed}");
    let probes = Probes::builder().cache_dir(place.path("cache")).compiler(Language::C, "gcc");
    let nowhere = Configure::new("Demo").probes(probes.without_environment_flags());
    let failed = nowhere.provide(recipe).with::<Small>().run().unwrap_err().to_string();
    assert!(failed.contains("nobody says where; name a directory with `Configure::dir`"), "{failed}");
}

#[test]
fn a_build_that_fails_shows_its_last_words_and_goes_on_where_it_failed() {
    let place = Place::new();
    let (path, sha256) = autotools(&place);
    let recipe = Recipe::new("small", path.to_str().unwrap(), sha256, BuildWith::Autotools);
    let failing = recipe.clone().argument("--fail");
    let failed = place.configure().provide(failing).with::<Small>().run().unwrap_err().to_string();
    assert!(failed.contains("configure: error: as told") && failed.contains("build.log"), "{failed}");
    assert!(failed.contains("goes on where this one failed"), "{failed}");
    let root = place.root();
    assert!(std::fs::read_to_string(root.join("build.log")).unwrap().contains("as told"), "the log stays");
    std::fs::remove_dir_all(&root).unwrap();
    // `make` fails as long as a directory is in its way.
    let run = || place.configure().provide(recipe.clone()).with::<Small>().run();
    place.write("make-fails", "");
    let failed = run().unwrap_err().to_string();
    assert!(failed.contains("make-fails is there"), "{failed}");
    std::fs::remove_file(place.path("make-fails")).unwrap();
    run().unwrap();
    let root = place.root();
    assert_eq!(std::fs::read_to_string(root.join("times")).unwrap().lines().count(), 1, "configured once");
    assert!(root.join("prefix/lib/libsmall.so").exists());
    // What is installed is believed only with the mark, and then installed anew.
    std::fs::remove_file(root.join("prefix/.dijitso-installed")).unwrap();
    std::fs::write(root.join("prefix/lib/libsmall.so"), "half").unwrap();
    run().unwrap();
    assert!(std::fs::metadata(root.join("prefix/lib/libsmall.so")).unwrap().len() > 1000);
    assert_eq!(std::fs::read_to_string(root.join("times")).unwrap().lines().count(), 1, "not built again");
}

#[test]
fn a_package_of_cmake_is_configured_with_our_compilers_and_prefix() {
    let place = Place::new();
    let source = format!(
        "#if __has_include(\"{}\")\n#error it must not be built yet\n#endif\nint small(void) {{ return 1; }}\n",
        place.path("make-fails").display()
    );
    let files = [
        (
            "CMakeLists.txt",
            "cmake_minimum_required(VERSION 3.5)\nproject(small C)\nfile(APPEND ${CMAKE_SOURCE_DIR}/../../../times configured)\n\
                            add_library(small SHARED small.c)\n\
                            install(TARGETS small DESTINATION lib)\ninstall(FILES small.h DESTINATION include)\n",
            0o644,
        ),
        ("small.c", &source, 0o644),
        ("small.h", "int small(void);\n", 0o644),
    ];
    let (path, sha256) = tarball(&place, &files);
    let recipe = Recipe::new("small", path.to_str().unwrap(), sha256, BuildWith::CMake);
    let run = || place.configure().provide(recipe.clone()).with::<Small>().run();
    // The first build fails in its compiler.
    place.write("make-fails", "");
    let outcome = run();
    if there("cmake") {
        let failed = outcome.unwrap_err().to_string();
        assert!(failed.contains("it must not be built yet"), "{failed}");
        std::fs::remove_file(place.path("make-fails")).unwrap();
        let first = run().unwrap();
        assert_eq!(place.read_root("times"), b"configured", "it goes on where it failed");
        assert!(first.get::<Small>().is_some());
        assert!(place.root().join("prefix/include/small.h").exists());
        let log = std::fs::read_to_string(place.root().join("build.log")).unwrap();
        assert!(log.contains("CMAKE_C_COMPILER=gcc") && log.contains("--install"), "{log}");
    } else {
        let failed = outcome.unwrap_err().to_string();
        assert!(failed.contains("cmake is needed and not found on PATH"), "{failed}");
    }
}

/// Where this test runs as a program that is killed.
const CHILD: &str = "DIJITSO_PACKAGE_CHILD";

/// Configures in a program of its own, which is the same test with the variable.
fn child(place: &Place, test: &str) -> std::process::Child {
    child_command(place, test).spawn().unwrap()
}

fn child_command(place: &Place, test: &str) -> std::process::Command {
    let told = place.path("").into_os_string();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let name = format!("configure::tests::packages_build::{test}");
    command.args(["--exact", &name, "--nocapture"]).env(CHILD, told);
    // A package sees none of what is in no key.
    command.env("CFLAGS", "--no-such-flag").env("DESTDIR", "/proc/no/such").env("MAKEFLAGS", "-n");
    command.env_remove("http_proxy").env_remove("all_proxy").env_remove("ALL_PROXY");
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command
}

/// Whether this is such a program; then it does its work.
fn is_child() -> bool {
    let Some(dir) = crate::config::env::named(CHILD) else { return false };
    let place = Place::of(dir.into());
    let path = place.path("small-1.0.tar.gz");
    let sha256 = crate::signature::digest(&std::fs::read(&path).unwrap()).to_hex();
    let location = std::fs::read_to_string(place.path("location"));
    let location = location.unwrap_or_else(|_| path.to_str().unwrap().to_owned());
    let recipe = Recipe::new("small", location, sha256, BuildWith::Autotools);
    let mut configure = place.configure();
    if let Ok(compiler) = std::fs::read_to_string(place.path("compiler")) {
        let probes = Probes::builder().cache_dir(place.path("cache")).without_environment_flags();
        let probes = probes.compiler(Language::C, compiler).compiler(Language::Cxx, "g++");
        configure = Configure::new("Demo").probes(probes).dir(place.path("build"));
    }
    if let Err(failed) = configure.provide(recipe).with::<Small>().run() {
        place.write("failed", &failed.to_string());
        panic!("{failed}");
    }
    true
}

#[test]
fn a_build_that_is_killed_at_any_step_is_resumed_and_nothing_half_is_believed() {
    use std::os::unix::process::ExitStatusExt as _;
    if is_child() {
        return;
    }
    let place = Place::new();
    let (path, sha256) = autotools(&place);
    let recipe = Recipe::new("small", path.to_str().unwrap(), sha256, BuildWith::Autotools);
    let test = "a_build_that_is_killed_at_any_step_is_resumed_and_nothing_half_is_believed";
    let fs = crate::fs::Fs::new(Default::default());
    for step in ["configure", "make", "install"] {
        place.write(&format!("kill-{step}"), "");
        let status = child(&place, test).wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{step}: {status}");
        assert!(!place.root().join("prefix/.dijitso-installed").exists(), "{step}");
        if step == "make" {
            // What builds for the one that was killed goes on, and nobody else builds there before it has ended.
            assert!(crate::cache::Lock::try_new(&fs, &place.root().join("lock")).is_none());
            place.write("go-make", "");
        }
    }
    assert_eq!(place.read_root("prefix/lib/libsmall.so"), b"half\n");
    assert!(crate::cache::Lock::try_new(&fs, &place.root().join("lock")).is_none());
    place.write("go-install", "");
    place.configure().provide(recipe).with::<Small>().run().unwrap();
    assert!(place.read_root("prefix/lib/libsmall.so").len() > 1000);
    // Only what was killed is done anew: `configure` in another tree, `make` from what was configured.
    assert_eq!(place.read_root("times"), b"configured\n".repeat(2));
    assert!(!place.root().join("tree-0").exists() && place.root().join("tree-1").exists());
    assert!(!place.root().join("tree-1/saved").exists());
}

#[test]
fn of_two_processes_one_builds_and_the_other_waits() {
    if is_child() {
        return;
    }
    let place = Place::new();
    autotools(&place);
    let test = "of_two_processes_one_builds_and_the_other_waits";
    let children: Vec<_> = (0..3).map(|_| child(&place, test)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(place.read_root("times"), b"configured\n");
}

/// Serves these one after the other, the last one for ever; says how often somebody asked.
fn server(bodies: Vec<Vec<u8>>) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/small-1.0.tar.gz", listener.local_addr().unwrap());
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                request.push(byte[0]);
            }
            let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let body = &bodies[n.min(bodies.len() - 1)];
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
        }
    });
    (url, asked)
}

#[test]
fn a_tarball_is_fetched_from_a_url_until_it_is_the_right_one_and_then_kept() {
    if is_child() || !there("curl") {
        return;
    }
    let place = Place::new();
    let (path, _) = autotools(&place);
    let (url, asked) = server(vec![b"another file".to_vec(), std::fs::read(path).unwrap()]);
    place.write("location", &url);
    let test = "a_tarball_is_fetched_from_a_url_until_it_is_the_right_one_and_then_kept";
    let run = || child(&place, test).wait().unwrap().success();
    assert!(!run(), "it is another one");
    assert!(!place.root().join("prefix").exists() && !place.root().join("tarball").exists());
    assert!(run());
    std::fs::remove_dir_all(place.root().join("prefix")).unwrap();
    std::fs::remove_dir_all(place.root().join("tree-0")).unwrap();
    assert!(run());
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[test]
fn the_log_of_a_build_is_written_while_it_runs_and_without_secrets() {
    use std::os::unix::process::ExitStatusExt as _;
    if is_child() {
        return;
    }
    let place = Place::new();
    // Kills who builds it once its words are in the log, and never if they are not.
    let configure = "#!/bin/sh\necho \"the token is $DEMO_TOKEN\"; n=0\n\
        until grep -q 'the token is' ../../../build.log; do sleep 0.01; n=$((n+1)); test $n -lt 3000 || exit 1; done\n\
        test -e ../../../../../../fails && exit 1\nkill -9 $PPID; exit 1\n";
    tarball(&place, &[("configure", configure, 0o755)]);
    let test = "the_log_of_a_build_is_written_while_it_runs_and_without_secrets";
    let run =
        || child_command(&place, test).env("DEMO_TOKEN", "hidden-token").spawn().unwrap().wait().unwrap();
    assert_eq!(run().signal(), Some(9));
    let log = String::from_utf8(place.read_root("build.log")).unwrap();
    assert!(log.contains("the token is (secret)\n") && !log.contains("hidden-token"), "{log}");
    place.write("fails", "");
    assert_eq!(run().code(), Some(101), "it fails by itself");
    let failed = place.read("failed");
    assert!(failed.contains("the token is (secret)") && !failed.contains("hidden-token"), "{failed}");
}

#[test]
fn a_compiler_that_is_named_by_a_relative_path_builds_packages_in_other_directories() {
    if is_child() {
        return;
    }
    let place = Place::new();
    let (path, _) = autotools(&place);
    place.script("cc", "exec gcc \"$@\"");
    place.write("compiler", "./cc");
    let test = "a_compiler_that_is_named_by_a_relative_path_builds_packages_in_other_directories";
    let status = child_command(&place, test).current_dir(path.parent().unwrap()).status().unwrap();
    assert!(status.success());
    let log = String::from_utf8(place.read_root("build.log")).unwrap();
    assert!(log.contains(&format!("CC={}", place.path("cc").display())), "{log}");
}
