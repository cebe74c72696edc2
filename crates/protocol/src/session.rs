//! A session: a payment channel. The layout is fixed; its instructions come later.

use bytemuck::{Pod, Zeroable};

use crate::Address;

/// Account data of a session, after the discriminator. Money field: `deposit - settled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct SessionData {
    pub version: u8,
    /// 1 open, 2 close requested.
    pub status: u8,
    pub bump: u8,
    pub flags: u8,
    pub sequence: u32,
    /// Pays and gets the rent and the rest back.
    pub requester: Address,
    /// The provider's account.
    pub provider: Address,
    /// Signs vouchers up to the deposit.
    pub session_key: Address,
    /// Lamports ever deposited.
    pub deposit: u64,
    /// Lamports settled, the highest cumulative seen.
    pub settled: u64,
    pub open_slot: u64,
    /// The provider's generation when opened.
    pub generation: u64,
    /// Unix seconds; 0 unless a close was requested.
    pub close_requested_at: i64,
    pub index: u32,
    /// From close request to close.
    pub grace_secs: u32,
    pub fee_bps: u16,
    pub reserved: [u8; 62],
}
