//! Answering many facts with few programs.
//!
//! All facts of a group are put into one text. If it compiles, all are answered. If not, the compiler names those it
//! complains about; the others are asked again without them, and each of these alone, so that every answer rests on a
//! text that compiled or on one that has no other question in it.

use std::collections::{BTreeMap, HashSet};

use super::fact::{Class, Fact, FactTold, Group, blamed, present};
use super::job::{Ended, Trace};
use super::object::PREFIX;
use super::told::{Problem, Told};
use super::trial::Trial;
use super::verdict::first_error;
use crate::signature::Signature;
use crate::toolchain::undefined_symbols;

/// A fact's answer, with what it rests on; or why nobody could say.
pub(super) type Solved = (Signature, Result<(FactTold, Trace), Problem>);

/// The same before it is known what the prelude reads.
type Found = Result<(FactTold, Option<Trace>), Problem>;

/// The facts of one class in one group, on their way.
#[derive(Debug)]
pub(super) struct Fuse {
    group: Group,
    class: Class,
    facts: Vec<(Signature, Fact)>,
    /// The facts that are in each trial under way, by its number.
    items: BTreeMap<usize, Item>,
    next: usize,
    solved: Vec<Option<Found>>,
    /// What the prelude reads, known from a text that compiled.
    base: Option<Trace>,
    /// Whether the prelude was asked about by itself.
    tried_base: bool,
}

#[derive(Debug, Clone)]
struct Item {
    facts: Vec<usize>,
    /// For which facts it is asked whether the prelude alone is accepted.
    prelude_for: Vec<usize>,
    source: String,
}

impl Fuse {
    pub(super) fn new(group: Group, class: Class, facts: Vec<(Signature, Fact)>) -> Fuse {
        let solved = facts.iter().map(|_| None).collect();
        Fuse { group, class, facts, items: BTreeMap::new(), next: 0, solved, base: None, tried_base: false }
    }

    pub(super) fn begin(&mut self) -> Vec<(usize, Trial)> {
        let all = (0..self.facts.len()).collect();
        vec![self.item(all, Vec::new())]
    }

    fn item(&mut self, facts: Vec<usize>, prelude_for: Vec<usize>) -> (usize, Trial) {
        let chosen: Vec<(usize, &Fact)> = facts.iter().map(|n| (*n, &self.facts[*n].1)).collect();
        let mut trial = self.group.trial(self.class, &chosen);
        // What a text reads that does not compile is known from its neighbours, which have the same prelude.
        trial.traced = matches!(self.class, Class::Presence | Class::Macros) || facts.is_empty();
        self.tried_base |= facts.is_empty();
        let number = self.next;
        self.next += 1;
        let source = trial.units[0].text.clone();
        self.items.insert(number, Item { facts, prelude_for, source });
        (number, trial)
    }

    /// One of its trials has ended; what to ask next.
    pub(super) fn told(&mut self, number: usize, ended: Ended) -> Vec<(usize, Trial)> {
        let Some(item) = self.items.remove(&number) else { return Vec::new() };
        let told = match ended.told {
            Ok(told) => told,
            Err(problem) => {
                for n in item.facts.iter().chain(&item.prelude_for) {
                    self.solved[*n] = Some(Err(problem.clone()));
                }
                return self.rest();
            }
        };
        let trace = ended.trace;
        let mut next = Vec::new();
        if !item.prelude_for.is_empty() || item.facts.is_empty() {
            if told.success {
                self.base.get_or_insert(trace);
                let alone: Vec<usize> = item.prelude_for.clone();
                next.extend(alone.into_iter().map(|n| self.item(vec![n], Vec::new())));
            } else {
                let why = format!("what it needs before it is refused: {}", first_error(&told.said()));
                for n in &item.prelude_for {
                    self.no(*n, &why, &told, &item.source, Some(trace.clone()));
                }
                self.base.get_or_insert(trace);
            }
        } else if told.success {
            self.yes(&item, &told, &trace);
        } else {
            next = self.divide(&item, &told, &trace);
        }
        next.extend(self.rest());
        next
    }

    fn yes(&mut self, item: &Item, told: &Told, trace: &Trace) {
        self.base.get_or_insert_with(|| trace.clone());
        let commands: Vec<String> = told.steps.iter().map(|step| step.command.clone()).collect();
        let present = match self.class {
            Class::Presence => match present(told.stdout()) {
                Ok(present) => present.into_iter().collect::<BTreeMap<_, _>>(),
                Err(problem) => {
                    for n in &item.facts {
                        self.solved[*n] = Some(Err(problem.clone().into()));
                    }
                    return;
                }
            },
            _ => BTreeMap::new(),
        };
        for n in &item.facts {
            let mut answer = FactTold { yes: true, commands: commands.clone(), ..FactTold::default() };
            let mut trace = trace.clone();
            match &self.facts[*n].1 {
                Fact::Header(name) => {
                    let Some(there) = present.get(n) else {
                        let problem = format!("the preprocessor dropped the line that tells about <{name}>");
                        self.solved[*n] = Some(Err(problem.into()));
                        continue;
                    };
                    answer.yes = *there;
                    answer.why = format!("there is no <{name}> where the compiler looks");
                    trace.rests_on_header(name);
                }
                Fact::Value(_) => match told.values.get(&format!("{PREFIX}{n}")) {
                    Some(value) => answer.value = *value,
                    None => {
                        self.solved[*n] = Some(Err("the object file has no such constant in it".into()));
                        continue;
                    }
                },
                Fact::Macro(name) => match told.macros.get(name) {
                    Some(text) => answer.text = text.clone(),
                    None => {
                        answer.yes = false;
                        answer.why = format!("the macro {name} is not defined");
                    }
                },
                Fact::Accepts(_) | Fact::Function { .. } => {}
            }
            if !answer.yes {
                answer.source = item.source.clone();
            }
            self.solved[*n] = Some(Ok((answer, Some(trace))));
        }
    }

