//! The kernels in an example, which says when it loads them.

fn main() -> dijitso::Result<()> {
    let jit = consumer::jit(true)?;
    let specs = [3, 5].map(consumer::kernels::diagonal);
    eprintln!("before");
    let kernels = (jit.load(&specs[0])?, jit.load(&specs[1])?);
    let value = kernels.1.call(2.0);
    eprintln!("after");
    println!("{value} {:?}", kernels.0.origin());
    Ok(())
}
