//! The first of several questions that is answered with a yes.

use super::{Knowledge, Question, Sealed, Stop, Verdict};
use crate::probe::verdict::Reason;

/// The first of several questions that is answered with a yes; all are asked side by side.
///
/// BuildSystem has loops over candidates.
///
/// ```no_run
/// use dijitso::probe::{CompilerFlag, FirstOf, Language, Probes};
///
/// # fn f(probes: &Probes) {
/// let standards = ["-std=c++23", "-std=c++20", "-std=c++17"];
/// let newest = FirstOf::new(standards.map(|flag| CompilerFlag::new(flag).in_language(Language::Cxx)));
/// if let Some((which, _)) = probes.ask(&newest).yes() {
///     println!("{}", standards[which]);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct FirstOf<Q>(Vec<Q>);

impl<Q: Question> FirstOf<Q> {
    /// The candidates, the best one first.
    ///
    /// ```
    /// use dijitso::probe::{FirstOf, Header};
    /// let question = FirstOf::new(["cblas.h", "mkl_cblas.h"].map(Header::new));
    /// ```
    pub fn new(candidates: impl IntoIterator<Item = Q>) -> FirstOf<Q> {
        FirstOf(candidates.into_iter().collect())
    }
}

impl<Q: Question> Sealed for FirstOf<Q> {}

impl<Q: Question> Question for FirstOf<Q> {
    /// Which one, and its answer.
    type Answer = (usize, Q::Answer);

    fn describe(&self) -> String {
        let each: Vec<String> = self.0.iter().map(Question::describe).collect();
        format!("first of: {}", each.join("; "))
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Self::Answer>, Stop> {
        let asked: Vec<_> = self.0.iter().map(|question| question.evaluate(known)).collect();
        let mut refused = Vec::new();
        for (n, (verdict, question)) in asked.into_iter().zip(&self.0).enumerate() {
            match verdict? {
                Verdict::Yes(answer) => return Ok(Verdict::Yes((n, answer))),
                // One that is not known may be the one.
                Verdict::Unknown(reason) => return Ok(Verdict::Unknown(reason)),
                Verdict::No(reason) => refused.push((question.describe(), reason)),
            }
        }
        Ok(Verdict::No(none(refused)))
    }

    fn show((n, answer): &Self::Answer) -> String {
        let shown = Q::show(answer);
        if shown.is_empty() { format!("the one at {n}") } else { shown }
    }
}

/// Why none of these will do.
pub(super) fn none(refused: Vec<(String, Reason)>) -> Reason {
    match &refused[..] {
        [] => Reason::new("there is no candidate"),
        [(_, reason)] => reason.clone(),
        [.., (_, last)] => {
            let tried: Vec<(String, String)> =
                refused.iter().map(|(name, reason)| (name.clone(), reason.to_string())).collect();
            let each: Vec<String> = tried.iter().map(|(name, why)| format!("{name}: {why}")).collect();
            last.because(each.join("; ")).after_trying(tried)
        }
    }
}
