//! The program with another generator; see `run.rs`.

mod run;

mod kernels {
    use dijitso::Source;
    use dijitso_tests::kernels::Number;

    #[dijitso::kernel]
    pub(crate) fn edited(n: i32) -> Source<Number> {
        let text = format!("int edited() {{ return {} + 1; }}", helper(n));
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
