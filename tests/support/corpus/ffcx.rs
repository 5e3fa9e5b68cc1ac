//! `ffcx/`: C kernels, found through data symbols that point to a form's description.

use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::path::Path;

use dijitso::{Jit, Kernel, KernelSpec, Language, Source};

use super::reference::{Coefficients, Integral, Kind, Reference};
use super::{folders, name_of, read};
use crate::protocol::Loaded;

/// `ufcx_tabulate_tensor_float64`.
type Tabulate = unsafe extern "C" fn(
    a: *mut f64,
    w: *const f64,
    c: *const f64,
    coordinate_dofs: *const f64,
    entity_local_index: *const c_int,
    quadrature_permutation: *const u8,
    custom_data: *mut c_void,
);

#[repr(C)]
struct UfcxIntegral {
    enabled_coefficients: *const bool,
    tabulate_tensor_float32: *const c_void,
    tabulate_tensor_float64: Option<Tabulate>,
    tabulate_tensor_complex64: *const c_void,
    tabulate_tensor_complex128: *const c_void,
    needs_facet_permutations: bool,
    coordinate_element_hash: u64,
    domain: u8,
}

#[repr(C)]
struct UfcxForm {
    signature: *const c_char,
    rank: c_int,
    num_coefficients: c_int,
    original_coefficient_positions: *const c_int,
    coefficient_name_map: *const *const c_char,
    num_constants: c_int,
    constant_ranks: *const c_int,
    constant_shapes: *const *const c_int,
    constant_name_map: *const *const c_char,
    finite_element_hashes: *const u64,
    form_integrals: *const *const UfcxIntegral,
    form_integral_ids: *const c_int,
    form_integral_offsets: *const c_int,
}

/// Loads all files in one batch and compares every form object.
pub(super) fn check(root: &Path, jit: &Jit) -> Result<Vec<Loaded>, String> {
    let mut specs = Vec::new();
    let mut references = Vec::new();
    for folder in folders(&root.join("ffcx"))? {
        let name = name_of(&folder);
        let mut forms = Vec::new();
        for number in 0.. {
            let file = folder.join(format!("{name}_{number}.json"));
            if !file.exists() {
                break;
            }
            forms.push(Reference::read(&file)?);
        }
        specs.push(spec(root, &folder, &forms)?);
        references.push(forms);
    }
    let kernels = jit.load_all(&specs).map_err(|e| e.report())?;
    let mut loaded = Vec::new();
    for (kernel, forms) in kernels.iter().zip(&references) {
        for reference in forms {
            let value = compare(kernel, reference)?;
            loaded.push(Loaded { name: reference.name.clone(), origin: kernel.origin(), value });
        }
    }
    Ok(loaded)
}

fn spec(root: &Path, folder: &Path, forms: &[Reference]) -> Result<KernelSpec<()>, String> {
    let name = name_of(folder);
    let header_name = format!("{name}.h");
    let header = read(&folder.join(&header_name))?;
    let text = read(&folder.join(format!("{name}.c")))?;
    let include = root.join("include");
    let mut exports: Vec<String> = forms.iter().filter_map(|f| f.form_object.clone()).collect();
    exports.extend(forms.iter().flat_map(|f| &f.integrals).filter_map(|i| i.kernel.clone()));
    exports.sort();
    exports.dedup();
    let key = (text.clone(), header.clone());
    Ok(KernelSpec::new(&name, key, move || {
        // SAFETY: called as `ufcx.h` declares it.
        let mut source = unsafe { Source::translation_unit(text.clone()) }
            .language(Language::C)
            .std("c17")
            .header(&header_name, header.clone())
            .include_dir(&include)
            .link("m");
        for export in &exports {
            source = source.export(export);
        }
        source
    })
    .package("dijitso-tests", "1"))
}

fn compare(kernel: &Kernel<()>, reference: &Reference) -> Result<f64, String> {
    let object = reference.form_object.as_deref().ok_or("a C form without its object")?;
    let pointer = kernel.data::<*const UfcxForm>(object).map_err(|e| e.report())?;
    // SAFETY: the source defines `ufcx_form* <object>`, which `UfcxForm` mirrors; it is never changed.
    let form = unsafe { &**pointer.as_ref() };
    // SAFETY: the source sets it to a literal.
    let signature = unsafe { CStr::from_ptr(form.signature) };
    if signature.to_bytes() != reference.form_signature.as_bytes() || form.rank != reference.rank {
        return Err(format!("{}: the library holds another form", reference.name));
    }
    reference.compare(0.0, |integral, a| {
        let name = integral.kernel.as_deref().ok_or("a C integral without its function")?;
        // SAFETY: the source defines it as `ufcx_tabulate_tensor_float64`.
        let by_name = unsafe { kernel.function::<Tabulate>(name) }.map_err(|e| e.report())?;
        // SAFETY: `form` comes from the library.
        let in_table = unsafe { integrals(form, integral.kind) };
        if !in_table.contains(&(by_name as usize)) {
            return Err(format!("`{name}` is not the function that the form object points to"));
        }
        // SAFETY: the arguments are what the reference was computed with.
        unsafe { tabulate(by_name, integral, a) };
        Ok(())
    })
}

/// Addresses of the functions that the form lists for a kind of integral.
///
/// # Safety
/// The form must be one that a library defines.
unsafe fn integrals(form: &UfcxForm, kind: Kind) -> Vec<usize> {
    let kind = match kind {
        Kind::Cell => 0,
        Kind::ExteriorFacet => 1,
        Kind::InteriorFacet => 2,
    };
    // SAFETY: `form_integral_offsets` has one entry more than there are kinds, and says how many
    // integrals there are.
    unsafe {
        let (first, end) = (*form.form_integral_offsets.add(kind), *form.form_integral_offsets.add(kind + 1));
        (first..end)
            .filter_map(|i| (**form.form_integrals.add(i as usize)).tabulate_tensor_float64)
            .map(|f| f as usize)
            .collect()
    }
}

/// # Safety
/// As `ufcx.h` asks for.
unsafe fn tabulate(function: Tabulate, integral: &Integral, a: *mut f64) {
    let args = &integral.args;
    let w = match &args.w {
        Some(Coefficients::Flat(w)) => w.as_ptr(),
        _ => std::ptr::null(),
    };
    let c = args.c.as_ref().map_or(std::ptr::null(), |c| c.as_ptr());
    let entity = args.entity_local_index.as_ref().map_or(std::ptr::null(), |e| e.as_ptr());
    let permutation = args.quadrature_permutation.as_ref().map_or(std::ptr::null(), |p| p.as_ptr());
    // SAFETY: the caller's promise; all arrays live until the call returns.
    unsafe { function(a, w, c, args.coordinate_dofs.as_ptr(), entity, permutation, std::ptr::null_mut()) }
}
