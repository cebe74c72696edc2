use anchor_lang::prelude::*;
use assay_protocol::{Lamports as Amount, events::SessionToppedUp, market::PAUSE_SESSIONS};

use super::moment;
use crate::{
    escrow,
    state::{Market, Session},
};

#[derive(Accounts)]
pub struct SessionTopUp {
    /// Pays what is added.
    #[account(mut)]
    pub requester: Signer,
    pub market: Account<Market>,
    #[account(mut)]
    pub session: Account<Session>,
    pub system_program: Program<System>,
}

impl SessionTopUp {
    fn validate(&self) -> Result<()> {
        self.market.require_running(PAUSE_SESSIONS)?;
        self.session.require_requester(self.requester.address())?;
        Ok(())
    }

    pub fn handle(&mut self, amount: u64) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        self.session.add(Amount(amount))?;
        escrow::deposit(&mut self.requester, &mut self.session, Amount(amount))?;
        emit!(SessionToppedUp {
            slot,
            time: now.0,
            session: *self.session.address(),
            sequence: u64::from(self.session.sequence),
            amount,
            deposit: self.session.deposit,
        });
        Ok(())
    }
}
