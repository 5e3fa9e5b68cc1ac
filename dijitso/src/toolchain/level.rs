//! What different machines have in common.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::cpu::{CpuFeatures, Host};
use crate::config::params::Cpu;
use crate::signature::{Signature, digest};

/// A level of the x86-64 architecture, 1 to 4; 0 is whatever a compiler takes for its target by itself, and all there
/// is on other architectures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Level(u8);

impl Level {
    /// The processor to compile for, with which every machine of this level can do. It is tuned for none of them.
    pub(crate) fn cpu(self) -> Cpu {
        match self.0 {
            0 => Cpu::Generic,
            1 => Cpu::Named("x86-64".to_owned()),
            level => Cpu::Named(format!("x86-64-v{level}")),
        }
    }
}

/// What each level adds to those below, as compilers predefine it.
#[cfg(target_arch = "x86_64")]
const ADDED: [&[&str]; 3] = [
    &[
        "__SSE3__",
        "__SSSE3__",
        "__SSE4_1__",
        "__SSE4_2__",
        "__POPCNT__",
        "__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16",
    ],
    &[
        "__AVX__",
        "__AVX2__",
        "__BMI__",
        "__BMI2__",
        "__F16C__",
        "__FMA__",
        "__LZCNT__",
        "__MOVBE__",
        "__XSAVE__",
    ],
    &["__AVX512F__", "__AVX512BW__", "__AVX512CD__", "__AVX512DQ__", "__AVX512VL__"],
];

impl CpuFeatures {
    /// What both have.
    pub(crate) fn intersection(self, other: CpuFeatures) -> CpuFeatures {
        CpuFeatures::from_bits(self.bits() & other.bits())
    }

    /// The highest level whose code runs on a machine with these features.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn level(self) -> Level {
        let mut macros: BTreeSet<&str> = BTreeSet::from(["__FXSR__"]);
        let mut level = 0;
        for added in [&[][..]].into_iter().chain(ADDED) {
            macros.extend(added);
            let text: String = macros.iter().map(|name| format!("#define {name} 1\n")).collect();
            if !CpuFeatures::of_macros(&text).missing_on(self).is_empty() {
                break;
            }
            level += 1;
        }
        Level(level)
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn level(self) -> Level {
        Level(0)
    }
}

/// Equal on two machines if `native` means the same there, for one and the same compiler. Asks no compiler.
pub(crate) fn native_digest() -> Signature {
    digest(Host::get().model.as_bytes())
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::process::Command;

    use super::*;

    fn predefined(arch: &str) -> CpuFeatures {
        let mut command = Command::new("c++");
        command.args([&format!("-march={arch}"), "-dM", "-E", "-x", "c++", "/dev/null"]);
        let output = command.output().unwrap();
        assert!(output.status.success());
        CpuFeatures::of_macros(&String::from_utf8_lossy(&output.stdout))
    }

    #[test]
    fn a_level_is_what_the_compiler_takes_it_for() {
        for (level, arch) in [(1, "x86-64"), (2, "x86-64-v2"), (3, "x86-64-v3"), (4, "x86-64-v4")] {
            let features = predefined(arch);
            assert_eq!(features.level(), Level(level), "{arch}: {features:?}");
            assert_eq!(features.level().cpu(), Cpu::Named(arch.to_owned()));
        }
        assert_eq!(CpuFeatures::NONE.level().cpu(), Cpu::Generic);
    }

    #[test]
    fn what_machines_have_in_common_is_of_the_lower_level() {
        let (newer, older) = (predefined("x86-64-v4"), predefined("haswell"));
        let common = newer.intersection(older);
        assert_eq!((newer.level(), older.level(), common.level()), (Level(4), Level(3), Level(3)));
        assert!(common.missing_on(older).is_empty() && common.missing_on(newer).is_empty());
        // Code for the level runs on both.
        assert!(predefined("x86-64-v3").missing_on(common).is_empty());
        assert!(CpuFeatures::of_host().level() >= Level(1));
    }

    #[test]
    fn native_means_the_same_on_the_same_machine() {
        assert_eq!(native_digest(), native_digest());
        assert!(native_digest().to_hex().starts_with(&super::super::host_name()));
    }
}
