//! The flags of one kernel: collected from all who may set some, resolved, and signed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cpu::CpuFeatures;
use super::driver::Driver;
use super::line::Line;
use super::link::library_word;
use super::native::{self, Native};
use super::predefined::{Predefined, decides};
use super::search::{Place, SearchDir, SearchPath};
use super::template::{LinkTemplate, in_template};
use super::words::{self, Group};
use crate::config::Config;
use crate::config::origin::{Flag, Origin};
use crate::config::params::{Cpu, Profile};
use crate::cxx::Language;
use crate::error::Result;
use crate::signature::{Signature, Signer};

/// Everything about a compilation but its text and its files.
#[derive(Debug, Clone)]
pub(crate) struct FlagSet {
    pub(crate) language: Language,
    /// In the order of the command line: the last one wins.
    pub(crate) compile: Vec<Flag>,
    pub(crate) link: Vec<Flag>,
    /// The configuration's libraries, which come after the kernel's.
    pub(crate) libraries: Vec<Flag>,
    /// Some flag of the link is only for the driver.
    pub(crate) needs_driver_link: bool,
    /// What the compiled code may use.
    pub(crate) features: CpuFeatures,
    /// The processor, for people: `native (cooperlake)`, `x86-64-v3`, `default`.
    pub(crate) cpu_text: String,
    /// Where headers are looked for.
    pub(crate) search: SearchPath,
    pub(super) template: Option<Arc<LinkTemplate>>,
    /// Programs that are run because of the kernel's own flags, and are no part of the compiler without them.
    pub(super) programs: Vec<PathBuf>,
    /// Files that flags name and no dependency rule mentions, and a linker of the flags' choice.
    files: Vec<(String, Signature)>,
}

impl FlagSet {
    /// Signs what decides what compiler and linker do with a given text.
    pub(crate) fn sign(&self, signer: &mut Signer) {
        signer.structure("FlagSet", |signer| {
            signer.field("language", self.language.name());
            for (name, flags) in
                [("compile", &self.compile), ("link", &self.link), ("libraries", &self.libraries)]
            {
                let texts: Vec<&str> = flags.iter().map(|flag| flag.text.as_str()).collect();
                signer.field(name, &texts);
            }
            signer.field("files", &self.files);
        });
    }

    /// One line for each flag, with its origin.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (title, flags) in
            [("compile", &self.compile), ("link", &self.link), ("libraries", &self.libraries)]
        {
            for flag in flags {
                text.push_str(&format!("{title} {flag}\n"));
            }
        }
        text
    }
}

/// What a kernel's source says about flags.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfKernel<'a> {
    pub(super) name: &'a str,
    pub(super) std: Option<&'a str>,
    pub(super) flags: &'a [String],
    pub(super) include_dirs: &'a [PathBuf],
}

impl OfKernel<'_> {
    fn origin(&self) -> Origin {
        Origin::Spec(self.name.to_owned())
    }
}

/// The flags as they were asked for, before the compiler had its say.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) language: Language,
    /// Checked, two-word flags as two.
    pub(super) compile: Vec<Flag>,
    link: Vec<Flag>,
    libraries: Vec<Flag>,
}

impl Asked {
    /// Collects them; without a kernel, those that are the same for all.
    pub(super) fn collect(
        config: &Config,
        driver: &Driver,
        language: Language,
        kernel: Option<&OfKernel<'_>>,
    ) -> Result<Asked> {
        let build = &config.build;
        let mut compile = defaults(build.profile.value, &build.profile.origin);
        // Directories nearest to the kernel are searched first, so they stand first.
        if let Some(kernel) = kernel {
            compile.extend(kernel.include_dirs.iter().map(|dir| path_flag("-I", dir, kernel.origin())));
        }
        compile.extend(build.include_dirs.iter().map(|dir| path_flag("-I", &dir.value, dir.origin.clone())));
        compile.extend(layered(config, driver, language));
        if let Some(kernel) = kernel {
            compile.extend(kernel.std.map(|std| Flag::new(format!("-std={std}"), kernel.origin())));
            compile.extend(kernel.flags.iter().map(|flag| Flag::new(flag, kernel.origin())));
        }
        let mut link = build.ldflags.clone();
        let (lib_dirs, rpath_dirs) = (build.lib_dirs.iter(), build.rpath_dirs.iter());
        link.extend(lib_dirs.map(|dir| path_flag("-L", &dir.value, dir.origin.clone())));
        // Not `-Wl,-rpath,`: a comma in the path would end it.
        link.extend(rpath_dirs.flat_map(|dir| {
            let words = ["-Xlinker", "-rpath", "-Xlinker", &dir.value.to_string_lossy()];
            words.map(|word| Flag::new(word, dir.origin.clone()))
        }));
        let libraries = build.libs.iter().map(|lib| Flag::new(library_word(&lib.value), lib.origin.clone()));
        Ok(Asked {
            language,
            compile: words::checked(compile)?,
            link: words::checked(link)?,
            libraries: words::checked(libraries)?,
        })
    }

