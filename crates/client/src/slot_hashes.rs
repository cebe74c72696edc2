//! The SlotHashes sysvar: which of its entries seeds a panel.
//!
//! A panel is seeded by the hash of the first retained slot at or after its job's target, so that
//! nobody chooses among hashes. The program is told the entry's position and searches from there
//! on, because every new slot pushes the entry one position on; this is where a client finds it.

use assay_protocol::sortition::is_first_after;
use thiserror::Error;

/// Most entries that the sysvar holds.
pub const MAX_ENTRIES: usize = 512;

const COUNT_BYTES: usize = 8;
const ENTRY_BYTES: usize = 40;

/// One retained slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotHash {
    pub slot: u64,
    pub hash: [u8; 32],
}

/// The retained slots, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotHashes(pub Vec<SlotHash>);

/// Where a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// The entry at this position seeds the panel.
    Found(u16),
    /// No slot has reached the target; wait.
    NotYet,
    /// Every retained slot is later than the target, and the right one may be gone: a new target
    /// is needed.
    Gone,
}

/// The account's data is shorter than its own count of entries says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the SlotHashes account has {found} bytes, too few for its {count} entries; check the address and the node"
)]
pub struct SlotHashesError {
    pub count: u64,
    pub found: usize,
}

impl SlotHashes {
    /// Decodes the sysvar's account data.
    ///
    /// # Errors
    /// When the data ends before its entries do.
    pub fn decode(data: &[u8]) -> Result<Self, SlotHashesError> {
        let found = data.len();
        let cut = |count| SlotHashesError { count, found };
        let (count, entries) = data.split_first_chunk::<COUNT_BYTES>().ok_or(cut(0))?;
        let count = u64::from_le_bytes(*count);
        let whole = entries.chunks_exact(ENTRY_BYTES);
        let wanted = usize::try_from(count).map_err(|_| cut(count))?;
        if wanted > MAX_ENTRIES || whole.len() < wanted {
            return Err(cut(count));
        }
        Ok(Self(
            whole.take(wanted).filter_map(SlotHash::read).collect(),
        ))
    }

    /// The account's data with these entries; tests make the sysvar with it.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = (self.0.len() as u64).to_le_bytes().to_vec();
        for entry in &self.0 {
            data.extend(entry.slot.to_le_bytes());
            data.extend(entry.hash);
        }
        data.resize(COUNT_BYTES + MAX_ENTRIES * ENTRY_BYTES, 0);
        data
    }

    /// The entry that seeds a panel with this target.
    pub fn find(&self, target: u64) -> Search {
        let mut reached = 0_u16;
        for (entry, older) in self.0.iter().zip(self.older()) {
            if is_first_after(target, entry.slot, older) {
                return Search::Found(reached);
            }
            if entry.slot < target {
                return Search::NotYet;
            }
            reached = reached.saturating_add(1);
        }
        if reached == 0 {
            Search::NotYet
        } else {
            Search::Gone
        }
    }

    /// For each entry, the slot of the next older one.
    fn older(&self) -> impl Iterator<Item = Option<u64>> {
        let slots = self.0.iter().map(|entry| Some(entry.slot));
        slots.skip(1).chain(std::iter::once(None))
    }
}

impl SlotHash {
    fn read(entry: &[u8]) -> Option<Self> {
        let (slot, hash) = entry.split_first_chunk::<8>()?;
        Some(Self {
            slot: u64::from_le_bytes(*slot),
            hash: hash.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(slots: &[u64]) -> SlotHashes {
        let entry = |slot: &u64| SlotHash {
            slot: *slot,
            hash: [slot.to_le_bytes()[0]; 32],
        };
        SlotHashes(slots.iter().map(entry).collect())
    }

    #[test]
    fn the_first_slot_at_or_after_the_target_is_found() {
        let hashes = slots(&[109, 108, 105, 104, 101]);
        for (target, found) in [
            (110, Search::NotYet),
            (109, Search::Found(0)),
            (108, Search::Found(1)),
            (107, Search::Found(1)),
            (106, Search::Found(1)),
            (105, Search::Found(2)),
            (104, Search::Found(3)),
            (103, Search::Found(3)),
            (101, Search::Found(4)),
            (100, Search::Gone),
            (0, Search::Gone),
        ] {
            assert_eq!(hashes.find(target), found, "target {target}");
        }
        assert_eq!(slots(&[]).find(1), Search::NotYet);
        assert_eq!(slots(&[5]).find(5), Search::Found(0));
        assert_eq!(slots(&[5]).find(4), Search::Gone);
    }

    #[test]
    fn found_entries_satisfy_the_programs_rule_and_no_other_does() {
        let hashes = slots(&[30, 29, 25, 24, 20, 12, 11]);
        for target in 0..40 {
            let admitted: Vec<u16> = hashes
                .0
                .iter()
                .zip(hashes.older())
                .zip(0..)
                .filter(|((entry, older), _)| is_first_after(target, entry.slot, *older))
                .map(|(_, position)| position)
                .collect();
            let expected: &[u16] = match hashes.find(target) {
                Search::Found(position) => &[position],
                Search::NotYet | Search::Gone => &[],
            };
            assert_eq!(admitted, expected, "target {target}");
        }
    }

    #[test]
    fn data_is_read_as_the_chain_writes_it() {
        let hashes = slots(&[9, 8, 3]);
        let data = hashes.encode();
        assert_eq!(data.len(), 20_488);
        assert_eq!(data[..8], 3_u64.to_le_bytes());
        assert_eq!(data[8..16], 9_u64.to_le_bytes());
        assert_eq!(data[16..48], [9; 32]);
        assert_eq!(SlotHashes::decode(&data), Ok(hashes));
    }

    #[test]
    fn cut_data_is_refused() {
        let data = slots(&[9, 8, 3]).encode();
        let found = 8 + 3 * 40 - 1;
        assert_eq!(
            SlotHashes::decode(&data[..found]),
            Err(SlotHashesError { count: 3, found })
        );
        assert!(SlotHashes::decode(&[]).is_err());
        let endless = [u64::MAX.to_le_bytes().as_slice(), &data[8..]].concat();
        assert!(SlotHashes::decode(&endless).is_err());
    }
}
