//! The shape in which ranks talk to each other.
//!
//! A rank's children come in groups, of which each is below ranks that are `WAYS` times as far away as those of the one before. So no rank
//! is more than log(ranks) steps from the root, to the base of `WAYS`, none has more than `WAYS - 1` times as many children, and what is
//! below a child is a contiguous piece of the list, so that values merge in the order of the list.
//!
//! Between machines two ways are best: bytes leave a machine once for each child. What ranks of one machine say to each
//! other costs them nothing but the steps: a rank that waits for a message may first have to wait for its core, if there are
//! more ranks than cores, and that at each step.

/// For small values, and on one machine.
const WIDE: usize = 8;
/// For bytes between machines.
const NARROW: usize = 2;

/// Whom one rank hears and tells. Ranks are those of the communicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Who is above; nobody above the root.
    pub(crate) parent: Option<usize>,
    /// Who is right below, in the order of the list. The last one has most below it.
    pub(crate) children: Vec<usize>,
}

impl Tree {
    /// The binomial tree over `ranks`, as rank `me` sees it; its root is the first. `None` if `me` is not among them.
    pub(crate) fn binomial(ranks: &[usize], me: usize) -> Option<Tree> {
        let at = ranks.iter().position(|&rank| rank == me)?;
        Some(Tree::at(at, ranks.len(), NARROW, |index| ranks[index]))
    }

    /// The same with few steps and many children.
    pub(crate) fn wide(ranks: &[usize], me: usize) -> Option<Tree> {
        let at = ranks.iter().position(|&rank| rank == me)?;
        Some(Tree::at(at, ranks.len(), WIDE, |index| ranks[index]))
    }

    /// The wide tree over all ranks, with rank 0 as its root.
    pub(crate) fn over_all(size: usize, me: usize) -> Tree {
        Tree::at(me, size, WIDE, |index| index)
    }

    /// Children differ from `at` in one digit to the base of `ways` that is zero in `at`, as are all below it.
    fn at(at: usize, size: usize, ways: usize, rank: impl Fn(usize) -> usize) -> Tree {
        let mut tree = Tree { parent: None, children: Vec::new() };
        let mut step = 1;
        while step < size {
            let digit = at / step % ways;
            if digit > 0 {
                tree.parent = Some(rank(at - digit * step));
                break;
            }
            let children = (1..ways).map(|digit| at + digit * step).take_while(|&child| child < size);
            tree.children.extend(children.map(&rank));
            step *= ways;
        }
        tree
    }

    /// The children in the order in which they are told: who has most below it hears first.
    pub(super) fn largest_first(&self) -> Vec<usize> {
        self.children.iter().rev().copied().collect()
    }

    /// Everybody whom this rank hears or tells.
    pub(super) fn neighbours(&self) -> impl Iterator<Item = usize> + '_ {
        self.parent.iter().chain(&self.children).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shape = fn(&[usize], usize) -> Option<Tree>;
    const SHAPES: [(Shape, usize); 2] = [(Tree::binomial, NARROW), (Tree::wide, WIDE)];

    /// The trees as all of `ranks` see them.
    fn trees(shape: Shape, ranks: &[usize]) -> Vec<Tree> {
        ranks.iter().map(|&rank| shape(ranks, rank).unwrap()).collect()
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
        for (shape, ways) in SHAPES {
            for size in (1..70).chain([127, 128, 129, 255, 256, 257, 511, 512, 513]) {
                // An arbitrary order that is not the ranks' own.
                let ranks: Vec<usize> = (0..size).map(|i| (i * 271 + 5) % 1009).collect();
                let trees = trees(shape, &ranks);
                let digits = (0..).find(|&digits| ways.pow(digits) >= size).unwrap() as usize;
                assert!(depths(&ranks, &trees).into_iter().max().unwrap() <= digits, "{size} ranks");
                assert!(trees.iter().all(|tree| tree.children.len() <= (ways - 1) * digits), "{size} ranks");
                assert_eq!(trees[0].parent, None);
            }
        }
    }

    #[test]
    fn what_is_below_a_child_is_a_piece_of_the_list() {
        fn below(at: usize, trees: &[Tree]) -> Vec<usize> {
            let children = trees[at].children.iter();
            std::iter::once(at).chain(children.flat_map(|&child| below(child, trees))).collect()
        }
        for (shape, _) in SHAPES {
            for size in 1..80 {
                let ranks: Vec<usize> = (0..size).collect();
                assert_eq!(below(0, &trees(shape, &ranks)), ranks, "in the order of the list");
            }
        }
    }

    #[test]
    fn all_ranks_are_a_list_too() {
        for size in 1..20 {
            let ranks: Vec<usize> = (0..size).collect();
            for me in 0..size {
                assert_eq!(Tree::wide(&ranks, me), Some(Tree::over_all(size, me)));
            }
        }
        assert_eq!(Tree::binomial(&[3, 5], 4), None);
        assert_eq!(Tree::binomial(&[], 0), None);
    }
}
