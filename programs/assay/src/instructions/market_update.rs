use anchor_lang::prelude::*;
use assay_protocol::{events::MarketUpdated, market::MarketParams};

use super::moment;
use crate::{admin, state::Market};

#[derive(Accounts)]
pub struct MarketUpdate {
    pub authority: Signer,
    #[account(mut)]
    pub market: Account<Market>,
    pub instructions: Sysvar<SysvarInstructions>,
}

impl MarketUpdate {
    fn validate(&self, params: &MarketParams) -> Result<()> {
        admin::check(&self.market, &self.authority, &self.instructions)?;
        params.check()?;
        Ok(())
    }

    pub fn handle(&mut self, params: MarketParams) -> Result<()> {
        self.validate(&params)?;
        let (slot, now) = moment()?;
        let sequence = self.market.update(params);
        emit!(MarketUpdated { slot, time: now.0, market: *self.market.address(), sequence });
        Ok(())
    }
}
