//! Many questions of one kind as one question: so that kinds can be mixed.

use super::{Knowledge, Question, Sealed, Stop, Verdict};

/// Many questions of one kind, beside others of other kinds; its answer is always a yes, with all their verdicts.
///
/// BuildSystem asks one after the other.
///
/// ```no_run
/// use dijitso::probe::{All, Header, Probes, Size};
///
/// # fn f(probes: &Probes) {
/// let headers = All(["math.h", "mpi.h"].map(Header::new).to_vec());
/// let (headers, long) = probes.ask_all((headers, Size::new("long")));
/// for verdict in headers.yes().unwrap() {
///     println!("{}", verdict.word());
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct All<Q>(pub Vec<Q>);

impl<Q: Question> Sealed for All<Q> {}

impl<Q: Question> Question for All<Q> {
    type Answer = Vec<Verdict<Q::Answer>>;

    fn describe(&self) -> String {
        let each: Vec<String> = self.0.iter().map(Question::describe).collect();
        format!("all of: {}", each.join("; "))
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<Self::Answer>, Stop> {
        let asked: Vec<_> = self.0.iter().map(|question| question.evaluate(known)).collect();
        let mut verdicts = Vec::with_capacity(asked.len());
        for verdict in asked {
            verdicts.push(match verdict {
                Ok(verdict) => verdict,
                Err(Stop::Unknown(reason)) => Verdict::Unknown(reason),
                Err(Stop::NotYet) => return Err(Stop::NotYet),
            });
        }
        Ok(Verdict::Yes(verdicts))
    }

    fn show(verdicts: &Self::Answer) -> String {
        let shown = verdicts.iter().map(|verdict| match verdict {
            Verdict::Yes(answer) => format!("yes {}", Q::show(answer)).trim_end().to_owned(),
            other => other.word().to_owned(),
        });
        shown.collect::<Vec<_>>().join("; ")
    }
}
