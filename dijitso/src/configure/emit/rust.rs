//! A Rust module of constants.

use std::fmt::Write as _;

use crate::configure::outputs::Outputs;

pub(in crate::configure) fn rust(project: &str, outputs: &Outputs) -> String {
    let mut text = format!("// {project}: written by its configuration; changes will be lost.\n");
    let mut names: Vec<&String> = outputs.defines.keys().chain(outputs.undefined.keys()).collect();
    names.sort();
    for name in names {
        let constant = name.to_ascii_uppercase();
        let (wanted, declaration) = match (outputs.defines.get(name), outputs.undefined.get(name)) {
            (Some(wanted), _) => (wanted, declared(&constant, &wanted.value)),
            (None, Some(wanted)) => (wanted, format!("pub const {constant}: bool = false;")),
            (None, None) => continue,
        };
        let why = if wanted.why.is_empty() { &wanted.by } else { &wanted.why };
        let _ = writeln!(
            text,
            "\n/// {}\n#[allow(dead_code, unreachable_pub)]\n{declaration}",
            why.replace('\n', " ")
        );
    }
    text
}

fn declared(name: &str, value: &str) -> String {
    if matches!(value, "" | "1") {
        return format!("pub const {name}: bool = true;");
    }
    if let Ok(number) = value.parse::<i64>() {
        return format!("pub const {name}: i64 = {number};");
    }
    // C's quotes are no part of the text.
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    format!("pub const {name}: &str = {inner:?};")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_become_constants_of_the_type_that_they_look_like() {
        assert_eq!(declared("A", "1"), "pub const A: bool = true;");
        assert_eq!(declared("A", ""), "pub const A: bool = true;");
        assert_eq!(declared("A", "8"), "pub const A: i64 = 8;");
        assert_eq!(declared("A", "\"x y\""), "pub const A: &str = \"x y\";");
        assert_eq!(declared("A", "long"), "pub const A: &str = \"long\";");
    }
}
