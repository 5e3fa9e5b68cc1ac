//! Small kernels for tests: declared by attribute and by builder.

use std::path::PathBuf;

use dijitso::{KernelSpec, Sign, Source};

/// `y += a * x` over `n` elements.
pub type Axpy = unsafe extern "C" fn(n: usize, a: f64, x: *const f64, y: *mut f64);

/// How the loop of [`axpy`] is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Sign)]
pub enum Loop {
    /// One element in each iteration.
    Plain,
    /// So many elements in each iteration.
    Unrolled(u32),
}

/// A kernel whose text depends on its argument.
#[dijitso::kernel]
pub fn axpy(shape: Loop) -> Source<Axpy> {
    let step = match shape {
        Loop::Plain => 1,
        Loop::Unrolled(step) => step.max(1),
    };
    let mut body = String::new();
    for k in 0..step {
        body += &format!("    y[i + {k}] += a * x[i + {k}];\n");
    }
    let text = format!(
        "void axpy(std::size_t n, double a, const double *x, double *y) {{\n  std::size_t i = 0;\n  \
         for (; i + {step} <= n; i += {step}) {{\n{body}  }}\n  for (; i < n; ++i) y[i] += a * x[i];\n}}\n"
    );
    // SAFETY: reads x[..n], writes y[..n], keeps no state.
    unsafe { Source::new(text) }.include("<cstddef>")
}

/// Takes and returns values only, so it is safe to call.
pub type Number = extern "C" fn() -> i32;

/// What [`number`]`(i)` returns is this plus `i`: a constant that no prologue contains by chance.
pub const NUMBER_BASE: i32 = 0x5100_0000;

/// The cheapest kernel there is: returns [`NUMBER_BASE`]` + i`. All names have the same length.
pub fn number(i: u32) -> KernelSpec<Number> {
    let name = format!("k{i:05}");
    KernelSpec::new(&name, i, {
        let name = name.clone();
        move || {
            let value = NUMBER_BASE + i32::try_from(i).unwrap_or(i32::MAX - NUMBER_BASE);
            // SAFETY: has no arguments and no state.
            unsafe { Source::new(format!("int {name}() {{ return {value}; }}\n")) }
        }
    })
    .package("dijitso-tests", "1")
}

/// The same with so many bytes of ballast in its library.
pub fn heavy(i: u32, bytes: u32) -> KernelSpec<Number> {
    let name = format!("h{i:05}");
    KernelSpec::new(&name, (i, bytes), {
        let name = name.clone();
        move || {
            let value = NUMBER_BASE + i32::try_from(i).unwrap_or(i32::MAX - NUMBER_BASE);
            // SAFETY: has no arguments and no state.
            unsafe {
                Source::new(format!(
                    "static const volatile unsigned char ballast[{bytes}] = {{1}};\n\
                     int {name}() {{ (void)ballast[0]; return {value}; }}\n"
                ))
            }
        }
    })
    .package("dijitso-tests", "1")
}

/// A kernel whose text is `text`, entry `name`; the key is the text, so the spec says it all.
pub fn text(name: &str, text: &str) -> KernelSpec<Number> {
    let body = text.to_owned();
    // SAFETY: the tests' texts take no arguments.
    KernelSpec::new(name, text, move || unsafe { Source::new(body.clone()) }).package("dijitso-tests", "1")
}

/// The same for a text that stays whole, with its own includes.
pub fn unit(name: &str, text: &str) -> KernelSpec<Number> {
    let body = text.to_owned();
    KernelSpec::new(name, ("unit", text), move || {
        // SAFETY: the tests' texts take no arguments.
        unsafe { Source::translation_unit(body.clone()) }
    })
    .package("dijitso-tests", "1")
}

/// Returns `STATE` of the header `state.h` in `dir`, which is not part of the key: the tracked input.
pub fn state(dir: PathBuf, quoted: bool) -> KernelSpec<Number> {
    let include = if quoted { "\"state.h\"" } else { "<state.h>" };
    KernelSpec::new("state", dir.clone(), move || {
        // SAFETY: has no arguments and no state.
        unsafe { Source::new("int state() { return STATE; }") }.include(include).include_dir(&dir)
    })
    .package("dijitso-tests", "1")
}

/// Reads its text from a file that is not in its key, as a generator with a bug does.
pub fn unkeyed(path: PathBuf) -> KernelSpec<Number> {
    KernelSpec::new("unkeyed", (), move || -> Result<Source<Number>, std::io::Error> {
        let text = std::fs::read_to_string(&path)?;
        // SAFETY: the tests' texts take no arguments.
        Ok(unsafe { Source::new(text) })
    })
    .package("dijitso-tests", "1")
}

/// Adds one to what `number(i)` returns, by calling its exported function: a dependency.
pub fn successor(i: u32) -> KernelSpec<Number> {
    let base = base(i);
    KernelSpec::new("successor", i, move || {
        // SAFETY: has no arguments and no state.
        unsafe {
            Source::translation_unit(
                "#include \"base.h\"\nextern \"C\" int successor() { return base() + 1; }\n",
            )
        }
        .depends_on(&base)
    })
    .package("dijitso-tests", "1")
}

/// What [`successor`] is linked to.
pub fn base(i: u32) -> KernelSpec<()> {
    KernelSpec::new("base", i, move || {
        let text = format!("#include \"base.h\"\nint base() {{ return {i}; }}\n");
        // SAFETY: `base` has no arguments and no state.
        unsafe { Source::translation_unit(text) }
            .header("base.h", "extern \"C\" int base();\n")
            .export("base")
    })
    .package("dijitso-tests", "1")
}
