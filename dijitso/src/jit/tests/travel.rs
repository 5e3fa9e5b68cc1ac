use super::*;
use crate::jit::Whose;

#[test]
fn what_is_built_is_collected_with_everything_below_it() {
    let (here, there) = (Rank::new(), Rank::new());
    let spec = successor(41);
    let (loaded, luggage) = here.build(spec.any());
    assert_eq!(luggage.len(), 2);
    let packed = here.pack(spec.any(), &loaded, &luggage);
    assert_eq!(names(&packed), [("base", true), ("successor", true)]);
    for (_, packed) in &packed {
        assert_eq!(packed.facts.len, packed.bytes.len());
        let file = std::fs::read(here.engine().store.entry_path(&packed.facts.content)).unwrap();
        assert!(file == bytes(packed), "what travels is what is in the cache");
    }

    let received = there.receive(spec.any(), &packed);
    assert_eq!((call(&received), there.jit.load(&spec).unwrap().call()), (42, 42));
    let stats = there.jit.stats();
    assert_eq!((stats.received, stats.generated, stats.processes, stats.memory_hits), (2, 0, 0, 1));
    // The same once more costs nothing.
    assert!(Arc::ptr_eq(&there.receive(spec.any(), &packed), &received));
    assert_eq!(there.jit.stats().received, 2);
}

#[test]
fn what_is_published_is_found_by_the_next_process_without_generating() {
    let (here, there) = (Rank::new(), Rank::new());
    let spec = successor(41);
    let (loaded, luggage) = here.build(spec.any());
    let packed = here.pack(spec.any(), &loaded, &luggage);
    let received = there.receive(spec.any(), &packed);
    assert_eq!(received.path.get(), None);
    there.publish(spec.any(), &packed);
    assert_eq!(received.path.get(), Some(&there.engine().store.entry_path(&received.content)));
    assert_eq!(there.jit.stats().published, 2);
    let sets = |rank: &Rank| std::fs::read_dir(rank.cache().join("v1/sets")).unwrap().count();
    assert_eq!(sets(&there), sets(&here), "headers of <cmath>");

    let next = there.again();
    let found = found(next.engine().look_up_all(&[spec.any(), number(7).any()], Whose::Own));
    assert_eq!(found[0].as_ref().map(call), Some(42));
    assert!(found[1].is_none());
    let stats = next.stats();
    assert_eq!((stats.disk_hits, stats.generated, stats.published), (2, 0, 0));
    assert_eq!(next.load(&spec).unwrap().origin(), KernelOrigin::Memory);
    // Once more is no new publication.
    there.publish(spec.any(), &packed);
    assert_eq!(there.jit.stats().published, 2);
}

#[test]
fn what_a_generator_loaded_comes_along_and_keeps_the_index_true() {
    let (here, there) = (Rank::new(), Rank::new());
    let spec = asking(&here.jit, 5);
    let (loaded, luggage) = here.build(spec.any());
    let packed = here.pack(spec.any(), &loaded, &luggage);
    assert_eq!(names(&packed), [("number", false), ("asking", true)]);
    assert_eq!(call(&there.receive(spec.any(), &packed)), 50);
    assert_eq!(there.jit.stats().received, 1, "nobody calls the other one");
    there.publish(spec.any(), &packed);

    let next = there.again();
    assert_eq!(next.load(&asking(&next, 5)).unwrap().origin(), KernelOrigin::Disk);
    assert_eq!(next.load(&number(5)).unwrap().origin(), KernelOrigin::Disk);
    assert_eq!(next.stats().generated, 0);
    // Without it the kernel is not believed.
    let (here, there) = (here.again(), Rank::new());
    let loaded = found(here.engine().look_up_all(&[spec.any()], Whose::Own)).pop().unwrap().unwrap();
    let needed = here.engine().needed(spec.any(), &loaded, &Luggage::default());
    let alone = here.engine().pack(needed.last().unwrap(), &Luggage::default()).unwrap();
    there.engine().publish_received(Some(spec.any()), &alone.facts, &alone.bytes, &alone.routes);
    assert!(found(there.again().engine().look_up_all(&[spec.any()], Whose::Own))[0].is_none());
}