    /// A question's own flags, with nothing of the configuration's.
    pub(super) fn of_question(language: Language, line: &Line) -> Asked {
        Asked { language, compile: line.usual(), link: Vec::new(), libraries: Vec::new() }
    }

    /// Writes out `native`, adds what every kernel needs, and divides the flags between the two steps.
    pub(super) fn resolve(self, native: Option<&Native>) -> FlagSet {
        let all = native::write_out(self.compile, native);
        let lto = words::grouped(&all).fold(false, |lto, group| match group.text() {
            "-fno-lto" => false,
            text => lto || text.starts_with("-flto"),
        });
        let for_link = |group: &Group<'_>| group.is_for_link() || (lto && group.is_for_lto());
        let of_compile = words::grouped(&all).filter(for_link);
        let link = of_compile.chain(words::grouped(&self.link)).filter(|group| !group.is_unsafe_at_link());
        let (mut needs_driver_link, mut link_flags) = (false, Vec::new());
        for group in link {
            needs_driver_link |= group.needs_driver();
            link_flags.extend_from_slice(group.0);
        }
        let mut compile = Vec::with_capacity(all.len() + 4);
        for group in words::grouped(&all).filter(|group| !group.is_only_for_link()) {
            // `-w` would silence the errors that guard the entry's prototype.
            if self.language == Language::Cxx || group.text() != "-w" {
                compile.extend_from_slice(group.0);
            }
        }
        let strict = match self.language {
            Language::Cxx => &[][..],
            Language::C => &STRICT_C,
        };
        compile.extend(strict.iter().chain(&["-fPIC"]).map(|text| Flag::new(*text, Origin::Default)));
        FlagSet {
            language: self.language,
            cpu_text: native::describe(&compile),
            compile,
            link: link_flags,
            libraries: self.libraries,
            needs_driver_link,
            features: CpuFeatures::NONE,
            search: SearchPath::default(),
            template: None,
            programs: Vec::new(),
            files: Vec::new(),
        }
    }
}

impl FlagSet {
    /// The question whose answer decides about features and headers, see [`Predefined`].
    pub(super) fn predefined_key(&self) -> Vec<String> {
        let decisive = words::grouped(&self.compile).filter(|group| decides(group.text()));
        let words = decisive.flat_map(|group| group.0).map(|flag| flag.text.clone());
        std::iter::once(dialect(self.language).to_owned()).chain(words).collect()
    }

    /// The question whose answer is the [`LinkTemplate`].
    pub(super) fn template_key(&self) -> Vec<String> {
        let decisive = words::grouped(&self.link).filter(|group| in_template(group.text()));
        decisive.flat_map(|group| group.0).map(|flag| flag.text.clone()).collect()
    }

    /// Puts the answer in, and the flags' own directories in front of it, as compilers do.
    pub(super) fn set_predefined(&mut self, predefined: &Predefined, config: &Config) {
        self.features = predefined.features;
        let known = &predefined.search.dirs;
        let named_by = |variable: &str| -> Vec<PathBuf> {
            let value = config.compiler_env.get(variable).map(OsString::as_os_str).unwrap_or_default();
            std::env::split_paths(value).collect()
        };
        let mut system: Vec<PathBuf> = words::grouped(&self.compile)
            .filter_map(|group| group.value("-isystem"))
            .map(PathBuf::from)
            .collect();
        system.extend(match predefined.key.first().map(String::as_str) {
            Some("c") => named_by("C_INCLUDE_PATH"),
            Some("c++") => named_by("CPLUS_INCLUDE_PATH"),
            _ => Vec::new(),
        });
        let cpath: Vec<PathBuf> = named_by("CPATH").into_iter().filter(|dir| !system.contains(dir)).collect();
        let mut dirs = Vec::new();
        for (name, place) in [("-iquote", Place::Quote), ("-I", Place::User)] {
            let values = words::grouped(&self.compile).filter_map(|group| group.value(name));
            for path in values.map(PathBuf::from) {
                // A directory for system headers keeps its place, whoever names it for others, too; one of CPATH alone is
                // searched where it is named first, which is here.
                if cpath.contains(&path) || !known.iter().any(|dir| dir.path == path) {
                    dirs.push(SearchDir { path, place });
                }
            }
        }
        dirs.extend(known.iter().cloned());
        self.search = SearchPath { dirs };
    }

