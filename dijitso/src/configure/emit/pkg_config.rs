//! The pkg-config file of the project.

use std::fmt::Write as _;

use super::libraries;
use crate::configure::failed::Failed;
use crate::configure::flags::Stage;
use crate::configure::outputs::{Outputs, mistake};
use crate::configure::record::Record;

/// # Errors
/// No module described the project.
pub(in crate::configure) fn pkg_config(record: &Record, outputs: &Outputs) -> Result<String, Failed> {
    let Some(project) = &outputs.pkg_config else {
        return Err(mistake("no module described the project with `cx.pkg_config(..)`".to_owned()));
    };
    let prefix = record.options.get("prefix").map_or("/usr/local", |(value, _)| value.as_str());
    let mut text = format!(
        "prefix={prefix}\nexec_prefix=${{prefix}}\nincludedir=${{prefix}}/include\nlibdir=${{exec_prefix}}/lib\n\n\
         Name: {}\nDescription: {}\nVersion: {}\n",
        project.name, project.description, project.version
    );
    if !project.requires.is_empty() {
        let _ = writeln!(text, "Requires: {}", project.requires.join(", "));
    }
    let mut cflags: Vec<&str> = Vec::new();
    for flag in outputs.flags.iter().filter(|flag| flag.stage == Stage::Compile) {
        let for_users = ["-I", "-D", "-isystem", "-pthread", "-fopenmp"];
        if for_users.iter().any(|name| flag.text.starts_with(name)) && !cflags.contains(&flag.text.as_str()) {
            cflags.push(&flag.text);
        }
    }
    let mut cflags_text = "-I${includedir}".to_owned();
    for flag in &cflags {
        let _ = write!(cflags_text, " {}", quoted(flag));
    }
    let private: Vec<String> = libraries(outputs).iter().map(|word| quoted(word)).collect();
    let _ = writeln!(text, "Cflags: {cflags_text}\nLibs: -L${{libdir}} -l{}", project.name);
    if !private.is_empty() {
        let _ = writeln!(text, "Libs.private: {}", private.join(" "));
    }
    Ok(text)
}

/// pkg-config splits at blanks, as a shell does.
fn quoted(word: &str) -> String {
    word.replace('\\', "\\\\").replace(' ', "\\ ")
}
