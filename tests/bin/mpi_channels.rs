//! What dijitso asks of MPI, on the ranks that `mpirun` starts: its arguments say what. Every rank asserts; rank 0
//! prints what it did.

use std::collections::HashSet;
use std::time::Duration;

use dijitso::{Channel, Communicator, Jit, Lost};
use mpi::Threading;
use mpi::topology::{Color, InterCommunicator, SimpleCommunicator};
use mpi::traits::{AsRaw as _, Communicator as Mpi, Destination as _, Source as _};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if words == ["ends"] {
        return ends();
    }
    let level = match words.get(1) {
        Some(&"funneled") => Threading::Funneled,
        Some(&"serialized") => Threading::Serialized,
        Some(&"multiple") => Threading::Multiple,
        _ => Threading::Single,
    };
    let (universe, provided) = mpi::initialize_with_threading(level).expect("the first");
    let world = universe.world();
    match words[..] {
        ["messages", _] => {
            messages(&world);
            if provided >= Threading::Multiple {
                side_by_side(&world);
            }
        }
        ["privacy"] => privacy(&world),
        ["communicators"] => communicators(&world),
        ["cycles", count] => cycles(&world, count.parse().expect("a number")),
        ["late"] => late(&world),
        ["inter"] => inter(&world),
        _ => panic!("what is {words:?}?"),
    }
    if Mpi::rank(&world) == 0 {
        println!("done on {} ranks", Mpi::size(&world));
    }
}

/// Looks again soon, but leaves the cores to ranks that have something to do.
fn soon() -> Option<Duration> {
    Some(Duration::from_micros(50))
}

fn channel<C: Communicator + ?Sized>(comm: &C) -> Box<dyn Channel + '_> {
    comm.channel(&mut soon).expect("a channel")
}

/// Bytes that say who sent them to whom.
fn content(from: usize, to: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + from * 31 + to * 17 + i / 256) as u8).collect()
}

/// From everybody to everybody, small and large, in order.
fn messages<C: Communicator + ?Sized>(comm: &C) {
    let (rank, size) = (comm.rank(), comm.size());
    let channel = channel(comm);
    for from in 0..size {
        for length in [0, 1, 4096, 70_000, 5_000_000] {
            let all = if length > 70_000 { size.min(2) } else { size };
            for to in (0..all).filter(|&to| to != from) {
                if rank == from {
                    channel.send(&[to], &content(from, to, length), &mut soon).expect("sent");
                } else if rank == to {
                    let got = channel.receive(from, &mut soon).expect("received");
                    assert!(got == content(from, to, length), "{length} bytes from {from} to {to}");
                }
            }
        }
        // Many small ones, to all others at once; before anybody looks.
        if rank == from {
            let others: Vec<usize> = (0..size).filter(|&to| to != from).collect();
            for i in 0..50_u8 {
                channel.send(&others, &[i], &mut soon).expect("sent");
            }
            channel.send(&others, &content(from, 0, 200_000), &mut soon).expect("sent");
        } else {
            for i in 0..50_u8 {
                assert_eq!(channel.receive(from, &mut soon), Ok(vec![i]));
            }
            assert!(channel.receive(from, &mut soon) == Ok(content(from, 0, 200_000)));
        }
    }
    notices(&*channel, rank, size);
    let nobody = channel.send(&[size], &[], &mut soon).expect_err("there is no such rank");
    assert_eq!(nobody.rank, size);
}

/// Who waits for a message that never comes hears a notice, and is asked whether to go on.
fn notices(channel: &dyn Channel, rank: usize, size: usize) {
    let next = (rank + 1) % size;
    if next == rank {
        return;
    }
    channel.notify(&[next], &content(rank, next, 900));
    let mut heard = None;
    let mut until_heard = || {
        heard = channel.notice();
        heard.is_none().then_some(Duration::from_micros(50))
    };
    let lost = channel.receive(rank, &mut until_heard).expect_err("nothing was sent");
    assert_eq!(lost.rank, rank);
    assert!(heard == Some(content((rank + size - 1) % size, rank, 900)));
    assert_eq!(channel.notice(), None);
    // Nobody goes on before all have heard theirs: what comes next may be such a message.
    channel.send(&[next], &[], &mut soon).expect("sent");
    assert_eq!(channel.receive((rank + size - 1) % size, &mut soon), Ok(Vec::new()));
}

/// Two threads that meet two communicators for the first time, each its own.
fn side_by_side(world: &SimpleCommunicator) {
    let parts = [world.duplicate(), world.duplicate()];
    // Handles of Open MPI are pointers, and may be used by any thread at this level.
    struct Any<'a>(&'a SimpleCommunicator);
    // SAFETY: MPI was initialised for several threads.
    unsafe impl Send for Any<'_> {}
    std::thread::scope(|scope| {
        for part in parts.each_ref().map(Any) {
            scope.spawn(move || {
                let Any(comm) = { part };
                messages(comm);
            });
        }
    });
    assert_ne!(channel(&parts[0]).key(), channel(&parts[1]).key());
    messages(&parts[0]);
}

