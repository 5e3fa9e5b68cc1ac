//! `config.h` and its kin.

use std::fmt::Write as _;
use std::path::Path;

use super::comment;
use super::template::all_known;
use crate::config::suggest::nearest;
use crate::configure::failed::Failed;
use crate::configure::outputs::{Outputs, Wanted, as_identifier};

/// The header of macros.
pub(in crate::configure) fn header(project: &str, path: &Path, outputs: &Outputs) -> String {
    let mut text = begin(project, path);
    let mut names: Vec<&String> = outputs.defines.keys().chain(outputs.undefined.keys()).collect();
    names.sort();
    for name in names {
        let full = format!("{}{name}", outputs.define_prefix);
        if let Some(wanted) = outputs.defines.get(name) {
            why(&mut text, wanted);
            let _ = writeln!(text, "#ifndef {full}\n{}#endif", define(&full, &wanted.value));
        } else if let Some(wanted) = outputs.undefined.get(name) {
            why(&mut text, wanted);
            let _ = writeln!(text, "/* #undef {full} */");
        }
    }
    end(&mut text);
    text
}

/// The header of types and prototypes: what is C and not the preprocessor's.
pub(in crate::configure) fn types(project: &str, path: &Path, outputs: &Outputs) -> String {
    let mut text = begin(project, path);
    text.push_str("\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    for (name, wanted) in &outputs.typedefs {
        why(&mut text, wanted);
        let _ = writeln!(text, "typedef {} {name};", wanted.value);
    }
    for wanted in outputs.prototypes.values() {
        why(&mut text, wanted);
        let _ = writeln!(text, "{}", wanted.value);
    }
    text.push_str("\n#ifdef __cplusplus\n}\n#endif\n");
    end(&mut text);
    text
}

/// Autoconf's way: `#undef X` in a template becomes `#define X ..`, or a comment if a module says that X is undefined.
///
/// # Errors
/// Macros that nobody decides: all of them, with file and line, and who wants the template. A slip in a name would else be
/// a feature that is missing everywhere.
pub(in crate::configure) fn undefs(
    path: &Path,
    template: &str,
    by: &str,
    outputs: &Outputs,
) -> Result<String, Failed> {
    let prefix = outputs.define_prefix.as_str();
    let mut text = String::new();
    let mut unknown = Vec::new();
    for (n, line) in template.lines().enumerate() {
        let name =
            line.trim_start().strip_prefix('#').and_then(|rest| rest.trim_start().strip_prefix("undef"));
        let name =
            name.filter(|rest| rest.starts_with([' ', '\t'])).and_then(|rest| rest.split_whitespace().next());
        let Some(name) = name else {
            let _ = writeln!(text, "{line}");
            continue;
        };
        let own = name.strip_prefix(prefix);
        match own.map(|own| (outputs.defines.get(own), outputs.undefined.contains_key(own))) {
            Some((Some(wanted), _)) => text.push_str(&define(name, &wanted.value)),
            Some((None, true)) => drop(writeln!(text, "/* #undef {name} */")),
            _ => {
                let full = outputs.defines.keys().chain(outputs.undefined.keys());
                let full: Vec<String> = full.map(|own| format!("{prefix}{own}")).collect();
                let meant = nearest(name, full.iter().map(String::as_str))
                    .or_else(|| full.iter().map(String::as_str).find(|known| known.ends_with(name)));
                let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
                let place = format!("{}:{}", path.display(), n + 1);
                unknown.push(format!("{place}: no module defines {name}, or says that it is not{meant}"));
            }
        }
    }
    all_known(unknown, by).map(|()| text)
}

fn define(name: &str, value: &str) -> String {
    let value = value.replace('\n', " \\\n");
    if value.is_empty() { format!("#define {name}\n") } else { format!("#define {name} {value}\n") }
}

fn begin(project: &str, path: &Path) -> String {
    let guard = guard(project, path);
    format!(
        "/* {}: written by its configuration; changes will be lost. */\n#ifndef {guard}\n#define {guard}\n",
        comment(project)
    )
}

