//! Real models with something broken: cut, flipped, overwritten, spliced. The same seed makes the
//! same files.

use std::{fs, path::Path};

use crate::Case;

/// Flips, and what else is done, in each model.
const EACH: usize = 7;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

pub fn cases(models: &Path) -> Vec<Case> {
    let mut originals: Vec<(String, Vec<u8>)> = [
        "digits.onnx",
        "odd/loop.onnx",
        "odd/specials.onnx",
        "odd/shared_dimension.onnx",
        "odd/reshape_data.onnx",
    ]
    .iter()
    .map(|name| ((*name).to_owned(), fs::read(models.join(name)).unwrap()))
    .collect();
    originals.push((
        "digits without weights".into(),
        originals[0].1[..1_500].to_vec(),
    ));
    let mut chance = Chance(SEED);
    let mut cases = Vec::new();
    for (name, bytes) in &originals {
        for number in 0..EACH {
            let mut add = |what: &str, bytes: Vec<u8>| {
                cases.push(Case::slow(format!("{name} {what} {number}"), bytes))
            };
            add("cut", bytes[..chance.below(bytes.len())].to_vec());
            add("flipped", chance.flipped(bytes));
            add("overwritten", chance.overwritten(bytes));
            add("repeated", chance.repeated(bytes));
            add("without a piece", chance.without(bytes));
        }
    }
    cases
}

/// Splitmix64: enough to choose places.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// The structure is at the start of a message, so half of the places are there.
    fn place(&mut self, length: usize) -> usize {
        if self.next().is_multiple_of(2) {
            self.below(length.min(300))
        } else {
            self.below(length)
        }
    }

    fn flipped(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.place(bytes.len());
            bytes[place] ^= 1 << self.below(8);
        }
        bytes
    }

    fn overwritten(&mut self, bytes: &[u8]) -> Vec<u8> {
        const TELLING: [u8; 6] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];
        let mut bytes = bytes.to_vec();
        let (place, value) = (self.place(bytes.len()), TELLING[self.below(TELLING.len())]);
        let end = bytes.len().min(place + 1 + self.below(8));
        bytes[place..end].fill(value);
        bytes
    }

    fn repeated(&mut self, bytes: &[u8]) -> Vec<u8> {
        let start = self.place(bytes.len());
        let end = bytes.len().min(start + 1 + self.below(200));
        [&bytes[..end], &bytes[start..]].concat()
    }

    fn without(&mut self, bytes: &[u8]) -> Vec<u8> {
        let start = self.place(bytes.len());
        let end = bytes.len().min(start + 1 + self.below(20));
        [&bytes[..start], &bytes[end..]].concat()
    }
}
