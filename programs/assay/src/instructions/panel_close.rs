use anchor_lang::{address_eq, prelude::*};
use assay_protocol::{error::Error as Fact, events::PanelClosed};

use super::moment;
use crate::{
    escrow,
    state::{Job, Panel},
};

#[derive(Accounts)]
pub struct PanelClose {
    #[account(mut)]
    pub job: Account<Job>,
    #[account(mut)]
    pub panel: Account<Panel>,
    /// CHECK: the panel's recorded rent payer, checked in `validate`; it only receives.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
}

impl PanelClose {
    fn validate(&self) -> Result<()> {
        self.panel.require_job(self.job.address(), self.panel.level)?;
        require!(
            address_eq(self.rent_payer.address(), &self.panel.rent_payer),
            Fact::RentPayerMismatch
        );
        self.panel.require_closable()?;
        Ok(())
    }

    pub fn handle(&mut self) -> Result<()> {
        self.validate()?;
        let (slot, now) = moment()?;
        self.job.close_panel()?;
        emit!(PanelClosed {
            slot,
            time: now.0,
            panel: *self.panel.address(),
            job: *self.job.address(),
            sequence: u64::from(self.panel.sequence.wrapping_add(1)),
        });
        escrow::close(&mut self.panel, &self.rent_payer)
    }
}
