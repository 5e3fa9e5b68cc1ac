//! Options: typed, with a range, a default, a sentence of help, and an answer to "who set that?".

mod download;
mod given;
mod help;
mod kind;
mod read;

pub use download::Download;
pub(super) use given::{Given, Sources};
pub use kind::{Auto, Opt, OptionValue};
pub(super) use kind::{Kind, Value};

use std::any::TypeId;
use std::collections::BTreeMap;

use super::module::Module;
use crate::config::suggest::nearest;

/// The options of a configuration, as its modules declare them.
///
/// BuildSystem: `setupHelp` and `help.addArgument`.
///
/// ```
/// use dijitso::configure::{Opt, Options};
///
/// const SHARED: Opt<bool> = Opt::boolean("with-shared-libraries", true, "make libraries shared");
///
/// fn options(options: &mut Options) {
///     options.section("Demo").add(&SHARED);
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Options {
    sections: Vec<String>,
    declared: BTreeMap<&'static str, Declared>,
    /// Modules whose options are in it.
    modules: Vec<TypeId>,
    current: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) variable: Option<&'static str>,
    pub(super) section: usize,
    /// Whether it is left out of logs.
    pub(super) secret: bool,
}

impl Options {
    /// Those of one module, with all that it lists.
    pub(super) fn of_module<M: Module>(&mut self) {
        if !self.modules.contains(&TypeId::of::<M>()) {
            self.modules.push(TypeId::of::<M>());
            let before = self.current;
            self.section(M::NAME);
            M::options(self);
            self.current = before;
        }
    }

    /// What is added from now on belongs to this section of the help.
    ///
    /// ```
    /// # fn f(options: &mut dijitso::configure::Options) {
    /// options.section("Libraries");
    /// # }
    /// ```
    pub fn section(&mut self, name: &str) -> &mut Options {
        self.current = match self.sections.iter().position(|known| known == name) {
            Some(at) => at,
            None => {
                self.sections.push(name.to_owned());
                self.sections.len() - 1
            }
        };
        self
    }

    /// Adds an option. The same one may be added by several modules.
    ///
    /// # Panics
    /// If another option has this name: that is a mistake in the program, found by the first run.
    ///
    /// ```
    /// use dijitso::configure::{Opt, Options};
    /// const LEVEL: Opt<i64> = Opt::int("with-level", 1, 0, 9, "how much");
    /// # fn f(options: &mut Options) {
    /// options.add(&LEVEL);
    /// # }
    /// ```
    pub fn add<T>(&mut self, option: &Opt<T>) -> &mut Options {
        let new = option.declared(self.current.min(self.sections.len().saturating_sub(1)));
        if let Some(known) = self.declared.get(new.name) {
            let same = known.kind == new.kind && known.help == new.help;
            assert!(same, "two options are called --{}: \"{}\" and \"{}\"", new.name, known.help, new.help);
            return self;
        }
        if self.sections.is_empty() {
            self.sections.push("Options".to_owned());
        }
        self.declared.insert(new.name, new);
        self
    }

    /// Adds the options of a module that this one requires.
    ///
    /// BuildSystem finds them by walking over the children.
    ///
    /// ```
    /// # fn f(options: &mut dijitso::configure::Options) {
    /// options.of::<dijitso::configure::Mpi>();
    /// # }
    /// ```
    pub fn of<M: Module>(&mut self) -> &mut Options {
        self.of_module::<M>();
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&Declared> {
        self.declared.get(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Declared> {
        self.declared.values()
    }

    /// What is wrong with a name that nobody declared, with the one that was meant.
    fn unknown(&self, name: &str) -> String {
        let stem = |text: &str| {
            let prefixes = ["with-", "without-", "enable-", "disable-", "no-"];
            prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text).to_owned()
        };
        let names = || self.declared.keys().copied();
        // A slip in the name, or the right name with a wrong beginning.
        let meant = nearest(name, names()).or_else(|| names().find(|known| stem(known) == stem(name)));
        match meant {
            Some(meant) => format!("there is no option --{name}; did you mean --{meant}?"),
            None => format!("there is no option --{name}; `--help` lists all"),
        }
    }
}
