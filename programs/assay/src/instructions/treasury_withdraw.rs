use anchor_lang::prelude::*;
use assay_protocol::{Lamports as Amount, events::TreasuryWithdrawn};

use super::moment;
use crate::{
    admin, escrow,
    state::{Market, Treasury},
};

#[derive(Accounts)]
pub struct TreasuryWithdraw {
    pub authority: Signer,
    pub market: Account<Market>,
    #[account(mut)]
    pub treasury: Account<Treasury>,
    /// CHECK: any account the authority names; it only receives.
    #[account(mut, unsafe(dup))]
    pub destination: UncheckedAccount,
    pub instructions: Sysvar<SysvarInstructions>,
}

impl TreasuryWithdraw {
    fn validate(&self) -> Result<()> {
        admin::check(&self.market, &self.authority, &self.instructions)
    }

    pub fn handle(&mut self, amount: u64) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        self.treasury.withdraw(Amount(amount))?;
        escrow::pay(&self.treasury, &self.destination, Amount(amount))?;
        emit!(TreasuryWithdrawn {
            slot,
            time: now.0,
            treasury: *self.treasury.address(),
            destination: *self.destination.address(),
            sequence: u64::from(self.treasury.sequence),
            amount,
            collected: self.treasury.collected,
        });
        Ok(())
    }
}
