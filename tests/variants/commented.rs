//! The same program with comments and blank lines; see `run.rs`.

mod run;

mod kernels {
    use dijitso::Source;
    use dijitso_tests::kernels::Number;

    // A comment above the generator.

    /// And documentation.
    #[dijitso::kernel]
    pub(crate) fn edited(n: i32) -> Source<Number> {
        let text = format!("int edited() {{ return {}; }}", helper(n));

        // A comment inside.
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(text) }
    }

    fn helper(n: i32) -> i32 {
        n
    }
}

fn main() {
    run::main(&kernels::edited(7));
}
