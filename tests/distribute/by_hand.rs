//! The form for programs with a transport of their own.

use std::sync::Barrier;
use std::sync::mpsc::{self, Receiver, Sender};

use dijitso::{Error, Kernel, KernelOrigin, Part, Result};
use dijitso_tests::kernels::{NUMBER_BASE, Number, number, text};

use super::outdated::spoil;
use crate::harness::Place;

/// A builder, a receiver with another directory, and a waiter that shares the receiver's.
fn three(
    place: &Place,
    spec: &dijitso::KernelSpec<Number>,
    spoil: impl Fn(Vec<u8>) -> Vec<u8> + Sync,
) -> Vec<Result<Kernel<Number>>> {
    let jit = |name: &str| dijitso::Jit::builder().cache_dir(place.path(name)).build().unwrap();
    let (sender, receiver): (Sender<Vec<u8>>, Receiver<Vec<u8>>) = mpsc::channel();
    let barrier = Barrier::new(3);
    let wait = || {
        barrier.wait();
    };
    std::thread::scope(|scope| {
        let (first, second, third) = (jit("first"), jit("second"), jit("second"));
        let received = scope.spawn(move || {
            let part =
                Part::Receiver { receive: &mut || receiver.recv().unwrap_or_default(), wait: &mut { wait } };
            second.load_as(part, spec)
        });
        let waited = scope.spawn(move || third.load_as(Part::Waiter { wait: &mut { wait } }, spec));
        let send = &mut |bytes: &[u8]| sender.send(spoil(bytes.to_vec())).unwrap();
        let built = first.load_as(Part::Builder { send, wait: &mut { wait } }, spec);
        vec![built, received.join().unwrap(), waited.join().unwrap()]
    })
}

#[test]
fn parts_over_a_transport_of_ones_own() {
    let place = Place::new();
    let loaded: Vec<_> = three(&place, &number(5), |bytes| bytes).into_iter().map(Result::unwrap).collect();
    assert!(loaded.iter().all(|kernel| kernel.call() - NUMBER_BASE == 5));
    let origins: Vec<_> = loaded.iter().map(Kernel::origin).collect();
    assert_eq!(origins, [KernelOrigin::Built, KernelOrigin::Received, KernelOrigin::Disk]);
    // Warm, all know it; the builder sends it all the same.
    let again = three(&place, &number(5), |bytes| bytes);
    assert!(again.into_iter().all(|kernel| kernel.unwrap().call() - NUMBER_BASE == 5));
}

#[test]
fn what_fails_or_is_spoiled_on_the_way_keeps_nobody_waiting() {
    let place = Place::new();
    let failed = three(&place, &text("bad", "int bad() { return nonsense; }"), |bytes| bytes);
    assert!(matches!(&failed[0], Err(Error::Compile { .. })), "{:?}", failed[0].as_ref().err());
    assert!(matches!(&failed[1], Err(Error::Compile { log, .. }) if log.contains("nonsense")));
    assert!(matches!(&failed[2], Err(Error::Communication { .. })));
    let lengths = [0, 1, 100, 5000];
    for cut in lengths {
        let place = Place::new();
        let results = three(&place, &number(6), |mut bytes| {
            bytes.truncate(cut);
            bytes
        });
        assert!(results[0].is_ok() && results[1].is_err() && results[2].is_err(), "{cut}");
    }
    for flip in lengths {
        let place = Place::new();
        let results = three(&place, &number(6), |mut bytes| {
            let at = bytes.len() - 1 - flip;
            bytes[at] ^= 0x55;
            bytes
        });
        assert!(results[0].is_ok() && results[1].is_err(), "{flip}");
    }
}

#[test]
fn what_the_builder_has_lost_is_built_anew() {
    let place = Place::new();
    let jit = dijitso::Jit::builder().cache_dir(place.path("first")).build().unwrap();
    jit.load(&number(5)).unwrap();
    for damage in [false, true] {
        spoil(&place.path("first"), damage);
        let mut sent = Vec::new();
        let part = Part::Builder { send: &mut |bytes| sent = bytes.to_vec(), wait: &mut || () };
        assert_eq!(jit.load_as(part, &number(5)).unwrap().call() - NUMBER_BASE, 5);
        let other =
            dijitso::Jit::builder().cache_dir(place.path(&format!("other-{damage}"))).build().unwrap();
        let part = Part::Receiver { receive: &mut || sent.clone(), wait: &mut || () };
        assert_eq!(other.load_as(part, &number(5)).unwrap().call() - NUMBER_BASE, 5);
    }
}
