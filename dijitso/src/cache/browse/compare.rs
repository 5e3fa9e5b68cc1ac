//! Why two entries are not one: what went into one of them and not, or not so, into the other.

use std::collections::BTreeSet;
use std::fmt;

use super::{Cache, Category, Entry, EntryFile};
use crate::error::Result;
use crate::signature::Signature;

/// So many of one name are compared, the newest first: each takes a read of all its facts.
const COMPARED: usize = 200;

/// Something in which two entries differ, see [`Entry::differences`].
///
/// dijitso has no counterpart: of what went into a signature it keeps nothing.
///
/// ```
/// # fn print(difference: &dijitso::Difference) {
/// println!("{difference}"); // arguments: Unrolled(8), not Unrolled(4)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// What it is: the name of an [ingredient](Entry::ingredients), `flag`, `source`, or `file` with its path.
    pub ingredient: String,
    /// What this entry has; `None` if it has none.
    pub this: Option<String>,
    /// What the other one has.
    pub other: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.ingredient)?;
        match (&self.this, &self.other) {
            (Some(this), Some(other)) => write!(f, "{this}, not {other}"),
            (Some(this), None) => write!(f, "{this}, which the other has not"),
            (None, Some(other)) => write!(f, "not {other}, which the other has"),
            (None, None) => f.write_str("nothing"),
        }
    }
}

impl Entry {
    /// Everything in which this entry and another one differ, from what a programmer decides (arguments, source) over
    /// compiler and flags to the headers. Two entries of one spec differ in something, or they would be one.
    ///
    /// ```
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let jit = dijitso::Jit::builder().cache_dir(dir.path().join("cache")).build()?;
    /// type F = extern "C" fn() -> i32;
    /// let spec = |n: i32| dijitso::spec!(F, "count", n, move || {
    ///     // SAFETY: arithmetic only.
    ///     unsafe { dijitso::Source::new(format!("int count() {{ return {n}; }}")) }
    /// });
    /// jit.load_all(&[spec(1), spec(2)])?;
    /// let (one, two) = (jit.cache().find("count(1)")?, jit.cache().find("count(2)")?);
    /// let differences = one.differences(&two);
    /// assert_eq!(differences[0].to_string(), "arguments: 1, not 2");
    /// assert_eq!(differences[1].ingredient, "source");
    /// # Ok(()) }
    /// ```
    pub fn differences(&self, other: &Entry) -> Vec<Difference> {
        let mut found = self.kinds_of(other);
        if let Some(source) = self.sources(other) {
            let at = found.iter().take_while(|difference| rank(&difference.ingredient) < SOURCE).count();
            found.insert(at, source);
        }
        found
    }

