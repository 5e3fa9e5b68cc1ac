//! The smallest library a loader accepts, written by hand, so that tests need no compiler and can have
//! thousands.
#![allow(unsafe_code)]

use super::Library;

const NAMES: usize = 0x100;
const NAMES_LEN: usize = 0x60;
const SYMBOLS: usize = 0x160;
const HASH: usize = 0x1a8;
const DYNAMIC: usize = 0x1c8;
const DYNAMIC_LEN: usize = 6 * 16;
const CODE: usize = 0x230;
const DATA: usize = 0x240;
const SECTIONS: usize = 0x248;
const LEN: usize = SECTIONS + 5 * 64;
/// Behind the empty name.
const SONAME: usize = NAMES + 1;

/// A library with this SONAME (at most 64 bytes) that exports `int value()`, which returns `value`, and
/// `int data`.
pub(super) fn tiny(soname: &str, value: u32) -> Vec<u8> {
    let mut elf = vec![0; LEN];
    let mut put = |at: usize, bytes: &[u8]| elf[at..at + bytes.len()].copy_from_slice(bytes);
    let u64s = |values: &[usize]| values.iter().flat_map(|v| (*v as u64).to_le_bytes()).collect::<Vec<u8>>();
    let u32s = |values: &[u32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();

    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[3, 0]);
    put(18, &crate::cache::MACHINE.to_le_bytes());
    put(20, &u32s(&[1]));
    put(24, &u64s(&[0, 64, SECTIONS]));
    put(52, &[64, 0, 56, 0, 3, 0, 64, 0, 5, 0, 2, 0]);
    // One readable, writable and executable segment would be refused by hardened systems.
    let segment = |kind: u32, flags: u32, len: usize, at: usize, align: usize| {
        [u32s(&[kind, flags]), u64s(&[at, at, at, len, len, align])].concat()
    };
    put(64, &segment(1, 5, LEN, 0, 0x1000));
    put(120, &segment(2, 4, DYNAMIC_LEN, DYNAMIC, 8));
    put(176, &segment(0x6474_e551, 6, 0, 0, 16));

    let (value_name, data_name) = (0x50, 0x58);
    put(SONAME, soname.as_bytes());
    put(NAMES + value_name, b"value");
    put(NAMES + data_name, b"data");
    let symbol = |name: usize, kind: u8, section: u8, at: usize, len: usize| {
        [u32s(&[name as u32]), vec![0x10 | kind, 0, section, 0], u64s(&[at, len])].concat()
    };
    put(SYMBOLS + 24, &symbol(value_name, 2, 3, CODE, 6));
    put(SYMBOLS + 48, &symbol(data_name, 1, 4, DATA, 4));
    put(HASH, &u32s(&[1, 3, 1, 0, 2, 0]));
    put(DYNAMIC, &u64s(&[14, 1, 5, NAMES, 10, NAMES_LEN, 6, SYMBOLS, 11, 24, 4, HASH]));
    #[cfg(target_arch = "x86_64")]
    put(CODE, &[0xb8, 0, 0, 0, 0, 0xc3]);
    #[cfg(target_arch = "aarch64")]
    put(CODE, &u32s(&[0x5280_0000, 0xd65f_03c0]));
    // Sections: symbols, their names, code, data.
    let section = |kind: u32, flags: usize, at: usize, len: usize, link: u32, info: u32, each: usize| {
        let place = u64s(&[flags, at, at, len]);
        [u32s(&[0, kind]), place, u32s(&[link, info]), u64s(&[8, each])].concat()
    };
    put(SECTIONS + 64, &section(11, 2, SYMBOLS, 72, 2, 1, 24));
    put(SECTIONS + 128, &section(3, 2, NAMES, NAMES_LEN, 0, 0, 0));
    put(SECTIONS + 192, &section(1, 6, CODE, 8, 0, 0, 0));
    put(SECTIONS + 256, &section(1, 2, DATA, 4, 0, 0, 0));
    patch(&elf, soname, value)
}

/// The same with another SONAME of this length, and another value.
pub(super) fn patch(elf: &[u8], soname: &str, value: u32) -> Vec<u8> {
    let mut elf = elf.to_vec();
    elf[SONAME..SONAME + soname.len()].copy_from_slice(soname.as_bytes());
    #[cfg(target_arch = "x86_64")]
    elf[CODE + 1..CODE + 5].copy_from_slice(&value.to_le_bytes());
    #[cfg(target_arch = "aarch64")]
    elf[CODE..CODE + 4].copy_from_slice(&(0x5280_0000 | (value & 0xffff) << 5).to_le_bytes());
    elf
}

/// What `value()` of a tiny library returns.
pub(super) fn call(library: &Library) -> u32 {
    let address = library.symbol("value").unwrap();
    // SAFETY: `value` is the function above: no arguments, returns an int.
    let value: extern "C" fn() -> u32 = unsafe { std::mem::transmute(address) };
    value()
}
