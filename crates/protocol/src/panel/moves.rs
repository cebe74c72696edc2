//! How a panel fills, hears its auditors and pays them.

use super::{PanelData, PanelStatus, Phase, SeatData, SeatState};
use crate::{
    Address,
    amount::Lamports,
    commitment::{Opening, Role},
    digest::{Digest, is_zero},
    error::{Error, Result},
    job::JobData,
    limits::MAX_SEATS,
    time::UnixSeconds,
    verdict::Payouts,
};

/// A provider that asks for a seat, with the score of one of its tickets.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub provider: Address,
    pub generation: u64,
    pub score: u64,
}

/// A seat taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Position of the seat.
    pub seat: u8,
    /// Whoever had to leave it; its bond goes back. Zero if the seat was empty.
    pub evicted: Address,
    /// The evicted provider's generation.
    pub evicted_generation: u64,
}

/// A seat paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledSeat {
    pub bond: Lamports,
    pub payout: Lamports,
}

impl PanelData {
    /// Gives a candidate an empty seat, or the one with the highest score if its own is lower.
    #[inline]
    pub fn join(&mut self, candidate: &Candidate, now: UnixSeconds) -> Result<Joined> {
        self.require_live()?;
        if self.phase(now, false) != Phase::Join {
            return Err(Error::PanelNotJoining);
        }
        if self.seats_provider(&candidate.provider) {
            return Err(Error::SeatProviderSeated);
        }
        let bond = self.bond;
        let full = self.joined >= self.size;
        let (position, seat) = self.seat_to_take()?;
        let evicted = (seat.provider, seat.generation);
        if full && candidate.score >= seat.score {
            return Err(Error::SeatScoreTooHigh);
        }
        seat.provider = candidate.provider;
        seat.generation = candidate.generation;
        seat.score = candidate.score;
        seat.state = SeatState::Joined as u8;
        if !full {
            self.joined = self.joined.saturating_add(1);
            self.bonds = Lamports(self.bonds).plus(Lamports(bond))?.0;
        }
        self.changed();
        Ok(Joined {
            seat: position,
            evicted: evicted.0,
            evicted_generation: evicted.1,
        })
    }

    /// The first empty seat, or, with none left, the one with the highest score.
    #[inline]
    fn seat_to_take(&mut self) -> Result<(u8, &mut SeatData)> {
        let mut position = 0_u8;
        let mut highest: Option<(u8, &mut SeatData)> = None;
        for seat in self.seats.iter_mut().take(usize::from(self.size)) {
            if seat.state == SeatState::Empty as u8 {
                return Ok((position, seat));
            }
            if highest
                .as_ref()
                .is_none_or(|(_, held)| held.score < seat.score)
            {
                highest = Some((position, seat));
            }
            position = position.saturating_add(1);
        }
        highest.ok_or(Error::SeatIndexInvalid)
    }

    /// Fixes a seated auditor's result.
    #[inline]
    pub fn commit(
        &mut self,
        seat: u8,
        provider: (&Address, u64),
        commitment: &[u8; 32],
        now: UnixSeconds,
    ) -> Result<()> {
        self.require_live()?;
        if self.phase(now, false) != Phase::Commit {
            return Err(Error::PanelNotCommitting);
        }
        if is_zero(commitment) {
            return Err(Error::SeatCommitmentMissing);
        }
        let seat = self.seat_of(seat, provider)?;
        if seat.state != SeatState::Joined as u8 {
            return Err(Error::SeatNotJoined);
        }
        seat.digest = *commitment;
        seat.state = SeatState::Committed as u8;
        self.committed = self.committed.saturating_add(1);
        self.changed();
        Ok(())
    }

    /// Opens a seat's commitment. Whoever knows the opening may send it: it changes nothing but
    /// that the root is known. Returns the seat's provider.
    #[inline]
    pub fn reveal(
        &mut self,
        position: u8,
        at: (&Address, &Address),
        job: &JobData,
        opened: (&[u8; 32], &[u8; 32]),
        now: UnixSeconds,
    ) -> Result<Address> {
        self.require_live()?;
        if self.phase(now, job.is_revealed()) != Phase::Reveal {
            return Err(Error::PanelNotRevealing);
        }
        let role = Role::auditor(self.level);
        let (program_id, job_address) = at;
        let (salt, root) = opened;
        let seat = self.seat(position)?;
        if seat.state != SeatState::Committed as u8 {
            return Err(Error::SeatNotCommitted);
        }
        if is_zero(root) {
            return Err(Error::RootInvalid);
        }
        let opening = Opening {
            program_id,
            job: job_address,
            attempt: job.attempt,
            role,
            provider: &seat.provider,
            generation: seat.generation,
            salt,
            root: &Digest(*root),
            hints_digest: &Digest(job.hints_digest),
            runtime_class: &job.runtime_class,
        };
        if opening.commitment().0 != seat.digest {
            return Err(Error::OpeningMismatch);
        }
        seat.digest = *root;
        seat.state = SeatState::Revealed as u8;
        let provider = seat.provider;
        self.revealed = self.revealed.saturating_add(1);
        self.changed();
        Ok(provider)
    }

    /// Leaves the seats as they are for the second panel to judge.
    #[inline]
    pub fn appeal(&mut self) {
        self.status = PanelStatus::Appealed as u8;
        self.changed();
    }

    /// Fixes every seat's payout; the caller has moved the lamports so that `bonds` is their sum.
    #[inline]
    pub fn resolve(&mut self, payouts: &Payouts) -> Result<()> {
        if self.status == PanelStatus::Resolved as u8 {
            return Err(Error::PanelNotLive);
        }
        let mut sum = Lamports::ZERO;
        for (seat, payout) in self.seats.iter_mut().zip(payouts) {
            if seat.state == SeatState::Empty as u8 && *payout != Lamports::ZERO {
                return Err(Error::InvariantViolated);
            }
            seat.payout = payout.0;
            sum = sum.plus(*payout)?;
        }
        self.bonds = sum.0;
        self.status = PanelStatus::Resolved as u8;
        self.changed();
        Ok(())
    }

    /// Takes a seat's payout out; the caller moves the lamports.
    #[inline]
    pub fn settle_seat(&mut self, position: u8, provider: (&Address, u64)) -> Result<SettledSeat> {
        if self.status != PanelStatus::Resolved as u8 {
            return Err(Error::PanelNotResolved);
        }
        let bond = Lamports(self.bond);
        let seat = self.seat_of(position, provider)?;
        if seat.state == SeatState::Settled as u8 {
            return Err(Error::SeatSettled);
        }
        seat.state = SeatState::Settled as u8;
        let payout = Lamports(seat.payout);
        self.bonds = Lamports(self.bonds).minus(payout)?.0;
        self.changed();
        Ok(SettledSeat { bond, payout })
    }

    /// The seat at a position, if that provider, in that generation, holds it.
    #[inline]
    fn seat_of(&mut self, position: u8, provider: (&Address, u64)) -> Result<&mut SeatData> {
        let seat = self.seat(position)?;
        if seat.state != SeatState::Empty as u8
            && seat.provider == *provider.0
            && seat.generation == provider.1
        {
            Ok(seat)
        } else {
            Err(Error::SeatProviderMismatch)
        }
    }

    #[inline]
    fn seat(&mut self, position: u8) -> Result<&mut SeatData> {
        const { assert!(MAX_SEATS <= u8::MAX as usize) };
        self.seats
            .get_mut(usize::from(position))
            .ok_or(Error::SeatIndexInvalid)
    }

    #[inline]
    fn changed(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }
}
