//! What the engine's own work costs: `cargo bench -p dijitso`. How it compares with others, and with what it
//! cannot avoid, is measured by `tests/peers/run`.

mod builds;
mod child;
mod hits;
mod kernels;
mod place;
mod specs;

use criterion::Criterion;

/// The first argument of a process that measures something for this one.
pub(crate) const CHILD: &str = "--child";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|word| word == CHILD) {
        return child::run(&args[1..]);
    }
    let _cleaner = place::Cleaner;
    let mut criterion = Criterion::default().configure_from_args();
    hits::memory(&mut criterion);
    hits::disk(&mut criterion);
    specs::signature(&mut criterion);
    specs::rendering(&mut criterion);
    builds::cold(&mut criterion);
    builds::batches(&mut criterion);
    criterion.final_summary();
}
