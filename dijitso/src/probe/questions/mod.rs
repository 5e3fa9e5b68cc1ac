//! The questions, one file for each kind.

mod all;
mod cmake;
mod first_of;
mod flag;
mod fortran;
mod function;
mod header;
mod library;
mod linked;
mod macros;
mod program;
mod symbol;
mod text;
mod value;

pub use all::All;
pub use cmake::{CMakePackage, FoundPackage};
pub use first_of::FirstOf;
pub use flag::{CompilerFlag, LinkerFlag};
pub use fortran::{Mangling, Naming};
pub use function::Function;
pub use header::Header;
pub use library::Library;
pub use linked::{Link, Ran, Run};
pub use macros::Macro;
pub(crate) use program::compare_versions;
pub use program::{Found, Program};
pub use symbol::Symbol;
pub use text::{Compile, Preprocess};
pub use value::{Align, Constant, Member, Size, Type};

use super::ask::{Knowledge, Stop};
use super::verdict::{Reason, Verdict};
use crate::signature::Signature;

mod sealed {
    pub trait Sealed {}
}
pub(super) use sealed::Sealed;

/// Something that a compiler, a linker or the machine can be asked.
///
/// The set of questions is closed: each knows what its answer depends on. Whatever is not among them is asked with a
/// text of your own: [`Compile`], [`Link`], [`Run`], [`Preprocess`].
///
/// BuildSystem has methods of its configure objects, which raise or return a Boolean.
///
/// ```
/// use dijitso::probe::{Header, Question};
/// assert_eq!(Header::new("mpi.h").describe(), "header <mpi.h> (C)");
/// ```
pub trait Question: Sealed {
    /// What a yes says.
    type Answer;

    /// The question in a few words.
    ///
    /// ```
    /// use dijitso::probe::{Question, Size};
    /// assert_eq!(Size::new("long").describe(), "size of long (C)");
    /// ```
    fn describe(&self) -> String;

    #[doc(hidden)]
    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Self::Answer>, Stop>;

    #[doc(hidden)]
    fn show(answer: &Self::Answer) -> String;
}

/// What is known of one question when it was answered.
#[derive(Debug, Clone)]
pub struct Note {
    pub(crate) question: String,
    pub(crate) verdict: &'static str,
    pub(crate) answer: String,
    pub(crate) reason: Option<Reason>,
    /// What it rests on.
    pub(crate) used: Vec<Signature>,
}

/// Several questions that are asked together: tuples, arrays and `Vec`s.
///
/// ```no_run
/// use dijitso::probe::{Header, Size};
/// # fn f(probes: &dijitso::probe::Probes) {
/// let (int, header) = probes.ask_all((Size::new("int"), Header::new("omp.h")));
/// # }
/// ```
pub trait Questions {
    /// Their verdicts, in the same form.
    type Verdicts;

    #[doc(hidden)]
    fn evaluate_all(&self, known: &mut Knowledge<'_>, notes: &mut Vec<Note>) -> Option<Self::Verdicts>;
}

/// `None`: not yet.
pub(super) fn evaluate<Q: Question>(
    question: &Q,
    known: &mut Knowledge<'_>,
    notes: &mut Vec<Note>,
) -> Option<Verdict<Q::Answer>> {
    let before = std::mem::take(&mut known.used);
    let result = question.evaluate(known);
    let used = std::mem::replace(&mut known.used, before);
    let verdict = match result {
        Ok(verdict) => verdict,
        Err(Stop::Unknown(reason)) => Verdict::Unknown(reason),
        Err(Stop::NotYet) => return None,
    };
    notes.push(Note {
        question: question.describe(),
        verdict: verdict.word(),
        answer: match &verdict {
            Verdict::Yes(answer) => Q::show(answer),
            _ => String::new(),
        },
        reason: verdict.reason().cloned(),
        used,
    });
    Some(verdict)
}

/// All of them, so that what all need is found out together.
fn evaluate_each<'q, Q: Question + 'q>(
    questions: impl Iterator<Item = &'q Q>,
    known: &mut Knowledge<'_>,
    notes: &mut Vec<Note>,
) -> Option<Vec<Verdict<Q::Answer>>> {
    let verdicts: Vec<Option<_>> = questions.map(|question| evaluate(question, known, notes)).collect();
    verdicts.into_iter().collect()
}

impl<Q: Question> Questions for Vec<Q> {
    type Verdicts = Vec<Verdict<Q::Answer>>;

    fn evaluate_all(&self, known: &mut Knowledge<'_>, notes: &mut Vec<Note>) -> Option<Self::Verdicts> {
        evaluate_each(self.iter(), known, notes)
    }
}

impl<Q: Question, const N: usize> Questions for [Q; N] {
    type Verdicts = [Verdict<Q::Answer>; N];

    fn evaluate_all(&self, known: &mut Knowledge<'_>, notes: &mut Vec<Note>) -> Option<Self::Verdicts> {
        evaluate_each(self.iter(), known, notes)?.try_into().ok()
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Question),*> Questions for ($($name,)*) {
            type Verdicts = ($(Verdict<$name::Answer>,)*);

            #[allow(non_snake_case)]
            fn evaluate_all(&self, known: &mut Knowledge<'_>, notes: &mut Vec<Note>) -> Option<Self::Verdicts> {
                let ($($name,)*) = self;
                // Each is evaluated, whether or not those before it are known.
                $(let $name = evaluate($name, known, notes);)*
                Some(($($name?,)*))
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);

/// What most questions can be told beside what they ask.
macro_rules! common {
    ($name:ident, $example:literal) => {
        impl $name {
            /// In which language it is asked (default: C).
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", $example, ".in_language(Language::Cxx);")]
            /// ```
            pub fn in_language(mut self, language: Language) -> Self {
                self.language = language;
                self
            }

            /// With flags, directories and libraries of its own, after those of the session.
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", $example, ".with(&Settings::new().include_dir(\"/opt/include\"));")]
            /// ```
            pub fn with(mut self, settings: &Settings) -> Self {
                self.settings = std::mem::take(&mut self.settings).and(settings);
                self
            }
        }

        impl Sealed for $name {}
    };
}
pub(super) use common;

/// For questions about what headers declare.
macro_rules! after {
    ($name:ident, $example:literal) => {
        impl $name {
            /// After including a header: its name, or a line that begins with `#` (or, in Fortran, `use`). May be
            /// called several times.
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", $example, ".after(\"stdio.h\").after(\"#define X 1\");")]
            /// ```
            pub fn after(mut self, header: impl AsRef<str>) -> Self {
                self.prelude.push(line(header.as_ref()));
                self
            }
        }
    };
}
pub(super) use after;

/// A line of a prelude.
fn line(header: &str) -> String {
    let is_line = header.starts_with('#') || header.contains([' ', '\n']);
    if is_line { header.to_owned() } else { format!("#include <{header}>") }
}

/// A question in words, with what it is asked with.
fn worded(text: String, settings: &crate::probe::Settings) -> String {
    if settings.is_empty() { text } else { format!("{text}, with {settings}") }
}
