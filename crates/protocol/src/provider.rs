//! A provider: its keys, its stake and what it earned.

use bytemuck::{Pod, Zeroable};

use crate::{
    Address, LAYOUT_VERSION,
    amount::{Lamports, Split},
    args::ProviderArgs,
    error::{Error, Result},
    job::JobData,
    limits::ENDPOINT_BYTES,
    market::MarketParams,
    panel::SettledSeat,
    text,
    time::{Seconds, UnixSeconds},
};

/// Account data of a provider, after the discriminator. Amounts in lamports, times in unix
/// seconds. Money fields: `stake` (of which `reserved` and `unbonding` are parts), `earnings`,
/// `fees_due`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct ProviderData {
    pub version: u8,
    /// Always 1 once registered.
    pub status: u8,
    pub bump: u8,
    pub flags: u8,
    pub sequence: u32,
    /// Cold key: stakes, withdraws, changes the operator.
    pub authority: Address,
    /// Hot key: claims, commits, finalizes; can never move money out.
    pub operator: Address,
    /// Gets the rent back on deregistration.
    pub rent_payer: Address,
    /// Digest of the facts that decide numeric results; providers of one class compare exactly.
    pub runtime_class: [u8; 32],
    /// Base url of the worker's HTTP service, ASCII, zero-padded.
    pub endpoint: [u8; ENDPOINT_BYTES],
    /// The whole bond, reserved and unbonding parts included.
    pub stake: u64,
    /// Collateral of live jobs, a part of the stake.
    pub reserved: u64,
    /// On its way out, a part of the stake.
    pub unbonding: u64,
    /// Withdrawable income.
    pub earnings: u64,
    /// The market's share of settled prices, moved to the treasury with the next withdrawal.
    pub fees_due: u64,
    /// When `unbonding` becomes withdrawable: after this moment.
    pub unbond_at: i64,
    /// Since when the stake has lain unchanged by deposits or class changes.
    pub aged_at: i64,
    /// Slot of registration: tells a re-created account from the one before.
    pub generation: u64,
    pub total_earned: u64,
    pub total_slashed: u64,
    /// Panel seats not yet settled.
    pub live_seats: u32,
    /// Jobs claimed and not yet ended.
    pub live_jobs: u32,
    pub jobs_settled: u32,
    pub jobs_faulted: u32,
    pub jobs_late: u32,
    pub jobs_released: u32,
    /// Unbonding time promised at registration; a later, longer one does not apply.
    pub unbond_secs: u32,
    /// Panel seats that earned a fee.
    pub audits_paid: u32,
    /// Panel seats that lost their bond or a part of it.
    pub audits_lost: u32,
    pub endpoint_len: u8,
    pub reserved_bytes: [u8; 43],
}

/// Who registers a provider, and when.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    pub authority: Address,
    pub rent_payer: Address,
    pub bump: u8,
    /// Slot of the registration.
    pub generation: u64,
    pub now: UnixSeconds,
}

impl ProviderData {
    /// A provider without stake, registered in slot `generation`.
    pub fn new(at: &Registration, params: &MarketParams) -> Self {
        Self {
            version: LAYOUT_VERSION,
            status: 1,
            bump: at.bump,
            sequence: 0,
            authority: at.authority,
            rent_payer: at.rent_payer,
            generation: at.generation,
            aged_at: at.now.0,
            unbond_secs: params.unbond_secs,
            ..Self::zeroed()
        }
    }

    /// Stake neither reserved nor unbonding.
    #[inline]
    pub fn free_stake(&self) -> Result<Lamports> {
        Lamports(self.stake)
            .minus(Lamports(self.reserved))?
            .minus(Lamports(self.unbonding))
    }

    /// Sets what the authority may change. A changed class restarts the stake's age.
    pub fn configure(&mut self, args: &ProviderArgs, now: UnixSeconds) -> Result<()> {
        if args.operator == Address::default() {
            return Err(Error::ProviderOperatorMissing);
        }
        text::check(&args.endpoint, args.endpoint_len)?;
        if self.runtime_class != args.runtime_class {
            self.aged_at = now.0;
        }
        self.operator = args.operator;
        self.runtime_class = args.runtime_class;
        self.endpoint = args.endpoint;
        self.endpoint_len = args.endpoint_len;
        self.changed()
    }

    /// [`Error::ProviderAuthorityMismatch`] for anyone else.
    #[inline]
    pub fn require_authority(&self, signer: &Address) -> Result<()> {
        if *signer == self.authority {
            Ok(())
        } else {
            Err(Error::ProviderAuthorityMismatch)
        }
    }

