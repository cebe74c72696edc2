use anchor_lang::prelude::*;
use assay_protocol::events::SessionCloseRequested;

use super::moment;
use crate::state::Session;

#[derive(Accounts)]
pub struct SessionCloseRequest {
    pub requester: Signer,
    #[account(mut)]
    pub session: Account<Session>,
}

impl SessionCloseRequest {
    fn validate(&self) -> Result<()> {
        self.session.require_requester(self.requester.address())?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        let closable_after = self.session.request_close(now)?;
        emit!(SessionCloseRequested {
            slot,
            time: now.0,
            session: *self.session.address(),
            sequence: u64::from(self.session.sequence),
            closable_after: closable_after.0,
        });
        Ok(())
    }
}
