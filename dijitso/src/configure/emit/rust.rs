//! A Rust module of constants.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::line;
use crate::configure::failed::Failed;
use crate::configure::macro_value::{Form, literal};
use crate::configure::outputs::{Outputs, Wanted, mistake};

/// # Errors
/// Two macros whose names differ in nothing but capitals.
pub(in crate::configure) fn rust(project: &str, outputs: &Outputs) -> Result<String, Failed> {
    let mut text = format!("// {}: written by its configuration; changes will be lost.\n", line(project));
    let mut constants: BTreeMap<String, (&Wanted, String)> = BTreeMap::new();
    let defined = outputs.defines.iter().map(|(name, wanted)| (name, wanted, true));
    for (name, wanted, is_defined) in
        defined.chain(outputs.undefined.iter().map(|(name, wanted)| (name, wanted, false)))
    {
        let constant = name.to_ascii_uppercase();
        let declaration = match is_defined {
            true => declared(&constant, wanted),
            false => format!("pub const {constant}: bool = false;"),
        };
        if let Some((other, _)) = constants.insert(constant.clone(), (wanted, declaration)) {
            let (one, two) = (&other.by, &wanted.by);
            let text = format!(
                "two macros would be the constant {constant} of Rust: of {one}, and {name} of {two}; rename one"
            );
            return Err(mistake(text));
        }
    }
    for (wanted, declaration) in constants.values() {
        let why = if wanted.why.is_empty() { &wanted.by } else { &wanted.why };
        let _ = writeln!(text, "\n/// {}\n#[allow(dead_code, unreachable_pub)]\n{declaration}", line(why));
    }
    Ok(text)
}

/// Its type is that of what was given to `define`, and does not depend on the value.
fn declared(name: &str, wanted: &Wanted) -> String {
    let value = wanted.value.as_str();
    if wanted.form == Form::Feature || value.is_empty() {
        return format!("pub const {name}: bool = true;");
    }
    if wanted.form == Form::Real {
        return format!("pub const {name}: f64 = {value};");
    }
    if let Ok(number) = value.parse::<i64>() {
        return format!("pub const {name}: i64 = {number};");
    }
    if let Ok(number) = value.parse::<u64>() {
        return format!("pub const {name}: u64 = {number};");
    }
    // C's quotes are no part of the text.
    let said = literal(value).unwrap_or_else(|| value.to_owned());
    format!("pub const {name}: &str = {said:?};")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configure::macro_value::MacroValue;

    fn outputs(defines: &[(&str, MacroValue)]) -> Outputs {
        let mut outputs = Outputs::default();
        for (n, (name, value)) in defines.iter().enumerate() {
            let (why, by) = ("so\r\nit is".to_owned(), format!("m.rs:{n}"));
            let wanted = Wanted { value: value.to_string(), why, by, form: value.form() };
            outputs.define(name, wanted).unwrap();
        }
        outputs
    }

    fn constant(value: impl Into<MacroValue>) -> String {
        let text = rust("Demo", &outputs(&[("a", value.into())])).unwrap();
        text.lines().last().unwrap().replace("pub const A: ", "")
    }

    #[test]
    fn constants_have_the_type_of_what_was_given_whatever_its_value() {
        assert_eq!(constant(true), "bool = true;");
        assert_eq!(constant(""), "bool = true;");
        assert_eq!([constant(1), constant(2)], ["i64 = 1;", "i64 = 2;"]);
        assert_eq!([constant("1"), constant("-2")], ["i64 = 1;", "i64 = -2;"]);
        assert_eq!(constant(u64::MAX), "u64 = 18446744073709551615;");
        assert_eq!(
            [constant(1.0), constant(2.5), constant(1e300)],
            ["f64 = 1.0;", "f64 = 2.5;", "f64 = 1e300;"]
        );
        assert_eq!(constant("\"x y\""), "&str = \"x y\";");
        assert_eq!(constant("\"1\""), "&str = \"1\";");
        assert_eq!(constant(r#""a\x41\n\"""#), r#"&str = "aA\n\"";"#);
        assert_eq!(constant("long"), "&str = \"long\";");
    }

    #[test]
    fn what_is_called_as_autoconf_calls_features_is_one() {
        let text = rust("Demo", &outputs(&[("HAVE_X", "1".into()), ("HAVE_Y", 1.into())])).unwrap();
        assert!(text.contains("HAVE_X: bool = true;") && text.contains("HAVE_Y: i64 = 1;"), "{text}");
        assert!(text.contains("/// so  it is\n"), "{text:?}");
    }

    #[test]
    fn names_that_differ_in_capitals_only_are_an_error() {
        let failed = rust("Demo", &outputs(&[("Level", 1.into()), ("LEVEL", 2.into())])).unwrap_err();
        let text = failed.to_string();
        assert!(text.contains("LEVEL") && text.contains("m.rs:0") && text.contains("m.rs:1"), "{text}");
    }
}
