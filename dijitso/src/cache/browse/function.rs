//! The text of one C++ function out of a source.

use super::{Cache, Category, Damaged, Entry};
use crate::error::{Error, Result};
use crate::source::scan::code_only;

/// A function as it is written in a kernel's source.
///
/// ```
/// # fn print(function: &dijitso::Function) {
/// println!("{}:{}\n{}", function.file, function.line, function.text);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Function {
    /// The file that it is in.
    pub file: String,
    /// Where it begins, from 1.
    pub line: usize,
    /// What is in front of its body: return type, name, arguments.
    pub head: String,
    /// All of it.
    pub text: String,
}

impl Entry {
    /// The functions of this name in these parts (sources and headers): `tabulate`, `poisson::tabulate`,
    /// `~poisson`. Calls and declarations are left out; comments, strings and directives are no code.
    ///
    /// dijitso: `extract_function`, which counts lines with braces; `dijitso grepfunction`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the entry was removed, [`Error::Damaged`](crate::Error::Damaged) if
    /// it cannot be read.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// # let spec = dijitso::spec!(extern "C" fn(f64) -> f64, "twice", (), || unsafe {
    /// #     dijitso::Source::new("double add(double a, double b) { return a + b; /* } */ }\ndouble twice(double x) { return add(x, x); }\n")
    /// # });
    /// # jit.load(&spec)?;
    /// let found = jit.cache().find("twice")?.extract_function("add", &[dijitso::Category::Source])?;
    /// assert_eq!(found[0].text, "double add(double a, double b) { return a + b; /* } */ }");
    /// # Ok(()) }
    /// ```
    pub fn extract_function(&self, name: &str, categories: &[Category]) -> Result<Vec<Function>> {
        let mut found = Vec::new();
        let texts = [Category::Source, Category::Header].map(|c| categories.contains(&c).then_some(c));
        for file in self.files().iter().filter(|file| texts.contains(&Some(file.category))) {
            found.extend(functions(&file.name, &self.read(file)?, name));
        }
        Ok(found)
    }
}

impl Entry {
    /// The functions in these parts whose names, without namespace, `wanted` says yes to.
    #[cfg(feature = "cli")]
    pub(crate) fn functions_named(
        &self,
        wanted: &dyn Fn(&str) -> bool,
        categories: &[Category],
    ) -> Result<Vec<Function>> {
        let mut found = Vec::new();
        let texts = [Category::Source, Category::Header].map(|c| categories.contains(&c).then_some(c));
        for file in self.files().iter().filter(|file| texts.contains(&Some(file.category))) {
            let text = self.read(file)?;
            let mut of_file: Vec<Function> = Vec::new();
            for name in names_before_brackets(&code_only(&text)).into_iter().filter(|name| wanted(name)) {
                of_file.extend(functions(&file.name, &text, &name));
            }
            of_file.sort_by_key(|function| function.line);
            found.extend(of_file);
        }
        Ok(found)
    }
}

/// Names that stand before a bracket, each once: those of all functions are among them.
#[cfg(feature = "cli")]
fn names_before_brackets(code: &str) -> std::collections::BTreeSet<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let name_before = |(at, _): (usize, &str)| {
        let before = code[..at].trim_end();
        let start = before
            .rfind(|c: char| !is_word(c))
            .map_or(0, |n| n + before[n..].chars().next().map_or(1, char::len_utf8));
        let name = &before[start..];
        (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then(|| name.to_owned())
    };
    code.match_indices('(').filter_map(name_before).collect()
}

impl Cache {
    /// [`Entry::extract_function`] in all entries, one after the other; entries without it are left out.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// let cache = dijitso::Cache::open("/nonexistent/cache")?;
    /// for found in cache.extract_function("tabulate", &[dijitso::Category::Source]).flatten() {
    ///     let (entry, functions) = found;
    ///     println!("{}: {}", entry.description(), functions.len());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn extract_function<'a>(
        &self,
        name: &'a str,
        categories: &'a [Category],
    ) -> impl Iterator<Item = Result<(Entry, Vec<Function>), Damaged>> + use<'a> {
        self.entries().filter_map(move |entry| {
            let entry = match entry {
                Ok(entry) => entry,
                Err(damaged) => return Some(Err(damaged)),
            };
            match entry.extract_function(name, categories) {
                Ok(found) if found.is_empty() => None,
                Ok(found) => Some(Ok((entry, found))),
                Err(Error::Io { kind: std::io::ErrorKind::NotFound, .. }) => None,
                Err(error) => Some(Err(super::grep::as_damaged(&entry, error))),
            }
        })
    }
}

/// All definitions of a function in a text, whatever the text is.
pub(super) fn functions(file: &str, text: &str, name: &str) -> Vec<Function> {
    let name = name.trim();
    let code = code_only(text);
    let mut found: Vec<Function> = Vec::new();
    if name.is_empty() {
        return found;
    }
    let mut end = 0;
    for (at, _) in code.match_indices(name) {
        if at < end || !stands_alone(&code, at, name) {
            continue;
        }
        let Some((body, after)) = body(code.as_bytes(), at + name.len()) else { continue };
        let start = beginning(code.as_bytes(), at);
        // All these are places next to ASCII, so they are between characters.
        let (Some(head), Some(whole)) = (text.get(start..body), text.get(start..after)) else { continue };
        end = after;
        let line = 1 + text.as_bytes()[..start].iter().filter(|&&b| b == b'\n').count();
        let (head, whole) = (head.trim_end().to_owned(), whole.to_owned());
        found.push(Function { file: file.to_owned(), line, head, text: whole });
    }
    found
}

