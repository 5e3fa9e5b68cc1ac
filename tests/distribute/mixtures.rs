//! Ranks that differ: in what they ask for, in their processors. For what they hold see [`holdings`](super::holdings), for
//! when they come [`matrix`](super::matrix).

use std::sync::{Arc, Mutex};

use dijitso::{BuildOn, Communicator as _, Error};
use dijitso_tests::kernels::{NUMBER_BASE, number};

use super::{World, same_error};
use crate::harness::Place;

#[test]
fn ranks_that_ask_for_different_things_all_hear_the_first_difference() {
    for odd in [0, 1, 3] {
        let place = Arc::new(Place::new());
        let results = World::Shared.run(4, move |comm| {
            let jit = World::Shared.builder(&place, comm.rank()).build()?;
            let second = if comm.rank() == odd { 99 } else { 2 };
            let refused = jit.on(&comm).load_all(&[number(1), number(second)]);
            // And nobody is out of step.
            jit.on(&comm).load(&number(1))?;
            refused.map(|_| ())
        });
        for result in &results {
            assert!(matches!(result, Err(Error::Mismatch { .. })), "{result:?}");
        }
        let words = same_error(&results).unwrap();
        assert!(words.contains("number 2") && words.contains("k00099"), "{words}");
        let other = if odd == 0 { 1 } else { odd };
        assert!(words.contains("rank 0") && words.contains(&format!("rank {other}")), "{words}");
    }
}

#[test]
fn ranks_that_want_different_strategies_or_numbers_of_kernels_hear_so() {
    let results = World::Shared.run(3, |comm| {
        let place = Place::new();
        let jit = World::Shared.builder(&place, comm.rank()).build()?;
        let specs: Vec<_> = (0..2 + u32::from(comm.rank() == 2)).map(number).collect();
        jit.on(&comm).load_all(&specs).map(|_| ())
    });
    let words = same_error(&results).unwrap();
    assert!(words.contains("2 kernels") && words.contains("3;") && words.contains("nothing"), "{words}");
    let results = World::Shared.run(3, |comm| {
        let place = Place::new();
        let jit = World::Shared.builder(&place, comm.rank()).build()?;
        let build_on = if comm.rank() == 1 { BuildOn::Node } else { BuildOn::Root };
        jit.on(&comm).build_on(build_on).load(&number(1)).map(|_| ())
    });
    let words = same_error(&results).unwrap();
    assert!(words.contains("node") && words.contains("root") && words.contains("rank 1"), "{words}");
}

#[test]
fn a_generator_must_not_load_collectively() {
    let place = Arc::new(Place::new());
    let results = World::Shared.run(3, move |comm| {
        let jit = World::Shared.builder(&place, comm.rank()).build()?;
        let (inner, world) = (jit.clone(), Mutex::new(comm.split(0, comm.rank()).unwrap()));
        let spec = dijitso::spec!(extern "C" fn() -> i32, "nested", (), move || {
            let world = world.lock().unwrap();
            let loaded = inner.on(&*world).load(&number(1)).map_err(|error| error.to_string())?;
            // SAFETY: returns a number.
            Ok::<_, String>(unsafe {
                dijitso::Source::new(format!("int nested() {{ return {}; }}", loaded.call()))
            })
        });
        jit.on(&comm).load(&spec).map(|_| ())
    });
    let words = same_error(&results).unwrap();
    assert!(words.contains("must not load collectively"), "{words}");
}

#[test]
fn processors_that_differ_get_what_they_have_in_common_or_one_each() {
    // x86-64-v2 and what this machine has.
    for per_cpu in [false, true] {
        let place = Arc::new(Place::new());
        let results = World::Machines.run(4, move |comm| {
            let jit = World::Machines.builder(&place, comm.rank()).build()?;
            let collective = jit.on(&comm).per_cpu(per_cpu);
            let collective = if comm.rank() >= 2 { collective.pretend_processor(0) } else { collective };
            let kernel = collective.load(&number(4))?;
            assert_eq!(kernel.call() - NUMBER_BASE, 4);
            dijitso::Result::<_>::Ok(jit.stats().built)
        });
        assert_eq!(same_error(&results), None);
        let built: u64 = results.into_iter().flatten().sum();
        assert_eq!(built, if per_cpu { 2 } else { 1 });
    }
}