    /// [`Error::ProviderOperatorMismatch`] for anyone else.
    #[inline]
    pub fn require_operator(&self, signer: &Address) -> Result<()> {
        if *signer == self.operator {
            Ok(())
        } else {
            Err(Error::ProviderOperatorMismatch)
        }
    }

    /// Whether this is the provider's authority or its operator.
    #[inline]
    pub fn is_party(&self, signer: &Address) -> bool {
        *signer == self.operator || *signer == self.authority
    }

    /// Adds stake and restarts its age.
    #[inline]
    pub fn deposit(
        &mut self,
        amount: Lamports,
        params: &MarketParams,
        now: UnixSeconds,
    ) -> Result<()> {
        if amount == Lamports::ZERO {
            return Err(Error::AmountZero);
        }
        let stake = Lamports(self.stake).plus(amount)?;
        if stake.0 < params.min_stake {
            return Err(Error::ProviderStakeBelowMinimum);
        }
        self.stake = stake.0;
        self.aged_at = now.0;
        self.changed()
    }

    /// Starts to take stake out. A second call joins the first and restarts the waiting time of
    /// both. The wait is the market's, and never longer than the one at registration: nobody can
    /// lock stake in by changing parameters.
    #[inline]
    pub fn unbond(
        &mut self,
        amount: Lamports,
        params: &MarketParams,
        now: UnixSeconds,
    ) -> Result<()> {
        if amount == Lamports::ZERO {
            return Err(Error::AmountZero);
        }
        if amount > self.free_stake()? {
            return Err(Error::ProviderStakeInsufficient);
        }
        let unbonding = Lamports(self.unbonding).plus(amount)?;
        self.unbonding = unbonding.0;
        self.unbond_at = now
            .after(Seconds(params.unbond_secs.min(self.unbond_secs)))?
            .0;
        self.changed()
    }

    /// Takes the unbonded stake out; returns how much.
    #[inline]
    pub fn withdraw_stake(&mut self, now: UnixSeconds) -> Result<Lamports> {
        if self.unbonding == 0 {
            return Err(Error::ProviderNothingUnbonding);
        }
        if UnixSeconds(self.unbond_at).allows(now) {
            return Err(Error::ProviderStillUnbonding);
        }
        let amount = Lamports(self.unbonding);
        self.stake = Lamports(self.stake).minus(amount)?.0;
        self.unbonding = 0;
        self.unbond_at = 0;
        self.changed()?;
        Ok(amount)
    }

    /// Takes income and fees out; returns `(earnings, fees_due)`.
    #[inline]
    pub fn withdraw_earnings(&mut self) -> Result<(Lamports, Lamports)> {
        let taken = (Lamports(self.earnings), Lamports(self.fees_due));
        if taken == (Lamports::ZERO, Lamports::ZERO) {
            return Err(Error::ProviderNothingEarned);
        }
        self.earnings = 0;
        self.fees_due = 0;
        self.changed()?;
        Ok(taken)
    }

    /// Whether the account may be closed.
    pub fn require_empty(&self) -> Result<()> {
        if self.reserved != 0 || self.live_seats != 0 || self.live_jobs != 0 {
            return Err(Error::ProviderHasLiveWork);
        }
        if self.stake != 0 || self.unbonding != 0 {
            return Err(Error::ProviderHasStake);
        }
        if self.earnings != 0 || self.fees_due != 0 {
            return Err(Error::ProviderHasEarnings);
        }
        Ok(())
    }

    /// Sets collateral aside for one job.
    #[inline]
    pub fn reserve(&mut self, collateral: Lamports) -> Result<()> {
        if collateral > self.free_stake()? {
            return Err(Error::ProviderStakeInsufficient);
        }
        self.reserved = Lamports(self.reserved).plus(collateral)?.0;
        self.live_jobs = self.live_jobs.checked_add(1).ok_or(Error::AmountOverflow)?;
        self.changed()
    }

    /// Frees one job's collateral and takes `slash` of it; the caller moves the lamports.
    #[inline]
    pub fn unreserve(&mut self, collateral: Lamports, slash: Lamports) -> Result<()> {
        if slash > collateral {
            return Err(Error::InvariantViolated);
        }
        self.reserved = Lamports(self.reserved).minus(collateral)?.0;
        self.stake = Lamports(self.stake).minus(slash)?.0;
        self.total_slashed = self.total_slashed.saturating_add(slash.0);
        self.live_jobs = self
            .live_jobs
            .checked_sub(1)
            .ok_or(Error::InvariantViolated)?;
        self.changed()
    }

    /// Books a settled price; the caller moves the lamports.
    #[inline]
    pub fn earn(&mut self, split: Split) -> Result<()> {
        self.earnings = Lamports(self.earnings).plus(split.earned)?.0;
        self.fees_due = Lamports(self.fees_due).plus(split.fee)?.0;
        self.total_earned = self.total_earned.saturating_add(split.earned.0);
        self.jobs_settled = self.jobs_settled.saturating_add(1);
        Ok(())
    }