/// Whether it is a name of its own, and not part of a longer one.
fn stands_alone(code: &str, at: usize, name: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let before = code[..at].chars().next_back();
    let after = code[at + name.len()..].chars().next();
    let longer =
        (word(before) && word(name.chars().next())) || (word(after) && word(name.chars().next_back()));
    // `~f` is another function than `f`.
    let destructor = before == Some('~') && !name.starts_with('~');
    !longer && !destructor
}

/// From behind the name: where the body begins and where it ends; `None` if this is no definition.
fn body(code: &[u8], mut at: usize) -> Option<(usize, usize)> {
    at = blank(code, at);
    if code.get(at) != Some(&b'(') {
        return None;
    }
    at = matching(code, at)?;
    let mut initialisers = false;
    loop {
        at = blank(code, at);
        match code.get(at)? {
            b'{' if initialisers && !follows_list(code, at) => at = matching(code, at)?,
            b'{' => return Some((at, matching(code, at).unwrap_or(code.len()))),
            // `noexcept(..)`, `__attribute__((..))`, or a base's initialiser.
            b'(' | b'[' => at = matching(code, at)?,
            b':' if code.get(at + 1) == Some(&b':') => at += 2,
            b':' => {
                initialisers = true;
                at += 1;
            }
            b',' if initialisers => at += 1,
            b'-' if code.get(at + 1) == Some(&b'>') => at += 2,
            b'&' | b'*' | b'<' | b'>' => at += 1,
            b',' => return None,
            b if is_word(*b) => at += 1,
            _ => return None,
        }
    }
}

/// In a constructor's list, `{` after a name is a value and `{` after a bracket is the body.
fn follows_list(code: &[u8], at: usize) -> bool {
    let before = code[..at].iter().rev().find(|b| !b.is_ascii_whitespace());
    matches!(before, Some(b')' | b'}'))
}

/// Behind the bracket that closes the one at `at`.
fn matching(code: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, b) in code[at..].iter().enumerate() {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the declaration begins that the name at `at` is in.
fn beginning(code: &[u8], at: usize) -> usize {
    let mut start = at;
    while start > 0 {
        let colon = code[start - 1] == b':'
            && code.get(start) != Some(&b':')
            && (start < 2 || code[start - 2] != b':');
        if matches!(code[start - 1], b';' | b'{' | b'}') || colon {
            break;
        }
        start -= 1;
    }
    blank(code, start)
}

fn blank(code: &[u8], at: usize) -> usize {
    at + code[at.min(code.len())..].iter().take_while(|b| b.is_ascii_whitespace()).count()
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
#include "base.h"
#define LOOP for (;;) {

// f(int) { is no function }
const char *text = "int f() { return 0; }";
int f(int a);          // declared
/* doc */
template <class T>
inline T f(T a) noexcept(noexcept(a))
{
  const char brace = '}'; /* } */ auto raw = R"(})";
  return g(a) ? f(a - 1) : 0;
}
class poisson : public form {
public:
  poisson() : form(1), values{0, 1} , last(2) { f(3); }
  virtual ~poisson() {}
  std::size_t rank() const final override { return 2; }
  auto coordinates() const -> const double * { return x; }
  void none() = delete;
};
double *poisson::table(int i) { if (f(i)) { return 0; } return t; }
int main() try { return f(1); } catch (...) { return 1; }
int ff() { return 1; }
"#;

    fn heads(name: &str) -> Vec<String> {
        functions("x.cpp", TEXT, name).into_iter().map(|f| f.head).collect()
    }

    #[test]
    fn definitions_are_found_and_calls_and_declarations_are_not() {
        assert_eq!(heads("f"), ["template <class T>\ninline T f(T a) noexcept(noexcept(a))"]);
        let f = &functions("x.cpp", TEXT, "f")[0];
        assert_eq!((f.line, f.file.as_str()), (9, "x.cpp"));
        assert!(f.text.ends_with("f(a - 1) : 0;\n}"), "{}", f.text);
        assert_eq!(heads("rank"), ["std::size_t rank() const final override"]);
        assert_eq!(heads("coordinates"), ["auto coordinates() const -> const double *"]);
        assert_eq!(heads("table"), ["double *poisson::table(int i)"]);
        assert_eq!(heads("poisson::table"), ["double *poisson::table(int i)"]);
        assert_eq!(heads("ff"), ["int ff()"]);
        for absent in ["g", "none", "no", "LOOP", "", "text", "missing"] {
            assert_eq!(heads(absent), [""; 0], "{absent}");
        }
    }

    #[test]
    fn constructors_and_destructors_are_two() {
        let found = functions("x.cpp", TEXT, "poisson");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, "poisson() : form(1), values{0, 1} , last(2) { f(3); }");
        assert_eq!(heads("~poisson"), ["virtual ~poisson()"]);
    }

    #[test]
    fn any_text_is_searched_to_its_end() {
        for text in ["f(", "f() {", "f() { }", "f() :", "f() : a{", "f)", "é f(é) { é", "}}}f(){", "f() -"]
        {
            functions("x", text, "f");
        }
        for (end, _) in TEXT.char_indices() {
            for name in ["f", "poisson", "é"] {
                functions("x", &TEXT[..end], name);
            }
        }
        assert_eq!(functions("x", "int f() { if (1) {", "f")[0].text, "int f() { if (1) {", "unfinished");
    }
}
