//! The pkg-config file of the project.

use std::fmt::Write as _;

use super::{line, units};
use crate::configure::failed::Failed;
use crate::configure::flags::{Stage, Unit};
use crate::configure::outputs::{Outputs, mistake};
use crate::configure::record::Record;

/// What whoever uses the project compiles with, too; the rest is how the project itself was built.
const FOR_USERS: [&str; 8] =
    ["-I", "-D", "-isystem", "-iquote", "-idirafter", "-pthread", "-fopenmp", "-qopenmp"];

/// How the project itself was linked, which is nobody else's.
const OWN: [&str; 6] = ["-shared", "-s", "-rdynamic", "-fuse-ld=", "-Wl,-soname", "-Wl,--version-script"];

/// # Errors
/// No module described the project, or it has a name or a flag that such a file cannot have.
pub(in crate::configure) fn pkg_config(record: &Record, outputs: &Outputs) -> Result<String, Failed> {
    let Some(project) = &outputs.pkg_config else {
        return Err(mistake("no module described the project with `cx.pkg_config(..)`".to_owned()));
    };
    let prefix = record.options.get("prefix").map_or("/usr/local", |(value, _)| value.as_str());
    if prefix.contains(['"', '$', '\\', '#', '\n']) {
        return Err(mistake(format!("a pkg-config file cannot name the directory --prefix={prefix}")));
    }
    let mut text = format!(
        "prefix={prefix}\nexec_prefix=${{prefix}}\nincludedir=${{prefix}}/include\nlibdir=${{exec_prefix}}/lib\n\n\
         Name: {}\nDescription: {}\nVersion: {}\n",
        line(&project.name),
        line(&project.description),
        line(&project.version)
    );
    if !project.requires.is_empty() {
        let _ = writeln!(text, "Requires: {}", project.requires.join(", "));
    }
    let mut cflags = units(outputs, Stage::Compile);
    cflags.retain(|unit| FOR_USERS.iter().any(|name| unit.flag.text.starts_with(name)));
    let mut private = units(outputs, Stage::Link);
    private.retain(|unit| !is_own(&unit.flag.text));
    private.extend(units(outputs, Stage::Libraries));
    // A prefix may have blanks; its variable is told as it is.
    let _ = writeln!(text, "Cflags: -I\"${{includedir}}\"{}", words(&cflags)?);
    let _ = writeln!(text, "Libs: -L\"${{libdir}}\" -l{}", quoted(&project.name)?);
    if !private.is_empty() {
        let _ = writeln!(text, "Libs.private:{}", words(&private)?);
    }
    Ok(text)
}

fn is_own(flag: &str) -> bool {
    OWN.iter().any(|own| flag == *own || (own.len() > 4 && flag.starts_with(own)))
}

/// Each with a blank before it.
fn words(units: &[Unit<'_>]) -> Result<String, Failed> {
    units.iter().flat_map(Unit::words).map(|word| Ok(format!(" {}", quoted(word)?))).collect()
}

/// pkg-config splits as a shell does. It takes a hash for a comment and `${` for a variable before that.
fn quoted(word: &str) -> Result<String, Failed> {
    if word.contains(['\n', '\r']) {
        return Err(mistake(format!(
            "a pkg-config file cannot have the flag `{word}`, which has a line break"
        )));
    }
    let is_plain = |c: char| c.is_alphanumeric() || "_-./=+:,@%^~".contains(c);
    let mut text = String::new();
    for c in word.chars() {
        if !is_plain(c) {
            text.push('\\');
        }
        text.push(c);
    }
    Ok(text)
}
