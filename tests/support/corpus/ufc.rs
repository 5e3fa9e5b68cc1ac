//! `ufc/`: one C++ translation unit for each form, with classes behind a factory.

use std::path::Path;

use dijitso::{Jit, Kernel, KernelSpec, Source};

use super::reference::{Args, Coefficients, Integral, Kind, Reference};
use super::{folders, name_of, read};
use crate::protocol::Loaded;

/// The wrapper over the classes: makes the form, its default integral of a kind, and tabulates it.
/// Returns 0, or 1 if the form has no such integral.
pub type Tabulate = unsafe extern "C" fn(
    kind: i32,
    a: *mut f64,
    w: *const *const f64,
    x0: *const f64,
    x1: *const f64,
    facet0: usize,
    facet1: usize,
    orientation0: i32,
    orientation1: i32,
) -> i32;

/// The wrapper's C++, for the form that `factory` makes: [`Tabulate`] as `corpus_tabulate`, and
/// `corpus_describe`, which gives signature and rank. `ufc.h` must be included before.
pub fn wrapper(factory: &str) -> String {
    format!(
        r#"
#include <memory>
extern "C" int corpus_tabulate(int kind, double *A, const double *const *w, const double *x0, const double *x1,
                               std::size_t facet0, std::size_t facet1, int orientation0, int orientation1) {{
  std::unique_ptr<ufc::form> form({factory}());
  if (kind == 0) {{
    std::unique_ptr<ufc::cell_integral> integral(form->create_default_cell_integral());
    if (!integral) return 1;
    integral->tabulate_tensor(A, w, x0, orientation0);
  }} else if (kind == 1) {{
    std::unique_ptr<ufc::exterior_facet_integral> integral(form->create_default_exterior_facet_integral());
    if (!integral) return 1;
    integral->tabulate_tensor(A, w, x0, facet0, orientation0);
  }} else {{
    std::unique_ptr<ufc::interior_facet_integral> integral(form->create_default_interior_facet_integral());
    if (!integral) return 1;
    integral->tabulate_tensor(A, w, x0, x1, facet0, facet1, orientation0, orientation1);
  }}
  return 0;
}}
extern "C" std::size_t corpus_describe(unsigned char *signature, std::size_t size) {{
  std::unique_ptr<ufc::form> form({factory}());
  const char *text = form->signature();
  for (std::size_t i = 0; i < size; ++i) {{
    signature[i] = static_cast<unsigned char>(text[i]);
    if (!text[i]) break;
  }}
  return form->rank();
}}
"#
    )
}

/// Loads all forms in one batch and compares them.
pub(super) fn check(root: &Path, jit: &Jit) -> Result<Vec<Loaded>, String> {
    let mut specs = Vec::new();
    let mut references = Vec::new();
    for folder in folders(&root.join("ufc"))? {
        let name = name_of(&folder);
        let reference = Reference::read(&folder.join(format!("{name}.json")))?;
        specs.push(spec(root, &folder, &reference)?);
        references.push(reference);
    }
    let kernels = jit.load_all(&specs).map_err(|e| e.report())?;
    kernels.iter().zip(&references).map(|(kernel, reference)| compare(kernel, reference)).collect()
}

fn spec(root: &Path, folder: &Path, reference: &Reference) -> Result<KernelSpec<Tabulate>, String> {
    let name = name_of(folder);
    let header_name = format!("{name}.h");
    let header = read(&folder.join(&header_name))?;
    let factory = reference.factory.as_deref().ok_or("a C++ form without a factory")?;
    let text = read(&folder.join(format!("{name}.cpp")))? + &wrapper(factory);
    let include = root.join("include");
    let key = (text.clone(), header.clone());
    Ok(KernelSpec::new(&name, key, move || {
        // SAFETY: the wrapper's type is `Tabulate`; the form reads and writes what the interface says.
        unsafe { Source::translation_unit(text.clone()) }
            .header(&header_name, header.clone())
            .include_dir(&include)
            .std("c++11")
            .entry("corpus_tabulate")
            .export("corpus_describe")
    })
    .package("dijitso-tests", "1"))
}

/// Compares one form with its reference.
pub(super) fn compare(kernel: &Kernel<Tabulate>, reference: &Reference) -> Result<Loaded, String> {
    describe(kernel, reference)?;
    let value = reference.compare(f64::NAN, |integral, a| {
        // SAFETY: the arguments are what the reference was computed with.
        match unsafe { tabulate(kernel, integral, a) } {
            0 => Ok(()),
            _ => Err("the form has no such integral".to_owned()),
        }
    })?;
    Ok(Loaded { name: reference.name.clone(), origin: kernel.origin(), value })
}

fn describe(kernel: &Kernel<Tabulate>, reference: &Reference) -> Result<(), String> {
    type Describe = unsafe extern "C" fn(signature: *mut u8, size: usize) -> usize;
    // SAFETY: the wrapper defines it with this type.
    let describe = unsafe { kernel.function::<Describe>("corpus_describe") }.map_err(|e| e.report())?;
    let mut signature = vec![0; reference.form_signature.len() + 1];
    // SAFETY: at most `len` bytes are written.
    let rank = unsafe { describe(signature.as_mut_ptr(), signature.len()) };
    signature.pop_if(|last| *last == 0);
    if signature != reference.form_signature.as_bytes() || rank as i32 != reference.rank {
        return Err(format!("{}: the library holds another form", reference.name));
    }
    Ok(())
}

/// # Safety
/// As the kernel's interface asks for.
unsafe fn tabulate(kernel: &Kernel<Tabulate>, integral: &Integral, a: *mut f64) -> i32 {
    let Args { coordinate_dofs, coordinate_dofs_0, coordinate_dofs_1, .. } = &integral.args;
    let args = &integral.args;
    let w: Vec<*const f64> = match &args.w {
        Some(Coefficients::Each(each)) => each.iter().map(|w| w.as_ptr()).collect(),
        _ => Vec::new(),
    };
    let (x0, x1) = match integral.kind {
        Kind::InteriorFacet => (coordinate_dofs_0.as_ptr(), coordinate_dofs_1.as_ptr()),
        _ => (coordinate_dofs.as_ptr(), std::ptr::null()),
    };
    // SAFETY: the caller's promise; all arrays live until the call returns.
    unsafe {
        match integral.kind {
            Kind::Cell => kernel.call(0, a, w.as_ptr(), x0, x1, 0, 0, args.cell_orientation, 0),
            Kind::ExteriorFacet => {
                kernel.call(1, a, w.as_ptr(), x0, x1, args.facet, 0, args.cell_orientation, 0)
            }
            Kind::InteriorFacet => kernel.call(
                2,
                a,
                w.as_ptr(),
                x0,
                x1,
                args.facet_0,
                args.facet_1,
                args.cell_orientation_0,
                args.cell_orientation_1,
            ),
        }
    }
}
