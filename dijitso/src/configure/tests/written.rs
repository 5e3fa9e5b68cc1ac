//! What is written is read back by whoever reads it: make, a shell, pkg-config, cargo, rustc.

use super::*;

#[test]
fn a_flag_of_the_user_that_a_module_contradicts_is_told_with_both_origins() {
    #[derive(Serialize, Deserialize)]
    struct Modern;
    impl Module for Modern {
        const NAME: &'static str = "modern";
        fn configure(cx: &Cx<'_>) -> Result<Modern, Failed> {
            cx.need(&Size::new("int").in_language(Language::Cxx))?;
            cx.flag(Language::Cxx, Stage::Compile, "-std=c++20");
            cx.flag(Language::Cxx, Stage::Compile, "-DSAME=1");
            Ok(Modern)
        }
    }
    let place = Place::new();
    let arguments = ["CXXFLAGS=-std=c++17 -DSAME"];
    let summary = place.configure().with::<Modern>().arguments(arguments).run().unwrap().summary();
    let told =
        summary.lines().find(|line| line.contains("contradict")).unwrap_or_else(|| panic!("{summary}"));
    assert!(told.contains("`-std=c++17` (from option --with-cxxflags)"), "{told}");
    assert!(told.contains("`-std=c++20` (from module modern at") && told.contains("written.rs:"), "{told}");
    assert!(!summary.contains("SAME`"), "{summary}");
}
