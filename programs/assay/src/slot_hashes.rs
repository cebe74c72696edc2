//! Recent slot hashes, read entry by entry: the whole sysvar is 20 KB.

use anchor_lang::prelude::*;
use assay_protocol::error::Error as Fact;
use pinocchio::sysvars::slot_hashes::raw::fetch_into;

const HEADER_BYTES: usize = 8;
const ENTRY_BYTES: usize = 40;

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

/// An entry as it lies in the sysvar.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Entry {
    slot: [u8; 8],
    hash: [u8; 32],
}