    /// Books a session's settled voucher; the caller moves the lamports.
    #[inline]
    pub fn earn_session(&mut self, split: Split) -> Result<()> {
        self.earnings = Lamports(self.earnings).plus(split.earned)?.0;
        self.fees_due = Lamports(self.fees_due).plus(split.fee)?.0;
        self.total_earned = self.total_earned.saturating_add(split.earned.0);
        self.changed()
    }

    /// Books what a lost dispute leaves to the primary beside the price; the caller moves the
    /// lamports.
    #[inline]
    pub fn earn_bonus(&mut self, bonus: Lamports) -> Result<()> {
        self.earnings = Lamports(self.earnings).plus(bonus)?.0;
        self.total_earned = self.total_earned.saturating_add(bonus.0);
        Ok(())
    }

    /// Sortition tickets: whole ticket stakes in what is not unbonding.
    #[inline]
    pub fn tickets(&self, ticket_stake: Lamports) -> Result<u32> {
        let staked = Lamports(self.stake).minus(Lamports(self.unbonding))?;
        let tickets = staked.0.checked_div(ticket_stake.0).unwrap_or(0);
        Ok(u32::try_from(tickets).unwrap_or(u32::MAX))
    }

    /// Whether this provider, at `address`, may audit a job with this ticket; its free stake is
    /// checked by [`Self::take_seat`].
    #[inline]
    pub fn require_auditor(&self, address: &Address, job: &JobData, ticket: u32) -> Result<()> {
        if job.provider == *address {
            return Err(Error::SeatPrimaryRefused);
        }
        job.require_class(&self.runtime_class)?;
        let aged = UnixSeconds(self.aged_at).after(Seconds(job.stake_age_secs))?;
        if aged.0 > job.created_at {
            return Err(Error::SeatStakeTooYoung);
        }
        if ticket >= self.tickets(Lamports(job.ticket_stake))? {
            return Err(Error::SeatTicketInvalid);
        }
        Ok(())
    }

    /// Moves a seat's bond out of the free stake; the caller moves the lamports.
    #[inline]
    pub fn take_seat(&mut self, bond: Lamports) -> Result<()> {
        if bond > self.free_stake()? {
            return Err(Error::ProviderStakeInsufficient);
        }
        self.stake = Lamports(self.stake).minus(bond)?.0;
        self.live_seats = self
            .live_seats
            .checked_add(1)
            .ok_or(Error::AmountOverflow)?;
        self.changed()
    }

    /// Takes a seat's bond back from a better ticket; the caller moves the lamports.
    #[inline]
    pub fn leave_seat(&mut self, bond: Lamports) -> Result<()> {
        self.stake = Lamports(self.stake).plus(bond)?.0;
        self.unseat()
    }

    /// Books a settled seat: the bond, as far as the payout reaches, back to the stake, the rest
    /// to the earnings. Returns both parts; the caller moves the lamports.
    #[inline]
    pub fn settle_seat(&mut self, seat: &SettledSeat) -> Result<(Lamports, Lamports)> {
        let returned = seat.payout.min(seat.bond);
        let earned = seat.payout.minus(returned)?;
        let lost = seat.bond.minus(returned)?;
        self.stake = Lamports(self.stake).plus(returned)?.0;
        self.earnings = Lamports(self.earnings).plus(earned)?.0;
        self.total_earned = self.total_earned.saturating_add(earned.0);
        self.total_slashed = self.total_slashed.saturating_add(lost.0);
        if earned != Lamports::ZERO {
            self.audits_paid = self.audits_paid.saturating_add(1);
        }
        if lost != Lamports::ZERO {
            self.audits_lost = self.audits_lost.saturating_add(1);
        }
        self.unseat()?;
        Ok((returned, earned))
    }

    fn unseat(&mut self) -> Result<()> {
        self.live_seats = self
            .live_seats
            .checked_sub(1)
            .ok_or(Error::InvariantViolated)?;
        self.changed()
    }

    /// Counts the change and checks `reserved + unbonding <= stake`.
    #[inline]
    fn changed(&mut self) -> Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        self.check()
    }

    /// `reserved + unbonding <= stake`; [`Error::InvariantViolated`] otherwise.
    #[inline]
    pub fn check(&self) -> Result<()> {
        self.free_stake()
            .map(|_| ())
            .map_err(|_| Error::InvariantViolated)
    }

    /// Lamports this account holds for its owner beyond rent.
    pub fn money(&self) -> Result<Lamports> {
        Lamports(self.stake)
            .plus(Lamports(self.earnings))?
            .plus(Lamports(self.fees_due))
    }
}
