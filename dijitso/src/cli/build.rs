//! `dijitso build`: a kernel out of a file, for programs in any language.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Global;
use super::screen::Screen;
use super::text::{line, path};
use super::trouble::{Answer, DONE, Trouble};
use crate::config::params::{BuildParams, Profile};
use crate::cxx::{Language, is_name};
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::jit::Jit;
use crate::report::KernelOrigin;
use crate::signature::{Signature, Signer};
use crate::source::{KernelSpec, Source};

/// No source that anybody wrote or generated is longer.
const LONGEST: u64 = 1 << 30;

/// Compile a file, or find it compiled, and print where its library is
#[derive(Debug, clap::Args)]
pub(super) struct Build {
    /// The source: C++, or C if its name ends with .c
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A function (extern "C") or variable that the library is to export; several times for several (default: the
    /// kernel's name)
    #[arg(long, value_name = "NAME")]
    entry: Vec<String>,
    /// The kernel's name (default: the file's)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A directory that is searched for headers
    #[arg(short = 'I', long, value_name = "DIR")]
    include_dir: Vec<PathBuf>,
    /// A macro
    #[arg(short = 'D', long, value_name = "NAME[=VALUE]")]
    define: Vec<String>,
    /// A library to link
    #[arg(short = 'l', long, value_name = "LIB")]
    lib: Vec<String>,
    /// A directory that is searched for libraries
    #[arg(short = 'L', long, value_name = "DIR")]
    lib_dir: Vec<PathBuf>,
    /// A flag for the compiler
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    flag: Vec<String>,
    /// The language standard, such as c++20
    #[arg(long, value_name = "STANDARD")]
    std: Option<String>,
    /// A header that kernels which depend on this one may include
    #[arg(long, value_name = "FILE")]
    header: Vec<PathBuf>,
    /// A kernel of the cache to link, by its signature; its headers can be included
    #[arg(long, value_name = "SIGNATURE")]
    depends: Vec<String>,
    /// Compile for a debugger
    #[arg(long)]
    debug: bool,
}

/// What is compiled, apart from kernels that it is linked to.
struct Material {
    name: String,
    text: String,
    language: Language,
    headers: Vec<(String, String)>,
    defines: Vec<(String, String)>,
    include_dirs: Vec<PathBuf>,
    lib_dirs: Vec<PathBuf>,
    exports: Vec<String>,
}

impl Build {
    pub(super) fn run(self, global: &Global, screen: &mut Screen) -> Answer {
        let mut params = global.params()?;
        let profile = self.debug.then_some(Profile::Debug);
        params.build = BuildParams { profile, ..BuildParams::default() };
        let jit = Jit::builder().params(params).build()?;
        let material = self.material()?;
        let (name, exports) = (material.name.clone(), material.exports.clone());
        let kernel = jit.load(&self.spec(&jit, material)?)?;
        lacks_nothing(&kernel.exports(), &exports)?;
        let Some(file) = kernel.path() else {
            let text = "the kernel was built, but it cannot be kept: see the warning, and `dijitso doctor`";
            return Err(Trouble::Failed(text.to_owned()));
        };
        let origin = match kernel.origin() {
            KernelOrigin::Built => "built",
            KernelOrigin::Site => "site",
            _ => "disk",
        };
        if screen.is_json() {
            screen.answer(&json!({
                "signature": kernel.signature().to_hex(),
                "path": file.to_string_lossy(),
                "origin": origin,
                "kernel": name,
                "exports": exports,
                "compile_seconds": kernel.report().compile.as_secs_f64(),
            }))?;
        } else {
            screen.line(format_args!("signature {}", kernel.signature()))?;
            screen.line(format_args!("path {}", path(file)))?;
            screen.line(format_args!("origin {origin}"))?;
        }
        Ok(DONE)
    }

