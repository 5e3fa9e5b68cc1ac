//! What a module is: a type that knows how to find itself out.

use std::any::TypeId;
use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cx::Cx;
use super::failed::Failed;
use super::options::Options;

/// A module of a configuration: what it finds out is its own plain fields.
///
/// Its results are reached by type, so there are no names that could clash; other modules get them with
/// [`Cx::require`], which is also the edge of the graph. They can be serialised, so that one process configures, and
/// others, on other machines, receive.
///
/// BuildSystem: a Python module with a class `Configure`; `setupHelp` is [`options`](Self::options),
/// `setupDependencies` is what `configure` requires, and [`order`](Self::order).
///
/// ```
/// use dijitso::configure::{Cx, Failed, Module};
/// use dijitso::probe::{Size, Type};
/// use serde::{Deserialize, Serialize};
///
/// /// How large the index type is.
/// #[derive(Serialize, Deserialize)]
/// pub struct Index {
///     pub bytes: u64,
/// }
///
/// impl Module for Index {
///     const NAME: &'static str = "index";
///
///     fn configure(cx: &Cx<'_>) -> Result<Index, Failed> {
///         let bytes = cx.need(&Size::new("ptrdiff_t").after("stddef.h"))?;
///         cx.define("SIZEOF_INDEX", bytes.to_string(), "bytes of the type of indices");
///         Ok(Index { bytes })
///     }
/// }
/// ```
pub trait Module: Sized + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Its name in logs, cards and records: the path of its place, such as `packages.mpi`.
    const NAME: &'static str;

    /// The options that it has, and those of the modules that it requires.
    fn options(options: &mut Options) {
        let _ = options;
    }

    /// What else has to be configured before or after it, if that is configured at all.
    fn order(order: &mut Order) {
        let _ = order;
    }

    /// Finds it out.
    ///
    /// # Errors
    /// Whatever makes the module, and all that require it, impossible.
    fn configure(cx: &Cx<'_>) -> Result<Self, Failed>;
}

/// A module of which there are several: one for each key of a list that is known only at run time.
///
/// BuildSystem: modules that are made in a loop over a directory, and `addChild`.
///
/// ```
/// use dijitso::configure::{Child, Cx, Failed, Module};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Utility { lines: usize }
///
/// impl Child for Utility {
///     const NAME: &'static str = "utilities";
///     type Key = String;
///
///     fn configure(key: &String, cx: &Cx<'_>) -> Result<Utility, Failed> {
///         Ok(Utility { lines: key.lines().count() })
///     }
/// }
///
/// fn all(names: &[String], cx: &Cx<'_>) -> Result<usize, Failed> {
///     names.iter().map(|name| Ok(cx.child::<Utility>(name)?.lines)).sum()
/// }
/// ```
pub trait Child: Sized + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// The name that all have in common: one is `utilities[name]`.
    const NAME: &'static str;

    /// What tells them apart, by its text.
    type Key: Display;

    /// The options that all have in common: the module that makes them lists them with [`Options::of_child`].
    fn options(options: &mut Options) {
        let _ = options;
    }

    /// Finds one out.
    ///
    /// # Errors
    /// Whatever makes it, and all that require it, impossible.
    fn configure(key: &Self::Key, cx: &Cx<'_>) -> Result<Self, Failed>;
}

/// Edges without a result: what comes first, if both are configured.
///
/// BuildSystem: `framework.getChild` and `require` whose result nobody keeps.
///
/// ```
/// # use dijitso::configure::{Module, Order};
/// fn order<Setup: Module, Checks: Module>(order: &mut Order) {
///     order.after::<Setup>();
///     order.before::<Checks>();
/// }
/// ```
#[derive(Debug, Default)]
pub struct Order {
    pub(super) after: Vec<TypeId>,
    pub(super) before: Vec<TypeId>,
}

impl Order {
    /// That one is configured first, if at all. Whether it fails does not matter.
    ///
    /// ```
    /// # use dijitso::configure::{Module, Order};
    /// # fn f<M: Module>(order: &mut Order) {
    /// order.after::<M>();
    /// # }
    /// ```
    pub fn after<M: Module>(&mut self) {
        self.after.push(TypeId::of::<M>());
    }

    /// This one is configured before that one, if that is configured at all.
    ///
    /// ```
    /// # use dijitso::configure::{Module, Order};
    /// # fn f<M: Module>(order: &mut Order) {
    /// order.before::<M>();
    /// # }
    /// ```
    pub fn before<M: Module>(&mut self) {
        self.before.push(TypeId::of::<M>());
    }
}
