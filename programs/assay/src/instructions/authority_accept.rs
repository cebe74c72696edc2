use anchor_lang::prelude::*;
use assay_protocol::events::AuthorityAccepted;

use super::moment;
use crate::{admin, state::Market};

#[derive(Accounts)]
pub struct AuthorityAccept {
    /// The proposed authority.
    pub pending: Signer,
    #[account(mut)]
    pub market: Account<Market>,
    pub instructions: Sysvar<SysvarInstructions>,
}

impl AuthorityAccept {
    fn validate(&self) -> Result<()> {
        admin::refuse_durable_nonce(&self.instructions)
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let authority = *self.pending.address();
        let sequence = self.market.accept(authority)?;
        let market = *self.market.address();
        emit!(AuthorityAccepted { slot, time: now.0, market, authority, sequence });
        Ok(())
    }
}
