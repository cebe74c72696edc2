//! What each row of the table says.

use super::{Case, Origin, QUORUM, SeatOutcome, Verdict, tally::Tally};
use crate::{amount::Lamports, error::Result, panel::BOND_FEES, status::JobStatus};

/// A resolution by what each kind of seat gets.
pub(super) struct Ruling {
    pub verdict: Verdict,
    pub status: JobStatus,
    pub refund: Lamports,
    pub paid: Lamports,
    pub bonus: Lamports,
    pub slash: Lamports,
    pub level1: Rates,
    pub level2: Rates,
}

impl Ruling {
    const fn new(verdict: Verdict, status: JobStatus) -> Self {
        Self {
            verdict,
            status,
            refund: Lamports::ZERO,
            paid: Lamports::ZERO,
            bonus: Lamports::ZERO,
            slash: Lamports::ZERO,
            level1: Rates::revealed(Lamports::ZERO),
            level2: Rates::revealed(Lamports::ZERO),
        }
    }

    const fn appeal(verdict: Verdict) -> Self {
        Self::new(verdict, JobStatus::Appealing)
    }
}

/// What a seat gets for what it revealed, its bond included; a silent one gets nothing.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    pub equal: Lamports,
    pub different: Lamports,
    pub unavailable: Lamports,
}

impl Rates {
    const fn revealed(paid: Lamports) -> Self {
        Self {
            equal: paid,
            different: paid,
            unavailable: paid,
        }
    }

    pub const fn of(&self, seat: SeatOutcome) -> Lamports {
        match seat {
            SeatOutcome::Empty | SeatOutcome::Joined | SeatOutcome::Committed => Lamports::ZERO,
            SeatOutcome::Equal => self.equal,
            SeatOutcome::Different => self.different,
            SeatOutcome::Unavailable => self.unavailable,
        }
    }
}

impl Case {
    pub(super) fn level1(&self, seats: &Tally) -> Result<Ruling> {
        if seats.joined == 0 {
            return self.pay(Verdict::Unattended);
        }
        if !self.primary_revealed && seats.committed != 0 {
            return self.fault(Verdict::PrimarySilent);
        }
        if seats.revealed == 0 {
            return Ok(Ruling::appeal(Verdict::Silence));
        }
        if seats.equal != seats.revealed {
            return Ok(Ruling::appeal(Verdict::Dissent));
        }
        let mut ruling = self.pay(Verdict::Confirmed)?;
        ruling.refund = ruling.refund.minus(self.fees(seats.equal)?)?;
        ruling.level1.equal = self.bond()?.plus(self.stakes.audit_fee)?;
        Ok(ruling)
    }

    pub(super) fn level2(&self, first: &Tally, seats: &Tally) -> Result<Ruling> {
        if !self.primary_revealed && seats.committed != 0 {
            return self.fault(Verdict::PrimarySilent);
        }
        // At most five seats: the difference is exact.
        let against = seats.revealed.wrapping_sub(seats.equal);
        if seats.revealed >= QUORUM && seats.equal > against {
            return self.uphold(first, seats);
        }
        if seats.revealed >= QUORUM && against > seats.equal {
            return self.fault(Verdict::Overturned);
        }
        self.leave_open(seats)
    }

    /// The requester's escrow less the price; the price to the primary.
    fn pay(&self, verdict: Verdict) -> Result<Ruling> {
        Ok(Ruling {
            refund: self.stakes.escrow.minus(self.stakes.price)?,
            paid: self.stakes.price,
            ..Ruling::new(verdict, JobStatus::Settled)
        })
    }

