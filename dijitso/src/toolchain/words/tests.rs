use super::*;
use crate::config::origin::Origin;

fn parse(words: &[&str]) -> Result<Vec<Flag>> {
    checked(words.iter().map(|word| Flag::new(*word, Origin::Environment("CXXFLAGS".into()))))
}

fn line(words: &[&str]) -> String {
    parse(words).unwrap().into_iter().map(|flag| flag.text).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_flag_keeps_its_word() {
    let flags = parse(&["-D", "X=1", "-Xclang", "-c", "-O2", "-isystem", "/a"]).unwrap();
    assert_eq!(grouped(&flags).map(|group| group.0.len()).collect::<Vec<_>>(), [2, 2, 1, 2]);
}

#[test]
fn flags_that_would_break_the_build_are_refused_with_their_origin() {
    for word in ["-c", "-ox", "-o", "-E", "@flags", "-xc", "-Wp,-MMD,x.d", "-", "O2", "-save-temps=obj", "-I"]
    {
        let error = parse(&["-O2", word]).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("CXXFLAGS"), "{error}");
    }
    assert_eq!(line(&["-shared", "-O1", "-pie", "-MMD"]), "-O1");
}

#[test]
fn relative_paths_become_absolute() {
    let here = std::env::current_dir().unwrap().display().to_string();
    assert_eq!(
        line(&["-Iinc", "-L", "lib", "-I/abs", "-isystem", "x"]),
        format!("-I{here}/inc -L {here}/lib -I/abs -isystem {here}/x")
    );
    assert_eq!(line(&["--sysroot=root", "liba.a"]), format!("--sysroot={here}/root {here}/liba.a"));
    assert_eq!(
        line(&["-include", "config.h", "-I=/inc", "-iquote."]),
        format!("-include config.h -I=/inc -iquote{here}")
    );
}

#[test]
fn the_link_gets_what_it_needs_and_never_fast_math() {
    let flags = |word| parse(&[word]).unwrap();
    let of = |word| Group(flags(word).leak());
    for word in [
        "-fopenmp",
        "-fsanitize=address",
        "-flto=auto",
        "-m64",
        "-pthread",
        "-stdlib=libc++",
        "-static-libgcc",
    ] {
        assert!(of(word).is_for_link(), "{word}");
    }
    for word in ["-O2", "-march=skylake", "-Wall", "-ffast-math", "-g", "-fno-exceptions"] {
        assert!(!of(word).is_for_link(), "{word}");
    }
    assert!(of("-fopenmp").needs_driver() && of("-flto").needs_driver());
    assert!(
        !of("-lm").needs_driver()
            && !of("-fuse-ld=lld").needs_driver()
            && !of("-Wl,-rpath,/x").needs_driver()
    );
    assert!(of("-Ofast").is_unsafe_at_link() && of("-ffast-math").is_unsafe_at_link());
    assert_eq!(of("-fplugin=/x.so").files()[0], Path::new("/x.so"));
    assert_eq!(of("-B/tools").files()[0], Path::new("/tools/as"));
    assert_eq!(of("-O2").files(), Vec::<PathBuf>::new());
}
