//! What questions to compilers were answered before: one small file for each question.
//!
//! An answer holds as long as its [`Inputs`] do: the same record, and the same check, that a kernel's index
//! file has. What the answer says is for the probes to know; here it is bytes.

use std::collections::HashSet;
use std::io;

use super::Store;
use super::inputs::{Glance, Holds, Inputs};
use super::wire::{Reader, Writer};
use crate::signature::Signature;

const MAGIC: &[u8; 8] = b"djprobe1";
/// A header that comes and goes makes two; more are other directories in turn.
const KEPT: usize = 8;
/// No answer is so long; a longer file is damaged.
const LARGEST: usize = 16 << 20;

/// One answer, and what it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) inputs: Inputs,
}

impl Store {
    /// The newest answer under `key` that still holds.
    pub(crate) fn answer(&self, key: &Signature, glance: &Glance) -> Option<Answer> {
        let mut answers = self.answers(key)?;
        let mut restamped = false;
        let at = answers.iter_mut().position(|answer| match answer.inputs.holds_at(self, glance) {
            Holds::Yes => true,
            Holds::Restamped(inputs) => {
                answer.inputs = inputs;
                restamped = true;
                true
            }
            Holds::No(_) => false,
        })?;
        // Its stamps prove more now, or it comes first the next time. What many machines share is not written only for its order:
        // each of them has another one in mind.
        if restamped || (at > 0 && !self.is_shared()) {
            answers[..=at].rotate_right(1);
            let _ = self.replace(&self.answer_path(key), &encode(key, &answers));
        }
        let at = if restamped || !self.is_shared() { 0 } else { at };
        answers.into_iter().nth(at)
    }

    /// Keeps an answer, before those that others have kept meanwhile.
    pub(crate) fn keep_answer(&self, key: &Signature, answer: Answer) -> io::Result<()> {
        answer.inputs.keep(self)?;
        let mut answers = self.answers(key).unwrap_or_default();
        // The same answer with other inputs is another machine's.
        answers.retain(|old| old.inputs != answer.inputs);
        answers.insert(0, answer);
        answers.truncate(KEPT);
        let mut bytes = encode(key, &answers);
        while bytes.len() > LARGEST && answers.len() > 1 {
            answers.pop();
            bytes = encode(key, &answers);
        }
        self.replace(&self.answer_path(key), &bytes)
    }

    /// The sets of system headers that answers refer to.
    pub(super) fn sets_of_answers(&self) -> HashSet<Signature> {
        let files = self.signed_in(&self.answers_dir());
        let answers = files
            .into_iter()
            .filter_map(|(key, path)| decode(&key, &self.fs().read_small(&path, LARGEST).ok()?));
        answers.flatten().filter_map(|answer| answer.inputs.set()).collect()
    }

    fn answers(&self, key: &Signature) -> Option<Vec<Answer>> {
        let bytes = self.read_marked(&self.answer_path(key), LARGEST).ok()?;
        decode(key, &bytes)
    }
}

fn encode(key: &Signature, answers: &[Answer]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(MAGIC);
    writer.signature(key);
    writer.u32(answers.len() as u32);
    for answer in answers {
        writer.block(&answer.bytes);
        answer.inputs.encode(&mut writer);
    }
    writer.finish_sealed()
}

fn decode(key: &Signature, bytes: &[u8]) -> Option<Vec<Answer>> {
    let mut reader = Reader::open_sealed(bytes)?;
    (reader.raw(MAGIC.len())? == MAGIC && reader.signature()? == *key).then_some(())?;
    let mut answers = Vec::new();
    for _ in 0..reader.u32()? {
        let bytes = reader.block()?.to_vec();
        answers.push(Answer { bytes, inputs: Inputs::decode(&mut reader)? });
    }
    reader.is_empty().then_some(answers)
}

#[cfg(test)]
mod tests {
    use super::super::store::tests::store;
    use super::*;
    use crate::signature::digest;

    fn answer(text: &str) -> Answer {
        Answer { bytes: text.into(), inputs: Inputs::default() }
    }

    #[test]
    fn an_answer_comes_back_under_its_own_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let key = digest(b"key");
        assert_eq!(store.answer(&key, &Glance::each()), None);
        store.keep_answer(&key, answer("yes")).unwrap();
        assert_eq!(store.answer(&key, &Glance::each()), Some(answer("yes")));
        assert_eq!(store.answer(&digest(b"other"), &Glance::each()), None);
        assert_eq!(decode(&digest(b"other"), &encode(&key, &[answer("yes")])), None);
        store.keep_answer(&key, answer("no")).unwrap();
        assert_eq!(store.answer(&key, &Glance::each()), Some(answer("no")), "the last one counts");
    }

    /// An answer that rests on a file.
    fn resting(store: &Store, text: &str, file: &std::path::Path) -> Answer {
        let started = std::time::SystemTime::now();
        let (files, search) = ([file.to_owned()], crate::toolchain::SearchPath::default());
        let inputs = Inputs::collect(store, &files, &[], &search, started).unwrap().inputs;
        Answer { bytes: text.into(), inputs }
    }

    #[test]
    fn machines_with_other_files_keep_their_records_of_one_answer() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir.path().join("cache"));
        let key = digest(b"key");
        for name in ["here", "there"] {
            let file = dir.path().join(name);
            std::fs::write(&file, name).unwrap();
            let old = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
            std::fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
            store.keep_answer(&key, resting(&store, "yes", &file)).unwrap();
        }
        // On the machine that has only the first one's files.
        std::fs::remove_file(dir.path().join("there")).unwrap();
        assert_eq!(store.answer(&key, &Glance::each()).unwrap().bytes, b"yes");
    }

    #[test]
    fn a_store_that_machines_share_is_not_written_for_the_order_of_answers() {
        use crate::config::params::Network;
        for (network, writes) in [(Network::Yes, false), (Network::No, true)] {
            let dir = tempfile::tempdir().unwrap();
            let mut params = super::super::store::tests::params();
            params.network.value = network;
            let root = dir.path().join("cache");
            let store = Store::open(&root, &crate::fs::Fs::new(Default::default()), &params).unwrap();
            store.create_softly();
            let key = digest(b"key");
            let [here, there] = ["here", "there"].map(|name| dir.path().join(name));
            for (text, file) in [("one", &here), ("two", &there)] {
                std::fs::write(file, text).unwrap();
                let old = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
                std::fs::File::options().write(true).open(file).unwrap().set_modified(old).unwrap();
                store.keep_answer(&key, resting(&store, text, file)).unwrap();
            }
            std::fs::remove_file(&there).unwrap();
            assert_eq!(store.answer(&key, &Glance::each()).unwrap().bytes, b"one");
            let first = store.answers(&key).unwrap()[0].bytes.clone();
            assert_eq!(first == b"one", writes, "{network:?}");
        }
    }

    #[test]
    fn damaged_anywhere_it_is_absent() {
        let key = digest(b"key");
        let good = encode(&key, &[answer("yes")]);
        assert!(decode(&key, &good).is_some());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(decode(&key, &bad), None);
            assert_eq!(decode(&key, &good[..at]), None);
        }
    }
}
