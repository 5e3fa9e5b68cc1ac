//! The kernels in an example.

fn main() {
    let kernel = consumer::jit(true).and_then(|jit| jit.load(&consumer::kernels::diagonal(5))).unwrap();
    println!("{} {:?}", kernel.call(2.0), kernel.origin());
}
