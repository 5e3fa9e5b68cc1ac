//! The shape in which ranks talk to each other.
//!
//! A binomial tree: no rank is more than log2(ranks) steps from the root, none has more than log2(ranks) children,
//! and what is below a child is a contiguous piece of the list, so that values merge in the order of the list.

/// Whom one rank hears and tells. Ranks are those of the communicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Who is above; nobody above the root.
    pub(crate) parent: Option<usize>,
    /// Who is right below, in the order of the list. The last one has most below it.
    pub(crate) children: Vec<usize>,
}

impl Tree {
    /// The tree over `ranks`, as rank `me` sees it; its root is the first. `None` if `me` is not among them.
    pub(crate) fn binomial(ranks: &[usize], me: usize) -> Option<Tree> {
        let at = ranks.iter().position(|&rank| rank == me)?;
        Some(Tree::at(at, ranks.len(), |index| ranks[index]))
    }

    /// The tree over all ranks, with rank 0 as its root.
    pub(crate) fn over_all(size: usize, me: usize) -> Tree {
        Tree::at(me, size, |index| index)
    }

    /// Below index `at` are as many as its lowest bit says, below the root all.
    fn at(at: usize, size: usize, rank: impl Fn(usize) -> usize) -> Tree {
        let reach = if at == 0 { size.next_power_of_two() } else { 1 << at.trailing_zeros() };
        let steps = std::iter::successors(Some(1), |step| Some(step * 2));
        let children = steps.take_while(|&step| step < reach && at + step < size);
        Tree {
            parent: (at > 0).then(|| rank(at & (at - 1))),
            children: children.map(|step| rank(at + step)).collect(),
        }
    }

    /// Everybody whom this rank hears or tells.
    pub(super) fn neighbours(&self) -> impl Iterator<Item = usize> + '_ {
        self.parent.iter().chain(&self.children).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trees as all of `ranks` see them.
    fn trees(ranks: &[usize]) -> Vec<Tree> {
        ranks.iter().map(|&rank| Tree::binomial(ranks, rank).unwrap()).collect()
    }

    /// How far below the root each one is, by walking down; panics if one is reached twice.
    fn depths(ranks: &[usize], trees: &[Tree]) -> Vec<usize> {
        let place = |rank| ranks.iter().position(|&other| other == rank).unwrap();
        let mut depths = vec![None; ranks.len()];
        let mut open = vec![(0, 0)];
        while let Some((at, depth)) = open.pop() {
            assert!(depths[at].replace(depth).is_none(), "rank {} is reached twice", ranks[at]);
            for &child in &trees[at].children {
                assert_eq!(trees[place(child)].parent, Some(ranks[at]));
                open.push((place(child), depth + 1));
            }
        }
        depths.into_iter().map(|depth| depth.expect("every rank is reached")).collect()
    }

    #[test]
    fn every_rank_is_reached_once_and_is_near() {
        for size in (1..70).chain([127, 128, 129, 255, 256, 257]) {
            // An arbitrary order that is not the ranks' own.
            let ranks: Vec<usize> = (0..size).map(|i| (i * 271 + 5) % 1009).collect();
            let trees = trees(&ranks);
            let log = usize::try_from(size.next_power_of_two().ilog2()).unwrap();
            assert!(depths(&ranks, &trees).into_iter().max().unwrap() <= log, "{size} ranks");
            assert!(trees.iter().all(|tree| tree.children.len() <= log), "{size} ranks");
            assert_eq!(trees[0].parent, None);
        }
    }

    #[test]
    fn what_is_below_a_child_is_a_piece_of_the_list() {
        fn below(at: usize, trees: &[Tree]) -> Vec<usize> {
            let children = trees[at].children.iter();
            std::iter::once(at).chain(children.flat_map(|&child| below(child, trees))).collect()
        }
        for size in 1..40 {
            let ranks: Vec<usize> = (0..size).collect();
            assert_eq!(below(0, &trees(&ranks)), ranks, "in the order of the list");
        }
    }

    #[test]
    fn all_ranks_are_a_list_too() {
        for size in 1..20 {
            let ranks: Vec<usize> = (0..size).collect();
            for me in 0..size {
                assert_eq!(Tree::binomial(&ranks, me), Some(Tree::over_all(size, me)));
            }
        }
        assert_eq!(Tree::binomial(&[3, 5], 4), None);
        assert_eq!(Tree::binomial(&[], 0), None);
    }
}
