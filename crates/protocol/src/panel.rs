//! A panel: auditors that re-execute one job. The layout is fixed; its instructions come later.

use bytemuck::{Pod, Zeroable};

use crate::{Address, limits::MAX_SEATS};

/// One seat of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct SeatData {
    /// The auditor's provider account; zero while empty.
    pub provider: Address,
    /// The auditor's generation when it joined.
    pub generation: u64,
    /// Sortition score; the lowest hold the seats.
    pub score: u64,
    /// The commitment, then the root.
    pub digest: [u8; 32],
    /// Lamports fixed at resolve, moved by seat_settle.
    pub payout: u64,
    /// 0 empty, 1 joined, 2 committed, 3 revealed, 4 settled.
    pub state: u8,
    pub reserved: [u8; 7],
}

/// Account data of a panel, after the discriminator. Money field: `bonds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct PanelData {
    pub version: u8,
    /// 1 joining, 2 committing, 3 revealing, 4 resolved.
    pub status: u8,
    pub bump: u8,
    pub flags: u8,
    pub sequence: u32,
    pub job: Address,
    /// Gets the rent back on close.
    pub rent_payer: Address,
    /// Fixes every ticket's score.
    pub seed: [u8; 32],
    /// Unix seconds.
    pub opened_at: i64,
    pub join_deadline: i64,
    pub commit_deadline: i64,
    pub reveal_deadline: i64,
    /// Money field: lamports of all seat bonds and fees held here.
    pub bonds: u64,
    /// 1 or 2.
    pub level: u8,
    pub size: u8,
    pub joined: u8,
    pub committed: u8,
    pub revealed: u8,
    pub reserved: [u8; 19],
    pub seats: [SeatData; MAX_SEATS],
}
