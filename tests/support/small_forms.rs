//! Our own generators in the two shapes of the FEniCS code generators, so that a clean clone tests
//! them without the corpus: a C++ class behind a factory (FFC), and a C data symbol that points to
//! functions (FFCx).

use std::ffi::CStr;
use std::os::raw::c_char;

use dijitso::{Kernel, KernelSpec, Language, Source};

/// `A = integral of u v` on an interval of length `h`, for `kind` 0; -1 for any other.
pub type Tabulate = unsafe extern "C" fn(kind: i32, a: *mut f64, h: f64) -> i32;

const INTERFACE: &str = "#pragma once
struct integral {
  virtual ~integral() {}
  virtual int size() const = 0;
  virtual void tabulate(double *A, double h) const = 0;
};
struct form {
  virtual ~form() {}
  virtual integral *create_integral(int kind) const = 0;
};
";

/// Mass matrix of `nodes` (2 or 3) Lagrange functions on the unit interval.
fn mass(nodes: u32) -> &'static [f64] {
    match nodes {
        2 => &[2. / 6., 1. / 6., 1. / 6., 2. / 6.],
        _ => &[4. / 30., 2. / 30., -1. / 30., 2. / 30., 16. / 30., 2. / 30., -1. / 30., 2. / 30., 4. / 30.],
    }
}

/// A class behind a factory: the module, as FFC's JIT compiles one.
pub fn form_module(nodes: u32) -> KernelSpec<()> {
    KernelSpec::new("mass_form", nodes, move || {
        let (table, size) = (literal(mass(nodes)), nodes * nodes);
        let text = format!(
            "#include \"mass_form.h\"
class mass_integral final : public integral {{
  int size() const override {{ return {nodes}; }}
  void tabulate(double *A, double h) const override {{
    static const double table[{size}] = {{{table}}};
    for (int i = 0; i < {size}; ++i) A[i] = h * table[i];
  }}
}};
class mass_form final : public form {{
  integral *create_integral(int kind) const override {{ return kind == 0 ? new mass_integral : nullptr; }}
}};
form *create_mass_form() {{ return new mass_form; }}
"
        );
        let header = "#pragma once\n#include \"small_form.h\"\nextern \"C\" form *create_mass_form();\n";
        // SAFETY: the factory takes no arguments; its classes are only used through `form_wrapper`.
        unsafe { Source::translation_unit(text) }
            .header("small_form.h", INTERFACE)
            .header("mass_form.h", header)
            .export("create_mass_form")
            .std("c++11")
    })
    .package("dijitso-tests", "1")
}

/// Calls the class from Rust: a second kernel that depends on the module and includes its header.
pub fn form_wrapper(nodes: u32) -> KernelSpec<Tabulate> {
    let module = form_module(nodes);
    KernelSpec::new("mass_tabulate", nodes, move || {
        let text = "#include \"mass_form.h\"
#include <memory>
extern \"C\" int mass_tabulate(int kind, double *A, double h) {
  std::unique_ptr<form> form(create_mass_form());
  std::unique_ptr<integral> integral(form->create_integral(kind));
  if (!integral) return -1;
  integral->tabulate(A, h);
  return integral->size();
}
";
        // SAFETY: writes nodes * nodes values to A.
        unsafe { Source::translation_unit(text) }.depends_on(&module).std("c++11")
    })
    .package("dijitso-tests", "1")
}

/// What the C data symbol points to.
#[repr(C)]
#[derive(Debug)]
pub struct CForm {
    signature: *const c_char,
    rank: i32,
    num_integrals: i32,
    integrals: *const Option<unsafe extern "C" fn(a: *mut f64, h: f64)>,
}

