//! What modules want written: collected from all of them, and checked against each other.
//!
//! Two modules that want different values for one macro are a mistake that other systems answer with whatever came
//! last. Here it is an error that names both places.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::failed::{Failed, FailureKind};
use super::flags::Flags;
use super::macro_value::Form;

/// One thing that is written, with who wants it and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) value: String,
    /// For the comment.
    pub(super) why: String,
    /// `module mpi at src/configure.rs:12`
    pub(super) by: String,
    pub(super) form: Form,
}

/// A rule of Make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) prerequisites: Vec<String>,
    pub(super) recipe: Vec<String>,
    pub(super) by: String,
}

/// A file with `@X@` in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Template {
    // Whatever their bytes: a configuration is sent to other ranks.
    #[serde(with = "crate::error::wire::path")]
    pub(super) from: PathBuf,
    #[serde(with = "crate::error::wire::path")]
    pub(super) to: PathBuf,
    pub(super) by: String,
}

/// What a pkg-config file says beside the flags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PkgConfig {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) version: String,
    pub(super) requires: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Outputs {
    /// Before every macro.
    pub(super) define_prefix: String,
    pub(super) defines: BTreeMap<String, Wanted>,
    /// Macros that are asked for and not defined: a comment says so, and why.
    pub(super) undefined: BTreeMap<String, Wanted>,
    pub(super) typedefs: BTreeMap<String, Wanted>,
    pub(super) prototypes: BTreeMap<String, Wanted>,
    pub(super) make_macros: BTreeMap<String, Wanted>,
    pub(super) make_rules: BTreeMap<String, Rule>,
    pub(super) substitutions: BTreeMap<String, Wanted>,
    pub(super) templates: Vec<Template>,
    pub(super) pkg_config: Option<PkgConfig>,
    pub(super) links_metadata: BTreeMap<String, Wanted>,
    pub(super) summary: Vec<(String, String, String)>,
    pub(super) flags: Flags,
}

/// What a module wants written: done when the module is.
pub(super) type Put = Box<dyn FnOnce(&mut Outputs) -> Result<(), Failed>>;

impl Outputs {
    pub(super) fn define(&mut self, name: &str, mut wanted: Wanted) -> Result<(), Failed> {
        self.check_macro(name, &wanted.by)?;
        if wanted.form == Form::Real && !wanted.value.parse().is_ok_and(f64::is_finite) {
            let (value, by) = (&wanted.value, &wanted.by);
            return Err(mistake(format!(
                "the macro {name} is {value}, which C cannot write as a number ({by})"
            )));
        }
        // Autoconf's name for a feature: what is 1 here is undefined elsewhere, not 2.
        if wanted.value == "1" && wanted.form == Form::Text && name.starts_with("HAVE_") {
            wanted.form = Form::Feature;
        }
        if let Some(old) = self.undefined.get(name) {
            let text = format!(
                "the macro {name} is defined by {}, and must not be defined for {}",
                wanted.by, old.by
            );
            return Err(mistake(text));
        }
        if let Some(old) = self.defines.get_mut(name).filter(|_| wanted.form != Form::Text) {
            old.form = wanted.form;
        }
        put(&mut self.defines, "macro", name, wanted)
    }

    /// C must take it for a name, alone and with the prefix.
    fn check_macro(&self, name: &str, by: &str) -> Result<(), Failed> {
        let full = format!("{}{name}", self.define_prefix);
        match [name, full.as_str()].into_iter().find(|name| !is_identifier(name)) {
            Some(wrong) => Err(mistake(format!("`{wrong}` cannot be the name of a macro ({by})"))),
            None => Ok(()),
        }
    }

    pub(super) fn undefine(&mut self, name: &str, wanted: Wanted) -> Result<(), Failed> {
        self.check_macro(name, &wanted.by)?;
        if let Some(old) = self.defines.get(name) {
            let text = format!(
                "the macro {name} is defined by {}, and must not be defined for {}",
                old.by, wanted.by
            );
            return Err(mistake(text));
        }
        put(&mut self.undefined, "macro", name, wanted)
    }

