//! The compiler for kernels.

use crate::config::origin::Flag;
use crate::configure::{Cx, Failed, Module};
use crate::probe::{Language, Link, Settings};
use crate::toolchain::KernelCompiler;

/// A kernel in the small: it needs a header of the C++ library (the smallest one: `<cmath>` takes ten times as long),
/// exports a function, and is linked as one is.
const KERNEL: &str = "#include <cstddef>\nextern \"C\" double dijitso_smoke(const double *x, std::size_t i) { return x[i]; }\n";

impl Module for KernelCompiler {
    const NAME: &'static str = "kernels.compiler";

    fn configure(cx: &Cx<'_>) -> Result<KernelCompiler, Failed> {
        let shared = Settings::new().compile_flag("-fPIC").link_flag("-shared");
        let kernel = Link::new(Language::Cxx, KERNEL).with(&shared).named("a small kernel (C++)");
        cx.need(&kernel)?;
        let compiler = match cx.probes().session().compiler(Language::Cxx) {
            Ok(compiler) => compiler,
            Err(reason) => return Err(cx.fail(reason.to_string())),
        };
        // What the environment and the user's file say a `Jit` reads by itself.
        let of_options = |flags: &mut dyn Iterator<Item = Flag>| -> Vec<String> {
            flags.filter(|flag| cx.is_own(&flag.origin)).map(|flag| flag.text).collect()
        };
        let toolchain = &compiler.toolchain;
        // A processor that the compiler's words name stays there.
        let processor = toolchain.processor();
        let words = toolchain.words().iter().chain(processor.iter().map(|flag| &flag.text));
        cx.summary("Kernels", format!("{} ({})", toolchain.words().join(" "), toolchain.version()));
        Ok(KernelCompiler {
            cxx: words.cloned().collect(),
            cxxflags: of_options(
                &mut compiler.flags.compile_words().filter(|flag| !processor.contains(flag)),
            ),
            ldflags: of_options(&mut compiler.flags.link_words()),
            version: toolchain.version(),
            target: toolchain.target().to_owned(),
            identity: toolchain.identity().to_hex(),
        })
    }
}
