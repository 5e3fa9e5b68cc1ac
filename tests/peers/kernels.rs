//! The kernels that are measured, each as a spec for us and as whole C++ for the others.

use std::fmt::Write as _;

use dijitso::{KernelSpec, Source};
use dijitso_tests::kernels::{self, Number};

/// What a kernel is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Returns a number.
    Trivial,
    /// The same, with `<cmath>`.
    Cmath,
    /// The same in C++11, as Python dijitso compiles everything: newer standards have a larger `<cmath>`.
    Cmath11,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Trivial => "trivial",
            Kind::Cmath => "cmath",
            Kind::Cmath11 => "cmath11",
        }
    }

    /// The language standard, if it is not the compiler's own.
    pub(crate) fn std(self) -> Option<&'static str> {
        (self == Kind::Cmath11).then_some("-std=c++11")
    }

    pub(crate) fn named(name: &str) -> Kind {
        let kinds = [Kind::Trivial, Kind::Cmath, Kind::Cmath11];
        kinds.into_iter().find(|kind| kind.name() == name).expect("the name of a kind")
    }

    pub(crate) fn spec(self, i: u32) -> KernelSpec<Number> {
        match self {
            Kind::Trivial => kernels::number(i),
            Kind::Cmath => KernelSpec::new(format!("c{i:05}"), i, move || self.source(i)),
            Kind::Cmath11 => KernelSpec::new(format!("d{i:05}"), i, move || self.source(i).std("c++11")),
        }
    }

    /// As a compiler is given it without us.
    pub(crate) fn whole(self, i: u32) -> String {
        match self {
            Kind::Trivial => format!("extern \"C\" int k{i:05}() {{ return {i}; }}\n"),
            Kind::Cmath => format!("#include <cmath>\nextern \"C\" {}", cmath('c', i)),
            Kind::Cmath11 => format!("#include <cmath>\nextern \"C\" {}", cmath('d', i)),
        }
    }

    fn source(self, i: u32) -> Source<Number> {
        let initial = if self == Kind::Cmath { 'c' } else { 'd' };
        // SAFETY: has no arguments and no state.
        unsafe { Source::new(cmath(initial, i)) }.include("<cmath>")
    }
}

fn cmath(initial: char, i: u32) -> String {
    format!("int {initial}{i:05}() {{ volatile double x = {i}; return int(std::sqrt(x)); }}\n")
}

/// A kernel with a table of so many doubles.
pub(crate) fn table(i: u32, doubles: u32) -> KernelSpec<Number> {
    let name = format!("table{doubles}_{i:03}");
    KernelSpec::new(&name, (i, doubles), {
        let name = name.clone();
        move || {
            let text = format!(
                "extern const double values[{doubles}];\nconst double values[{doubles}] = {{1.5}};\n\
                 int {name}() {{ volatile int at = 7; return int(values[at]) + {i}; }}"
            );
            // SAFETY: has no arguments and no state.
            unsafe { Source::new(text) }
        }
    })
}

/// The type of [`large`] and [`form`]: an element tensor and weights.
pub(crate) type Tabulate = unsafe extern "C" fn(*mut f64, *const f64);

/// What forms look like: tables of basis functions at quadrature points, each with its loops.
struct Shape {
    parts: u32,
    points: u32,
    basis: u32,
}

const LARGE: Shape = Shape { parts: 48, points: 122, basis: 20 };
const SMALL: Shape = Shape { parts: 6, points: 16, basis: 10 };

impl Shape {
    /// The parts, another text for each `i`, and a function that calls all of them.
    fn write(&self, text: &mut String, name: &str, i: u32) {
        let Shape { parts, points, basis } = self;
        for part in 0..*parts {
            let _ = write!(
                text,
                "static void part{part}(double *A, const double *w) {{\n\
                 static const double FE[{points}][{basis}] = {{"
            );
            for point in 0..*points {
                text.push_str("\n{");
                for basis_function in 0..*basis {
                    let at = f64::from(point * basis + basis_function) + f64::from(part * 7 + i) * 0.37;
                    let _ = write!(text, "{:.17}, ", at.sin() * 0.5);
                }
                text.push_str("},");
            }
            let _ = write!(
                text,
                "}};\nfor (int q = 0; q < {points}; ++q)\n for (int j = 0; j < {basis}; ++j)\n  \
                 for (int k = 0; k < {basis}; ++k)\n   A[j * {basis} + k] += FE[q][j] * FE[q][k] * w[q];\n}}\n"
            );
        }
        let _ = writeln!(text, "extern \"C\" void {name}(double *A, const double *w) {{");
        for part in 0..*parts {
            let _ = writeln!(text, "  part{part}(A, w);");
        }
        text.push_str("}\n");
    }
}

/// The text of a kernel of 2.6 MB, another one for each `i`.
pub(crate) fn large_text(i: u32) -> String {
    let mut text = String::with_capacity(2_700_000);
    LARGE.write(&mut text, "large", i);
    text
}

/// The text of a form as FFC writes small ones, with the headers that it always includes.
pub(crate) fn form_text(i: u32) -> String {
    let mut text = "#include <algorithm>\n#include <cmath>\n#include <stdexcept>\n".to_owned();
    SMALL.write(&mut text, &format!("form{i:05}"), i);
    text
}

/// That text as a kernel, which only the ranks load.
#[allow(dead_code)] // One of the two programs with this module.
pub(crate) fn form(i: u32) -> KernelSpec<Tabulate> {
    let name = format!("form{i:05}");
    KernelSpec::new(&name, i, {
        let name = name.clone();
        move || {
            // SAFETY: adds to A[..100], reads w[..16].
            unsafe { Source::translation_unit(form_text(i)) }.entry(&name).std("c++11")
        }
    })
}

/// That text as a kernel.
pub(crate) fn large(text: &str) -> KernelSpec<Tabulate> {
    let text = text.to_owned();
    KernelSpec::new("large", text.clone(), move || {
        // SAFETY: adds to A[..400], reads w[..122].
        unsafe { Source::translation_unit(text.clone()) }.entry("large")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_large_source_is_as_large_as_the_table_says() {
        let (one, two) = (super::large_text(1), super::large_text(2));
        assert!((2_500_000..2_700_000).contains(&one.len()), "{}", one.len());
        assert_ne!(one, two);
    }
}
