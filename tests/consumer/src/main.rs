//! Prints what the kernels compute: with `jit` as they are compiled now, with `sealed` where nothing may be compiled,
//! else as `build.rs` compiled them.

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let jit = if mode == "sealed" { consumer::sealed() } else { consumer::jit(mode != "jit") };
    let jit = jit.unwrap_or_else(|error| panic!("{}", error.report()));
    for line in consumer::values(&jit) {
        println!("{line}");
    }
    let stats = jit.stats();
    println!("compiled {} processes {} opened {}", stats.compiled, stats.processes, stats.opens);
    if mode == "sealed" {
        let missing = jit.load_all(&[1, 2].map(consumer::kernels::extra)).err();
        println!("{}", missing.map(|error| error.to_string()).unwrap_or_default());
    }
}