fn end(text: &mut String) {
    text.push_str("\n#endif\n");
}

fn guard(project: &str, path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    as_identifier(&format!("{project}_{name}_INCLUDED"))
}

fn why(text: &mut String, wanted: &Wanted) {
    let place = comment(&wanted.by);
    let _ = match wanted.why.as_str() {
        "" => writeln!(text, "\n/* {place} */"),
        why => writeln!(text, "\n/* {} ({place}) */", comment(why)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs() -> Outputs {
        let wanted = |value: &str, why: &str| Wanted {
            value: value.to_owned(),
            why: why.to_owned(),
            by: "module m at m.rs:1".to_owned(),
            form: Default::default(),
        };
        let mut outputs = Outputs { define_prefix: "DEMO_".to_owned(), ..Outputs::default() };
        outputs.define("HAVE_B", wanted("1", "b is there /*/ int x; /* */")).unwrap();
        outputs.define("EMPTY", wanted("", "")).unwrap();
        outputs.undefine("HAVE_A", wanted("", "a is not")).unwrap();
        outputs.typedef("demo_index", wanted("long long", "as wide as a pointer")).unwrap();
        outputs.prototype("usleep", wanted("int usleep(unsigned);", "nobody declares it")).unwrap();
        outputs
    }

    #[test]
    fn macros_are_guarded_prefixed_sorted_and_say_why() {
        let text = header("Demo", Path::new("x/config.h"), &outputs());
        assert_eq!(
            text,
            "/* Demo: written by its configuration; changes will be lost. */\n\
             #ifndef DEMO_CONFIG_H_INCLUDED\n#define DEMO_CONFIG_H_INCLUDED\n\n\
             /* module m at m.rs:1 */\n#ifndef DEMO_EMPTY\n#define DEMO_EMPTY\n#endif\n\n\
             /* a is not (module m at m.rs:1) */\n/* #undef DEMO_HAVE_A */\n\n\
             /* b is there / * / int x; / * * / (module m at m.rs:1) */\n#ifndef DEMO_HAVE_B\n#define DEMO_HAVE_B 1\n#endif\n\n\
             #endif\n"
        );
    }

    #[test]
    fn types_and_prototypes_have_a_header_of_their_own() {
        let text = types("Demo", Path::new("types.h"), &outputs());
        assert!(text.contains("typedef long long demo_index;\n") && text.contains("int usleep(unsigned);\n"));
        assert!(text.contains("extern \"C\" {") && !text.contains("HAVE_B"));
    }

    #[test]
    fn a_template_of_undefs_is_filled_in_as_autoconf_does() {
        let template = "/* x */\n#undef DEMO_HAVE_B\n# undef DEMO_HAVE_A\n#undefine\nint y;\n";
        let text = undefs(Path::new("config.h.in"), template, "m", &outputs()).unwrap();
        assert_eq!(text, "/* x */\n#define DEMO_HAVE_B 1\n/* #undef DEMO_HAVE_A */\n#undefine\nint y;\n");
    }

    #[test]
    fn a_macro_of_a_template_that_nobody_decides_is_told_with_both_places() {
        let template = "#undef DEMO_HAVE_BB\n#undef DEMO_HAVE_B\n#undef EMPTY\n#undef OTHER\n";
        let failed = undefs(Path::new("config.h.in"), template, "build.rs:7", &outputs()).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "config.h.in:1: no module defines DEMO_HAVE_BB, or says that it is not; did you mean DEMO_HAVE_B?\n\
             config.h.in:3: no module defines EMPTY, or says that it is not; did you mean DEMO_EMPTY?\n\
             config.h.in:4: no module defines OTHER, or says that it is not\n\
             the template is wanted by build.rs:7"
        );
    }

    #[test]
    fn a_project_that_begins_with_a_digit_has_a_guard() {
        assert!(header("3d", Path::new("config.h"), &outputs()).contains("#ifndef _3D_CONFIG_H_INCLUDED\n"));
    }
}
