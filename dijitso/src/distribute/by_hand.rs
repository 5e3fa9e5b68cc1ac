//! The form for programs with a transport of their own: who builds, who receives and who waits is their decision,
//! and so is how bytes get from one to the other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::member::Obtained;
use super::packing::Packer;
use super::parcel::{Label, Parcel};
use super::unpacking::Unpacker;
use crate::cxx::KernelFn;
use crate::error::{Error, Result};
use crate::jit::{Engine, Jit, Luggage, Packed};
use crate::kernel::Kernel;
use crate::report::KernelOrigin;
use crate::signature::Signature;
use crate::source::{AnySpec, KernelSpec};

/// What one process does for a kernel, and its way to the others.
///
/// Of all processes that want a kernel, one is the builder; of every other cache directory one is a receiver; the rest wait, and
/// then find the kernel in their directory. `wait` returns when all processes have called it.
///
/// dijitso: the arguments `role`, `send`, `receive` and `wait` of its `jit`. Who has an MPI communicator wants
/// [`Jit::on`] instead, where a failure on one rank cannot leave another one waiting.
#[non_exhaustive]
pub enum Part<'a> {
    /// Builds, or finds, the kernel and sends it.
    Builder {
        /// Sends a message to all receivers, of any length.
        send: &'a mut dyn FnMut(&[u8]),
        /// Meets all others.
        wait: &'a mut dyn FnMut(),
    },
    /// Receives the kernel into its own cache directory.
    Receiver {
        /// The builder's message.
        receive: &'a mut dyn FnMut() -> Vec<u8>,
        /// Meets all others.
        wait: &'a mut dyn FnMut(),
    },
    /// Waits for one of the others to put the kernel into the cache directory that they share.
    Waiter {
        /// Meets all others.
        wait: &'a mut dyn FnMut(),
    },
}

#[derive(Serialize, Deserialize)]
enum Message {
    Kernel {
        /// What the builder's compiler was told.
        flags: Signature,
    },
    Failed(Error),
}

