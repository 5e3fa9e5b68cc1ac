//! Who builds what: a pure function of what all ranks know, so that it needs no message.
//!
//! Longest first, each to the builder that is free first. A kernel that was generated on one rank costs its
//! generator's time again on another. Kernels that need one another are built in rounds when builders sit on several
//! machines: what a round made is moved before the next one begins. On one machine the cache directory and its
//! locks do that without waiting for each other.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use serde::{Deserialize, Serialize};

use crate::signature::Signature;

/// Milliseconds that starting a compiler and a linker takes, before any text is read.
const START: f64 = 20.0;
/// Bytes of text that a compiler takes a millisecond for, roughly.
const BYTES_PER_MS: f64 = 300.0;

/// What is known of a kernel that is to be built, once its generator has run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    /// Its place in the request.
    pub(super) kernel: u32,
    /// The rank whose generator wrote it.
    pub(super) generated_by: u32,
    /// What that took.
    pub(super) generate_ms: f32,
    /// Bytes of text.
    pub(super) bytes: u64,
    /// What it took to build the last time.
    pub(super) recorded_ms: Option<f32>,
    /// Spec signatures of what it is linked to.
    pub(super) needs: Vec<Signature>,
}

impl Task {
    fn cost(&self) -> f64 {
        match self.recorded_ms {
            Some(recorded) => f64::from(recorded),
            None => START + self.bytes as f64 / BYTES_PER_MS,
        }
    }
}

/// A rank that builds, and how many compilers it may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Builder {
    pub(super) rank: usize,
    pub(super) slots: usize,
}

/// Kernels (their places in the request) for a builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) rank: usize,
    pub(super) kernels: Vec<usize>,
}

/// Who generates what, before anything is known of the kernels but perhaps what they took the last time: in turns, the
/// longest first.
pub(super) fn generators(kernels: &[(usize, Option<f32>)], builders: &[Builder]) -> Vec<Share> {
    let mut order: Vec<&(usize, Option<f32>)> = kernels.iter().collect();
    let cost = |recorded: Option<f32>| recorded.map_or(START, f64::from);
    order.sort_by(|a, b| cost(b.1).total_cmp(&cost(a.1)).then(a.0.cmp(&b.0)));
    let mut loads = Loads::new(builders);
    let mut shares: Vec<Share> =
        builders.iter().map(|builder| Share { rank: builder.rank, kernels: Vec::new() }).collect();
    for &&(kernel, recorded) in &order {
        let builder = loads.least(0.0, &[]);
        loads.add(builder, cost(recorded));
        shares[builder].kernels.push(kernel);
    }
    // A rank that has nothing to do need not even look for a compiler.
    shares.retain(|share| !share.kernels.is_empty());
    for share in &mut shares {
        share.kernels.sort_unstable();
    }
    shares
}

/// Rounds of shares. `specs` are the signatures of the whole request, `wait_for_each_other` says that a kernel's builder cannot
/// get what it is linked to from another builder but by a move.
pub(super) fn rounds(
    tasks: &[Task],
    specs: &[Signature],
    builders: &[Builder],
    wait_for_each_other: bool,
) -> Vec<Vec<Share>> {
    let levels =
        if wait_for_each_other && builders.len() > 1 { levels(tasks, specs) } else { vec![0; tasks.len()] };
    let last = levels.iter().copied().max().unwrap_or(0);
    let mut rounds = Vec::with_capacity(last + 1);
    for level in 0..=last {
        let of_level: Vec<&Task> =
            tasks.iter().zip(&levels).filter(|(_, at)| **at == level).map(|(task, _)| task).collect();
        if !of_level.is_empty() {
            rounds.push(round(&of_level, specs, builders));
        }
    }
    rounds
}