    /// A text with these facts was refused.
    fn divide(&mut self, item: &Item, told: &Told, trace: &Trace) -> Vec<(usize, Trial)> {
        let said = told.said();
        // A linker names symbols, and the object says who needs them.
        let undefined: HashSet<String> = undefined_symbols(&said).into_iter().collect();
        let linked = self.class == Class::Functions && told.steps.len() > 1;
        let mut missing = Vec::new();
        for n in item.facts.iter().filter(|_| linked) {
            let refers = told.undefined.get(&format!("{PREFIX}{n}"));
            if let Some(symbol) = refers.into_iter().flatten().find(|symbol| undefined.contains(*symbol)) {
                let why = format!("no library that is linked defines `{symbol}`");
                self.no(*n, &why, told, &item.source, Some(trace.clone()));
                missing.push(*n);
            }
        }
        let left: Vec<usize> = item.facts.iter().copied().filter(|n| !missing.contains(n)).collect();
        if !missing.is_empty() {
            return (!left.is_empty()).then(|| self.item(left, Vec::new())).into_iter().collect();
        }
        if let [alone] = left[..] {
            let why = first_error(&said).to_owned();
            match linked || !blamed(&said).is_empty() {
                true => self.no(alone, &why, told, &item.source, linked.then(|| trace.clone())),
                // Perhaps it is the prelude.
                false => return vec![self.prelude(vec![alone], told, item)],
            }
            return Vec::new();
        }
        let suspects: Vec<usize> = blamed(&said).into_iter().filter(|n| left.contains(n)).collect();
        if suspects.is_empty() || suspects.len() == left.len() {
            return vec![self.item(Vec::new(), left)];
        }
        let rest = left.into_iter().filter(|n| !suspects.contains(n)).collect();
        let mut next = vec![self.item(rest, Vec::new())];
        next.extend(suspects.into_iter().map(|n| self.item(vec![n], Vec::new())));
        next
    }

    /// A fact that was asked alone was refused, and nothing names it: whether without it the text is accepted decides
    /// whose fault that is. It is a no in either case.
    fn prelude(&mut self, facts: Vec<usize>, told: &Told, item: &Item) -> (usize, Trial) {
        let why = first_error(&told.said()).to_owned();
        for n in &facts {
            self.no(*n, &why, told, &item.source, None);
        }
        self.item(Vec::new(), Vec::new())
    }

    fn no(&mut self, n: usize, why: &str, told: &Told, source: &str, trace: Option<Trace>) {
        let answer = FactTold {
            why: why.to_owned(),
            commands: told.steps.iter().map(|step| step.command.clone()).collect(),
            said: told.said(),
            source: source.to_owned(),
            ..FactTold::default()
        };
        self.solved[n] = Some(Ok((answer, trace)));
    }

    /// When nothing is under way any more: what the prelude reads, if answers rest on it and nobody knows.
    fn rest(&mut self) -> Vec<(usize, Trial)> {
        let rests = |solved: &Option<Found>| matches!(solved, Some(Ok((_, None))));
        let unknown = self.items.is_empty() && self.base.is_none() && !self.tried_base;
        match unknown && self.solved.iter().any(rests) {
            true => vec![self.item(Vec::new(), Vec::new())],
            false => Vec::new(),
        }
    }

    pub(super) fn results(self) -> Vec<Solved> {
        let base = self.base;
        let facts = self.facts.into_iter().zip(self.solved);
        let results = facts.map(|((key, fact), solved)| {
            let result = match solved {
                Some(Ok((answer, Some(trace)))) => Ok((answer, trace)),
                Some(Ok((answer, None))) => match &base {
                    Some(base) => {
                        let mut trace = base.clone();
                        // One that not even this question could be put about: not the texts beside it.
                        if let Fact::Header(name) = &fact {
                            trace.rests_on_header(name);
                        }
                        Ok((answer, trace))
                    }
                    None => Err("it cannot be told what the answer depends on".into()),
                },
                Some(Err(problem)) => Err(problem),
                None => Err("the question got lost".into()),
            };
            (key, result)
        });
        results.collect()
    }
}
