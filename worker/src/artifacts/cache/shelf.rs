//! What a cache has, with its sum and its order at hand: strangers decide how many files there are, and each
//! look is made under the cache's lock.

use std::collections::BTreeMap;

use super::LEAST;

/// Files by digest and by last use.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Size and last use.
    files: BTreeMap<[u8; 32], (u64, u64)>,
    order: BTreeMap<u64, [u8; 32]>,
    bytes: u64,
}

impl Shelf {
    /// `used` is larger than that of every file before.
    pub fn insert(&mut self, digest: [u8; 32], size: u64, used: u64) {
        self.remove(&digest);
        self.files.insert(digest, (size, used));
        self.order.insert(used, digest);
        self.bytes = self.bytes.saturating_add(size.max(LEAST));
    }

    /// Its size, if it was there.
    pub fn remove(&mut self, digest: &[u8; 32]) -> Option<u64> {
        let (size, used) = self.files.remove(digest)?;
        self.order.remove(&used);
        self.bytes = self.bytes.saturating_sub(size.max(LEAST));
        Some(size)
    }

    pub fn touch(&mut self, digest: &[u8; 32], used: u64) {
        if let Some(size) = self.remove(digest) {
            self.insert(*digest, size, used);
        }
    }

    pub fn contains(&self, digest: &[u8; 32]) -> bool {
        self.files.contains_key(digest)
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// What all of them count.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The longest unused of those that may go.
    pub fn oldest(&self, may_go: impl Fn(&[u8; 32]) -> bool) -> Option<[u8; 32]> {
        self.order.values().find(|digest| may_go(digest)).copied()
    }
}
