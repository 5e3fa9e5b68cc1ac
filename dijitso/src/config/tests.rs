use super::*;

fn resolve(builder: Params, env: &[(&'static str, &str)]) -> Result<Config> {
    let mut all = vec![("HOME", "/nonexistent/home")];
    all.extend_from_slice(env);
    Config::resolve_in(builder, &Environment::of(&all))
}

fn config_file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path.display().to_string())
}

fn with_build(build: BuildParams) -> Params {
    Params { build, ..Params::default() }
}

#[test]
fn program_beats_environment_beats_file_beats_default() {
    let (_dir, path) = config_file("[build]\ntimeout = 3\n");
    let builder = with_build(BuildParams { timeout: Some(Duration::from_secs(1)), ..BuildParams::default() });
    let env = [("DIJITSO_TIMEOUT", "2"), ("DIJITSO_CONFIG", path.as_str())];
    let seconds = |config: &Config| config.build.timeout.value.as_secs();

    let all = resolve(builder, &env).unwrap();
    assert_eq!((seconds(&all), &all.build.timeout.origin), (1, &Origin::Builder));
    let two = resolve(Params::default(), &env).unwrap();
    assert_eq!((seconds(&two), &two.build.timeout.origin), (2, &env::environment("DIJITSO_TIMEOUT")));
    let one = resolve(Params::default(), &env[1..]).unwrap();
    assert_eq!(seconds(&one), 3);
    assert!(one.build.timeout.origin.to_string().contains("config.toml, line 2"));
    let none = resolve(Params::default(), &[]).unwrap();
    assert_eq!((seconds(&none), &none.build.timeout.origin), (600, &Origin::Default));
}

#[test]
fn flags_of_all_sources_add_up_with_the_programs_last() {
    let (_dir, path) = config_file("[build]\ncxxflags = [\"-O1\"]\ninclude_dirs = [\"/file\"]\n");
    let builder = with_build(BuildParams {
        cxxflags: vec!["-O3".into()],
        include_dirs: vec!["/program".into()],
        ..BuildParams::default()
    });
    let config = resolve(builder, &[("CXXFLAGS", "-O2 -g"), ("DIJITSO_CONFIG", &path)]).unwrap();
    let flags: Vec<_> = config.build.cxxflags.iter().map(|flag| flag.text.as_str()).collect();
    assert_eq!(flags, ["-O1", "-O2", "-g", "-O3"]);
    assert_eq!(config.build.cxxflags[1].origin, env::environment("CXXFLAGS"));
    let dirs: Vec<_> = config.build.include_dirs.iter().map(|dir| dir.value.to_str().unwrap()).collect();
    assert_eq!(dirs, ["/program", "/file"], "what is nearer to the program is searched first");
}

#[test]
fn relative_directories_are_the_programs_right_only() {
    let builder = with_build(BuildParams { include_dirs: vec!["inc".into()], ..BuildParams::default() });
    let config = resolve(builder, &[]).unwrap();
    assert!(config.build.include_dirs[0].value.is_absolute());
    let (_dir, path) = config_file("[build]\nlib_dirs = [\"lib\"]\n");
    let error = resolve(Params::default(), &[("DIJITSO_CONFIG", &path)]).unwrap_err().to_string();
    assert!(error.contains("`lib_dirs` must be an absolute path") && error.contains("line 2"), "{error}");
}

#[test]
fn values_that_make_no_sense_are_refused_whoever_set_them() {
    let refused = |build: BuildParams| resolve(with_build(build), &[]).unwrap_err().to_string();
    let zero = BuildParams { timeout: Some(Duration::ZERO), ..BuildParams::default() };
    assert!(refused(zero).contains("longer than 0 s"));
    let jobs = BuildParams { jobs: Some(0), ..BuildParams::default() };
    assert!(refused(jobs).contains("at least 1"));
    let cxx = BuildParams { cxx: Some(vec![]), ..BuildParams::default() };
    assert!(refused(cxx).contains("names no program"));
    let std = BuildParams { std: Some("c++20 -DX".into()), ..BuildParams::default() };
    assert!(refused(std).contains("language standard"));
    let cpu = BuildParams { cpu: Some(Cpu::Named("-O2".into())), ..BuildParams::default() };
    assert!(refused(cpu).contains("native"));
    let nul = BuildParams { cxxflags: vec!["-D\0".into()], ..BuildParams::default() };
    assert!(refused(nul).contains("cannot be given"));
    assert!(resolve(Params::default(), &[("CXX", "''")]).unwrap_err().to_string().contains("CXX"));
}

#[test]
fn what_compilers_read_is_kept_as_it_is() {
    let config = resolve(Params::default(), &[("CPATH", ""), ("LIBRARY_PATH", "/l")]).unwrap();
    let set: Vec<_> = config.compiler_env.iter().map(|(k, v)| (*k, v.to_str().unwrap())).collect();
    assert_eq!(set, [("CPATH", ""), ("LIBRARY_PATH", "/l")]);
}
