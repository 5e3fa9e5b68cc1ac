//! The kernels in a library for programs in other languages.

/// Loads a kernel and calls it.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_value(x: f64) -> f64 {
    consumer::consumer_value(x)
}
