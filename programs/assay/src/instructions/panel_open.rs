use anchor_lang::prelude::*;
use assay_protocol::{events::PanelOpened, panel::PanelOpening, sortition::panel_seed};

use super::moment;
use crate::{
    slot_hashes,
    state::{Job, Panel},
};

#[derive(Accounts)]
pub struct PanelOpen {
    /// Pays the rent and gets it back on close.
    #[account(mut)]
    pub payer: Signer,
    #[account(mut)]
    pub job: Account<Job>,
    #[account(
        init,
        payer = payer,
        seeds = [b"panel", job.address().as_ref(), job.level_seed()],
        bump
    )]
    pub panel: Account<Panel>,
    pub system_program: Program<System>,
}

impl PanelOpen {
    pub fn handle(&mut self, entry: u16, bump: u8) -> Result<()> {
        let (slot, now) = moment()?;
        let (first, older) = slot_hashes::first_after(self.job.target_slot, entry)?;
        self.job.open_panel(first.slot, older, now)?;
        let at = PanelOpening {
            job: *self.job.address(),
            rent_payer: *self.payer.address(),
            bump,
            seed: panel_seed(self.job.address(), self.job.level, &first.hash),
            now,
        };
        self.panel.open(&at, &self.job)?;
        emit!(PanelOpened {
            slot,
            time: now.0,
            panel: *self.panel.address(),
            job: at.job,
            sequence: u64::from(self.panel.sequence),
            level: u64::from(self.panel.level),
            seed: at.seed.0,
            join_deadline: self.panel.join_deadline,
            commit_deadline: self.panel.commit_deadline,
            reveal_deadline: self.panel.reveal_deadline,
        });
        Ok(())
    }
}