/// How many builds of this request must come before each.
fn levels(tasks: &[Task], specs: &[Signature]) -> Vec<usize> {
    let by_spec: HashMap<&Signature, usize> =
        tasks.iter().enumerate().map(|(at, task)| (&specs[task.kernel as usize], at)).collect();
    let below: Vec<Vec<usize>> = tasks
        .iter()
        .map(|task| task.needs.iter().filter_map(|spec| by_spec.get(spec).copied()).collect())
        .collect();
    let mut levels = vec![0; tasks.len()];
    // As often as the longest chain is long; a circle ends it, and is found by who builds it.
    for _ in 0..tasks.len() {
        let mut changed = false;
        for (at, needed) in below.iter().enumerate() {
            let level = needed.iter().map(|&needed| levels[needed] + 1).max().unwrap_or(0);
            if level > levels[at] && level < tasks.len() {
                levels[at] = level;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    levels
}

fn round(tasks: &[&Task], specs: &[Signature], builders: &[Builder]) -> Vec<Share> {
    let mut groups = together(tasks, specs);
    let cost = |group: &[&Task]| group.iter().map(|task| task.cost()).sum::<f64>();
    groups.sort_by(|a, b| cost(b).total_cmp(&cost(a)).then(a[0].kernel.cmp(&b[0].kernel)));
    let mut loads = Loads::new(builders);
    let mut shares: Vec<Share> =
        builders.iter().map(|builder| Share { rank: builder.rank, kernels: Vec::new() }).collect();
    let place: HashMap<usize, usize> =
        builders.iter().enumerate().map(|(at, builder)| (builder.rank, at)).collect();
    for group in &groups {
        let again: f64 = group.iter().map(|task| f64::from(task.generate_ms)).sum();
        let mut made: BTreeMap<usize, f64> = BTreeMap::new();
        for task in group {
            if let Some(&maker) = place.get(&(task.generated_by as usize)) {
                *made.entry(maker).or_default() += f64::from(task.generate_ms);
            }
        }
        let makers: Vec<(usize, f64)> = made.into_iter().map(|(maker, own)| (maker, again - own)).collect();
        let builder = loads.least(again, &makers);
        for task in group {
            let again = if task.generated_by as usize == builders[builder].rank {
                0.0
            } else {
                task.generate_ms.into()
            };
            loads.add(builder, task.cost() + again);
            shares[builder].kernels.push(task.kernel as usize);
        }
    }
    shares.retain(|share| !share.kernels.is_empty());
    for share in &mut shares {
        share.kernels.sort_unstable();
    }
    shares
}

/// Kernels that need something that nobody asked for belong together: two builders would both build it.
fn together<'t>(tasks: &[&'t Task], specs: &[Signature]) -> Vec<Vec<&'t Task>> {
    let asked: HashMap<&Signature, ()> = specs.iter().map(|spec| (spec, ())).collect();
    let mut first: HashMap<&Signature, usize> = HashMap::new();
    let mut group: Vec<usize> = (0..tasks.len()).collect();
    fn top(group: &mut [usize], mut at: usize) -> usize {
        while group[at] != at {
            group[at] = group[group[at]];
            at = group[at];
        }
        at
    }
    for (at, task) in tasks.iter().enumerate() {
        for spec in task.needs.iter().filter(|spec| !asked.contains_key(spec)) {
            let other = *first.entry(spec).or_insert(at);
            let (a, b) = (top(&mut group, at), top(&mut group, other));
            group[a.max(b)] = a.min(b);
        }
    }
    let mut groups: Vec<Vec<&Task>> = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    for (at, task) in tasks.iter().enumerate() {
        let top = top(&mut group, at);
        let number = *place.entry(top).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[number].push(task);
    }
    groups
}

/// When each slot of each builder is free again, in milliseconds.
struct Loads {
    slots: Vec<Vec<f64>>,
    /// Builders by when they are free, the first one on top; those whose time has changed since are passed over. Thousands of
    /// kernels on thousands of builders are not compared each with each.
    first: BinaryHeap<Reverse<(Moment, usize)>>,
}

