//! `config.h` and its kin.

use std::fmt::Write as _;
use std::path::Path;

use super::comment;
use crate::configure::outputs::{Outputs, Wanted};

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

/// Autoconf's way: `#undef X` in a template becomes `#define X ..`, or a comment.
pub(in crate::configure) fn undefs(template: &str, outputs: &Outputs) -> String {
    let mut text = String::new();
    for line in template.lines() {
        let name =
            line.trim_start().strip_prefix('#').and_then(|rest| rest.trim_start().strip_prefix("undef"));
        let name =
            name.filter(|rest| rest.starts_with([' ', '\t'])).and_then(|rest| rest.split_whitespace().next());
        let Some(name) = name else {
            let _ = writeln!(text, "{line}");
            continue;
        };
        let own = name.strip_prefix(outputs.define_prefix.as_str());
        match own.and_then(|own| outputs.defines.get(own)) {
            Some(wanted) => text.push_str(&define(name, &wanted.value)),
            None => drop(writeln!(text, "/* #undef {name} */")),
        }
    }
    text
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
    let text = format!("{project}_{name}_INCLUDED");
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
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
        };
        let mut outputs = Outputs { define_prefix: "DEMO_".to_owned(), ..Outputs::default() };
        outputs.define("HAVE_B", wanted("1", "b is there */ int x;")).unwrap();
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
             /* b is there * / int x; (module m at m.rs:1) */\n#ifndef DEMO_HAVE_B\n#define DEMO_HAVE_B 1\n#endif\n\n\
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
        let text =
            undefs("/* x */\n#undef DEMO_HAVE_B\n# undef DEMO_HAVE_A\n#undefine\nint y;\n", &outputs());
        assert_eq!(text, "/* x */\n#define DEMO_HAVE_B 1\n/* #undef DEMO_HAVE_A */\n#undefine\nint y;\n");
    }
}
