//! A communicator that looks at what goes through another one, or spoils it.

use dijitso::{Calls, Channel, Communicator, Idle, Lost};

/// What is looked at; nothing, unless said.
pub trait Tap {
    /// Waits, for whatever it is.
    fn wait<R>(&self, idle: &mut Idle<'_>, wait: impl FnOnce(&mut Idle<'_>) -> R) -> R {
        wait(idle)
    }

    /// A message is about to be sent.
    ///
    /// # Errors
    /// It is not sent to this one then, but to all others.
    fn sends(&self, _to: &[usize], _message: &[u8]) -> Result<(), Lost> {
        Ok(())
    }

    /// A message of this rank is about to be waited for.
    ///
    /// # Errors
    /// It is not waited for then.
    fn receives(&self, _from: usize) -> Result<(), Lost> {
        Ok(())
    }
}

/// The same ranks, with a tap.
pub struct Tapped<'a, C: ?Sized, T> {
    pub(crate) comm: &'a C,
    pub(crate) tap: T,
}

impl<C: Communicator + ?Sized, T: Tap> Communicator for Tapped<'_, C, T> {
    fn rank(&self) -> usize {
        self.comm.rank()
    }

    fn size(&self) -> usize {
        self.comm.size()
    }

    fn channel(&self, idle: &mut Idle<'_>) -> Result<Box<dyn Channel + '_>, Lost> {
        let channel = self.tap.wait(idle, |idle| self.comm.channel(idle))?;
        Ok(Box::new(Line { channel, tap: &self.tap }))
    }
}

struct Line<'a, T> {
    channel: Box<dyn Channel + 'a>,
    tap: &'a T,
}

impl<T: Tap> Channel for Line<'_, T> {
    fn key(&self) -> u128 {
        self.channel.key()
    }

    fn machine(&self) -> Option<String> {
        self.channel.machine()
    }

    fn calls(&self) -> Option<&Calls> {
        self.channel.calls()
    }

    fn eager(&self) -> usize {
        self.channel.eager()
    }

    fn send(&self, to: &[usize], message: &[u8], idle: &mut Idle<'_>) -> Result<(), Lost> {
        let lost = self.tap.sends(to, message).err();
        let within_reach = |rank: &usize| lost.as_ref().is_none_or(|lost| lost.rank != *rank);
        let to: Vec<usize> = to.iter().copied().filter(within_reach).collect();
        self.tap.wait(idle, |idle| self.channel.send(&to, message, idle))?;
        lost.map_or(Ok(()), Err)
    }

    fn receive(&self, from: usize, idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost> {
        self.tap.receives(from)?;
        self.tap.wait(idle, |idle| self.channel.receive(from, idle))
    }

    fn notify(&self, to: &[usize], notice: &[u8]) {
        self.channel.notify(to, notice);
    }

    fn notice(&self) -> Option<Vec<u8>> {
        self.channel.notice()
    }
}
