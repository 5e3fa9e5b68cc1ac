//! The two things that the solver asks of the other ranks, over MPI.
//!
//! Any communicator will do, also the one over which kernels are loaded: their messages travel on a private duplicate.

use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Destination as _, Source as _};
use poisson::Ranks;

use crate::partition::{Link, Partition};

/// What this rank exchanges with its neighbours.
pub struct Halo<'c> {
    comm: &'c SimpleCommunicator,
    links: Vec<Link>,
}

impl<'c> Halo<'c> {
    /// Of this rank, for a mesh that is divided among all ranks of a communicator.
    pub fn new(comm: &'c SimpleCommunicator, partition: &Partition) -> Halo<'c> {
        Halo { comm, links: partition.links(comm.rank() as usize) }
    }
}

impl Ranks for Halo<'_> {
    fn sum(&self, mine: f64) -> f64 {
        let mut sum = 0.0;
        self.comm.all_reduce_into(&mine, &mut sum, SystemOperation::sum());
        sum
    }

    /// All messages are on their way before one is waited for: so it does not matter who comes first.
    fn exchange(&self, values: &mut [f64]) {
        let pick = |nodes: &Vec<usize>| -> Vec<f64> { nodes.iter().map(|&node| values[node]).collect() };
        let sent: Vec<Vec<f64>> = self.links.iter().map(|link| pick(&link.send)).collect();
        let mut received: Vec<Vec<f64>> =
            self.links.iter().map(|link| vec![0.0; link.receive.len()]).collect();
        mpi::request::scope(|scope| {
            let mut requests = Vec::new();
            for (link, (sent, received)) in self.links.iter().zip(sent.iter().zip(&mut received)) {
                let other = self.comm.process_at_rank(link.rank as mpi::Rank);
                requests.push(other.immediate_receive_into(scope, &mut received[..]));
                requests.push(other.immediate_send(scope, &sent[..]));
            }
            for request in requests {
                request.wait();
            }
        });
        for (link, received) in self.links.iter().zip(received) {
            link.receive.iter().zip(received).for_each(|(&node, value)| values[node] = value);
        }
    }
}