    /// The primary is at fault: the requester has everything back, and the collateral pays the
    /// auditors that said so, two fees each on level 1 (which took the risk of dissenting) and one
    /// on level 2. With a silent primary nothing can be compared: every reveal of the panel that
    /// waited for it earns one fee.
    fn fault(&self, verdict: Verdict) -> Result<Ruling> {
        let fee = self.stakes.audit_fee;
        let one = self.bond()?.plus(fee)?;
        let two = one.plus(fee)?;
        let mut ruling = Ruling {
            refund: self.stakes.escrow.plus(self.stakes.dispute_bond)?,
            slash: self.stakes.collateral,
            level1: Rates::revealed(if self.origin == Origin::Draw {
                one
            } else {
                two
            }),
            level2: Rates::revealed(one),
            ..Ruling::new(verdict, JobStatus::Faulted)
        };
        if verdict == Verdict::Overturned {
            ruling.level1.equal = Lamports::ZERO;
            ruling.level2.equal = Lamports::ZERO;
        }
        Ok(ruling)
    }

    /// Level 2 agrees with the primary. Who dissented lost its bond, which pays level 2; whoever
    /// only said that hints were missing loses a part, and what the fees then lack comes out of
    /// the price, never out of the stake.
    fn uphold(&self, first: &Tally, seats: &Tally) -> Result<Ruling> {
        let fee = self.stakes.audit_fee;
        let bond = self.bond()?;
        let mut ruling = self.pay(Verdict::Upheld)?;
        let mut fee2 = fee;
        match self.origin {
            Origin::Dispute => {
                ruling.bonus = self.stakes.dispute_bond.minus(self.fees(seats.equal)?)?;
            }
            Origin::Silence => {}
            Origin::Draw | Origin::Dissent => {
                let excused = fee.plus(fee)?;
                let lost = first.lost(bond, excused)?.plus(seats.lost(bond, fee)?)?;
                let lack = self.fees(seats.equal)?.0.saturating_sub(lost.0);
                let taken = Lamports(lack.min(self.stakes.price.0));
                ruling.paid = ruling.paid.minus(taken)?;
                ruling.refund = ruling.refund.minus(self.fees(first.equal)?)?;
                ruling.level1.equal = bond.plus(fee)?;
                ruling.level1.unavailable = bond.minus(excused)?;
                fee2 = share(lost.plus(taken)?, seats.equal, fee);
            }
        }
        ruling.level2.equal = bond.plus(fee2)?;
        ruling.level2.unavailable = bond.minus(fee)?;
        Ok(ruling)
    }

    /// Level 2 does not decide. A dissent stays unresolved: nobody is slashed or paid for the job.
    /// A silence or a dispute settles for the primary: otherwise a dispute where nobody can judge
    /// would be free inference.
    fn leave_open(&self, seats: &Tally) -> Result<Ruling> {
        let fee = self.stakes.audit_fee;
        let bond = self.bond()?;
        let mut ruling = self.pay(Verdict::Undecided)?;
        let mut fee2 = fee;
        match self.origin {
            Origin::Draw | Origin::Dissent => {
                fee2 = share(self.fees(self.stakes.panel_size)?, seats.revealed, fee);
                ruling.status = JobStatus::Unresolved;
                ruling.paid = Lamports::ZERO;
                ruling.refund = self.stakes.escrow.minus(fee2.times(seats.revealed)?)?;
                ruling.level1 = Rates::revealed(bond);
            }
            Origin::Silence => {}
            Origin::Dispute => {
                let rest = self.stakes.dispute_bond.minus(self.fees(seats.revealed)?)?;
                ruling.refund = ruling.refund.plus(rest)?;
            }
        }
        ruling.level2 = Rates::revealed(bond.plus(fee2)?);
        Ok(ruling)
    }

    pub(super) fn bond(&self) -> Result<Lamports> {
        self.stakes.audit_fee.times(BOND_FEES)
    }

    fn fees(&self, seats: u8) -> Result<Lamports> {
        self.stakes.audit_fee.times(seats)
    }
}

/// An equal share of `budget` for `seats` seats, rounded down, at most `fee`.
fn share(budget: Lamports, seats: u8, fee: Lamports) -> Lamports {
    if seats == 0 {
        return Lamports::ZERO;
    }
    Lamports((budget.0 / u64::from(seats)).min(fee.0))
}
