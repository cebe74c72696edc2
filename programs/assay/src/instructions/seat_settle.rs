use anchor_lang::prelude::*;
use assay_protocol::events::SeatSettled;

use super::moment;
use crate::{
    escrow,
    state::{Panel, Provider},
};

#[derive(Accounts)]
pub struct SeatSettle {
    #[account(mut)]
    pub panel: Account<Panel>,
    /// Whoever holds the seat.
    #[account(mut)]
    pub provider: Account<Provider>,
}

impl SeatSettle {
    pub fn handle(&mut self, seat: u8) -> Result<()> {
        let (slot, now) = moment()?;
        let holder = (self.provider.address(), self.provider.generation);
        let settled = self.panel.settle_seat(seat, holder)?;
        let (returned, earned) = self.provider.settle_seat(&settled)?;
        escrow::pay(&self.panel, &self.provider, settled.payout)?;
        emit!(SeatSettled {
            slot,
            time: now.0,
            panel: *self.panel.address(),
            provider: *self.provider.address(),
            sequence: u64::from(self.panel.sequence),
            seat: u64::from(seat),
            returned: returned.0,
            earned: earned.0,
            stake: self.provider.stake,
            earnings: self.provider.earnings,
        });
        Ok(())
    }
}
