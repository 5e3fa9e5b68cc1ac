//! A C++ compiler with flags that a configuration came to, for kernels.

use serde::{Deserialize, Serialize};

/// The compiler for kernels, as a configuration found and tested it: pass it to
/// [`JitBuilder::toolchain`](crate::JitBuilder::toolchain).
///
/// It is a module of its own ([`Module`](crate::configure::Module)): the compiler must compile and link a small kernel.
///
/// dijitso has no counterpart. BuildSystem: `setCompilers`, for what is compiled later.
///
/// ```no_run
/// use dijitso::{Jit, configure::{Configure, KernelCompiler}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let configuration = Configure::new("Demo").with::<KernelCompiler>().run()?;
/// let compiler = configuration.get::<KernelCompiler>().unwrap();
/// let jit = Jit::builder().toolchain(&compiler).build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelCompiler {
    /// The words that run it.
    pub cxx: Vec<String>,
    /// Flags for compiling, after those of the user.
    pub cxxflags: Vec<String>,
    /// Flags for linking.
    pub ldflags: Vec<String>,
    /// As it says it.
    pub version: String,
    /// For which kind of machine, such as `x86_64-linux-gnu`.
    pub target: String,
    /// Of its contents.
    pub identity: String,
}
