//! CPU features: which ones a compiled kernel needs, and which ones this machine has.
//!
//! A cache on a shared file system meets machines of different age. A kernel compiled for the newer one
//! would stop the older one with SIGILL in the middle of a computation, so what it needs is written into
//! its seal and compared before it is loaded. What it needs is read from the macros that the compiler
//! predefines for the final flags: they are the compiler's own word for what it may use.

use std::fmt;
use std::io::Read as _;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A set of CPU features of this process's architecture, as bits with fixed meaning (they are stored in
/// entries: append to the tables, never reorder).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub(crate) struct CpuFeatures(u128);

impl CpuFeatures {
    pub(crate) const NONE: CpuFeatures = CpuFeatures(0);

    pub(crate) const fn from_bits(bits: u128) -> CpuFeatures {
        CpuFeatures(bits)
    }

    pub(crate) const fn bits(self) -> u128 {
        self.0
    }

    /// The features that the predefined macros of `-dM -E` name.
    pub(crate) fn of_macros(text: &str) -> CpuFeatures {
        CpuFeatures::named(FEATURES, text)
    }

    /// The same, of a compiler for another target (`aarch64-unknown-linux-gnu`): bits that mean something there.
    pub(crate) fn of_macros_for(target: &str, text: &str) -> CpuFeatures {
        let table = if target.starts_with("aarch64") { aarch64::FEATURES } else { x86_64::FEATURES };
        CpuFeatures::named(table, text)
    }

    fn named(table: &[Feature], text: &str) -> CpuFeatures {
        let mut bits = 0;
        for line in text.lines() {
            let Some(name) = line.strip_prefix("#define ").and_then(|rest| rest.split_whitespace().next())
            else {
                continue;
            };
            for (bit, feature) in table.iter().enumerate() {
                if feature.predefined == name {
                    bits |= 1 << bit;
                }
            }
        }
        CpuFeatures(bits)
    }

    /// What this machine has.
    pub(crate) fn of_host() -> CpuFeatures {
        Host::get().features
    }

    /// The features of this set that `host` lacks, by name; empty means that the code may run.
    pub(crate) fn missing_on(self, host: CpuFeatures) -> Vec<String> {
        CpuFeatures(self.0 & !host.0).names()
    }

    /// The features of this set that this machine lacks, by name.
    pub(crate) fn missing_on_host(self) -> Vec<String> {
        self.missing_on(CpuFeatures::of_host())
    }

    /// The names of the features, as `/proc/cpuinfo` has them.
    ///
    /// A bit without a name comes from a newer version of this crate: nothing here can have it.
    pub(crate) fn names(self) -> Vec<String> {
        (0..128)
            .filter(|bit| self.0 & (1 << bit) != 0)
            .map(|bit| match FEATURES.get(bit) {
                Some(feature) => feature.cpuinfo.to_owned(),
                None => format!("unknown feature {bit}"),
            })
            .collect()
    }
}

impl fmt::Debug for CpuFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuFeatures({})", self.names().join(" "))
    }
}

/// This machine's processor.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) features: CpuFeatures,
    /// Everything a compiler may look at to resolve `native`: vendor, family, model, stepping, flags. Equal
    /// text means an equal answer, so the answer can be kept in a cache that several machines share.
    pub(crate) model: String,
}

impl Host {
    /// Detected once per process.
    pub(crate) fn get() -> &'static Host {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(|| Host::of_cpuinfo(&first_cpu(), detected()))
    }

    /// `detected` are bits that the processor itself told; the rest is looked up in `cpuinfo`.
    fn of_cpuinfo(cpuinfo: &str, detected: Detected) -> Host {
        let mut present = Vec::new();
        let mut model = String::new();
        for line in cpuinfo.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let key = key.trim();
            if MODEL_KEYS.contains(&key) {
                model.push_str(key);
                model.push(':');
                model.push_str(value.trim());
                model.push('\n');
            }
            if key == FLAGS_KEY {
                present = value.split_whitespace().collect();
            }
        }
        let mut bits = detected.present;
        for (bit, feature) in FEATURES.iter().enumerate() {
            if detected.known & (1 << bit) == 0 && present.contains(&feature.cpuinfo) {
                bits |= 1 << bit;
            }
        }
        // Without /proc the detected features still tell most machines apart.
        model.push_str(&format!("{bits:x}"));
        Host { features: CpuFeatures(bits), model }
    }
}