#[test]
fn what_was_found_on_disk_travels_as_what_was_built() {
    let (first, there) = (Rank::new(), Rank::new());
    for spec in [successor(3), asking(&first.jit, 3)] {
        first.jit.load(&spec).unwrap();
        let here = Rank { jit: first.again(), dir: tempfile::tempdir().unwrap() };
        let loaded = found(here.engine().look_up_all(&[spec.any()], Whose::Own)).pop().unwrap().unwrap();
        let packed = here.pack(spec.any(), &loaded, &Luggage::default());
        assert_eq!(packed.len(), 2);
        let value = call(&there.receive(spec.any(), &packed));
        assert_eq!(value, first.jit.load(&spec).unwrap().call());
        there.publish(spec.any(), &packed);
        let next = there.again();
        assert_eq!(next.load(&spec).unwrap().origin(), KernelOrigin::Disk);
        assert_eq!(next.stats().generated, 0);
        assert_eq!(here.jit.stats().generated, 0);
    }
}

#[test]
fn without_any_cache_kernels_travel_from_memory() {
    let (here, there) = (Rank::without_cache(), Rank::without_cache());
    let spec = successor(8);
    let (loaded, luggage) = here.build(spec.any());
    let packed = here.pack(spec.any(), &loaded, &luggage);
    assert_eq!(call(&there.receive(spec.any(), &packed)), 9);
    // Later, too: nothing was collected then, and nobody collects now.
    let later = here.pack(spec.any(), &loaded, &Luggage::default());
    let third = Rank::new();
    assert_eq!(call(&third.receive(spec.any(), &later)), 9);
    third.publish(spec.any(), &later);
    assert_eq!(third.again().load(&spec).unwrap().origin(), KernelOrigin::Disk);

    there.publish(spec.any(), &packed);
    assert_eq!((there.jit.stats().published, there.jit.stats().publish_failures), (0, 2));
    assert_eq!(there.jit.load(&spec).unwrap().path(), None);
}

#[test]
fn bytes_that_are_gone_are_built_again_when_they_are_wanted() {
    let here = Rank::new();
    let spec = successor(1);
    let (loaded, _) = here.build(spec.any());
    std::fs::remove_dir_all(here.cache()).unwrap();
    let needed = here.engine().needed(spec.any(), &loaded, &Luggage::default());
    let problem = here.engine().pack(needed.last().unwrap(), &Luggage::default()).unwrap_err();
    assert!(problem.contains("missing"), "{problem}");

    let specs = [spec.any(), number(2).any()].map(AnySpec::clone);
    let specs: Vec<&AnySpec> = specs.iter().collect();
    let (outcomes, luggage) = here.engine().build_packed(&specs, &[true, false], &[]);
    assert_eq!(content(&outcomes[0]), loaded.content);
    assert!(Arc::ptr_eq(&outcomes[0].as_ref().unwrap().0, &loaded), "it stays loaded once");
    assert_eq!(luggage.len(), 3, "its dependency had to be built for it");
    let there = Rank::new();
    assert_eq!(call(&there.receive(spec.any(), &here.pack(spec.any(), &loaded, &luggage))), 2);
    // Not forced, it is only found.
    let (outcomes, luggage) = here.engine().build_packed(&specs, &[false, false], &[]);
    assert!(matches!(outcomes[0], Ok((_, KernelOrigin::Memory))) && luggage.len() == 0);
}

#[test]
fn forced_is_built_even_if_a_cache_has_it() {
    let here = Rank::new();
    here.jit.load(&number(4)).unwrap();
    let next = here.again();
    let (outcomes, luggage) = next.engine().build_packed(&[number(4).any()], &[true], &[]);
    assert!(matches!(&outcomes[0], Ok((_, KernelOrigin::Built))));
    assert!(luggage.get(&content(&outcomes[0])).is_some());
    assert_eq!(next.stats().compiled, 1);
}

#[test]
fn a_damaged_file_is_set_aside_and_not_sent() {
    let here = Rank::new();
    let spec = number(6);
    let (loaded, _) = here.build(spec.any());
    let path = here.engine().store.entry_path(&loaded.content);
    let mut entry = std::fs::read(&path).unwrap();
    let at = entry.len() - 300;
    entry[at] ^= 1;
    // Not in place: it is mapped.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, entry).unwrap();
    let needed = here.engine().needed(spec.any(), &loaded, &Luggage::default());
    let problem = here.engine().pack(&needed[0], &Luggage::default()).unwrap_err();
    assert!(problem.contains("damaged"), "{problem}");
    assert!(!path.exists() && path.with_extension("so.corrupt").exists());
}

