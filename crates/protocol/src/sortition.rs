//! Who may sit on a panel: seeds, tickets and scores.

use crate::{Address, digest::Digest};

/// Seed of a panel: nobody knew the slot hash when the panel was convened.
#[inline]
pub fn panel_seed(job: &Address, level: u8, slot_hash: &[u8; 32]) -> Digest {
    Digest::of(&[b"assay/panel/1", job.as_ref(), &[level], slot_hash])
}

/// Score of one of a provider's tickets; the lowest scores hold the seats.
#[inline]
pub fn score(seed: &[u8; 32], provider: &Address, ticket: u32) -> u64 {
    let Digest(hash) = Digest::of(&[
        b"assay/seat/1",
        seed,
        provider.as_ref(),
        &ticket.to_le_bytes(),
    ]);
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The best of a provider's first `tickets` tickets, with its score; none without tickets.
pub fn best_ticket(seed: &[u8; 32], provider: &Address, tickets: u32) -> Option<(u32, u64)> {
    (0..tickets)
        .map(|ticket| (ticket, score(seed, provider, ticket)))
        .min_by_key(|(_, score)| *score)
}

/// Whether `slot` is the first retained slot at or after `target`, given the next older one.
#[inline]
pub fn is_first_after(target: u64, slot: u64, older: Option<u64>) -> bool {
    slot == target || (slot > target && older.is_some_and(|older| older < target))
}
