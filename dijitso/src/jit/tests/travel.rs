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
