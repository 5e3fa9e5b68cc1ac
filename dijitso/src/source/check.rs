//! What a generator may ask for. Everything here ends up in a C++ text, a file name, a linker
//! script or a command line, and is refused if it could mean something else there.

use std::path::Path;

use super::parts::{Kind, Parts, Preamble};
use super::scan::scan;
use crate::cxx::{Language, is_identifier, is_name};

/// Longest name of a kernel: with the signature it must fit into a file name of 255 bytes.
const NAME_LIMIT: usize = 128;

/// Files that the engine itself puts beside the sources, in the build directory, the failure bundle
/// or the entry.
const OWN_FILES: &[&str] = &["entry.json", "listing.json", "build.log", "error.log", "command.sh"];
const OWN_ENDINGS: &[&str] = &["o", "so", "d", "a", "lock", "map", "ver", "gch", "pch"];

/// Completes the parts of kernel `name` (the entry gets its name), or says all that is wrong with
/// them.
pub(super) fn complete(mut parts: Parts, name: &str) -> Result<Parts, String> {
    let mut problems = Vec::new();
    entry(&mut parts, name, &mut problems);
    includes(&parts, &mut problems);
    words(&parts, &mut problems);
    paths(&parts, &mut problems);
    headers(&parts, name, &mut problems);
    exports(&parts, &mut problems);
    if problems.is_empty() { Ok(parts) } else { Err(problems.join("; ")) }
}

/// A kernel's name becomes part of file names, symbols and a namespace.
pub(super) fn kernel_name(name: &str) -> Result<(), String> {
    let rule = format!(
        "a kernel's name is an identifier of C++ (letters, digits, `_`) with at most {NAME_LIMIT} characters"
    );
    if name.is_empty() {
        return Err(format!("the name is empty; {rule}"));
    }
    if name.len() > NAME_LIMIT {
        return Err(format!(
            "the name has {} characters; {rule}: put what distinguishes kernels into the key",
            name.len()
        ));
    }
    if !is_identifier(name) {
        return Err(format!("`{}` is no identifier; {rule}", name.escape_debug()));
    }
    if !is_name(name) {
        return Err(format!("`{name}` is reserved in C++; {rule}"));
    }
    if name == "main" {
        return Err("`main` is the function that starts a program; choose another name".to_owned());
    }
    Ok(())
}

/// A name in a message: short, on one line.
pub(super) fn shown(name: &str) -> String {
    if is_identifier(name) && name.len() <= NAME_LIMIT {
        return name.to_owned();
    }
    let mut text: String = name.chars().take(40).flat_map(char::escape_debug).collect();
    if name.chars().nth(40).is_some() {
        text.push_str("..");
    }
    text
}

fn entry(parts: &mut Parts, name: &str, problems: &mut Vec<String>) {
    if let Some(abi) = &parts.abi {
        problems.extend(abi.problems.iter().cloned());
        for layout in abi.structs.iter().filter(|layout| parts.language == Language::C && layout.external()) {
            problems.push(format!("struct `{}`: C has no `::`; give it a plain name", layout.name));
        }
    }
    match (&parts.abi, &parts.entry) {
        (None, Some(entry)) => problems.push(format!(
            "`.entry({entry:?})` names a function, but the kernel has the type `()`, without an entry; \
             give it a function type, or use `.export(..)`"
        )),
        (None, None) if parts.exports.is_empty() && parts.headers.is_empty() => problems.push(
            "it has the type `()` and exports nothing, so nothing of it can be used; \
             name its functions and data in `.export(..)`, or give it a function type"
                .to_owned(),
        ),
        (None, None) => {}
        (Some(_), None) => parts.entry = Some(name.to_owned()),
        (Some(_), Some(entry)) => {
            let qualified = parts.language == Language::Cxx;
            let valid = if qualified { entry.split("::").all(is_name) } else { is_name(entry) };
            if !valid {
                problems.push(format!(
                    "`.entry({:?})` is no name of a function; write an identifier{}, without parentheses",
                    shown(entry),
                    if qualified { " (it may be qualified, as in `solver::axpy`)" } else { "" }
                ));
            }
        }
    }
    if let (Some(abi), Some(entry)) = (&parts.abi, &parts.entry)
        && parts.kind == Kind::Enclosed
        && abi.structs.iter().any(|layout| *layout.name == **entry)
    {
        problems.push(format!(
            "the function `{entry}` and a struct of its type have one name; \
             give the struct another with `#[cxx(name = \"..\")]`, or the function with `.entry(..)`"
        ));
    }
}