    fn material(&self) -> Result<Material, Trouble> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => name_of(&self.file),
        };
        let language = match self.file.extension().is_some_and(|extension| extension == "c") {
            true => Language::C,
            false => Language::Cxx,
        };
        let text = read(&self.file)?;
        let mut include_dirs = absolute(&self.include_dir)?;
        // Beside the file, as a compiler would; only where it makes a difference, since directories are flags.
        if text
            .lines()
            .any(|line| line.trim_start().starts_with('#') && line.contains("include") && line.contains('"'))
        {
            let file = absolute(std::slice::from_ref(&self.file))?;
            include_dirs.extend(file[0].parent().map(Path::to_owned));
        }
        let header = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok::<_, Trouble>((name, read(file)?))
        };
        let define = |define: &String| match define.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (define.clone(), "1".to_owned()),
        };
        let exports = if self.entry.is_empty() { vec![name.clone()] } else { self.entry.clone() };
        Ok(Material {
            text,
            language,
            headers: self.header.iter().map(header).collect::<Result<_, _>>()?,
            defines: self.define.iter().map(define).collect(),
            include_dirs,
            lib_dirs: absolute(&self.lib_dir)?,
            exports,
            name,
        })
    }

    fn spec(self, jit: &Jit, material: Material) -> Result<KernelSpec<()>> {
        let cache = jit.cache();
        let mut below = Vec::with_capacity(self.depends.len());
        for query in &self.depends {
            let signature = cache.find(query)?.signature();
            below.push((signature, jit.cached(&signature)?));
        }
        let key = self.key(&material, below.iter().map(|(signature, _)| *signature));
        let spec = KernelSpec::<()>::new(material.name.clone(), key, move || {
            let mut source = Source::of_file(material.text.clone()).language(material.language);
            for (name, value) in &material.defines {
                source = source.define(name.clone(), value);
            }
            for (name, text) in &material.headers {
                source = source.header(name.clone(), text.clone());
            }
            source = material.include_dirs.iter().fold(source, |source, dir| source.include_dir(dir.clone()));
            source = material.lib_dirs.iter().fold(source, |source, dir| source.link_dir(dir.clone()));
            source = material.exports.iter().fold(source, |source, name| source.export(name.clone()));
            source = self.lib.iter().fold(source, |source, lib| source.link(lib.clone()));
            source = self.flag.iter().fold(source, |source, flag| source.flag(flag.clone()));
            source = self.std.iter().fold(source, |source, standard| source.std(standard.clone()));
            below.iter().fold(source, |source, (_, kernel)| source.depends_on(kernel))
        });
        Ok(spec.package("dijitso build", ""))
    }

    /// The file's content and all options: what is different is another kernel.
    fn key(&self, material: &Material, below: impl Iterator<Item = Signature>) -> Signature {
        let mut signer = Signer::quiet("dijitso build 1");
        signer.field("text", &material.text);
        signer.field("language", &format!("{:?}", material.language));
        signer.field("headers", &material.headers);
        signer.field("defines", &material.defines);
        signer.field("include", &material.include_dirs);
        signer.field("lib dirs", &material.lib_dirs);
        signer.field("exports", &material.exports);
        signer.field("libs", &self.lib);
        signer.field("flags", &self.flag);
        signer.field("std", &self.std);
        // Flags of the profile are part of every index key, but kernels that were imported are found by this one.
        signer.field("debug", &self.debug);
        signer.field("depends", &below.collect::<Vec<_>>());
        signer.finish()
    }
}

/// A library without what was asked for is of no use to who asked.
fn lacks_nothing(has: &[String], wanted: &[String]) -> Result<(), Trouble> {
    let missing = |name: &&String| !name.contains(['*', '?', '[']) && !has.contains(name);
    let Some(name) = wanted.iter().find(missing) else { return Ok(()) };
    let mut has: Vec<String> = has.iter().map(|name| line(name)).collect();
    has.sort_unstable();
    let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
    let name = line(name);
    Err(Trouble::Failed(format!(
        "the library exports {has}, and not `{name}`; --entry names what it is to export, which in C++ must be extern \"C\""
    )))
}

/// The file's name as an identifier.
fn name_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !is_name(&name) {
        name.insert_str(0, "kernel_");
    }
    name
}

fn read(file: &Path) -> Result<String, Trouble> {
    let bytes = Fs::new(Default::default()).read_at_most(file, LONGEST);
    let bytes = bytes.map_err(|error| Error::io("cannot read", file, &error))?;
    String::from_utf8(bytes)
        .map_err(|_| Trouble::Failed(format!("{} is no text (UTF-8)", line(&file.to_string_lossy()))))
}

fn absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let one =
        |path: &PathBuf| std::path::absolute(path).map_err(|error| Error::io("cannot find", path, &error));
    paths.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn any_file_has_a_name_that_a_kernel_may_have() {
        let names = ["axpy.cpp", "ffc-element.2d.cpp", "3d.c", "a/b/int.cpp", "ä.c", "7.c"]
            .map(|file| name_of(file.as_ref()));
        assert_eq!(names, ["axpy", "ffc_element_2d", "kernel_3d", "kernel_int", "_", "kernel_7"]);
    }
}
