//! What can be given to [`Jit::load_all`](super::Jit::load_all).

use std::sync::Arc;

use crate::cxx::KernelFn;
use crate::kernel::{Kernel, Loaded};
use crate::report::KernelOrigin;
use crate::source::{AnySpec, KernelSpec};

type Batch = Vec<(Arc<Loaded>, KernelOrigin)>;

mod sealed {
    pub trait Sealed {}
}

/// A batch of kernel specs: `&[KernelSpec<F>]` (or a reference to an array or vector), or a tuple of up
/// to eight references to specs of different types.
///
/// Sealed: implemented here only.
pub trait Specs: sealed::Sealed {
    /// `Vec<Kernel<F>>`, or a tuple of kernels.
    type Kernels;

    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn any(&self) -> Vec<&AnySpec>;

    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn kernels(self, loaded: Batch) -> Self::Kernels;
}

fn typed<F: KernelFn>(loaded: Batch) -> Vec<Kernel<F>> {
    loaded.into_iter().map(|(loaded, origin)| Kernel::new(loaded, origin)).collect()
}

macro_rules! sequences {
    ($(($($generics:tt)*) $type:ty;)*) => {$(
        impl<F: KernelFn, $($generics)*> sealed::Sealed for $type {}
        impl<F: KernelFn, $($generics)*> Specs for $type {
            type Kernels = Vec<Kernel<F>>;

            #[allow(private_interfaces)]
            fn any(&self) -> Vec<&AnySpec> {
                self.iter().map(KernelSpec::any).collect()
            }

            #[allow(private_interfaces)]
            fn kernels(self, loaded: Batch) -> Vec<Kernel<F>> {
                typed(loaded)
            }
        }
    )*};
}

sequences! {
    () &[KernelSpec<F>];
    () &Vec<KernelSpec<F>>;
    () Vec<KernelSpec<F>>;
    (const N: usize) &[KernelSpec<F>; N];
    (const N: usize) [KernelSpec<F>; N];
}

macro_rules! tuples {
    ($(($($f:ident $n:tt),*))*) => {$(
        impl<$($f: KernelFn),*> sealed::Sealed for ($(&KernelSpec<$f>,)*) {}
        impl<$($f: KernelFn),*> Specs for ($(&KernelSpec<$f>,)*) {
            type Kernels = ($(Kernel<$f>,)*);

            #[allow(private_interfaces)]
            fn any(&self) -> Vec<&AnySpec> {
                vec![$(self.$n.any()),*]
            }

            #[allow(private_interfaces)]
            fn kernels(self, loaded: Batch) -> Self::Kernels {
                // One element of `loaded` for each of ours, in order.
                ($({
                    let (loaded, origin) = loaded[$n].clone();
                    Kernel::<$f>::new(loaded, origin)
                },)*)
            }
        }
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