/// A C data symbol `form_mass` that points to a table of functions, as FFCx writes it.
pub fn data_module(nodes: u32) -> KernelSpec<()> {
    KernelSpec::new("mass_c", nodes, move || {
        let (table, size) = (literal(mass(nodes)), nodes * nodes);
        let text = format!(
            "#include \"mass_c.h\"
void tabulate_mass(double *restrict A, double h)
{{
  static const double table[{size}] = {{{table}}};
  for (int i = 0; i < {size}; ++i) A[i] += h * table[i];
}}
static tabulate *const integrals[1] = {{tabulate_mass}};
static c_form form = {{.signature = \"mass {nodes}\", .rank = 2, .num_integrals = 1, .integrals = integrals}};
c_form *form_mass = &form;
"
        );
        let header = "#pragma once
typedef void(tabulate)(double *restrict A, double h);
typedef struct { const char *signature; int rank; int num_integrals; tabulate *const *integrals; } c_form;
extern c_form *form_mass;
";
        // SAFETY: `CForm` mirrors `c_form`.
        unsafe { Source::translation_unit(text) }
            .language(Language::C)
            .std("c17")
            .header("mass_c.h", header)
            .export("form_mass")
            .export("tabulate_mass")
    })
    .package("dijitso-tests", "1")
}

/// Loads all of them and compares with the exact matrices.
///
/// # Errors
/// Says which one is wrong.
pub fn check(jit: &dijitso::Jit) -> Result<Vec<dijitso::KernelOrigin>, String> {
    let mut origins = Vec::new();
    for nodes in [2, 3] {
        let module = jit.load(&form_module(nodes)).map_err(|e| e.report())?;
        let wrapper = jit.load(&form_wrapper(nodes)).map_err(|e| e.report())?;
        let data = jit.load(&data_module(nodes)).map_err(|e| e.report())?;
        origins.extend([module.origin(), wrapper.origin(), data.origin()]);
        check_loaded(nodes, &wrapper, &data)?;
    }
    Ok(origins)
}

/// Compares [`form_wrapper`] and [`data_module`], however they were loaded, with the exact matrices.
///
/// # Errors
/// Says which one is wrong.
pub fn check_loaded(nodes: u32, wrapper: &Kernel<Tabulate>, data: &Kernel<()>) -> Result<(), String> {
    let (size, h) = ((nodes * nodes) as usize, 0.25);
    let expected: Vec<f64> = mass(nodes).iter().map(|m| h * m).collect();
    let mut a = vec![f64::NAN; size];
    // SAFETY: `a` has nodes * nodes elements.
    let returned = unsafe { wrapper.call(0, a.as_mut_ptr(), h) };
    compare(&format!("class behind a factory, {nodes} nodes"), returned == nodes as i32, &a, &expected)?;

    // SAFETY: the source defines `c_form *form_mass`, which `CForm` mirrors.
    let form = unsafe { &**data.data::<*const CForm>("form_mass").map_err(|e| e.report())?.as_ref() };
    // SAFETY: the source sets it to a literal.
    let signature = unsafe { CStr::from_ptr(form.signature) }.to_string_lossy();
    let right = signature == format!("mass {nodes}") && form.rank == 2 && form.num_integrals == 1;
    // SAFETY: the source declares the function with this type.
    let by_name = unsafe { data.function::<unsafe extern "C" fn(*mut f64, f64)>("tabulate_mass") };
    // SAFETY: the table has `num_integrals` entries, here one.
    let by_table = unsafe { *form.integrals };
    for tabulate in [by_table, by_name.ok()] {
        let tabulate = tabulate.ok_or("a function of the C form is missing")?;
        let mut a = vec![0.0; size];
        // SAFETY: `a` has nodes * nodes elements.
        unsafe { tabulate(a.as_mut_ptr(), h) };
        compare(&format!("C data symbol, {nodes} nodes"), right, &a, &expected)?;
    }
    Ok(())
}

fn compare(what: &str, right: bool, a: &[f64], expected: &[f64]) -> Result<(), String> {
    let close = a.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-15);
    if right && close { Ok(()) } else { Err(format!("{what}: {a:?} instead of {expected:?}")) }
}

fn literal(values: &[f64]) -> String {
    values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(", ")
}