    pub(super) fn typedef(&mut self, name: &str, wanted: Wanted) -> Result<(), Failed> {
        if !is_identifier(name) {
            return Err(mistake(format!("`{name}` cannot be the name of a type ({})", wanted.by)));
        }
        put(&mut self.typedefs, "type", name, wanted)
    }

    pub(super) fn prototype(&mut self, name: &str, wanted: Wanted) -> Result<(), Failed> {
        put(&mut self.prototypes, "prototype of", name, wanted)
    }

    pub(super) fn make_macro(&mut self, name: &str, wanted: Wanted) -> Result<(), Failed> {
        let by = &wanted.by;
        if !is_make_name(name) {
            return Err(mistake(format!("`{name}` cannot be the name of a Make macro ({by})")));
        }
        if wanted.value.contains('\n') {
            return Err(mistake(format!("the Make macro {name} has a line break in it ({by})")));
        }
        if wanted.value.ends_with('\\') {
            return Err(mistake(format!(
                "the Make macro {name} ends in a backslash, which would join the next line to it ({by})"
            )));
        }
        put(&mut self.make_macros, "Make macro", name, wanted)
    }

    pub(super) fn make_rule(&mut self, target: &str, rule: Rule) -> Result<(), Failed> {
        let names = std::iter::once(target).chain(rule.prerequisites.iter().map(String::as_str));
        if let Some(wrong) = names.into_iter().find(|name| !is_make_file(name)) {
            return Err(mistake(format!("`{wrong}` cannot be a target of Make ({})", rule.by)));
        }
        if rule.recipe.last().is_some_and(|line| line.ends_with('\\')) {
            let text = format!("the recipe of the Make target {target} ends in a backslash ({})", rule.by);
            return Err(mistake(text));
        }
        match self.make_rules.get(target) {
            Some(old) if (&old.prerequisites, &old.recipe) != (&rule.prerequisites, &rule.recipe) => {
                let (one, two) = (&old.by, &rule.by);
                Err(mistake(format!("the Make target {target} has two rules: of {one}, and of {two}")))
            }
            Some(_) => Ok(()),
            None => {
                self.make_rules.insert(target.to_owned(), rule);
                Ok(())
            }
        }
    }

    pub(super) fn substitute(&mut self, name: &str, wanted: Wanted) -> Result<(), Failed> {
        if !is_identifier(name) {
            return Err(mistake(format!("`@{name}@` cannot be a placeholder ({})", wanted.by)));
        }
        put(&mut self.substitutions, "placeholder", name, wanted)
    }

    pub(super) fn template(&mut self, template: Template) -> Result<(), Failed> {
        if let Some(old) = self.templates.iter().find(|old| old.to == template.to) {
            let (to, one, two) = (template.to.display(), &old.by, &template.by);
            if old.from != template.from {
                return Err(mistake(format!("{to} is made from two templates: by {one}, and by {two}")));
            }
            return Ok(());
        }
        self.templates.push(template);
        Ok(())
    }

    pub(super) fn pkg_config(&mut self, file: PkgConfig) -> Result<(), Failed> {
        match &self.pkg_config {
            Some(old) if *old != file => {
                let (one, two) = (&old.name, &file.name);
                Err(mistake(format!("the pkg-config file is described twice: as {one}, and as {two}")))
            }
            _ => {
                self.pkg_config = Some(file);
                Ok(())
            }
        }
    }

    pub(super) fn metadata(&mut self, name: &str, wanted: Wanted) -> Result<(), Failed> {
        put(&mut self.links_metadata, "metadata", name, wanted)
    }
}

fn put(map: &mut BTreeMap<String, Wanted>, what: &str, name: &str, wanted: Wanted) -> Result<(), Failed> {
    match map.get(name) {
        Some(old) if old.value != wanted.value => Err(mistake(format!(
            "the {what} {name} is given two values: `{}` by {}, and `{}` by {}",
            old.value, old.by, wanted.value, wanted.by
        ))),
        Some(_) => Ok(()),
        None => {
            map.insert(name.to_owned(), wanted);
            Ok(())
        }
    }
}

pub(super) fn mistake(text: String) -> Failed {
    Failed::new(FailureKind::Program, text)
}