impl Loads {
    fn new(builders: &[Builder]) -> Loads {
        Loads {
            slots: builders.iter().map(|builder| vec![0.0; builder.slots.max(1)]).collect(),
            first: (0..builders.len()).map(|at| Reverse((Moment(0.0), at))).collect(),
        }
    }

    fn free(&self, builder: usize) -> f64 {
        self.slots[builder].iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The builder with which a group of kernels is done first. It costs `more` with any of them but these `makers`, each with what
    /// it costs more there.
    fn least(&mut self, more: f64, makers: &[(usize, f64)]) -> usize {
        while let Some(Reverse((free, builder))) = self.first.peek()
            && free.0 != self.free(*builder)
        {
            self.first.pop();
        }
        let first = self.first.peek().map(|Reverse((_, builder))| *builder).unwrap_or_default();
        let known = |at: usize| makers.iter().find(|(maker, _)| *maker == at).map_or(more, |(_, more)| *more);
        let candidates = makers.iter().map(|(maker, _)| *maker).chain([first]);
        let when = |at: usize| Moment(self.free(at) + known(at));
        candidates.min_by_key(|&at| (when(at), at)).unwrap_or(first)
    }

    fn add(&mut self, builder: usize, cost: f64) {
        let free = self.slots[builder].iter_mut().min_by(|a, b| a.total_cmp(b));
        if let Some(slot) = free {
            *slot += cost;
        }
        self.first.push(Reverse((Moment(self.free(builder)), builder)));
    }
}

/// A time that can be sorted.
#[derive(Debug, Clone, Copy)]
struct Moment(f64);

impl Ord for Moment {
    fn cmp(&self, other: &Moment) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Moment) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Moment) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Moment {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::digest;

    fn spec(number: usize) -> Signature {
        digest(&number.to_le_bytes())
    }

    fn task(kernel: usize, bytes: u64, by: usize, needs: &[usize]) -> Task {
        Task {
            kernel: kernel as u32,
            generated_by: by as u32,
            generate_ms: 1.0,
            bytes,
            recorded_ms: None,
            needs: needs.iter().map(|&n| spec(n)).collect(),
        }
    }

    fn builders(slots: &[usize]) -> Vec<Builder> {
        slots.iter().enumerate().map(|(rank, &slots)| Builder { rank, slots }).collect()
    }

    fn specs(n: usize) -> Vec<Signature> {
        (0..n).map(spec).collect()
    }

    fn all(rounds: &[Vec<Share>]) -> Vec<usize> {
        let mut all: Vec<usize> = rounds.iter().flatten().flat_map(|share| share.kernels.clone()).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn equal_kernels_are_divided_by_slots() {
        let tasks: Vec<Task> = (0..12).map(|k| task(k, 1000, 0, &[])).collect();
        let plan = rounds(&tasks, &specs(12), &builders(&[2, 1, 1]), true);
        assert_eq!(plan.len(), 1);
        let sizes: Vec<usize> = plan[0].iter().map(|share| share.kernels.len()).collect();
        assert_eq!(sizes, [6, 3, 3]);
        assert_eq!(all(&plan), (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn the_longest_is_begun_first_and_gets_a_builder_for_itself() {
        let mut tasks: Vec<Task> = (0..5).map(|k| task(k, 1000, 0, &[])).collect();
        tasks[3].bytes = 1_000_000;
        let plan = rounds(&tasks, &specs(5), &builders(&[1, 1]), true);
        assert!(plan[0].iter().any(|share| share.kernels == [3]), "{plan:?}");
        // What was measured counts more than what is estimated.
        tasks[3].recorded_ms = Some(1.0);
        tasks[1].recorded_ms = Some(9000.0);
        let plan = rounds(&tasks, &specs(5), &builders(&[1, 1]), true);
        assert!(plan[0].iter().any(|share| share.kernels == [1]), "{plan:?}");
    }

    #[test]
    fn a_kernel_stays_where_it_was_generated_unless_that_takes_longer() {
        let mut tasks: Vec<Task> = (0..4).map(|k| task(k, 1000, k % 2, &[])).collect();
        let plan = rounds(&tasks, &specs(4), &builders(&[1, 1]), true);
        assert_eq!(plan[0], [Share { rank: 0, kernels: vec![0, 2] }, Share { rank: 1, kernels: vec![1, 3] }]);
        for task in &mut tasks {
            task.generated_by = 0;
            task.generate_ms = 1e6;
        }
        let plan = rounds(&tasks, &specs(4), &builders(&[1, 1]), true);
        assert_eq!(plan[0], [Share { rank: 0, kernels: vec![0, 1, 2, 3] }]);
    }

    #[test]
    fn what_needs_another_one_comes_a_round_later() {
        let tasks = [task(0, 10, 0, &[1, 2]), task(1, 10, 0, &[2]), task(2, 10, 0, &[]), task(3, 10, 0, &[])];
        let plan = rounds(&tasks, &specs(4), &builders(&[1, 1]), true);
        let levels: Vec<Vec<usize>> = plan.iter().map(|round| all(std::slice::from_ref(round))).collect();
        assert_eq!(levels, [vec![2, 3], vec![1], vec![0]]);
        // One builder, or one machine: nobody waits for a round to end.
        assert_eq!(rounds(&tasks, &specs(4), &builders(&[2]), true).len(), 1);
        assert_eq!(rounds(&tasks, &specs(4), &builders(&[1, 1]), false).len(), 1);
        // A circle is not this function's business, but must not keep it.
        let circle = [task(0, 10, 0, &[1]), task(1, 10, 0, &[0])];
        assert_eq!(all(&rounds(&circle, &specs(2), &builders(&[1, 1]), true)), [0, 1]);
    }

    #[test]
    fn kernels_that_share_what_nobody_asked_for_stay_together() {
        let tasks =
            [task(0, 10, 0, &[7]), task(1, 10, 1, &[]), task(2, 10, 0, &[8, 7]), task(3, 10, 1, &[8])];
        let plan = rounds(&tasks, &specs(4), &builders(&[1, 1]), true);
        assert_eq!(plan.len(), 1);
        assert!(plan[0].iter().any(|share| share.kernels == [0, 2, 3]), "{plan:?}");
    }

    #[test]
    fn generators_run_everywhere_and_once() {
        let kernels: Vec<(usize, Option<f32>)> = (0..10).map(|k| (k, (k == 9).then_some(500.0))).collect();
        let shares = generators(&kernels, &builders(&[1, 1, 1]));
        let mut seen: Vec<usize> = shares.iter().flat_map(|share| share.kernels.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert!(shares.iter().any(|share| share.kernels == [9]), "{shares:?}");
        assert!(generators(&[], &builders(&[1])).is_empty());
        assert_eq!(generators(&kernels[..2], &builders(&[1, 1, 1])).len(), 2);
    }

    #[test]
    fn the_first_free_builder_is_that_of_a_look_at_all() {
        let builders = builders(&[1, 3, 2, 1, 1, 2]);
        let mut loads = Loads::new(&builders);
        for step in 0..500_usize {
            // Times that often are equal.
            let (more, cost) = ((step % 3) as f64, (step * 7 % 5) as f64);
            let makers: Vec<(usize, f64)> =
                (0..step % 3).map(|n| ((step + 2 * n) % builders.len(), more * n as f64 / 2.0)).collect();
            let extra = |at| makers.iter().find(|(maker, _)| *maker == at).map_or(more, |(_, more)| *more);
            let when = |at: usize| loads.free(at) + extra(at);
            let best = (0..builders.len()).min_by(|&a, &b| when(a).total_cmp(&when(b))).unwrap();
            assert_eq!(loads.least(more, &makers), best, "step {step}");
            loads.add(best, cost);
        }
    }
}