impl Jit {
    /// Loads one kernel as a part of several processes that have agreed on their parts.
    ///
    /// The builder always sends and everybody always waits, whatever goes wrong; an error reaches the receivers as the builder's
    /// own. dijitso calls this `jit(.., role, send, receive, wait)`.
    ///
    /// # Errors
    /// As [`load`](Self::load) for the builder; for a receiver the builder's error, or [`Error::Communication`] if the message is not
    /// one; for a waiter [`Error::Communication`] if the kernel is not there after waiting.
    ///
    /// ```
    /// use std::sync::{Barrier, mpsc};
    /// use dijitso::{Jit, Part};
    ///
    /// # fn main() -> dijitso::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let spec = dijitso::spec!(extern "C" fn() -> i32, "three", (), || unsafe { dijitso::Source::new("int three() { return 3; }") });
    /// let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    /// let barrier = Barrier::new(2);
    /// let jits = ["a", "b"].map(|name| Jit::builder().cache_dir(dir.path().join(name)).build());
    /// let [first, second] = jits;
    /// std::thread::scope(|scope| {
    ///     let (spec, barrier) = (&spec, &barrier);
    ///     let other = scope.spawn(move || {
    ///         let part = Part::Receiver { receive: &mut || receiver.recv().unwrap_or_default(), wait: &mut || { barrier.wait(); } };
    ///         second?.load_as(part, spec).map(|kernel| kernel.call())
    ///     });
    ///     let part = Part::Builder { send: &mut |bytes| sender.send(bytes.to_vec()).unwrap(), wait: &mut || { barrier.wait(); } };
    ///     assert_eq!(first?.load_as(part, spec)?.call(), 3);
    ///     assert_eq!(other.join().unwrap()?, 3);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn load_as<F: KernelFn>(&self, part: Part<'_>, spec: &KernelSpec<F>) -> Result<Kernel<F>> {
        let kernel = self.take_part(part, spec);
        self.engine().upkeep();
        kernel
    }

    fn take_part<F: KernelFn>(&self, part: Part<'_>, spec: &KernelSpec<F>) -> Result<Kernel<F>> {
        let any = spec.any();
        match part {
            Part::Builder { send, wait } => {
                let built = self.build_to_send(any);
                let (message, kernel) = match built {
                    Ok((bytes, kernel)) => (bytes, Ok(kernel)),
                    Err(error) => (encode(&Message::Failed(error.clone())), Err(error)),
                };
                send(&message);
                wait();
                kernel.map(|(loaded, origin)| Kernel::new(loaded, origin))
            }
            Part::Receiver { receive, wait } => {
                let message = receive();
                let received = self.receive_message(any, &message);
                wait();
                received
            }
            Part::Waiter { wait } => {
                wait();
                self.lookup(spec)?.ok_or_else(|| Error::Communication {
                    problem: format!(
                        "kernel {} is not in {} after waiting: its builder or receiver has failed, and knows why",
                        any.at(),
                        self.cache_dir().display()
                    ),
                })
            }
        }
    }

    fn build_to_send(&self, spec: &AnySpec) -> Result<(Vec<u8>, Obtained)> {
        let engine = self.engine();
        let held = engine.held(spec)?;
        // What is held and cannot be given away is built anew.
        let mut anew = held.is_some();
        if let Some(held) = held.filter(|(loaded, _)| engine.is_at_hand(loaded))
            && let Ok(message) = pack(engine, spec, &held, &Luggage::default())
        {
            return Ok((message, held));
        }
        loop {
            let (mut outcomes, luggage) = engine.build_packed(&[spec], &[anew], &[None]);
            let built = outcomes.pop().unwrap_or_else(|| Err(lost(spec)))?;
            match pack(engine, spec, &built, &luggage) {
                Ok(message) => return Ok((message, built)),
                // It was found in a cache, and has gone since.
                Err(_) if !anew => anew = true,
                Err(error) => return Err(error),
            }
        }
    }

    fn receive_message<F: KernelFn>(&self, spec: &AnySpec, message: &[u8]) -> Result<Kernel<F>> {
        let engine = self.engine();
        let garbled = |problem: &str| Error::Communication {
            problem: format!("what was received for kernel {} is no kernel: {problem}", spec.at()),
        };
        let (said, rest) =
            postcard::take_from_bytes::<Message>(message).map_err(|error| garbled(&error.to_string()))?;
        let flags = match said {
            Message::Kernel { flags } => flags,
            Message::Failed(error) => return Err(error),
        };
        let alike = flags == engine.flags_digest();
        if !alike {
            log::warn!(
                "kernel {} was built with other flags than this process would use, and is not stored as if it were its own; give \
                 all processes the same parameters and variables",
                spec.at()
            );
        }
        let mut unpacker = Unpacker::new(true);
        unpacker.feed(rest);
        let mut kernel = None;
        for Parcel { label, contents } in unpacker.finish()? {
            let itself = !label.kernels.is_empty();
            if label.load {
                let loaded = engine.receive(&label.facts, &contents.place())?;
                kernel = if itself { Some(loaded) } else { kernel };
            }
            if let Some(bytes) = engine.bytes_at(&contents.place(), &label.facts.content) {
                engine.publish_received(
                    (itself && alike).then_some(spec),
                    &label.facts,
                    &bytes,
                    &label.routes,
                );
            }
        }
        let loaded = kernel.ok_or_else(|| garbled("the kernel is not in it"))?;
        engine.adopt(spec, &loaded);
        Ok(Kernel::new(loaded, KernelOrigin::Received))
    }
}

/// The message that carries a kernel and all that it needs.
fn pack(
    engine: &Arc<Engine>,
    spec: &AnySpec,
    (loaded, origin): &Obtained,
    luggage: &Luggage,
) -> Result<Vec<u8>> {
    let mut parcels = Vec::new();
    for item in engine.needed(spec, loaded, luggage) {
        let Packed { facts, bytes, routes } = match engine.pack(&item, luggage) {
            Ok(packed) => packed,
            Err(problem) if item.linked => return Err(Error::Load { kernel: spec.at(), problem }),
            // A generator has read it; the receiver's cache will run that generator again.
            Err(problem) => {
                log::debug!("{} does not come along: {problem}", item.name);
                continue;
            }
        };
        let kernels = if item.content == loaded.content { vec![0] } else { Vec::new() };
        let (facts, origin) = ((*facts).clone(), *origin);
        let label = Label { facts, supplier: 0, kernels, origin, load: item.linked, routes, path: None };
        parcels.push((label, Some(bytes)));
    }
    let mut message = encode(&Message::Kernel { flags: engine.flags_digest() });
    let mut packer = Packer::new(parcels);
    while packer.fill(&mut message, usize::MAX) {}
    packer.finish().map(|()| message)
}

fn encode(message: &Message) -> Vec<u8> {
    // Plain data into memory: nothing that can fail.
    postcard::to_allocvec(message).unwrap_or_default()
}

fn lost(spec: &AnySpec) -> Error {
    Error::Communication { problem: format!("kernel {} was never finished", spec.at()) }
}
