//! Counting seats.

use super::{Outcomes, SeatOutcome};
use crate::{amount::Lamports, error::Result};

/// How many seats did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Taken seats.
    pub joined: u8,
    /// Seats that committed, revealed ones included.
    pub committed: u8,
    pub revealed: u8,
    /// Revealed the primary's root.
    pub equal: u8,
    /// Revealed that hints could not be had.
    pub unavailable: u8,
}

impl Tally {
    pub fn of(seats: &Outcomes) -> Self {
        let mut tally = Self::default();
        for seat in seats {
            // Five seats: no counter wraps.
            let count = |is: bool, counter: &mut u8| *counter = counter.wrapping_add(u8::from(is));
            let revealed = *seat >= SeatOutcome::Equal;
            count(*seat != SeatOutcome::Empty, &mut tally.joined);
            count(*seat >= SeatOutcome::Committed, &mut tally.committed);
            count(revealed, &mut tally.revealed);
            count(*seat == SeatOutcome::Equal, &mut tally.equal);
            count(*seat == SeatOutcome::Unavailable, &mut tally.unavailable);
        }
        tally
    }

    /// What the seats lose where the primary was right: everything but the equal ones' bonds, and
    /// of an unavailable one only `excused`.
    pub fn lost(&self, bond: Lamports, excused: Lamports) -> Result<Lamports> {
        let whole = self
            .joined
            .saturating_sub(self.equal)
            .saturating_sub(self.unavailable);
        bond.times(whole)?.plus(excused.times(self.unavailable)?)
    }
}
