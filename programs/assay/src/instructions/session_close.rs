use anchor_lang::prelude::*;
use assay_protocol::{UnixSeconds, error::Error as Fact, events::SessionClosed};

use super::moment;
use crate::{
    escrow,
    state::{Provider, Session},
};

#[derive(Accounts)]
pub struct SessionClose {
    /// The provider's authority or operator; anyone once the grace time is over.
    pub closer: Signer,
    #[account(mut)]
    pub session: Account<Session>,
    /// The session's provider, where the closer acts for it. It may be gone after the grace time.
    pub provider: Option<Account<Provider>>,
    /// CHECK: the session's requester, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub requester: UncheckedAccount,
}

impl SessionClose {
    fn validate(&self, slot: u64, now: UnixSeconds) -> Result<()> {
        self.session.require_requester(self.requester.address())?;
        match &self.provider {
            Some(provider) => {
                self.session.require_provider(provider.address(), provider)?;
                require!(provider.is_party(self.closer.address()), Fact::SessionNotClosable);
            }
            None => self.session.require_grace_over(now)?,
        }
        self.session.require_old_slot(slot)?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        let (slot, now) = moment()?;
        self.validate(slot, now)?;
        emit!(SessionClosed {
            slot,
            time: now.0,
            session: *self.session.address(),
            requester: self.session.requester,
            sequence: u64::from(self.session.sequence.wrapping_add(1)),
            settled: self.session.settled,
            refund: self.session.money()?.0,
        });
        // The rest goes with the rent, which alone keeps any wallet above its own minimum.
        escrow::close(&mut self.session, &self.requester)
    }
}
