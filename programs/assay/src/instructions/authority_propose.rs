use anchor_lang::prelude::*;
use assay_protocol::events::AuthorityProposed;

use super::moment;
use crate::{admin, state::Market};

#[derive(Accounts)]
pub struct AuthorityPropose {
    pub authority: Signer,
    #[account(mut)]
    pub market: Account<Market>,
    pub instructions: Sysvar<SysvarInstructions>,
}

impl AuthorityPropose {
    fn validate(&self) -> Result<()> {
        admin::check(&self.market, &self.authority, &self.instructions)
    }

    pub fn handle(&mut self, pending: Address) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let sequence = self.market.propose(pending);
        let market = *self.market.address();
        emit!(AuthorityProposed { slot, time: now.0, market, pending, sequence });
        Ok(())
    }
}
