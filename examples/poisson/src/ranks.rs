//! What a solver asks of the other ranks, if there are any: two things.

/// All ranks call each method at the same places, and wait in it for each other.
///
/// The nodes of a rank's mesh are its own, or another rank's whose values it needs as well.
pub trait Ranks {
    /// The sum over all ranks, the same on each of them.
    fn sum(&self, mine: f64) -> f64;

    /// Replaces the values at other ranks' nodes by what is there now.
    fn exchange(&self, values: &mut [f64]);
}

/// A program that is no part of others.
pub struct Alone;

impl Ranks for Alone {
    fn sum(&self, mine: f64) -> f64 {
        mine
    }

    fn exchange(&self, _: &mut [f64]) {}
}
