//! Kernels that are part of the program: the table that `build.rs` wrote, and how a spec is found in it.
//!
//! The table is constant data, sorted by spec signature, so a program that has thousands of kernels pays
//! nothing for them when it starts. A kernel's name leads to its address through the linker, like that of any
//! function: nothing depends on the order of constructors or on sections that a linker might drop.

mod tables;

pub(crate) use tables::Tables;

use crate::cxx::KernelFn;
use crate::source::KernelSpec;

/// The kernels that `build.rs` compiled into a crate, as [`include_prebuilt!`](crate::include_prebuilt) makes
/// them known to the crate's code.
///
/// Given to [`JitBuilder::prebuilt`](crate::JitBuilder::prebuilt). dijitso (Python) has no counterpart.
///
/// ```
/// fn sizes(table: &'static dijitso::Prebuilt) -> dijitso::Result<dijitso::Jit> {
///     println!("{} prebuilt kernels", table.len());
///     dijitso::Jit::builder().prebuilt(table).build()
/// }
/// ```
pub struct Prebuilt {
    /// Sorted by spec signature.
    rows: &'static [Row],
}

/// One kernel.
#[doc(hidden)]
pub struct Row {
    pub spec: [u8; 32],
    /// One for each processor that it was compiled for, the most demanding first.
    pub variants: &'static [Variant],
}

/// One kernel, compiled for one processor.
#[doc(hidden)]
pub struct Variant {
    pub content: [u8; 32],
    /// What the processor must have.
    pub features: u128,
    /// Null for a kernel with exports only.
    pub entry: Address,
    /// What the source exported, and the entry under its own symbol.
    pub exports: &'static [Exported],
}

/// One exported function or variable, by the name that the source gave it.
#[doc(hidden)]
pub struct Exported {
    pub name: &'static str,
    /// In bytes; `None` for a function.
    pub size: Option<u64>,
    pub address: Address,
}

/// The address of something that lives as long as the program.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Address(pub *const ());

// SAFETY: nothing is read or written through it here. It is the address of code or of a variable; calling or
// reading that is `unsafe` of those who do.
#[allow(unsafe_code)]
unsafe impl Sync for Address {}

impl Prebuilt {
    /// Called by what `build.rs` writes, with addresses that are what they claim to be; `rows` is sorted.
    #[doc(hidden)]
    pub const fn new(rows: &'static [Row]) -> Prebuilt {
        Prebuilt { rows }
    }

    /// How many kernels there are. One that was compiled for several processors counts once.
    ///
    /// ```
    /// fn any(table: &dijitso::Prebuilt) -> bool {
    ///     table.len() > 0
    /// }
    /// ```
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// fn none(table: &dijitso::Prebuilt) -> bool {
    ///     table.is_empty()
    /// }
    /// ```
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a kernel is among them, whatever processor it was compiled for.
    ///
    /// ```
    /// # type F = extern "C" fn(f64) -> f64;
    /// fn is_there(table: &dijitso::Prebuilt, spec: &dijitso::KernelSpec<F>) -> bool {
    ///     table.contains(spec)
    /// }
    /// ```
    pub fn contains<F: KernelFn>(&self, spec: &KernelSpec<F>) -> bool {
        self.position(spec.signature().as_bytes()).is_some()
    }

    fn position(&self, spec: &[u8; 32]) -> Option<usize> {
        self.rows.binary_search_by(|row| row.spec.cmp(spec)).ok()
    }
}

impl std::fmt::Debug for Prebuilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prebuilt").field("kernels", &self.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variant").field("exports", &self.exports.len()).finish_non_exhaustive()
    }
}

/// Makes the kernels that `build.rs` compiled known to the crate: expands to `pub static PREBUILT`, a
/// [`Prebuilt`].
///
/// Use it once, in the package whose `build.rs` calls [`prebuild`](crate::prebuild()), in its library if it has
/// one. The kernels become part of every program that uses `PREBUILT`.
///
/// ```ignore
/// dijitso::include_prebuilt!();
///
/// fn main() -> dijitso::Result<()> {
///     let jit = dijitso::Jit::builder().prebuilt(&PREBUILT).build()?;
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! include_prebuilt {
    () => {
        /// The kernels that `build.rs` compiled.
        #[allow(unreachable_pub)]
        pub static PREBUILT: $crate::Prebuilt = {
            #[allow(unused_imports)]
            use $crate::{__prebuilt_table as dijitso_table, private::prebuilt as dijitso_prebuilt};
            ::core::include!(::core::concat!(
                ::core::env!(
                    "OUT_DIR",
                    "include_prebuilt! needs a build.rs that calls dijitso::prebuild() .. compile(\"name\")"
                ),
                "/dijitso_prebuilt.rs"
            ))
        };
    };
}

/// What the file that `build.rs` wrote consists of: the format of the table, and the table.
///
/// The format also stands for how specs are signed. Two versions of this crate that differ in either would find
/// nothing in each other's tables, without a word; so that is an error where the table is compiled.
#[doc(hidden)]
#[macro_export]
macro_rules! __prebuilt_table {
    (format 1; $version:literal; $(#[$link:meta])* { $($declarations:tt)* } $($table:tt)*) => {{
        // Written here and not there, because a crate may forbid `unsafe` in what it writes itself.
        $(#[$link])*
        unsafe extern "C" {
            $($declarations)*
        }
        $($table)*
    }};
    (format $other:literal; $version:literal; $($table:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "build.rs wrote this table of kernels with dijitso ",
            $version,
            ", and the crate uses another version, whose tables have another format: let [dependencies] and \
             [build-dependencies] name the same version of dijitso"
        ))
    };
}
