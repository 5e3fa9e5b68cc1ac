//! Modules that every configuration may want.

mod kernels;

pub use crate::toolchain::KernelCompiler;
