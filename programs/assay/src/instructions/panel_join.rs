use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{
    Lamports as Amount, error::Error as Fact, events::PanelJoined,
    panel::{Candidate, Joined},
    sortition::score,
};

use super::moment;
use crate::{
    escrow,
    state::{Job, Panel, Provider},
};

#[derive(Accounts)]
pub struct PanelJoin {
    pub operator: Signer,
    #[account(mut)]
    pub provider: Account<Provider>,
    pub job: Account<Job>,
    #[account(mut)]
    pub panel: Account<Panel>,
    /// At level 2, the job's level-1 panel where it has one: nobody sits on both.
    pub other_panel: Option<Account<Panel>>,
    /// The provider that leaves the seat, where the panel is full.
    #[account(mut)]
    pub evicted: Option<Account<Provider>>,
}

impl PanelJoin {
    fn validate(&self, ticket: u32) -> Result<()> {
        self.provider.require_operator(self.operator.address())?;
        self.panel.require_job(self.job.address(), self.job.level)?;
        self.provider.require_auditor(self.provider.address(), &self.job, ticket)?;
        match (&self.other_panel, self.job.level == 2 && self.job.has_panel(1)) {
            (Some(other), true) => {
                other.require_job(self.job.address(), 1)?;
                require!(
                    !other.seats_provider(self.provider.address()),
                    Fact::SeatProviderSeated
                );
                Ok(())
            }
            (None, false) => Ok(()),
            (None, true) => Err(Fact::PanelMissing.into()),
            (Some(_), false) => Err(Fact::PanelUnexpected.into()),
        }
    }

    pub fn handle(&mut self, ticket: u32) -> Result<()> {
        self.validate(ticket)?;
        let (slot, now) = moment()?;
        let provider = *self.provider.address();
        let candidate = Candidate {
            provider,
            generation: self.provider.generation,
            score: score(&self.panel.seed, &provider, ticket),
        };
        let joined = self.panel.join(&candidate, now)?;
        let bond = Amount(self.panel.bond);
        self.provider.take_seat(bond)?;
        escrow::pay(&self.provider, &self.panel, bond)?;
        self.evict(&joined, bond)?;
        emit!(PanelJoined {
            slot,
            time: now.0,
            panel: *self.panel.address(),
            provider,
            evicted: joined.evicted,
            sequence: u64::from(self.panel.sequence),
            seat: u64::from(joined.seat),
            score: candidate.score,
            bond: bond.0,
            stake: self.provider.stake,
        });
        Ok(())
    }

    /// Gives the bond back to whoever held the seat.
    fn evict(&mut self, joined: &Joined, bond: Amount) -> Result<()> {
        if address_eq(&joined.evicted, &Address::default()) {
            return Ok(());
        }
        let evicted = self.evicted.as_mut().ok_or(Fact::SeatEvictedMissing)?;
        require!(
            address_eq(evicted.address(), &joined.evicted)
                && evicted.generation == joined.evicted_generation,
            Fact::SeatEvictedMismatch
        );
        evicted.leave_seat(bond)?;
        escrow::pay(&self.panel, evicted, bond)
    }
}