/// The first processor's block. One read of a page makes the kernel format only what fits, which matters
/// where there are hundreds of processors.
fn first_cpu() -> String {
    let mut page = vec![0; 8192];
    let mut filled = 0;
    if let Ok(mut file) = std::fs::File::open("/proc/cpuinfo") {
        while filled < page.len() {
            match file.read(&mut page[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            if page[..filled].windows(2).any(|pair| pair == b"\n\n") {
                break;
            }
        }
    }
    let text = String::from_utf8_lossy(&page[..filled]).into_owned();
    text.split("\n\n").next().unwrap_or_default().to_owned()
}

/// Features the processor was asked for directly.
#[derive(Debug, Clone, Copy, Default)]
struct Detected {
    known: u128,
    present: u128,
}

/// One feature: the macro a compiler predefines when it may use it, and its name in `/proc/cpuinfo`.
struct Feature {
    predefined: &'static str,
    cpuinfo: &'static str,
}

/// Builds the table, and the detection of those features that std can ask the processor for. Preferring
/// std where it can keeps emulators right, which show the real machine's `/proc/cpuinfo`.
macro_rules! features {
    ($arch:ident $name:literal; $($predefined:literal $cpuinfo:literal $([$std:tt])?;)*) => {
        mod $arch {
            pub(super) static FEATURES: &[super::Feature] =
                &[$(super::Feature { predefined: $predefined, cpuinfo: $cpuinfo },)*];
        }

        #[cfg(target_arch = $name)]
        use $arch::FEATURES;

        #[cfg(target_arch = $name)]
        fn detected() -> Detected {
            #[allow(unused_mut)]
            let mut found = Detected::default();
            #[allow(unused_mut, unused_variables, unused_assignments)]
            {
                let mut bit = 0;
                $(
                    $(
                        found.known |= 1 << bit;
                        found.present |= u128::from(std::arch::is_x86_feature_detected!($std)) << bit;
                    )?
                    let _ = $cpuinfo;
                    bit += 1;
                )*
            }
            found
        }
    };
}

#[cfg(target_arch = "x86_64")]
const MODEL_KEYS: &[&str] = &["vendor_id", "cpu family", "model", "model name", "stepping", "flags"];
#[cfg(target_arch = "x86_64")]
const FLAGS_KEY: &str = "flags";

// What a compiler emits unprompted, or a numerical kernel asks for by name. Features that are reached only
// through an odd system intrinsic (fsgsbase, rdpid, waitpkg, ..) are left out: old kernels do not list
// them, and a feature that is there but unlisted would turn every hit into a miss.
features! {
    x86_64 "x86_64";
    "__SSE3__" "pni" ["sse3"];
    "__SSSE3__" "ssse3" ["ssse3"];
    "__SSE4_1__" "sse4_1" ["sse4.1"];
    "__SSE4_2__" "sse4_2" ["sse4.2"];
    "__POPCNT__" "popcnt" ["popcnt"];
    "__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16" "cx16" ["cmpxchg16b"];
    "__AVX__" "avx" ["avx"];
    "__AVX2__" "avx2" ["avx2"];
    "__FMA__" "fma" ["fma"];
    "__F16C__" "f16c" ["f16c"];
    "__BMI__" "bmi1" ["bmi1"];
    "__BMI2__" "bmi2" ["bmi2"];
    "__LZCNT__" "abm" ["lzcnt"];
    "__MOVBE__" "movbe" ["movbe"];
    "__ADX__" "adx" ["adx"];
    "__AES__" "aes" ["aes"];
    "__PCLMUL__" "pclmulqdq" ["pclmulqdq"];
    "__VAES__" "vaes" ["vaes"];
    "__VPCLMULQDQ__" "vpclmulqdq" ["vpclmulqdq"];
    "__GFNI__" "gfni" ["gfni"];
    "__SHA__" "sha_ni" ["sha"];
    "__RDRND__" "rdrand" ["rdrand"];
    "__RDSEED__" "rdseed" ["rdseed"];
    "__FXSR__" "fxsr" ["fxsr"];
    "__XSAVE__" "xsave" ["xsave"];
    "__XSAVEOPT__" "xsaveopt" ["xsaveopt"];
    "__XSAVEC__" "xsavec" ["xsavec"];
    "__XSAVES__" "xsaves" ["xsaves"];
    "__AVX512F__" "avx512f" ["avx512f"];
    "__AVX512CD__" "avx512cd" ["avx512cd"];
    "__AVX512BW__" "avx512bw" ["avx512bw"];
    "__AVX512DQ__" "avx512dq" ["avx512dq"];
    "__AVX512VL__" "avx512vl" ["avx512vl"];
    "__AVX512IFMA__" "avx512ifma" ["avx512ifma"];
    "__AVX512VBMI__" "avx512vbmi" ["avx512vbmi"];
    "__AVX512VBMI2__" "avx512_vbmi2" ["avx512vbmi2"];
    "__AVX512VNNI__" "avx512_vnni" ["avx512vnni"];
    "__AVX512BITALG__" "avx512_bitalg" ["avx512bitalg"];
    "__AVX512VPOPCNTDQ__" "avx512_vpopcntdq" ["avx512vpopcntdq"];
    "__AVX512BF16__" "avx512_bf16" ["avx512bf16"];
    "__AVX512FP16__" "avx512_fp16";
    "__AVX512VP2INTERSECT__" "avx512_vp2intersect" ["avx512vp2intersect"];
    "__AVX512ER__" "avx512er";
    "__AVX512PF__" "avx512pf";
    "__AVX5124VNNIW__" "avx512_4vnniw";
    "__AVX5124FMAPS__" "avx512_4fmaps";
    "__AVXVNNI__" "avx_vnni";
    "__AVXIFMA__" "avx_ifma";
    "__AVXVNNIINT8__" "avx_vnni_int8";
    "__AVXVNNIINT16__" "avx_vnni_int16";
    "__AVXNECONVERT__" "avx_ne_convert";
    "__SHA512__" "sha512";
    "__SM3__" "sm3";
    "__SM4__" "sm4";
    "__AMX_TILE__" "amx_tile";
    "__AMX_INT8__" "amx_int8";
    "__AMX_BF16__" "amx_bf16";
    "__AMX_FP16__" "amx_fp16";
    "__AMX_COMPLEX__" "amx_complex";
    "__APX_F__" "apx";
    "__SSE4A__" "sse4a" ["sse4a"];
    "__XOP__" "xop";
    "__FMA4__" "fma4";
    "__TBM__" "tbm" ["tbm"];
    "__LWP__" "lwp";
    "__3dNOW__" "3dnow";
    "__3dNOW_A__" "3dnowext";
    "__PRFCHW__" "3dnowprefetch";
    "__RTM__" "rtm" ["rtm"];
}

#[cfg(target_arch = "aarch64")]
const MODEL_KEYS: &[&str] =
    &["CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"];
#[cfg(target_arch = "aarch64")]
const FLAGS_KEY: &str = "Features";

// Here the kernel's list is the only complete one: the registers that tell are not readable everywhere.
features! {
    aarch64 "aarch64";
    "__ARM_FEATURE_ATOMICS" "atomics";
    "__ARM_FEATURE_CRC32" "crc32";
    "__ARM_FEATURE_AES" "aes";
    "__ARM_FEATURE_SHA2" "sha2";
    "__ARM_FEATURE_SHA3" "sha3";
    "__ARM_FEATURE_SHA512" "sha512";
    "__ARM_FEATURE_SM3" "sm3";
    "__ARM_FEATURE_SM4" "sm4";
    "__ARM_FEATURE_QRDMX" "asimdrdm";
    "__ARM_FEATURE_DOTPROD" "asimddp";
    "__ARM_FEATURE_FP16_SCALAR_ARITHMETIC" "fphp";
    "__ARM_FEATURE_FP16_VECTOR_ARITHMETIC" "asimdhp";
    "__ARM_FEATURE_FP16_FML" "asimdfhm";
    "__ARM_FEATURE_COMPLEX" "fcma";
    "__ARM_FEATURE_JCVT" "jscvt";
    "__ARM_FEATURE_RCPC" "lrcpc";
    "__ARM_FEATURE_FRINT" "frint";
    "__ARM_FEATURE_BF16" "bf16";
    "__ARM_FEATURE_MATMUL_INT8" "i8mm";
    "__ARM_FEATURE_RNG" "rng";
    "__ARM_FEATURE_MOPS" "mops";
    "__ARM_FEATURE_SVE" "sve";
    "__ARM_FEATURE_SVE2" "sve2";
    "__ARM_FEATURE_SVE_BF16" "svebf16";
    "__ARM_FEATURE_SVE_MATMUL_INT8" "svei8mm";
    "__ARM_FEATURE_SVE_MATMUL_FP32" "svef32mm";
    "__ARM_FEATURE_SVE_MATMUL_FP64" "svef64mm";
    "__ARM_FEATURE_SVE2_AES" "sveaes";
    "__ARM_FEATURE_SVE2_BITPERM" "svebitperm";
    "__ARM_FEATURE_SVE2_SHA3" "svesha3";
    "__ARM_FEATURE_SVE2_SM4" "svesm4";
    "__ARM_FEATURE_SME" "sme";
    "__ARM_FEATURE_SME2" "sme2";
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUINFO: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 207\ncpu MHz\t\t: \
                           2300.000\nflags\t\t: fpu pni avx_vnni avx512f\nCPU part\t: 0xd0c\nFeatures\t: sve i8mm\n";

    #[test]
    fn features_come_from_the_processor_first_and_then_from_cpuinfo() {
        let host = Host::of_cpuinfo(CPUINFO, Detected { known: 1, present: 0 });
        // Bit 0 was asked of the processor, which denied it: the list of an emulator's host does not count.
        assert_eq!(host.features.bits() & 1, 0);
        assert_ne!(host.features, CpuFeatures::NONE);
        let again = Host::of_cpuinfo(&CPUINFO.replace("2300", "1100"), Detected { known: 1, present: 0 });
        assert_eq!(host.model, again.model, "the clock is no part of the model");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn macros_tell_what_a_kernel_needs() {
        let text = "#define __AVX2__ 1\n#define __AVX2_LIKE__ 1\n#define __AVX512F__ 1\nnonsense";
        let needs = CpuFeatures::of_macros(text);
        assert_eq!(needs.names(), ["avx2", "avx512f"]);
        let host = CpuFeatures::of_macros("#define __AVX2__ 1\n");
        assert_eq!(needs.missing_on(host), ["avx512f"]);
        assert!(host.missing_on(needs).is_empty());
        assert_eq!(CpuFeatures::from_bits(1 << 127).missing_on(needs), ["unknown feature 127"]);
    }

    #[test]
    fn the_table_fits_and_has_no_name_twice() {
        assert!(FEATURES.len() < 128);
        for (n, feature) in FEATURES.iter().enumerate() {
            assert!(FEATURES[..n].iter().all(|other| other.predefined != feature.predefined));
        }
    }

    #[test]
    fn this_machine_has_what_it_has() {
        assert!(CpuFeatures::of_host().missing_on_host().is_empty());
        assert!(CpuFeatures::NONE.missing_on_host().is_empty());
    }
}
