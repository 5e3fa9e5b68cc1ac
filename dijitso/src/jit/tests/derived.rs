use super::*;
use crate::config::params::Cpu;
use crate::jit::Derivation;
use crate::toolchain::CpuFeatures;

fn for_cpu(cpu: Cpu) -> Derivation {
    Derivation { cpu: Some(cpu), ..Derivation::default() }
}

#[test]
fn an_engine_for_other_processors_has_kernels_of_its_own() {
    let here = Rank::new();
    let generic = here.engine().derived(&for_cpu(Cpu::Generic)).unwrap();
    assert!(Arc::ptr_eq(&generic, &here.engine().derived(&for_cpu(Cpu::Generic)).unwrap()));
    assert!(Arc::ptr_eq(here.engine(), &here.engine().derived(&Derivation::default()).unwrap()));
    let spec = number(1);
    let (outcomes, luggage) = generic.build_packed(&[spec.any()], &[false], &[]);
    let packed = luggage.get(&content(&outcomes[0])).unwrap();
    assert!(packed.facts.cpu.missing_on(CpuFeatures::of_host()).is_empty());
    let native = here.jit.load(&spec).unwrap();
    assert_eq!(native.origin(), KernelOrigin::Built, "another memory table, and another key");
    assert_ne!(native.signature(), content(&outcomes[0]));
    assert_eq!(here.jit.stats().compiled, 2, "counted together");
    assert!(!generic.flags().is_native());
    assert!(here.engine().flags().is_native());
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_level_can_be_compiled_for() {
    let here = Rank::new();
    let level = CpuFeatures::of_host().level();
    let engine = here.engine().derived(&for_cpu(level.cpu())).unwrap();
    let (outcomes, luggage) = engine.build_packed(&[number(1).any()], &[false], &[]);
    let packed = luggage.get(&content(&outcomes[0])).unwrap();
    assert_eq!(packed.facts.cpu.level(), level);
}

#[test]
fn what_a_generator_loads_is_for_the_same_processors() {
    let here = Rank::new();
    let spec = asking(&here.jit, 2);
    let generic = here.engine().derived(&for_cpu(Cpu::Generic)).unwrap();
    let (outcomes, luggage) = generic.build_packed(&[spec.any()], &[false], &[]);
    let loaded = &outcomes[0].as_ref().unwrap().0;
    assert_eq!((call(loaded), luggage.len()), (20, 2));
    assert_eq!(generic.needed(spec.any(), loaded, &luggage).len(), 2);
    assert!(here.engine().held(number(2).any()).unwrap().is_none());
    assert!(generic.held(number(2).any()).unwrap().is_some());
    // Also if nobody collects.
    let outcomes = generic.load_any(&[asking(&here.jit, 3).any()]);
    assert_eq!(call(&outcomes[0].as_ref().unwrap().0), 30);
    assert!(here.engine().held(number(3).any()).unwrap().is_none());
    // Outside of it the `Jit` is itself again.
    here.jit.load(&number(2)).unwrap();
    assert_eq!(here.jit.stats().compiled, 5);
}

#[test]
fn a_subdirectory_is_another_cache() {
    let here = Rank::new();
    let derive = |name: &str| {
        here.engine().derived(&Derivation { subdirectory: Some(name.to_owned()), ..Derivation::default() })
    };
    let spec = number(1);
    let own = derive("rank-3").unwrap();
    let (outcomes, _) = own.build_packed(&[spec.any()], &[false], &[]);
    let path = outcomes[0].as_ref().unwrap().0.path.get().unwrap().clone();
    assert!(path.starts_with(here.cache().join("rank-3/v1")), "{}", path.display());
    assert!(here.jit.lookup(&spec).unwrap().is_none());
    for bad in ["", "..", "a/b"] {
        assert!(derive(bad).is_err(), "{bad}");
    }
}

/// As it may become while a collective load finds out who shares it.
#[test]
fn where_the_directory_was_replaced_kernels_are_in_memory() {
    let here = Rank::new();
    std::fs::write(here.cache(), "").unwrap();
    let own =
        here.engine().derived(&Derivation { subdirectory: Some("rank-3".to_owned()), ..Default::default() });
    let (outcomes, _) = own.unwrap().build_packed(&[number(1).any()], &[false], &[]);
    let loaded = &outcomes[0].as_ref().unwrap().0;
    assert_eq!((call(loaded), loaded.path.get()), (1, None));
    assert_eq!(here.jit.stats().publish_failures, 1);
}
