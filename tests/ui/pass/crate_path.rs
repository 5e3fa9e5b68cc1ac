//! A library may re-export dijitso under a name of its own, and write macros that use it.

mod library {
    pub mod nested {
        pub use ::dijitso as runtime;
    }

    #[macro_export]
    macro_rules! constant_kernel {
        ($name:ident, $value:expr) => {
            #[dijitso::kernel(crate = $crate::library::nested::runtime)]
            fn $name() -> $crate::library::nested::runtime::Source<extern "C" fn() -> f64> {
                // SAFETY: never compiled.
                unsafe { $crate::library::nested::runtime::Source::new(stringify!($value)) }
            }
        };
    }
}

use library::nested::runtime::{self, CxxType, KernelSpec, Sign, Source};

#[derive(Clone, Sign)]
#[sign(crate = library::nested::runtime)]
enum Shape {
    Triangle,
    Polygon { sides: u32 },
}

#[derive(CxxType)]
#[repr(C)]
#[cxx(name = "Point", crate = crate::library::nested::runtime)]
struct Corner {
    x: f64,
}

#[runtime::kernel(name = "area", crate = runtime)]
fn kernel(shape: Shape) -> Source<unsafe extern "C" fn(*const Corner) -> f64> {
    let sides = match shape {
        Shape::Triangle => 3,
        Shape::Polygon { sides } => sides,
    };
    // SAFETY: never compiled.
    unsafe { Source::new(runtime::cxx!(r"// A comment.") + format!("{sides}")) }
}

constant_kernel!(pi, 3.14);

fn main() {
    let spec: KernelSpec<unsafe extern "C" fn(*const Corner) -> f64> = kernel(Shape::Polygon { sides: 5 });
    assert_eq!(spec.description(), "area(Polygon { sides: 5 })");
    assert_ne!(kernel(Shape::Triangle).signature(), spec.signature());
    assert_eq!(pi().description(), "pi()");
}