fn includes(parts: &Parts, problems: &mut Vec<String>) {
    for preamble in &parts.preamble {
        let Preamble::Include(header) = preamble else { continue };
        let inner = header
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'))
            .or_else(|| header.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')));
        if inner.is_none_or(|inner| inner.is_empty() || inner.contains(['<', '>', '"', '\n', '\r', '\0'])) {
            problems.push(format!(
                "`.include({header:?})` is no header; write `.include(\"<cmath>\")`, or `.include(\"\\\"file.h\\\"\")` with quotes"
            ));
        }
    }
    if parts.kind == Kind::Whole {
        return;
    }
    let text = parts.text.to_string();
    // Most texts have none, and searching for a word is many times faster than reading C++.
    if !text.contains("include") && !text.contains("import") {
        return;
    }
    let found = scan(&text);
    let misplaced =
        found.directives.iter().find(|d| matches!(d.name.as_str(), "include" | "include_next" | "import"));
    if let Some(directive) = misplaced {
        problems.push(format!(
            "line {} of the generated text is `{}`, but the text of `Source::new` is placed inside a namespace; \
             move it to `.include({:?})`, or use `Source::translation_unit` for text that must stay whole",
            directive.line,
            directive.text,
            included(&directive.text),
        ));
    }
}

/// `<cmath>` of `#include <cmath>`, as the argument of `.include`.
fn included(directive: &str) -> String {
    let start = directive.find(['<', '"']).unwrap_or(directive.len());
    let rest = &directive[start..];
    let end =
        rest.char_indices().skip(1).find(|&(_, c)| c == '>' || c == '"').map_or(rest.len(), |(i, _)| i + 1);
    if rest.is_empty() { "<..>".to_owned() } else { rest[..end].to_owned() }
}

fn words(parts: &Parts, problems: &mut Vec<String>) {
    for (name, value) in &parts.defines {
        if !is_identifier(name) {
            problems.push(format!("`.define({:?}, ..)`: a macro's name is an identifier; write others as `.preamble(\"#define ..\")`", shown(name)));
        }
        if value.contains(['\n', '\r', '\0']) || value.ends_with('\\') {
            problems.push(format!("`.define({:?}, ..)`: the value must be one line", shown(name)));
        }
    }
    for flag in &parts.flags {
        if flag.is_empty() || flag.contains(['\n', '\r', '\0']) || flag.starts_with('@') {
            problems
                .push(format!("`.flag({flag:?})` is no flag of a compiler; give one word a call, as `-O2`"));
        }
    }
    if let Some(std) = &parts.std
        && !standard(std, parts.language)
    {
        problems.push(format!(
            "`.std({std:?})` is no standard of {}; write {}",
            parts.language.name(),
            match parts.language {
                Language::Cxx => "`c++11`, `c++14`, `c++17`, `c++20`, .. or `gnu++17`, ..",
                Language::C => "`c11`, `c17`, .. or `gnu17`, ..",
            }
        ));
    }
}

/// `c++17`, `gnu++2b`, `c17`: whether a compiler knows it, the compiler says; older ones than C++11
/// and C11 cannot compile what is rendered around the text.
fn standard(std: &str, language: Language) -> bool {
    let version = match language {
        Language::Cxx => std.strip_prefix("c++").or_else(|| std.strip_prefix("gnu++")),
        Language::C => std.strip_prefix("c").or_else(|| std.strip_prefix("gnu")),
    };
    version.is_some_and(|version| {
        let known =
            version.len() == 2 && version.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        let old = matches!(version, "98" | "03" | "0x" | "90" | "89" | "99" | "9x");
        known && version.as_bytes()[0].is_ascii_digit() && !old
    })
}

fn paths(parts: &Parts, problems: &mut Vec<String>) {
    let directories = parts.include_dirs.iter().map(|dir| ("include_dir", dir));
    for (method, dir) in directories.chain(parts.link_dirs.iter().map(|dir| ("link_dir", dir))) {
        if let Err(problem) = absolute(dir) {
            problems.push(format!("`.{method}({dir:?})`: {problem}"));
        }
    }
    // It becomes a flag, which is text.
    for dir in parts.include_dirs.iter().filter(|dir| dir.to_str().is_none()) {
        problems.push(format!("`.include_dir({dir:?})`: the path must be valid UTF-8"));
    }
    for link in &parts.links {
        let problem = if link.contains('/') {
            absolute(Path::new(link)).err()
        } else if link.is_empty()
            || link.starts_with('-')
            || link.contains(|c: char| c.is_whitespace() || c == '\0')
        {
            Some("write the library's name alone, as `m` for `-lm`, or its absolute path".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            problems.push(format!("`.link({link:?})`: {problem}"));
        }
    }
}

fn absolute(path: &Path) -> Result<(), String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.iter().any(|b| matches!(b, b'\n' | b'\r' | 0)) {
        return Err("a path must be one line".to_owned());
    }
    if !path.is_absolute() {
        return Err("give an absolute path (the same kernel is built from any working directory), as \
             `concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/include\")`"
            .to_owned());
    }
    Ok(())
}

fn headers(parts: &Parts, name: &str, problems: &mut Vec<String>) {
    for (i, (header, _)) in parts.headers.iter().enumerate() {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+');
        let ending = header.rsplit_once('.').map_or("", |(_, ending)| ending);
        let stem = header.rsplit_once('.').map_or(header.as_str(), |(stem, _)| stem);
        let source = matches!(ending, "cpp" | "c") && (stem == name || stem == format!("{name}_unit"));
        let problem = if header.is_empty() || header.len() > 200 || !header.bytes().all(plain) {
            "a header's name has letters, digits and `_-.+` only (no directory), and at most 200 characters"
        } else if header.starts_with(['.', '-']) || header.contains("..") {
            "a header's name does not start with `.` or `-`, and has no `..`"
        } else if source || OWN_FILES.contains(&header.as_str()) || OWN_ENDINGS.contains(&ending) {
            "a file of this name is written by dijitso itself; choose another"
        } else if parts.headers[..i].iter().any(|(other, _)| other == header) {
            "there are two headers of this name with different text"
        } else {
            continue;
        };
        problems.push(format!("`.header({:?}, ..)`: {problem}", shown(header)));
    }
}

fn exports(parts: &Parts, problems: &mut Vec<String>) {
    let symbol = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.' | b'*');
    for export in &parts.exports {
        let starts = export.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if !starts || export.len() > 4096 || !export.bytes().all(symbol) {
            problems.push(format!(
                "`.export({:?})` is no symbol; write the linker's name: that of a C or `extern \"C\"` function or \
                 object, or a mangled one, with `*` for any characters",
                shown(export)
            ));
        }
    }
}
