//! The hashes of recent slots, which a chain writes itself and LiteSVM does not.

use assay_client::{
    program::SLOT_HASHES_SYSVAR,
    protocol::Address,
    slot_hashes::{MAX_ENTRIES, SlotHash, SlotHashes},
};
use solana_account::Account;

use crate::World;

/// Owner of the runtime's accounts.
const SYSVAR_OWNER: Address =
    Address::from_str_const("Sysvar1111111111111111111111111111111111111");

impl World {
    /// The retained slots, newest first.
    pub fn slot_hashes(&self) -> SlotHashes {
        let account = self
            .account(&SLOT_HASHES_SYSVAR)
            .expect("the chain has a SlotHashes sysvar");
        SlotHashes::decode(&account.data).expect("the sysvar is whole")
    }

    /// Lets these slots, newest first, be the retained ones, as after skipped slots; the next passing of time
    /// retains every slot again.
    pub fn retain_slots(&mut self, slots: &[u64]) {
        let entries = slots.iter().map(|slot| entry(*slot)).collect();
        self.put_slot_hashes(&SlotHashes(entries));
    }

    /// Every slot before the present one, as mainnet retains them.
    pub(crate) fn retain_every_slot(&mut self) {
        let slot = self.slot();
        let most = u64::try_from(MAX_ENTRIES).expect("a small number");
        let slots: Vec<u64> = (slot.saturating_sub(most)..slot).rev().collect();
        self.retain_slots(&slots);
    }

    fn put_slot_hashes(&mut self, hashes: &SlotHashes) {
        let data = hashes.encode();
        let account = Account {
            lamports: self.rent(data.len()),
            data,
            owner: SYSVAR_OWNER,
            ..Account::default()
        };
        self.put_account(SLOT_HASHES_SYSVAR, account);
    }
}

/// Every run sees the same hashes: each slot's number, four times.
fn entry(slot: u64) -> SlotHash {
    let mut hash = [0; 32];
    for part in hash.chunks_exact_mut(8) {
        part.copy_from_slice(&slot.to_le_bytes());
    }
    SlotHash { slot, hash }
}
