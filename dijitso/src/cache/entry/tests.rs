use super::*;

/// A header that is enough for a seal; nobody loads it.
pub(in crate::cache) fn elf(len: usize) -> Vec<u8> {
    let mut elf: Vec<u8> = (0..len).map(|i| (i * 7 % 251) as u8).collect();
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[18..20].copy_from_slice(&MACHINE.to_le_bytes());
    elf
}

pub(in crate::cache) fn meta(content: Signature) -> EntryMeta {
    EntryMeta {
        content,
        unit: digest(b"unit"),
        spec: digest(b"spec"),
        name: "axpy".into(),
        description: "axpy(Unrolled(8))".into(),
        location: "src/kernels.rs:12:5".into(),
        symbol: None,
        exports: vec!["rank".into()],
        ingredients: BTreeMap::new(),
        flags: Vec::new(),
        commands: Vec::new(),
        inputs: BTreeMap::new(),
        dependencies: Vec::new(),
        compile_seconds: 0.5,
        link_seconds: 0.25,
        created: 1,
        creator: "test".into(),
    }
}

pub(in crate::cache) fn encoded(content: Signature, elf: &[u8]) -> Vec<u8> {
    let files: [(&str, &[u8]); 2] = [("axpy.cpp", b"void axpy() {}"), ("build.log", b"")];
    let headers = [("axpy.h".to_owned(), "void axpy();".to_owned())];
    encode(elf, &content, CpuFeatures::from_bits(5), &Texts::default(), &files, &headers, &meta(content))
        .unwrap()
}

struct Place {
    dir: tempfile::TempDir,
    fs: Fs,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap(), fs: Fs::new(Default::default()) }
    }

    fn read(&self, bytes: &[u8]) -> Result<VerifiedEntry, Defect> {
        let path = self.dir.path().join("entry");
        std::fs::write(&path, bytes).unwrap();
        read(&self.fs, &path, &digest(b"content"))
    }
}

fn reason(result: Result<VerifiedEntry, Defect>) -> String {
    match result {
        Err(Defect::Corrupt { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_sealed_comes_back() {
    let place = Place::new();
    for len in [64, 15_000, 200_000] {
        let elf = elf(len);
        let entry = place.read(&encoded(digest(b"content"), &elf)).unwrap();
        assert_eq!(entry.elf, elf);
        assert_eq!(entry.seal.cpu, CpuFeatures::from_bits(5));
        assert_eq!(entry.seal.content, digest(b"content"));
    }
}

#[test]
fn a_small_entry_costs_one_open_and_reads_once() {
    let place = Place::new();
    let bytes = encoded(digest(b"content"), &elf(5000));
    place.read(&bytes).unwrap();
    let stats = place.fs.counters().snapshot();
    assert_eq!((stats.opens, stats.file_stats, stats.bytes_read), (1, 0, bytes.len() as u64));
}

#[test]
fn truncated_at_any_length_it_is_corrupt() {
    let place = Place::new();
    let good = encoded(digest(b"content"), &elf(64));
    for len in 0..good.len() {
        reason(place.read(&good[..len]));
    }
    let longer = [&good[..], b"x"].concat();
    reason(place.read(&longer));
}

#[test]
fn with_any_byte_changed_it_is_corrupt_or_its_library_intact() {
    let place = Place::new();
    let good = encoded(digest(b"content"), &elf(64));
    let archive = 64..good.len() - seal::LEN;
    for at in 0..good.len() {
        for change in [0x01, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= change;
            match place.read(&bad) {
                Ok(entry) => assert!(archive.contains(&at) && entry.elf == elf(64), "byte {at}"),
                Err(defect) => assert!(matches!(defect, Defect::Corrupt { .. }), "byte {at}: {defect}"),
            }
        }
    }
}

#[test]
fn whatever_else_lies_there_is_a_defect() {
    let place = Place::new();
    let zeros = |len| vec![0; len];
    assert!(reason(place.read(b"")).contains("empty"));
    reason(place.read(&zeros(encoded(digest(b"content"), &elf(64)).len())));
    reason(place.read(&zeros(100_000)));
    assert!(reason(place.read(&encoded(digest(b"other"), &elf(64)))).contains("another name"));
    let mut foreign = elf(64);
    foreign[18] ^= 0xff;
    assert!(reason(place.read(&encoded(digest(b"content"), &foreign))).contains("architecture"));

    let at = |path: &Path| read(&place.fs, path, &digest(b"content"));
    assert!(matches!(at(&place.dir.path().join("absent")), Err(Defect::Missing)));
    assert!(reason(at(place.dir.path())).contains("not a file"));
    let huge = place.dir.path().join("huge");
    std::fs::File::create(&huge).unwrap().set_len(1 << 42).unwrap();
    reason(at(&huge));
}

#[test]
fn a_seal_that_claims_too_much_allocates_nothing() {
    let place = Place::new();
    let seal = Seal {
        machine: MACHINE,
        elf_len: u64::MAX,
        content: digest(b"content"),
        cpu: CpuFeatures::NONE,
        elf_check: xxh3_128(b""),
        elf_digest: digest(b""),
        rest_digest: digest(b""),
    };
    for padding in [100, 100_000] {
        let bytes = [vec![0; padding], seal.encode()].concat();
        assert!(reason(place.read(&bytes)).contains("longer"));
    }
}
