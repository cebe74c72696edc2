//! Recent slot hashes, read entry by entry: the whole sysvar is 20 KB.

use anchor_lang::prelude::*;
use assay_protocol::error::Error as Fact;
use pinocchio::sysvars::slot_hashes::raw::fetch_into;

const HEADER_BYTES: usize = 8;
const ENTRY_BYTES: usize = 40;
/// Entries read at once by a search: the slots that may pass between the making of a transaction
/// and its landing.
const SEARCH_ENTRIES: usize = 64;

/// Hash of one slot.
pub struct SlotHash {
    pub slot: u64,
    pub hash: [u8; 32],
}

/// Number of retained entries.
pub fn count() -> Result<u16> {
    let mut header = [0; HEADER_BYTES];
    fetch_into(&mut header, 0)?;
    // At most 512 are retained; more would be another sysvar than the one known here.
    u16::try_from(u64::from_le_bytes(header)).map_err(|_| Fact::PanelSlotHashMismatch.into())
}

/// The entry at a position, the newest first; none past the end.
pub fn entry(position: u16) -> Result<Option<SlotHash>> {
    if position >= count()? {
        return Ok(None);
    }
    let mut bytes = [0; ENTRY_BYTES];
    let offset = usize::from(position)
        .wrapping_mul(ENTRY_BYTES)
        .wrapping_add(HEADER_BYTES);
    fetch_into(&mut bytes, offset)?;
    let entry: Entry = bytemuck::cast(bytes);
    Ok(Some(SlotHash {
        slot: u64::from_le_bytes(entry.slot),
        hash: entry.hash,
    }))
}

/// The first retained slot at or after the target, searched for from a position on towards older
/// entries, with the slot of the next older one; the entry at the position itself if that is before
/// the target already. Every new slot pushes all entries one position on, so a sender cannot know
/// where the entry will be when its transaction lands, only from where on.
#[inline]
pub fn first_after(target: u64, from: u16) -> Result<(SlotHash, Option<u64>)> {
    let left = usize::from(count()?.saturating_sub(from));
    let mut bytes = [0; SEARCH_ENTRIES * ENTRY_BYTES];
    let wanted = left.min(SEARCH_ENTRIES).wrapping_mul(ENTRY_BYTES);
    let bytes = bytes.get_mut(..wanted).ok_or(Fact::PanelSlotHashMismatch)?;
    let offset = usize::from(from)
        .wrapping_mul(ENTRY_BYTES)
        .wrapping_add(HEADER_BYTES);
    if bytes.is_empty() {
        return Err(Fact::PanelSlotHashMismatch.into());
    }
    fetch_into(bytes, offset)?;
    let mut entries = bytes
        .as_chunks::<ENTRY_BYTES>()
        .0
        .iter()
        .map(bytemuck::cast_ref::<_, Entry>);
    let mut found = entries.next().ok_or(Fact::PanelSlotHashMismatch)?;
    let mut older = None;
    for entry in entries {
        let slot = u64::from_le_bytes(entry.slot);
        if slot < target {
            older = Some(slot);
            break;
        }
        found = entry;
    }
    let found = SlotHash {
        slot: u64::from_le_bytes(found.slot),
        hash: found.hash,
    };
    Ok((found, older))
}

/// An entry as it lies in the sysvar.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Entry {
    slot: [u8; 8],
    hash: [u8; 32],
}
