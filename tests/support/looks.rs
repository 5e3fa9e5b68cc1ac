//! How often ranks look whether what they wait for has come.

use std::cell::Cell;

use dijitso::{Calls, Channel, Communicator, Idle, Lost};

/// A communicator that counts the looks of each wait.
pub struct Counted<'a, C: ?Sized> {
    comm: &'a C,
    most: Cell<u64>,
}

impl<'a, C: Communicator + ?Sized> Counted<'a, C> {
    /// The same ranks.
    pub fn new(comm: &'a C) -> Self {
        Counted { comm, most: Cell::new(0) }
    }

    /// The looks of the wait that had most.
    pub fn most(&self) -> u64 {
        self.most.get()
    }

    fn during<R>(&self, idle: &mut Idle<'_>, wait: impl FnOnce(&mut Idle<'_>) -> R) -> R {
        let mut looks = 0;
        let result = wait(&mut || {
            looks += 1;
            idle()
        });
        self.most.set(self.most.get().max(looks));
        result
    }
}

impl<C: Communicator + ?Sized> Communicator for Counted<'_, C> {
    fn rank(&self) -> usize {
        self.comm.rank()
    }

    fn size(&self) -> usize {
        self.comm.size()
    }

    fn channel(&self, idle: &mut Idle<'_>) -> Result<Box<dyn Channel + '_>, Lost> {
        let channel = self.during(idle, |idle| self.comm.channel(idle))?;
        Ok(Box::new(CountedChannel { channel, comm: self }))
    }
}

struct CountedChannel<'a, C: ?Sized> {
    channel: Box<dyn Channel + 'a>,
    comm: &'a Counted<'a, C>,
}

impl<C: Communicator + ?Sized> Channel for CountedChannel<'_, C> {
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
        self.comm.during(idle, |idle| self.channel.send(to, message, idle))
    }

    fn receive(&self, from: usize, idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost> {
        self.comm.during(idle, |idle| self.channel.receive(from, idle))
    }
    fn notify(&self, to: &[usize], notice: &[u8]) {
        self.channel.notify(to, notice);
    }

    fn notice(&self) -> Option<Vec<u8>> {
        self.channel.notice()
    }
}