/// Whether C takes it for a name.
pub(super) fn is_identifier(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A text as a part of C's names; what begins with a digit gets an underscore.
pub(super) fn as_identifier(text: &str) -> String {
    let is_part = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let part: String = text.chars().map(is_part).collect();
    if part.starts_with(|c: char| c.is_ascii_digit()) { format!("_{part}") } else { part }
}

/// Whether Make takes it for the name of a macro, in every place.
fn is_make_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// Whether Make takes it for one file. Patterns and references to macros may be in it.
fn is_make_file(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || ":;#=\\".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(value: &str, by: &str) -> Wanted {
        Wanted { value: value.to_owned(), why: String::new(), by: by.to_owned(), form: Form::Text }
    }

    #[test]
    fn a_macro_with_two_values_is_an_error_that_names_both_places() {
        let mut outputs = Outputs::default();
        outputs.define("HAVE_X", wanted("1", "module a at a.rs:1")).unwrap();
        outputs.define("HAVE_X", wanted("1", "module b at b.rs:2")).unwrap();
        let error = outputs.define("HAVE_X", wanted("2", "module c at c.rs:3")).unwrap_err().to_string();
        assert!(
            error.contains("`1` by module a at a.rs:1") && error.contains("`2` by module c at c.rs:3"),
            "{error}"
        );
        let error = outputs.undefine("HAVE_X", wanted("", "module d at d.rs:4")).unwrap_err().to_string();
        assert!(error.contains("module a") && error.contains("module d"), "{error}");
        assert!(outputs.define("HAVE X", wanted("1", "e")).is_err());
    }

    #[test]
    fn a_target_with_two_rules_is_an_error() {
        let rule = |recipe: &str, by: &str| Rule {
            prerequisites: vec!["a".to_owned()],
            recipe: vec![recipe.to_owned()],
            by: by.to_owned(),
        };
        let mut outputs = Outputs::default();
        outputs.make_rule("all", rule("true", "a")).unwrap();
        outputs.make_rule("all", rule("true", "b")).unwrap();
        assert!(outputs.make_rule("all", rule("false", "c")).unwrap_err().to_string().contains("two rules"));
    }

    #[test]
    fn what_make_or_c_would_misread_is_refused_with_its_place() {
        let mut outputs = Outputs { define_prefix: "MY-".to_owned(), ..Outputs::default() };
        let refused = |result: Result<(), Failed>, what: &str| {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(what) && text.contains("(a.rs:1)"), "{text}");
        };
        refused(outputs.define("X", wanted("1", "a.rs:1")), "`MY-X` cannot be the name of a macro");
        refused(outputs.undefine("X", wanted("", "a.rs:1")), "`MY-X` cannot be the name of a macro");
        outputs.define_prefix = "MY_".to_owned();
        outputs.define("X", wanted("1", "a.rs:1")).unwrap();
        let real = Wanted { form: Form::Real, ..wanted("inf", "a.rs:1") };
        refused(outputs.define("Y", real), "Y is inf");
        refused(outputs.typedef("a b", wanted("int", "a.rs:1")), "the name of a type");
        for name in ["A B", "A=B", "A:", "", "A#", "$(A)"] {
            refused(outputs.make_macro(name, wanted("1", "a.rs:1")), "the name of a Make macro");
        }
        refused(outputs.make_macro("A", wanted("C:\\", "a.rs:1")), "ends in a backslash");
        refused(outputs.make_macro("A", wanted("a\nb", "a.rs:1")), "a line break");
        let rule = |prerequisite: &str, recipe: &str| Rule {
            prerequisites: vec![prerequisite.to_owned()],
            recipe: vec![recipe.to_owned()],
            by: "a.rs:1".to_owned(),
        };
        refused(outputs.make_rule("a b", rule("x", "")), "`a b` cannot be a target");
        refused(outputs.make_rule("a", rule("x:", "")), "`x:` cannot be a target");
        refused(outputs.make_rule("a", rule("x", "true \\")), "ends in a backslash");
        outputs.make_rule("%.o", rule("$(SOURCES)", "true")).unwrap();
    }

    #[test]
    fn a_project_that_begins_with_a_digit_has_names_nevertheless() {
        assert_eq!(as_identifier("3d-view"), "_3D_VIEW");
        assert_eq!(as_identifier("Demo"), "DEMO");
    }
}
