//! A communicator on which a rank loses another one, at any place: what a session does about it must not depend on where.
//!
//! But one that has asked for a large message takes it: its sender waits for nothing else.

use std::cell::Cell;

use dijitso::{Calls, Channel, Communicator, Idle, Lost};

/// The communicator of a rank whose `receive` fails once.
pub struct Losing<'a, C: ?Sized> {
    comm: &'a C,
    /// Which one of them.
    at: Option<u64>,
    received: Cell<u64>,
    asked: Cell<bool>,
}

/// A message without content, and what it says if it asks for a large one.
const HEADER: usize = 18;
const KIND: (usize, u8) = (13, 5);

impl<'a, C: Communicator + ?Sized> Losing<'a, C> {
    /// On ranks where nothing is to fail there is no `at`.
    pub fn new(comm: &'a C, at: Option<u64>) -> Losing<'a, C> {
        Losing { comm, at, received: Cell::new(0), asked: Cell::new(false) }
    }

    /// How often this rank has waited for something that might not have come.
    pub fn received(&self) -> u64 {
        self.received.get()
    }
}

impl<C: Communicator + ?Sized> Communicator for Losing<'_, C> {
    fn rank(&self) -> usize {
        self.comm.rank()
    }

    fn size(&self) -> usize {
        self.comm.size()
    }

    fn channel(&self, idle: &mut Idle<'_>) -> Result<Box<dyn Channel + '_>, Lost> {
        let channel = self.comm.channel(idle)?;
        Ok(Box::new(Line { channel, losing: self }))
    }
}

struct Line<'a, C: ?Sized> {
    channel: Box<dyn Channel + 'a>,
    losing: &'a Losing<'a, C>,
}

impl<C: ?Sized> Channel for Line<'_, C> {
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
        self.losing.asked.set(message.len() == HEADER && message[KIND.0] == KIND.1);
        self.channel.send(to, message, idle)
    }

    fn receive(&self, from: usize, idle: &mut Idle<'_>) -> Result<Vec<u8>, Lost> {
        let Losing { at, received, asked, .. } = self.losing;
        if !asked.take() {
            let nth = received.replace(received.get() + 1);
            if *at == Some(nth) {
                return Err(Lost { rank: from, problem: "was lost, as planned".to_owned() });
            }
        }
        self.channel.receive(from, idle)
    }

    fn notify(&self, to: &[usize], notice: &[u8]) {
        self.channel.notify(to, notice);
    }

    fn notice(&self) -> Option<Vec<u8>> {
        self.channel.notice()
    }
}
