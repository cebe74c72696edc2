use anchor_lang::prelude::*;
use assay_protocol::{error::Error as Fact, events::PanelRetargeted};

use super::moment;
use crate::{slot_hashes, state::Job};

#[derive(Accounts)]
pub struct PanelRetarget {
    #[account(mut)]
    pub job: Account<Job>,
}

impl PanelRetarget {
    pub fn handle(&mut self) -> Result<()> {
        let (slot, now) = moment()?;
        let last = slot_hashes::count()?.saturating_sub(1);
        let oldest = slot_hashes::entry(last)?.ok_or(Fact::PanelSlotHashRetained)?;
        self.job.retarget_panel(oldest.slot, slot, now)?;
        emit!(PanelRetargeted {
            slot,
            time: now.0,
            job: *self.job.address(),
            sequence: u64::from(self.job.sequence),
            level: u64::from(self.job.level),
            target_slot: self.job.target_slot,
        });
        Ok(())
    }
}
