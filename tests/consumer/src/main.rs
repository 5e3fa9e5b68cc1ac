//! Prints what the kernels compute: with `jit` as they are compiled now, else as `build.rs` compiled them.

fn main() {
    let prebuilt = std::env::args().nth(1).is_none_or(|word| word != "jit");
    let jit = consumer::jit(prebuilt).unwrap_or_else(|error| panic!("{}", error.report()));
    for line in consumer::values(&jit) {
        println!("{line}");
    }
    let stats = jit.stats();
    println!("compiled {} processes {} opened {}", stats.compiled, stats.processes, stats.opens);
}
