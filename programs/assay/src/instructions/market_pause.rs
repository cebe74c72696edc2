use anchor_lang::prelude::*;
use assay_protocol::events::MarketPaused;

use super::moment;
use crate::{admin, state::Market};

#[derive(Accounts)]
pub struct MarketPause {
    pub authority: Signer,
    #[account(mut)]
    pub market: Account<Market>,
    pub instructions: Sysvar<SysvarInstructions>,
}

impl MarketPause {
    fn validate(&self) -> Result<()> {
        admin::check(&self.market, &self.authority, &self.instructions)
    }

    pub fn handle(&mut self, flags: u8) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let sequence = self.market.pause(flags)?;
        let market = *self.market.address();
        emit!(MarketPaused { slot, time: now.0, market, sequence, flags: u64::from(flags) });
        Ok(())
    }
}