/// The program's messages and dijitso's do not meet, whatever is asked for.
fn privacy(world: &SimpleCommunicator) {
    let (rank, size) = (Mpi::rank(world), Mpi::size(world));
    let (next, last) = ((rank + 1) % size, (rank + size - 1) % size);
    mpi::request::scope(|scope| {
        let sent = world.process_at_rank(next).immediate_send(scope, &[1_u8, 2, 3][..]);
        let private = channel(world);
        if size > 1 {
            private.send(&[next as usize], b"private", &mut soon).expect("sent");
            assert_eq!(private.receive(last as usize, &mut soon), Ok(b"private".to_vec()));
        }
        assert!(world.any_process().immediate_probe().is_none_or(|status| status.count(u8_type()) == 3));
        let (own, _) = world.any_process().receive_vec::<u8>();
        assert_eq!(own, [1, 2, 3]);
        sent.wait();
    });
}

fn u8_type() -> impl mpi::datatype::Datatype {
    use mpi::datatype::Equivalence as _;
    u8::equivalent_datatype()
}

/// Every kind of communicator; all have keys of their own, which their ranks agree on.
fn communicators(world: &SimpleCommunicator) {
    let rank = Mpi::rank(world);
    let copy = world.duplicate();
    let odd = world.split_by_color_with_key(Color::with_value(rank % 2), -rank).expect("a part");
    let near = world.split_shared(0);
    let alone = SimpleCommunicator::self_comm();
    let some = match rank {
        0 => world.split_by_color(Color::undefined()),
        _ => world.split_by_color(Color::with_value(0)),
    };
    let cartesian = world.create_cartesian_communicator(&[Mpi::size(world)], &[true], true).expect("a part");
    let mut keys = HashSet::new();
    let mut all: Vec<&dyn Mpi> = vec![world, &copy, &odd, &near, &alone, &cartesian];
    all.extend(some.iter().map(|some| some as &dyn Mpi));
    for comm in &all {
        messages(*comm);
        assert!(keys.insert(agreed_key(*comm)), "two communicators have one key");
        assert_eq!(agreed_key(*comm), agreed_key(*comm), "the second channel is the first");
    }
    // A duplicate of what has a private channel does not get the same.
    let copy = copy.duplicate();
    assert!(keys.insert(agreed_key(&copy)));
}

/// The key, which is the same on all ranks.
fn agreed_key<C: Communicator + ?Sized>(comm: &C) -> u128 {
    let channel = channel(comm);
    let key = channel.key();
    if comm.rank() == 0 {
        let others: Vec<usize> = (1..comm.size()).collect();
        channel.send(&others, &key.to_le_bytes(), &mut soon).expect("sent");
    } else {
        assert_eq!(channel.receive(0, &mut soon), Ok(key.to_le_bytes().to_vec()));
    }
    key
}

/// Communicators come and go: each is new, though MPI uses handles again, and they do not run out.
fn cycles(world: &SimpleCommunicator, count: usize) {
    let mut keys = HashSet::new();
    let mut handles = HashSet::new();
    for i in 0..count {
        let color = Color::with_value((Mpi::rank(world) + i as i32) % 2);
        let part = world.split_by_color(color).expect("a part");
        handles.insert(format!("{:?}", part.as_raw()));
        assert!(keys.insert(agreed_key(&part)), "an old private communicator was found");
    }
    assert!(
        handles.len() < count,
        "{} handles: this did not test whether they are used again",
        handles.len()
    );
}

/// Whoever is early is asked how long to sleep.
fn late(world: &SimpleCommunicator) {
    let rank = Communicator::rank(world);
    if rank == 1 {
        std::thread::sleep(Duration::from_millis(300));
    }
    let mut asked = 0;
    let mut idle = || {
        asked += 1;
        Some(Duration::from_millis(10))
    };
    world.channel(&mut idle).expect("a channel");
    assert!(rank == 1 || (5..=100).contains(&asked), "asked {asked} times");
}

/// Two groups that talk to each other are no ranks of one communicator.
fn inter(world: &SimpleCommunicator) {
    let side = Mpi::rank(world) % 2;
    let part = world.split_by_color(Color::with_value(side)).expect("a part");
    let mut raw = std::mem::MaybeUninit::uninit();
    // SAFETY: both communicators live, and rank 0 and 1 of the world are the first ranks of the two parts.
    let inter = unsafe {
        mpi::ffi::MPI_Intercomm_create(part.as_raw(), 0, world.as_raw(), 1 - side, 7, raw.as_mut_ptr());
        InterCommunicator::try_from_raw(raw.assume_init()).expect("an inter-communicator")
    };
    refused(&inter, "inter-communicator");
    messages(&part);
}

/// Before MPI begins and after it has ended.
fn ends() {
    let world = SimpleCommunicator::world();
    refused(&world, "not initialised");
    let universe = mpi::initialize().expect("the first");
    let (rank, size) = (Mpi::rank(&world), Mpi::size(&world));
    messages(&world);
    messages(&SimpleCommunicator::self_comm());
    // The end of MPI frees what belongs to the world, in an order of its own.
    drop(universe);
    refused(&world, "finalised");
    if rank == 0 {
        println!("done on {size} ranks");
    }
}

fn refused<C: Communicator + ?Sized>(comm: &C, why: &str) {
    let Lost { problem, .. } = comm.channel(&mut soon).err().expect("a refusal");
    assert!(problem.contains(why), "{problem}");
    // Nor is it taken for one rank that is alone.
    let error = Jit::builder().build_with(comm).expect_err("a refusal");
    assert!(error.to_string().contains(why), "{error}");
}
