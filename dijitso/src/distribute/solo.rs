//! One process, alone: a program that runs without MPI uses the same code.

use super::communicator::{Channel, Communicator, Idle, Lost};

/// The communicator of a process that is alone: rank 0 of 1.
///
/// For programs whose collective code also runs without MPI. dijitso takes `mpi_comm=None`.
///
/// ```
/// use dijitso::Communicator as _;
/// assert_eq!((dijitso::Solo.rank(), dijitso::Solo.size()), (0, 1));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Solo;

impl Communicator for Solo {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn channel(&self, _idle: &mut Idle<'_>) -> Result<Box<dyn Channel + '_>, Lost> {
        Ok(Box::new(Solo))
    }
}

impl Channel for Solo {
    fn key(&self) -> u128 {
        0
    }

    fn eager(&self) -> usize {
        1024
    }

    fn send(&self, to: &[usize], _message: &[u8], _idle: &mut Idle<'_>) -> Result<(), Lost> {
        to.first().map_or(Ok(()), |&rank| Err(absent(rank)))
    }

    fn receive(&self, from: usize, _idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost> {
        Err(absent(from))
    }

    fn notify(&self, _to: &[usize], _notice: &[u8]) {}

    fn notice(&self) -> Option<Vec<u8>> {
        None
    }
}

fn absent(rank: usize) -> Lost {
    Lost { rank, problem: "does not exist: there is only rank 0".to_owned() }
}