    /// Whether they do to each of several units in one file what they would do to it alone.
    pub(crate) fn treat_units_alike(&self) -> bool {
        // A macro can hold what a text may not.
        let plain = |group: words::Group<'_>| !group.value("-D").is_some_and(crate::source::reaches);
        let level = self.compile.iter().rfind(|flag| flag.text.starts_with("-O"));
        // Without optimization all strings of a file lie in one section.
        level.is_some_and(|flag| flag.text != "-O0")
            && words::grouped(&self.compile).all(|group| words::is_for_any_unit(group.text()) && plain(group))
            && !self.link.iter().any(|flag| flag.text.contains("-Map") || flag.text.contains("gc-sections"))
    }

    /// The files that flags name, or choose, and no dependency rule mentions; those that need not exist, too.
    pub(crate) fn named_files(&self) -> Vec<PathBuf> {
        words::grouped(&self.compile).flat_map(|group| group.files()).collect()
    }

    /// These, and the programs that a kernel's own flags call for.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        self.named_files().into_iter().chain(self.programs.iter().cloned()).collect()
    }

    /// Whether the compiler writes down which line of which file its code comes from.
    pub(crate) fn has_debug_information(&self) -> bool {
        let levels = ["-g", "-g0", "-g1", "-g2", "-g3", "-gline-tables-only"];
        let level =
            |text: &str| levels.contains(&text) || text.starts_with("-ggdb") || text.starts_with("-gdwarf");
        let last = self.compile.iter().rev().map(|flag| flag.text.as_str()).find(|text| level(text));
        last.is_some_and(|text| !text.ends_with('0'))
    }

    pub(super) fn files(&self) -> &[(String, Signature)] {
        &self.files
    }

    pub(super) fn set_template(&mut self, template: &LinkTemplate) {
        self.template = Some(Arc::new(template.clone()));
    }

    pub(super) fn add_file(&mut self, name: String, digest: Signature) {
        self.files.push((name, digest));
    }
}

/// The language as `-x` names it.
pub(crate) fn dialect(language: Language) -> &'static str {
    match language {
        Language::Cxx => "c++",
        Language::C => "c",
    }
}

/// Whether a flag makes the link compile.
pub(super) fn optimizes_at_link(text: &str) -> bool {
    text.starts_with("-flto")
}

/// In C a wrong prototype is a warning; the typed pointer to the entry has to be an error.
pub(crate) const STRICT_C: [&str; 3] =
    ["-Werror=incompatible-pointer-types", "-Werror=int-conversion", "-Werror=implicit-function-declaration"];

fn defaults(profile: Profile, origin: &Origin) -> Vec<Flag> {
    let flags: &[&str] = match profile {
        Profile::Optimized => &["-O3", "-fno-math-errno", "-fno-trapping-math"],
        Profile::Debug => &["-g", "-O0"],
    };
    flags.iter().map(|text| Flag::new(*text, origin.clone())).collect()
}

/// What configuration file, environment and program say, the strongest last.
fn layered(config: &Config, driver: &Driver, language: Language) -> Vec<Flag> {
    let build = &config.build;
    let own = match language {
        Language::Cxx => &build.cxxflags,
        Language::C => &build.cflags,
    };
    let std = build.std.as_ref().filter(|_| language == Language::Cxx);
    let std = std.map(|std| Flag::new(format!("-std={}", std.value), std.origin.clone()));
    let named = driver.processor.iter().chain(&build.cppflags).chain(own);
    let mut flags: Vec<Flag> = std.into_iter().chain(named.cloned()).collect();
    // A sort keeps the order of equals: the processor comes after the flags of its own layer, because who
    // sets DIJITSO_CPU beside CXXFLAGS means it.
    flags.extend(native::cpu_flag(&build.cpu));
    flags.sort_by_key(|flag| flag.origin.layer());
    if build.cpu.value == Cpu::Generic {
        let weaker = |flag: &Flag| flag.origin.layer() <= build.cpu.origin.layer();
        flags.retain(|flag| !(weaker(flag) && native::selects_processor(&flag.text)));
    }
    flags
}

fn path_flag(name: &str, path: &Path, origin: Origin) -> Flag {
    Flag::new(format!("{name}{}", path.display()), origin)
}
