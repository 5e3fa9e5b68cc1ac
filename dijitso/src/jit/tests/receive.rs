use super::*;
use crate::error::{Error, Result};
use crate::jit::Facts;
use crate::library::{SealedFile, Spool};

fn one(rank: &Rank, spec: &KernelSpec<Number>) -> Packed {
    let (loaded, luggage) = rank.build(spec.any());
    rank.pack(spec.any(), &loaded, &luggage).pop().unwrap().1
}

fn shared(bytes: &[u8]) -> SealedFile {
    let mut spool = Spool::new("entry").unwrap();
    spool.write(bytes).unwrap();
    spool.seal().unwrap()
}

fn refused(result: Result<Arc<Loaded>>) -> String {
    match result {
        Err(Error::Load { kernel, problem }) => {
            assert!(kernel.contains("generated at"), "{kernel}");
            problem
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_in_memory_is_mapped_by_all_and_read_by_nobody() {
    let here = Rank::new();
    let packed = one(&here, &number(11));
    let file = shared(&bytes(&packed));
    for rank in [Rank::new(), Rank::new()] {
        let received = rank.engine().receive(&packed.facts, &Place::Descriptor(file.path())).unwrap();
        assert_eq!(call(&received), 11);
        assert_eq!(received.code.exports(), packed.facts.exports);
        let stats = rank.jit.stats();
        assert_eq!((stats.memory_loads, stats.bytes_read, stats.opens), (1, 0, 0));
    }
    drop(file);
    // From memory to a cache, without holding it.
    let (file, there) = (shared(&bytes(&packed)), Rank::new());
    let from = file.bytes().unwrap();
    there.engine().publish_received(Some(number(11).any()), &packed.facts, &from, &packed.routes);
    assert_eq!(there.again().load(&number(11)).unwrap().origin(), KernelOrigin::Disk);
}

#[test]
fn a_file_of_this_machine_is_mapped_without_reading_it() {
    let here = Rank::new();
    let spec = number(12);
    let packed = one(&here, &spec);
    let loaded = here.engine().held(spec.any()).unwrap().unwrap().0;
    let path = here.engine().mappable(&loaded).unwrap();
    let there = Rank::new();
    let received = there.engine().receive(&packed.facts, &Place::Path(path.clone())).unwrap();
    assert_eq!((call(&received), received.path.get()), (12, Some(&path)));
    let stats = there.jit.stats();
    assert_eq!((stats.opens, stats.bytes_read, stats.memory_loads), (0, 0, 0));
    assert_eq!(Facts::of(&received).unwrap(), Facts { len: packed.facts.len, ..Facts::of(&loaded).unwrap() });

    // Who wants kernels in memory gets them there.
    let dir = tempfile::tempdir().unwrap();
    let builder = Jit::builder().cache_dir(dir.path().join("cache"));
    let careful = builder.load_mode(crate::config::params::Load::Memory).build().unwrap();
    let received = careful.engine().receive(&packed.facts, &Place::Path(path.clone())).unwrap();
    assert_eq!((call(&received), careful.stats().memory_loads), (12, 1));
    assert_eq!(careful.engine().mappable(&received), None);

    let gone = Place::Path(path.with_extension("gone"));
    let problem = refused(Rank::new().engine().receive(&packed.facts, &gone));
    assert!(problem.contains("No such file"), "{problem}");
}

#[test]
fn what_is_not_what_it_says_is_refused() {
    let (here, there) = (Rank::new(), Rank::new());
    let (packed, other) = (one(&here, &number(13)), one(&here, &number(14)));
    let receive = |facts: &Facts, place: &Place| refused(there.engine().receive(facts, place));
    let good = bytes(&packed);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Place::Bytes(in_memory(bytes))
    };
    for at in [0, 1000, packed.facts.elf_len as usize + 5, good.len() - 1] {
        let problem = receive(&packed.facts, &with(&|bytes| bytes[at] ^= 4));
        assert!(problem.contains("it arrived damaged"), "byte {at}: {problem}");
    }
    assert!(receive(&packed.facts, &with(&|bytes| bytes.truncate(2000))).contains("damaged"));
    assert!(receive(&packed.facts, &with(&Vec::clear)).contains("damaged"));
    assert!(receive(&packed.facts, &Place::Bytes(other.bytes.clone())).contains("damaged"));

    let file = shared(&bytes(&other));
    let place = Place::Descriptor(file.path());
    assert!(receive(&packed.facts, &place).contains("cannot be used"));
    // Of the right length, but another kernel: a descriptor that was closed and used again.
    let as_long = Facts { len: file.len(), ..(*packed.facts).clone() };
    assert!(receive(&as_long, &place).contains("under another name"));
    let open = tempfile::NamedTempFile::new().unwrap();
    let place = Place::Descriptor(open.path().display().to_string());
    assert!(receive(&packed.facts, &place).contains("not a sealed file"));
    assert!(receive(&packed.facts, &Place::Descriptor("/proc/0/fd/3".to_owned())).contains("cannot be used"));

    let foreign =
        Facts { cpu: crate::toolchain::CpuFeatures::from_bits(1 << 127), ..(*packed.facts).clone() };
    let problem = receive(&foreign, &Place::Bytes(packed.bytes.clone()));
    assert!(problem.contains("built for a processor with unknown feature 127"), "{problem}");
    assert_eq!(there.jit.stats().received, 0);
    // All that was tried left nothing behind.
    assert_eq!(
        call(&there.engine().receive(&packed.facts, &Place::Bytes(packed.bytes.clone())).unwrap()),
        13
    );
}

#[test]
fn what_it_is_linked_to_must_come_first() {
    let (here, there) = (Rank::new(), Rank::new());
    let packed = one(&here, &successor(20));
    let problem = refused(there.engine().receive(&packed.facts, &Place::Bytes(packed.bytes)));
    assert!(problem.contains("was not sent before it"), "{problem}");
}

#[test]
fn kernels_are_linked_to_what_was_received() {
    let here = Rank::new();
    let spec = successor(30);
    let (loaded, luggage) = here.build(spec.any());
    let packed = here.pack(spec.any(), &loaded, &luggage);
    // From memory, without a cache, and from the cache, with one.
    for (there, publish) in [(Rank::without_cache(), false), (Rank::new(), true)] {
        let below = &packed[0].1;
        let received = there.engine().receive(&below.facts, &Place::Bytes(below.bytes.clone())).unwrap();
        there.engine().adopt(base(30).any(), &received);
        there.engine().keep_for_links(&received, below).unwrap();
        if publish {
            there.engine().publish_received(Some(base(30).any()), &below.facts, &below.bytes, &below.routes);
            assert!(received.path.get().is_some());
        }
        let kernel = there.jit.load(&spec).unwrap();
        assert_eq!(
            (kernel.call(), kernel.origin(), there.jit.stats().compiled),
            (31, KernelOrigin::Built, 1)
        );
        // And they go on from here.
        let loaded = there.engine().held(spec.any()).unwrap().unwrap().0;
        let third = Rank::new();
        assert_eq!(
            call(&third.receive(spec.any(), &there.pack(spec.any(), &loaded, &Luggage::default()))),
            31
        );
    }
    // Without its bytes it is built again.
    let there = Rank::without_cache();
    let below = &packed[0].1;
    let received = there.engine().receive(&below.facts, &Place::Bytes(below.bytes.clone())).unwrap();
    there.engine().adopt(base(30).any(), &received);
    assert_eq!(there.jit.load(&spec).unwrap().call(), 31);
    assert_eq!(there.jit.stats().compiled, 2);
    let mut bad = below.clone();
    bad.bytes = in_memory(b"no entry".to_vec());
    let received = Rank::new().engine().receive(&below.facts, &Place::Bytes(below.bytes.clone())).unwrap();
    assert!(there.engine().keep_for_links(&received, &bad).is_err());
}

#[test]
fn facts_are_the_same_after_serialising() {
    let here = Rank::new();
    let packed = one(&here, &number(15));
    let bytes = postcard::to_stdvec(&*packed.facts).unwrap();
    assert_eq!(postcard::from_bytes::<Facts>(&bytes).unwrap(), *packed.facts);
    assert!(bytes.len() < 400, "{} bytes for each kernel", bytes.len());
    let routes = postcard::to_stdvec(&packed.routes).unwrap();
    assert_eq!(postcard::from_bytes::<crate::cache::Routes>(&routes).unwrap(), packed.routes);
}

#[test]
fn what_is_held_is_told_and_adopted_replaces_it() {
    let (here, there) = (Rank::new(), Rank::new());
    let spec = number(16);
    assert!(there.engine().held(spec.any()).unwrap().is_none());
    let packed = one(&here, &spec);
    let received = there.engine().receive(&packed.facts, &Place::Bytes(packed.bytes)).unwrap();
    assert!(there.engine().held(spec.any()).unwrap().is_none(), "loaded, but for nobody yet");
    there.engine().adopt(spec.any(), &received);
    let (held, origin) = there.engine().held(spec.any()).unwrap().unwrap();
    assert!(Arc::ptr_eq(&held, &received) && origin == KernelOrigin::Memory);
    assert_eq!(there.jit.stats().memory_hits, 1);
    let other = one(&here, &number(17));
    let other = there.engine().receive(&other.facts, &Place::Bytes(other.bytes)).unwrap();
    there.engine().adopt(spec.any(), &other);
    assert_eq!(there.jit.load(&spec).unwrap().call(), 17);

    let twin = KernelSpec::<Number>::new("number", 16, || source("int number() { return 0; }".to_owned()));
    assert_eq!(twin.signature(), spec.signature());
    assert!(matches!(there.engine().held(twin.any()), Err(Error::Collision { .. })));
    let bad = KernelSpec::<Number>::new("../x", (), || source(String::new()));
    assert!(matches!(there.engine().held(bad.any()), Err(Error::Declaration { .. })));
}
