//! Several languages in one question, and Fortran.

use super::*;

#[test]
fn languages_are_mixed_by_value_and_any_of_them_links() {
    let desk = Desk::new();
    let probes = desk.probes();
    let c = "double twice(double); int main(void) { return twice(2.0) == 4.0 ? 0 : 1; }\n";
    let cxx = "#include <vector>\nextern \"C\" double twice(double x) { std::vector<double> v(2, x); return v[0] + v.at(1); }\n";
    let (by_c, by_cxx) = probes.ask_all((
        Link::new(Language::C, c).unit(Language::Cxx, cxx),
        Run::new(Language::C, c).unit(Language::Cxx, cxx).linked_by(Language::Cxx),
    ));
    assert!(by_cxx.is_yes(), "{}", reason(&by_cxx));
    assert!(by_c.is_no(), "the C driver links no C++ library");
    // The answer to what is missing, as a setting of the same question.
    let with = Settings::new().lib("stdc++");
    let by_c = probes.ask(&Run::new(Language::C, c).unit(Language::Cxx, cxx).with(&with));
    assert!(by_c.is_yes(), "{}", reason(&by_c));
}

#[test]
fn fortran_is_asked_as_c_is() {
    let desk = Desk::new();
    let probes = desk.probes();
    let f = Language::Fortran;
    let (double, int, kind, flag, ran, naming) = probes.ask_all((
        Size::new("double precision").in_language(f),
        Size::new("integer(8)").in_language(f),
        Size::new("real(kind=real128)").after("use, intrinsic :: iso_fortran_env").in_language(f),
        CompilerFlag::new("-fimplicit-none").in_language(f),
        Run::new(f, "program p\nprint '(a)', 'yes'\nend program\n"),
        Mangling::new(),
    ));
    assert_eq!(double.clone().yes(), Some(8), "{}", reason(&double));
    assert_eq!((int.yes(), kind.clone().yes()), (Some(8), Some(16)), "{}", reason(&kind));
    assert!(flag.is_yes(), "{}", reason(&flag));
    assert_eq!(ran.clone().yes().map(|ran| ran.stdout).as_deref(), Some("yes\n"), "{}", reason(&ran));
    assert_eq!(naming.clone().yes(), Some(Naming::Underscore), "{}", reason(&naming));
    let openmp = || CompilerFlag::new("-fopenmp").in_language(f);
    let (effect, without) = probes.ask_all((openmp().defines("_OPENMP"), openmp().defines("_DIJITSO_NONE")));
    assert!(effect.is_yes(), "{}", reason(&effect));
    assert!(without.is_no(), "it is accepted, and has no such effect");
    let (wrong, none, call) = probes.ask_all((
        Size::new("real(99)").in_language(f),
        CompilerFlag::new("-fdijitso-none").in_language(f),
        Function::new("dijitso_none").in_language(f),
    ));
    assert!(wrong.is_no() && none.is_no() && call.is_no(), "{wrong:?} {none:?} {call:?}");
}

#[test]
fn a_c_program_calls_fortran_and_fortran_links() {
    let desk = Desk::new();
    let probes = desk.probes();
    let c = "void f_(double *); int main(void) { double x = 2; f_(&x); return x == 4 ? 0 : 1; }\n";
    let f = "subroutine f(x)\ndouble precision x\nx = 2*x\nend subroutine\n";
    let mixed = Run::new(Language::C, c).unit(Language::Fortran, f).linked_by(Language::Fortran);
    let verdict = probes.ask(&mixed);
    assert!(verdict.is_yes(), "{}", reason(&verdict));
}

#[test]
fn a_fortran_module_that_is_installed_later_is_noticed() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("modules")).unwrap();
    let text = "program p\nuse later\nend program\n";
    let question =
        || Compile::new(Language::Fortran, text).with(&Settings::new().include_dir(desk.path("modules")));
    assert!(desk.probes().ask(&question()).is_no());
    let probes = desk.probes();
    assert!(probes.ask(&question()).is_no());
    assert_eq!(probes.stats().processes, 0, "the No is remembered");
    let source = desk.write("later.f90", "module later\nend module\n");
    let status = std::process::Command::new("gfortran")
        .current_dir(desk.path("modules"))
        .arg("-fsyntax-only")
        .arg(&source)
        .status()
        .unwrap();
    assert!(status.success() && desk.path("modules/later.mod").exists());
    let verdict = desk.probes().ask(&question());
    assert!(verdict.is_yes(), "{}", reason(&verdict));
}
