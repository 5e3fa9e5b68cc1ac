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
use std::panic::Location;

use super::failed::{Failed, FailureKind};
use super::module::{Child, Module};
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
    /// Options that are two by one name.
    clashes: Vec<String>,
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
    /// Where it is declared.
    pub(super) at: &'static Location<'static>,
}

impl Declared {
    /// The variables that it is read from, the weakest first: its own, and `DEMO_WITH_MPI`.
    pub(super) fn variables(&self, prefix: &str) -> impl Iterator<Item = String> + use<> {
        let own = self.name.replace(['-', '.'], "_").to_ascii_uppercase();
        let own = if prefix.is_empty() { own } else { format!("{prefix}_{own}") };
        self.variable.map(str::to_owned).into_iter().chain([own])
    }

    /// Another declaration of the same option: what one of them keeps secret, or names a variable for, is so for both.
    ///
    /// # Errors
    /// It is another option.
    fn and(&mut self, new: &Declared) -> Result<(), String> {
        let variables = [self.variable, new.variable];
        let same_variable = variables.contains(&None) || self.variable == new.variable;
        if self.kind != new.kind || self.help != new.help || !same_variable {
            let told = |it: &Declared| {
                let variable = it.variable.map(|name| format!(", variable {name}")).unwrap_or_default();
                format!("\"{}\" ({}{variable}, {})", it.help, it.kind.allowed(), it.at)
            };
            return Err(format!(
                "two options are called --{}: {} and {}; rename one",
                new.name,
                told(self),
                told(new)
            ));
        }
        self.variable = self.variable.or(new.variable);
        self.secret |= new.secret;
        Ok(())
    }
}

impl Options {
    /// Those of one module, with all that it lists.
    pub(super) fn of_module<M: Module>(&mut self) {
        self.of_type(TypeId::of::<M>(), M::NAME, M::options);
    }

    fn of_type(&mut self, kind: TypeId, name: &'static str, options: fn(&mut Options)) {
        if !self.modules.contains(&kind) {
            self.modules.push(kind);
            let before = self.current;
            self.section(name);
            options(self);
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

    /// Adds an option. The same one may be added by several modules; two by one name are a mistake in the program, which
    /// [`run`](super::Configure::run) tells with both places.
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
        if let Some(known) = self.declared.get_mut(new.name) {
            self.clashes.extend(known.and(&new).err());
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

    /// The same for modules of which there is one for each entry of a list.
    ///
    /// ```
    /// # use dijitso::configure::{Child, Options};
    /// # fn f<Utility: Child>(options: &mut Options) {
    /// options.of_child::<Utility>();
    /// # }
    /// ```
    pub fn of_child<C: Child>(&mut self) -> &mut Options {
        self.of_type(TypeId::of::<C>(), C::NAME, C::options);
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&Declared> {
        self.declared.get(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Declared> {
        self.declared.values()
    }

    /// # Errors
    /// Two options have one name.
    pub(super) fn checked(&self) -> Result<(), Failed> {
        match self.clashes.is_empty() {
            true => Ok(()),
            false => Err(Failed::new(FailureKind::Program, self.clashes.join("\n"))),
        }
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
