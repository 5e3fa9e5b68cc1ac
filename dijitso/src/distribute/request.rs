//! What ranks ask for, where they do not ask for the same.

use serde::{Deserialize, Serialize};

use super::member::Member;
use super::tree::Tree;
use super::waiting::Step;
use crate::error::{Error, Result};
use crate::signature::Signature;
use crate::source::AnySpec;

/// What one rank asks for, for ranks that disagree.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Request {
    rank: u32,
    options: String,
    kernels: Vec<(String, Signature)>,
}

impl Request {
    fn difference(a: &Request, b: &Request) -> String {
        if a.options != b.options {
            return format!(
                "rank {} builds with `{}` and rank {} with `{}` (protocol, strategy, per processor)",
                a.rank, a.options, b.rank, b.options
            );
        }
        let differs = |at: &usize| a.kernels.get(*at).map(|k| k.1) != b.kernels.get(*at).map(|k| k.1);
        let at = (0..a.kernels.len().max(b.kernels.len())).find(differs).unwrap_or(0);
        let name = |request: &Request| match request.kernels.get(at) {
            Some((name, signature)) => format!("{name} [{}]", signature.short()),
            None => "nothing".to_owned(),
        };
        format!(
            "rank {} asks for {} kernels and rank {} for {}; the first difference is number {}: {} on rank {}, {} on rank {}. \
             All ranks must ask for the same kernels in the same order",
            a.rank,
            a.kernels.len(),
            b.rank,
            b.kernels.len(),
            at + 1,
            name(a),
            a.rank,
            name(b),
            b.rank
        )
    }
}

impl Member<'_, '_> {
    /// Two ranks that disagree tell all what they ask for.
    pub(super) fn mismatch(
        &mut self,
        any: &[&AnySpec],
        options: &str,
        tree: &Tree,
        ranks: [u32; 2],
    ) -> Result<Error> {
        let me = self.session.rank() as u32;
        let mine = Request {
            rank: me,
            options: options.to_owned(),
            kernels: any.iter().map(|spec| (spec.at(), spec.signature())).collect(),
        };
        let mine: Vec<Request> = ranks.contains(&me).then_some(mine).into_iter().collect();
        let mut said = self.session.all_reduce(Step::Agree, tree, mine, |mut a, b| {
            a.extend(b);
            a
        })?;
        said.sort_by_key(|request| request.rank);
        let problem = match said.as_slice() {
            [a, b, ..] => Request::difference(a, b),
            _ => "ranks ask for different kernels".to_owned(),
        };
        Ok(Error::Mismatch { problem })
    }
}
