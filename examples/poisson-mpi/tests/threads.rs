//! The same answer however many ranks there are, which are threads here: what runs under `mpirun` is in `check`.

use std::sync::{Barrier, Mutex};

use dijitso::Jit;
use poisson::{Alone, Basis, Kernels, Mesh, Ranks, Solution, load, stiffness};
use poisson_mpi::{Link, Partition};

/// Where all ranks put what they have for others.
struct Board {
    barrier: Barrier,
    numbers: Mutex<Vec<f64>>,
    /// To each rank from each.
    messages: Mutex<Vec<Vec<Vec<f64>>>>,
}

struct Thread<'b> {
    board: &'b Board,
    rank: usize,
    links: Vec<Link>,
}

impl Ranks for Thread<'_> {
    fn sum(&self, mine: f64) -> f64 {
        self.board.numbers.lock().unwrap()[self.rank] = mine;
        self.board.barrier.wait();
        let sum = self.board.numbers.lock().unwrap().iter().sum();
        self.board.barrier.wait();
        sum
    }

    fn exchange(&self, values: &mut [f64]) {
        for link in &self.links {
            let message = link.send.iter().map(|&node| values[node]).collect();
            self.board.messages.lock().unwrap()[link.rank][self.rank] = message;
        }
        self.board.barrier.wait();
        for link in &self.links {
            let message = self.board.messages.lock().unwrap()[self.rank][link.rank].clone();
            assert_eq!(message.len(), link.receive.len());
            link.receive.iter().zip(message).for_each(|(&node, value)| values[node] = value);
        }
        self.board.barrier.wait();
    }
}

/// The error and the number of nodes that each rank sees.
fn solve(basis: &Basis, cells: usize, kernels: &Kernels, ranks: usize) -> Vec<(f64, usize)> {
    let partition = Partition::new(basis, cells, ranks);
    let board = Board {
        barrier: Barrier::new(ranks),
        numbers: Mutex::new(vec![0.0; ranks]),
        messages: Mutex::new(vec![vec![Vec::new(); ranks]; ranks]),
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..ranks)
            .map(|rank| {
                let (partition, board) = (&partition, &board);
                scope.spawn(move || {
                    let thread = Thread { board, rank, links: partition.links(rank) };
                    let solution =
                        Solution::on(partition.mesh(basis, rank), basis, kernels, &thread).unwrap();
                    (solution.error, solution.nodes)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn the_error_is_that_of_one_rank_however_many_there_are() {
    let cache = tempfile::tempdir().unwrap();
    let jit = Jit::builder().cache_dir(cache.path()).build().unwrap();
    for (dim, degree, cells) in [(2, 1, 2), (2, 1, 7), (2, 3, 4), (3, 1, 4), (3, 2, 3)] {
        let basis = Basis::new(dim, degree);
        let kernels = jit.load_all((&stiffness(dim, degree), &load(dim, degree))).unwrap();
        let alone = Solution::on(Mesh::new(&basis, cells), &basis, &kernels, &Alone).unwrap();
        for ranks in [1, 2, 3, 4, 8] {
            for (error, nodes) in solve(&basis, cells, &kernels, ranks) {
                let differs = (error / alone.error - 1.0).abs();
                assert!(differs < 1e-9, "{dim} {degree} {cells} on {ranks}: differs by {differs:e}");
                assert_eq!(nodes, alone.nodes);
            }
        }
    }
}
