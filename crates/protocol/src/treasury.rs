//! The treasury: collected fees. Only the market's authority withdraws.

use bytemuck::{Pod, Zeroable};

use crate::{
    LAYOUT_VERSION,
    amount::Lamports,
    error::{Error, Result},
};

/// Account data of the treasury, after the discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct TreasuryData {
    pub version: u8,
    /// Always 1 once initialised.
    pub status: u8,
    pub bump: u8,
    pub flags: u8,
    pub sequence: u32,
    /// Money field: fees collected and not withdrawn, in lamports.
    pub collected: u64,
    /// All fees ever collected, in lamports.
    pub total_collected: u64,
    pub reserved: [u8; 56],
}

impl TreasuryData {
    /// An empty treasury.
    pub fn new(bump: u8) -> Self {
        Self {
            version: LAYOUT_VERSION,
            status: 1,
            bump,
            flags: 0,
            sequence: 1,
            collected: 0,
            total_collected: 0,
            reserved: [0; 56],
        }
    }

    /// Records fees that arrived.
    #[inline]
    pub fn collect(&mut self, fees: Lamports) -> Result<()> {
        self.collected = Lamports(self.collected).plus(fees)?.0;
        self.total_collected = self.total_collected.saturating_add(fees.0);
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    /// Records a withdrawal; [`Error::TreasuryInsufficient`] above what was collected.
    #[inline]
    pub fn withdraw(&mut self, amount: Lamports) -> Result<()> {
        if amount == Lamports::ZERO {
            return Err(Error::AmountZero);
        }
        if amount.0 > self.collected {
            return Err(Error::TreasuryInsufficient);
        }
        self.collected = Lamports(self.collected).minus(amount)?.0;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }
}