    /// All but the texts, which are not among the facts.
    fn kinds_of(&self, other: &Entry) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut add = |ingredient: &str, this: Option<&String>, other: Option<&String>| {
            if this != other {
                let (this, other) = (this.cloned(), other.cloned());
                found.push(Difference { ingredient: ingredient.to_owned(), this, other });
            }
        };
        let (ours, theirs) = (self.ingredients(), other.ingredients());
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            // The flags one by one, with their origins; arguments in words if these tell them apart.
            let told = name == "arguments digest" && ours.get("arguments") != theirs.get("arguments");
            if name != "flags" && !told {
                add(name, ours.get(name), theirs.get(name));
            }
        }
        let texts =
            |entry: &Entry| -> Vec<String> { entry.flags().iter().map(|flag| flag.text.clone()).collect() };
        let (our_texts, their_texts) = (texts(self), texts(other));
        if our_texts != their_texts {
            let before = found.len();
            for flag in self.flags().iter().filter(|flag| !their_texts.contains(&flag.text)) {
                found.push(Difference {
                    ingredient: "flag".to_owned(),
                    this: Some(flag.to_string()),
                    other: None,
                });
            }
            for flag in other.flags().iter().filter(|flag| !our_texts.contains(&flag.text)) {
                found.push(Difference {
                    ingredient: "flag".to_owned(),
                    this: None,
                    other: Some(flag.to_string()),
                });
            }
            if found.len() == before {
                // The last one wins, so their order says something.
                let (this, other) = (Some(our_texts.join(" ")), Some(their_texts.join(" ")));
                found.push(Difference { ingredient: "flags".to_owned(), this, other });
            }
        }
        let (ours, theirs) = (self.inputs(), other.inputs());
        let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for path in paths {
            let (this, other) = (ours.get(path), theirs.get(path));
            if this != other {
                let shown =
                    |digest: Option<&Signature>| digest.map(|digest| format!("sha256 {}", digest.short()));
                let ingredient = format!("file {path}");
                found.push(Difference { ingredient, this: shown(this), other: shown(other) });
            }
        }
        found.sort_by_key(|difference| rank(&difference.ingredient));
        found
    }

    /// Where the texts begin to differ: what was generated, or else what was made of it, where macros are.
    fn sources(&self, other: &Entry) -> Option<Difference> {
        let files = |entry: &Entry| -> Vec<EntryFile> {
            entry.files().iter().filter(|file| file.category == Category::Source).cloned().collect()
        };
        files(self).iter().zip(&files(other)).enumerate().find_map(|(number, (ours, theirs))| {
            let (this, other) = (self.read(ours).ok()?, other.read(theirs).ok()?);
            let (this, other) = first_difference(&this, &other, number > 0)?;
            let ingredient = if number == 0 { "source".to_owned() } else { format!("source {}", ours.name) };
            Some(Difference { ingredient, this: Some(this), other: Some(other) })
        })
    }
}

/// The first lines that are not the same. In a unit there are names that no two kernels share: `ours` passes these over.
fn first_difference(this: &str, other: &str, ours: bool) -> Option<(String, String)> {
    if this == other {
        return None;
    }
    let (mut this, mut other) = (this.lines(), other.lines());
    for number in 1.. {
        let (one, two) = (this.next(), other.next());
        if one.is_none() && two.is_none() {
            break;
        }
        let named = |line: Option<&str>| line.is_some_and(|line| line.contains("dijitso_"));
        if one == two || (ours && named(one) && named(two)) {
            continue;
        }
        let shown = |line: Option<&str>| match line {
            Some(line) => format!("`{}` in line {number}", line.trim()),
            None => format!("its end in line {number}"),
        };
        return Some((shown(one), shown(two)));
    }
    None
}

const SOURCE: usize = 7;

/// What is decided first comes first.
fn rank(ingredient: &str) -> usize {
    const ORDER: [&str; 7] =
        ["kernel", "arguments", "arguments digest", "type", "version", "generator", "package"];
    let word = ingredient.split(' ').next().unwrap_or_default();
    match word {
        "source" => SOURCE,
        "flag" | "flags" => 8,
        "cpu" => 9,
        "environment" => 10,
        "compiler" => 11,
        "tool" => 12,
        "dependency" => 13,
        "file" => 15,
        _ => ORDER.iter().position(|known| *known == ingredient).unwrap_or(14),
    }
}

impl Cache {
    /// The entry that is most like this one: of the same kernel, if possible of the same spec, with the fewest
    /// differences; of several such the newest. What is different in it is why this one had to be built.
    ///
    /// # Errors
    /// None at present: what is damaged is passed over.
    ///
    /// ```
    /// # fn explain(cache: &dijitso::Cache, entry: &dijitso::Entry) -> dijitso::Result<()> {
    /// if let Some(relative) = cache.nearest(entry)? {
    ///     for difference in entry.differences(&relative) {
    ///         println!("{difference}");
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn nearest(&self, entry: &Entry) -> Result<Option<Entry>> {
        let mut named = self.list().entries;
        named.retain(|other| other.name == entry.name() && other.signature != entry.signature());
        named.sort_by_key(|other| std::cmp::Reverse(other.built));
        named.truncate(COMPARED);
        let others = named.iter().filter_map(|listed| self.entry(&listed.signature).ok().flatten());
        Ok(others.min_by_key(|other| {
            // The first of equals is the newest.
            (other.spec_signature() != entry.spec_signature(), entry.kinds_of(other).len())
        }))
    }
}