#[test]
fn two_specs_of_one_text_each_find_it_after_the_journey() {
    let (here, there) = (Rank::new(), Rank::new());
    let twin =
        |key: u32| KernelSpec::<Number>::new("twin", key, || source("int twin() { return 2; }".to_owned()));
    let specs = [twin(1), twin(2)];
    let any: Vec<&AnySpec> = specs.iter().map(|spec| spec.any()).collect();
    let (outcomes, luggage) = here.engine().build_packed(&any, &[false; 2], &[]);
    assert_eq!((content(&outcomes[0]), luggage.len()), (content(&outcomes[1]), 1));
    for (spec, outcome) in specs.iter().zip(&outcomes) {
        let packed = here.pack(spec.any(), &outcome.as_ref().unwrap().0, &luggage);
        there.receive(spec.any(), &packed);
        there.publish(spec.any(), &packed);
    }
    let next = there.again();
    assert!(found(next.engine().look_up_all(&any, Whose::Own)).iter().all(Option::is_some));
    assert_eq!(next.stats().generated, 0);
}

#[test]
fn nothing_is_kept_when_nobody_collects() {
    let here = Rank::new();
    here.build(number(1).any());
    here.jit.load(&number(2)).unwrap();
    let (_, luggage) = here.engine().build_packed(&[], &[], &[]);
    assert_eq!(luggage.len(), 0);
}

#[test]
fn a_failure_is_an_outcome_and_the_others_travel() {
    let here = Rank::new();
    let bad = KernelSpec::<Number>::new("bad", (), || source("int bad() { return x; }".to_owned()));
    let (outcomes, luggage) = here.engine().build_packed(&[bad.any(), number(1).any()], &[false; 2], &[]);
    assert!(outcomes[0].is_err() && luggage.get(&content(&outcomes[1])).is_some());
}

#[test]
fn several_kernels_bring_what_they_share_once() {
    let here = Rank::new();
    let twin = |key: u32| {
        let jit = here.jit.clone();
        KernelSpec::<Number>::new("sharing", key, move || {
            // The same text, whatever the other kernel says.
            let zero = jit.load(&number(key as i32)).map_or(1, |number| i32::from(number.call() < 0));
            source(format!("int sharing() {{ return base_9() + {zero}; }}"))
                .include("\"base_9.h\"")
                .depends_on(&base(9))
        })
    };
    let specs = [twin(1), twin(2), successor(9)];
    let any: Vec<&AnySpec> = specs.iter().map(|spec| spec.any()).collect();
    let (outcomes, luggage) = here.engine().build_packed(&any, &[], &[]);
    let loaded: Vec<Arc<Loaded>> =
        outcomes.iter().map(|outcome| outcome.as_ref().unwrap().0.clone()).collect();
    assert!(Arc::ptr_eq(&loaded[0], &loaded[1]));
    let kernels: Vec<(&AnySpec, &Arc<Loaded>)> = any.iter().copied().zip(&loaded).collect();
    let needed = here.engine().needed_by(&kernels, &luggage);
    let names: Vec<(&str, bool)> = needed.iter().map(|n| (n.name.as_str(), n.linked)).collect();
    let (base, number) = (("base", true), ("number", false));
    assert_eq!(names, [base, number, ("sharing", true), number, ("successor", true)]);

    let there = Rank::new();
    for needed in &needed {
        let packed = here.engine().pack(needed, &luggage).unwrap();
        let of_kernel = kernels.iter().filter(|(_, loaded)| loaded.content == needed.content);
        let specs: Vec<Option<&AnySpec>> = of_kernel.map(|(spec, _)| Some(*spec)).collect();
        for spec in if specs.is_empty() { vec![None] } else { specs } {
            there.engine().publish_received(spec, &packed.facts, &packed.bytes, &packed.routes);
        }
    }
    let next = there.again();
    assert!(found(next.engine().look_up_all(&any, Whose::Own)).iter().all(Option::is_some));
    assert_eq!((next.stats().generated, there.jit.stats().published), (0, 5));
}

