//! A library of more than four gigabytes on its way: through the same packing, streams and verification as every other one.

use std::time::Duration;

use super::communicator::Communicator as _;
use super::packing::Packer;
use super::parcel::Label;
use super::session::Session;
use super::threads::Threads;
use super::tree::Tree;
use super::waiting::Step;
use crate::cache::{Bytes, Routes, Verifier, with_a_hole};
use crate::fs::Fs;
use crate::jit::Facts;
use crate::report::KernelOrigin;
use crate::signature::digest;

/// What a rank does with a stream of one parcel if it must not keep it.
#[derive(Default)]
struct Checked {
    begin: Vec<u8>,
    label: Option<Label>,
    verifier: Option<Verifier>,
}

impl Checked {
    fn feed(&mut self, mut bytes: &[u8]) {
        if self.verifier.is_none() {
            self.begin.extend_from_slice(bytes);
            let (length, rest) = self.begin.split_first_chunk::<4>().unwrap();
            let (label, first) = rest.split_at(u32::from_le_bytes(*length) as usize);
            let label: Label = postcard::from_bytes(label).unwrap();
            let facts = &label.facts;
            self.verifier = Some(Verifier::new(&facts.content, facts.elf_len, facts.len).unwrap());
            self.label = Some(label);
            let first = first.to_vec();
            self.verifier.as_mut().unwrap().feed(&first).unwrap();
            bytes = &[];
        }
        self.verifier.as_mut().unwrap().feed(bytes).unwrap();
    }
}

#[test]
fn four_gigabytes_travel_in_pieces_and_arrive_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("entry");
    let seal = with_a_hole(&path, b"large", (4u64 << 30) + 4321);
    // Four ranks: one gets it from another that is not the root.
    let arrived = Threads::run(4, |comm| {
        let mut session =
            Session::open(&comm, "kernel large".to_owned(), Duration::from_secs(60), Default::default())
                .unwrap();
        let tree = Tree::over_all(4, comm.rank());
        if comm.rank() > 0 {
            let mut checked = Checked::default();
            let mut sink = |bytes: &[u8]| {
                checked.feed(bytes);
                Ok(())
            };
            session.stream_down(Step::Move, &tree, None, &mut sink).unwrap();
            return Some((checked.label.unwrap(), checked.verifier.unwrap().finish()));
        }
        let (bytes, _) = Bytes::open(&Fs::new(Default::default()), &path, &digest(b"large")).unwrap();
        let facts = Facts {
            name: "large".to_owned(),
            at: "large".to_owned(),
            content: seal.content,
            unit: digest(b"unit"),
            has_entry: false,
            exports: Vec::new(),
            links: Vec::new(),
            cpu: seal.cpu,
            elf_len: seal.elf_len,
            len: bytes.len(),
        };
        let label = Label {
            facts,
            supplier: 0,
            kernels: vec![0],
            origin: KernelOrigin::Disk,
            load: true,
            routes: Routes::default(),
            path: None,
        };
        let mut packer = Packer::new(vec![(label, Some(bytes))]);
        let mut source = |chunk: &mut Vec<u8>| Ok(packer.fill(chunk, 4 << 20));
        session.stream_down(Step::Move, &tree, Some(&mut source), &mut |_| Ok(())).unwrap();
        packer.finish().unwrap();
        None
    });
    assert!(arrived[0].is_none());
    for (label, verified) in arrived.into_iter().flatten() {
        assert_eq!(label.facts.elf_len, (4u64 << 30) + 4321);
        assert!(verified == Ok(seal.clone()));
    }
    let peak = peak();
    assert!(peak < 512 << 10, "{peak} kB: somebody holds more than pieces");
}

/// Of this process so far, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
