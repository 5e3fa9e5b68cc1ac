//! Why a configuration, or one of its modules, failed.

use std::fmt;
use std::sync::Arc;

use super::log::Secrets;
use crate::error::Error;
use crate::probe::Reason;

/// Why a module failed. Cheap to clone: all modules that need it fail with the same.
///
/// BuildSystem: `RuntimeError`, `ConfigurationSetupError` and their texts.
///
/// ```
/// use dijitso::configure::{Cx, Failed};
///
/// fn configure(cx: &Cx<'_>) -> Result<u8, Failed> {
///     Err(cx.fail("there is neither MPI nor a reason to do without"))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Failed(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    /// The modules, from the one that failed to the one that was asked for.
    path: Vec<String>,
    text: String,
    question: Option<String>,
    reason: Option<Reason>,
    kind: FailureKind,
    /// Candidates, each with why it was refused.
    tried: Vec<(String, String)>,
    /// The user asked for it.
    demanded: bool,
    card: String,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// Something is not there, or not as it must be.
    No,
    /// Nobody could say: the machine was in trouble.
    Unknown,
    /// The options cannot be used.
    Options,
    /// A mistake in the modules: a circle, a value nobody provides, a macro with two values.
    Program,
    /// Modules require each other, or come before each other, in a circle.
    Circle,
    /// Help was asked for; the text is the help.
    Help,
    /// Some answers come only from a job that has to run first.
    Waiting,
    /// A shadow run found remembered answers that are wrong.
    Stale,
}

impl Failed {
    pub(super) fn new(kind: FailureKind, text: impl Into<String>) -> Failed {
        let (text, card) = (text.into(), String::new());
        let (path, tried) = (Vec::new(), Vec::new());
        let demanded = false;
        Failed(Arc::new(Inner { path, text, question: None, reason: None, kind, tried, demanded, card }))
    }

    pub(super) fn of_question(question: String, reason: Reason, unknown: bool) -> Failed {
        let kind = if unknown { FailureKind::Unknown } else { FailureKind::No };
        let mut failed = Failed::new(kind, reason.to_string());
        let inner = Arc::make_mut(&mut failed.0);
        (inner.question, inner.reason) = (Some(question), Some(reason));
        failed
    }

    /// The same, in a module that is part of the way.
    pub(super) fn within(&self, module: &str) -> Failed {
        let mut inner = (*self.0).clone();
        if inner.path.last().is_none_or(|last| last != module) {
            inner.path.push(module.to_owned());
        }
        Failed(Arc::new(inner))
    }

    pub(super) fn after_trying(&self, tried: Vec<(String, String)>) -> Failed {
        Failed(Arc::new(Inner { tried, ..(*self.0).clone() }))
    }

    /// The same of something that the user asked for by an option: then nobody does without it, also where its module is
    /// [optional](super::Configure::optional).
    ///
    /// ```
    /// use dijitso::configure::{Auto, Cx, Failed, Opt};
    /// const FAST: Opt<Auto> = Opt::auto("with-fast", Auto::Auto, "be fast");
    /// fn configure(cx: &Cx<'_>) -> Result<(), Failed> {
    ///     let failed = cx.fail("this machine cannot be fast");
    ///     Err(if cx.get(&FAST)? == Auto::Yes { failed.demanded() } else { failed })
    /// }
    /// ```
    #[must_use]
    pub fn demanded(&self) -> Failed {
        Failed(Arc::new(Inner { demanded: true, ..(*self.0).clone() }))
    }

    /// Whether the user asked for what failed.
    ///
    /// ```no_run
    /// # fn f(failed: dijitso::configure::Failed) {
    /// println!("{}", if failed.is_demanded() { "the options cannot be met" } else { "something is missing" });
    /// # }
    /// ```
    pub fn is_demanded(&self) -> bool {
        self.0.demanded
    }

    pub(super) fn tried(&self) -> &[(String, String)] {
        &self.0.tried
    }

    pub(super) fn with_card(&self, card: String) -> Failed {
        Failed(Arc::new(Inner { card, ..(*self.0).clone() }))
    }

    /// What kind of failure it is.
    ///
    /// ```no_run
    /// # fn f(failed: dijitso::configure::Failed) {
    /// if failed.kind() == dijitso::configure::FailureKind::Help {
    ///     println!("{failed}");
    /// }
    /// # }
    /// ```
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// Whether something is just not there: then others can do without it.
    pub(super) fn is_absence(&self) -> bool {
        self.0.kind == FailureKind::No
    }

    /// The module that failed, and those that failed because they need it, in this order.
    ///
    /// ```no_run
    /// # fn f(failed: dijitso::configure::Failed) {
    /// println!("{}", failed.path().join(" <- "));
    /// # }
    /// ```
    pub fn path(&self) -> &[String] {
        &self.0.path
    }

    /// All that helps to find the cause, in at most 40 lines; empty until the configuration has ended.
    ///
    /// ```no_run
    /// # fn f(failed: dijitso::configure::Failed) {
    /// eprintln!("{}", failed.card());
    /// # }
    /// ```
    pub fn card(&self) -> &str {
        &self.0.card
    }

    /// Without what nobody may read.
    pub(super) fn hidden(&self, secrets: &Secrets) -> Failed {
        let mut inner = (*self.0).clone();
        inner.text = secrets.hide(&inner.text);
        inner.question = inner.question.map(|question| secrets.hide(&question));
        for (name, why) in &mut inner.tried {
            (*name, *why) = (secrets.hide(name), secrets.hide(why));
        }
        Failed(Arc::new(inner))
    }

    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    pub(super) fn question(&self) -> Option<&str> {
        self.0.question.as_deref()
    }

    pub(super) fn reason(&self) -> Option<&Reason> {
        self.0.reason.as_ref()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(module) = self.0.path.first() {
            write!(f, "module {module}: ")?;
        }
        if let Some(question) = &self.0.question {
            write!(f, "{question}: ")?;
        }
        f.write_str(&self.0.text)
    }
}

impl std::error::Error for Failed {}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Error {
        Error::Configure { problem: failed.to_string(), card: failed.card().to_owned() }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        let kind = match error {
            Error::Config { .. } => FailureKind::Options,
            _ => FailureKind::Unknown,
        };
        Failed::new(kind, error.to_string())
    }
}