#[test]
fn a_chain_of_thousands_does_not_end_the_stack() {
    let here = Rank::new();
    let nowhere = crate::prebuilt::Address(std::ptr::null());
    let code = crate::prebuilt::Variant { content: [0; 32], features: 0, entry: nowhere, exports: &[] };
    let code: &'static crate::prebuilt::Variant = Box::leak(Box::new(code));
    let mut chain: Vec<Arc<Loaded>> = Vec::new();
    for n in 0..20_000u32 {
        chain.push(Arc::new(Loaded {
            name: format!("k{n}"),
            at: String::new(),
            content: crate::signature::digest(&n.to_le_bytes()),
            unit: crate::signature::digest(b"unit"),
            cpu: crate::toolchain::CpuFeatures::NONE,
            soname: String::new(),
            code: crate::kernel::Code::Program(code),
            entry: 0,
            dependencies: chain.last().cloned().into_iter().collect(),
            path: Default::default(),
            len: 0,
            kept: Default::default(),
            report: Default::default(),
        }));
    }
    let needed = here.engine().needed(number(1).any(), chain.last().unwrap(), &Luggage::default());
    assert_eq!((needed.len(), needed[0].name.as_str()), (20_000, "k0"));
    drop(needed);
    // From the end: each is the last to hold the one before it.
    chain.reverse();
    chain.into_iter().for_each(drop);
}

#[test]
fn what_is_linked_to_a_site_cache_is_found_where_there_is_none() {
    let first = Rank::new();
    let site = first.dir.path().join("site");
    first.jit.export(&[base(6)], &site).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let builder = Jit::builder().cache_dir(dir.path().join("cache")).site_cache(&site);
    let here = Rank { jit: builder.build().unwrap(), dir };
    let spec = successor(6);
    let (loaded, luggage) = here.build(spec.any());
    assert_eq!((luggage.len(), here.jit.stats().site_hits), (1, 1));
    let packed = here.pack(spec.any(), &loaded, &luggage);
    assert_eq!(names(&packed), [("base", true), ("successor", true)]);

    let there = Rank::new();
    assert_eq!(call(&there.receive(spec.any(), &packed)), 7);
    there.publish(spec.any(), &packed);
    let next = there.again();
    assert_eq!(next.load(&spec).unwrap().origin(), KernelOrigin::Disk);
    assert_eq!(next.stats().generated, 0);
    // Asked for by itself, it is the site cache's word only, and a compiler knows better.
    assert_eq!(next.load(&base(6)).unwrap().origin(), KernelOrigin::Built);
    let (of_site, _) = here.engine().held(spec.any()).unwrap().unwrap();
    let alone = here.pack(base(6).any(), &of_site.dependencies[0], &Luggage::default()).pop().unwrap().1;
    let fourth = Rank::new();
    fourth.engine().publish_received(Some(base(6).any()), &alone.facts, &alone.bytes, &alone.routes);
    assert_eq!(fourth.jit.stats().published, 0);
}

#[test]
fn each_of_several_collectors_gets_what_was_built_meanwhile() {
    let here = Rank::new();
    let wait = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for n in [1, 2] {
            let (here, wait) = (&here, &wait);
            scope.spawn(move || {
                wait.wait();
                let (outcomes, luggage) = here.engine().build_packed(&[number(n).any()], &[], &[]);
                assert!(luggage.get(&content(&outcomes[0])).is_some());
            });
        }
    });
    let (_, luggage) = here.engine().build_packed(&[], &[], &[]);
    assert_eq!(luggage.len(), 0);
}

#[test]
fn with_a_full_disk_kernels_travel_all_the_same() {
    let run = || {
        if !own_mounts() {
            eprintln!("skipped: mounting a tmpfs is not permitted here");
            return;
        }
        let here = Rank::new();
        std::fs::create_dir(here.cache()).unwrap();
        let options = c"mode=700,size=64k";
        rustix::mount::mount("none", here.cache(), "tmpfs", rustix::mount::MountFlags::empty(), options)
            .unwrap();
        let there = Rank::new();
        let mut failures = 0;
        for n in 0..9 {
            let spec = successor(n);
            let (loaded, luggage) = here.build(spec.any());
            let packed = here.pack(spec.any(), &loaded, &luggage);
            assert_eq!(call(&there.receive(spec.any(), &packed)), n + 1);
            failures = here.jit.stats().publish_failures;
        }
        assert!(failures > 0, "it was never full");
        assert_eq!(here.jit.stats().built, 18);
    };
    std::thread::spawn(run).join().unwrap();
}

/// A mount namespace for this thread alone; `false` where the system does not permit it.
fn own_mounts() -> bool {
    // SAFETY: only mounts are separated; descriptors stay shared with all threads.
    let separated = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) };
    let private = rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
    separated.is_ok() && rustix::mount::mount_change("/", private).is_ok()
}
