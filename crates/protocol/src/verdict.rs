//! The verdict: what every party gets once a panel has spoken, as one pure function.
//!
//! Panels compare everybody with the primary, never with each other. Level 1 is drawn by lot and
//! asks for unanimity; level 2 decides a dissent, a silence or a dispute by a strict majority of at
//! least three reveals. The table of cases is in docs/protocol.md; [`decide`] is its only copy.

use crate::{
    amount::Lamports, error::Result, limits::MAX_SEATS, panel::BOND_FEES, status::JobStatus,
};

mod tally;

use tally::Tally;

/// Reveals that level 2 needs to decide anything.
pub const QUORUM: u8 = 3;

/// What a seat did, seen from the primary's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeatOutcome {
    Empty,
    /// Never committed.
    Joined,
    /// Never revealed.
    Committed,
    /// Revealed the primary's root.
    Equal,
    /// Revealed another root.
    Different,
    /// Revealed that the hints could not be had.
    Unavailable,
}

impl SeatOutcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Empty,
        Self::Joined,
        Self::Committed,
        Self::Equal,
        Self::Different,
        Self::Unavailable,
    ];
}

/// What each seat of a panel did; seats beyond the panel's size are empty.
pub type Outcomes = [SeatOutcome; MAX_SEATS];
/// What each seat is paid, its bond included.
pub type Payouts = [Lamports; MAX_SEATS];

/// Nobody sat.
pub const NO_SEATS: Outcomes = [SeatOutcome::Empty; MAX_SEATS];
/// Nobody is paid.
pub const NO_PAYOUTS: Payouts = [Lamports::ZERO; MAX_SEATS];

/// Why the panel that speaks was convened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Level 1: drawn by lot, or not acknowledged.
    Draw,
    /// Level 2: somebody on level 1 revealed another root, or that hints were missing.
    Dissent,
    /// Level 2: level 1 was joined and nobody revealed.
    Silence,
    /// Level 2: the requester objected.
    Dispute,
}

/// How it ended, or why it goes on. Numbers are stored in the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// Level 1: nobody joined; the primary is paid.
    Unattended = 1,
    /// Level 1: every reveal equals the primary's.
    Confirmed = 2,
    /// Somebody committed and the primary did not reveal: it is at fault.
    PrimarySilent = 3,
    /// Level 1: somebody disagrees; level 2 decides.
    Dissent = 4,
    /// Level 1: joined, and nobody revealed; level 2 decides.
    Silence = 5,
    /// Level 2: the majority agrees with the primary.
    Upheld = 6,
    /// Level 2: the majority disagrees with the primary: it is at fault.
    Overturned = 7,
    /// Level 2: too few reveals, or a tie.
    Undecided = 8,
}

impl Verdict {
    /// The verdict with this number, if there is one.
    #[inline]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Unattended,
            2 => Self::Confirmed,
            3 => Self::PrimarySilent,
            4 => Self::Dissent,
            5 => Self::Silence,
            6 => Self::Upheld,
            7 => Self::Overturned,
            8 => Self::Undecided,
            _ => return None,
        })
    }

    /// Name in lower case, for tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unattended => "unattended",
            Self::Confirmed => "confirmed",
            Self::PrimarySilent => "primary silent",
            Self::Dissent => "dissent",
            Self::Silence => "silence",
            Self::Upheld => "upheld",
            Self::Overturned => "overturned",
            Self::Undecided => "undecided",
        }
    }
}

/// The money a job is about, in lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stakes {
    /// P, at most the ceiling.
    pub price: Lamports,
    /// E = K + panel size x a.
    pub escrow: Lamports,
    /// C.
    pub collateral: Lamports,
    /// a; a seat's bond is five of them.
    pub audit_fee: Lamports,
    /// D: five audit fees if the requester disputed, else zero.
    pub dispute_bond: Lamports,
    /// Seats of level 1.
    pub panel_size: u8,
}

/// Everything a verdict depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub stakes: Stakes,
    pub origin: Origin,
    pub primary_revealed: bool,
    pub level1: Outcomes,
    /// Nobody while level 1 is judged.
    pub level2: Outcomes,
}

/// What happens. `escrow + dispute bond + bonds + slash` is exactly `refund + paid + bonus +
/// payouts + burned`, unless the job goes to level 2 and no money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    pub verdict: Verdict,
    /// Appealing, Settled, Faulted or Unresolved.
    pub status: JobStatus,
    /// To the requester, its dispute bond included.
    pub refund: Lamports,
    /// To the primary as the job's price, the market's fee included.
    pub paid: Lamports,
    /// To the primary beside the price: what a lost dispute leaves.
    pub bonus: Lamports,
    /// From the primary's stake.
    pub slash: Lamports,
    /// To the incinerator.
    pub burned: Lamports,
    pub level1: Payouts,
    pub level2: Payouts,
}

/// The verdict of the panel that was convened last.
#[inline]
pub fn decide(case: &Case) -> Result<Resolution> {
    let mut resolution = match case.origin {
        Origin::Draw => case.level1()?,
        Origin::Dissent | Origin::Silence | Origin::Dispute => case.level2()?,
    };
    if resolution.status != JobStatus::Appealing {
        resolution.burned = case.rest(&resolution)?;
    }
    Ok(resolution)
}

impl Case {
    fn level1(&self) -> Result<Resolution> {
        let seats = Tally::of(&self.level1);
        if seats.joined == 0 {
            return self.pay(Verdict::Unattended);
        }
        if !self.primary_revealed && seats.committed != 0 {
            return self.fault(Verdict::PrimarySilent);
        }
        if seats.revealed == 0 {
            return Ok(Resolution::appeal(Verdict::Silence));
        }
        if seats.equal != seats.revealed {
            return Ok(Resolution::appeal(Verdict::Dissent));
        }
        let mut resolution = self.pay(Verdict::Confirmed)?;
        let paid = self.bond()?.plus(self.stakes.audit_fee)?;
        resolution.level1 = each(
            &self.level1,
            &Rates {
                equal: paid,
                ..Rates::NONE
            },
        );
        resolution.refund = resolution.refund.minus(self.fees(seats.equal)?)?;
        Ok(resolution)
    }

    fn level2(&self) -> Result<Resolution> {
        let seats = Tally::of(&self.level2);
        if !self.primary_revealed && seats.committed != 0 {
            return self.fault(Verdict::PrimarySilent);
        }
        let against = seats.revealed.saturating_sub(seats.equal);
        if seats.revealed >= QUORUM && seats.equal > against {
            return self.uphold(&seats);
        }
        if seats.revealed >= QUORUM && against > seats.equal {
            return self.fault(Verdict::Overturned);
        }
        self.leave_open(&seats)
    }

    /// The requester's escrow less the price; the price to the primary.
    fn pay(&self, verdict: Verdict) -> Result<Resolution> {
        Ok(Resolution {
            refund: self.stakes.escrow.minus(self.stakes.price)?,
            paid: self.stakes.price,
            ..Resolution::empty(verdict, JobStatus::Settled)
        })
    }

    /// The primary is at fault: the requester has everything back, and the collateral pays the
    /// auditors that said so, two fees each on level 1 (which took the risk of dissenting) and one
    /// on level 2. With a silent primary nothing can be compared: every reveal of the panel that
    /// waited for it earns one fee.
    fn fault(&self, verdict: Verdict) -> Result<Resolution> {
        let bond = self.bond()?;
        let one = bond.plus(self.stakes.audit_fee)?;
        let two = one.plus(self.stakes.audit_fee)?;
        let silent = verdict == Verdict::PrimarySilent;
        let rates = |paid| Rates {
            equal: if silent { paid } else { Lamports::ZERO },
            different: paid,
            unavailable: paid,
        };
        let first = if self.origin == Origin::Draw {
            one
        } else {
            two
        };
        Ok(Resolution {
            refund: self.stakes.escrow.plus(self.stakes.dispute_bond)?,
            slash: self.stakes.collateral,
            level1: each(&self.level1, &rates(first)),
            level2: each(&self.level2, &rates(one)),
            ..Resolution::empty(verdict, JobStatus::Faulted)
        })
    }

    /// Level 2 agrees with the primary. Who dissented lost its bond, which pays level 2; whoever
    /// only said that hints were missing loses a part, and what the fees then lack comes out of
    /// the price, never out of the stake.
    fn uphold(&self, seats: &Tally) -> Result<Resolution> {
        let fee = self.stakes.audit_fee;
        let bond = self.bond()?;
        let mut resolution = self.pay(Verdict::Upheld)?;
        let mut fee2 = fee;
        match self.origin {
            Origin::Dispute => {
                resolution.bonus = self.stakes.dispute_bond.minus(self.fees(seats.equal)?)?;
            }
            Origin::Silence => {}
            Origin::Draw | Origin::Dissent => {
                let first = Tally::of(&self.level1);
                let lost = first
                    .lost(bond, fee.times(2)?)?
                    .plus(seats.lost(bond, fee)?)?;
                let lack = self.fees(seats.equal)?.0.saturating_sub(lost.0);
                let taken = Lamports(lack.min(self.stakes.price.0));
                resolution.paid = resolution.paid.minus(taken)?;
                resolution.refund = resolution.refund.minus(self.fees(first.equal)?)?;
                fee2 = seats.share(lost.plus(taken)?, seats.equal, fee);
            }
        }
        resolution.level1 = each(
            &self.level1,
            &Rates {
                equal: bond.plus(fee)?,
                unavailable: bond.minus(fee.times(2)?)?,
                ..Rates::NONE
            },
        );
        resolution.level2 = each(
            &self.level2,
            &Rates {
                equal: bond.plus(fee2)?,
                unavailable: bond.minus(fee)?,
                ..Rates::NONE
            },
        );
        Ok(resolution)
    }

    /// Level 2 does not decide. A dissent stays unresolved: nobody is slashed or paid for the job.
    /// A silence or a dispute settles for the primary: otherwise a dispute where nobody can judge
    /// would be free inference.
    fn leave_open(&self, seats: &Tally) -> Result<Resolution> {
        let fee = self.stakes.audit_fee;
        let bond = self.bond()?;
        let mut resolution = self.pay(Verdict::Undecided)?;
        let mut fee2 = fee;
        let mut level1 = NO_PAYOUTS;
        match self.origin {
            Origin::Draw | Origin::Dissent => {
                let budget = self.fees(self.stakes.panel_size)?;
                fee2 = seats.share(budget, seats.revealed, fee);
                resolution.status = JobStatus::Unresolved;
                resolution.paid = Lamports::ZERO;
                resolution.refund = self.stakes.escrow.minus(fee2.times(seats.revealed)?)?;
                level1 = each(&self.level1, &Rates::revealed(bond));
            }
            Origin::Silence => {}
            Origin::Dispute => {
                let rest = self.stakes.dispute_bond.minus(self.fees(seats.revealed)?)?;
                resolution.refund = resolution.refund.plus(rest)?;
            }
        }
        resolution.level1 = level1;
        resolution.level2 = each(&self.level2, &Rates::revealed(bond.plus(fee2)?));
        Ok(resolution)
    }

    /// What is left for the incinerator; `AmountInsufficient` if more would be paid out
    /// than is there.
    fn rest(&self, resolution: &Resolution) -> Result<Lamports> {
        let seats = Tally::of(&self.level1)
            .joined
            .saturating_add(Tally::of(&self.level2).joined);
        let mut rest = self
            .stakes
            .escrow
            .plus(self.stakes.dispute_bond)?
            .plus(self.bond()?.times(seats)?)?
            .plus(resolution.slash)?
            .minus(resolution.refund)?
            .minus(resolution.paid)?
            .minus(resolution.bonus)?;
        for payout in resolution.level1.iter().chain(&resolution.level2) {
            rest = rest.minus(*payout)?;
        }
        Ok(rest)
    }

    fn bond(&self) -> Result<Lamports> {
        self.stakes.audit_fee.times(BOND_FEES)
    }

    fn fees(&self, seats: u8) -> Result<Lamports> {
        self.stakes.audit_fee.times(seats)
    }
}

/// What a seat gets for what it revealed; a silent one gets nothing.
struct Rates {
    equal: Lamports,
    different: Lamports,
    unavailable: Lamports,
}

impl Rates {
    const NONE: Self = Self::revealed(Lamports::ZERO);

    const fn revealed(paid: Lamports) -> Self {
        Self {
            equal: paid,
            different: paid,
            unavailable: paid,
        }
    }
}

fn each(seats: &Outcomes, rates: &Rates) -> Payouts {
    let mut payouts = NO_PAYOUTS;
    for (paid, seat) in payouts.iter_mut().zip(seats) {
        *paid = match seat {
            SeatOutcome::Empty | SeatOutcome::Joined | SeatOutcome::Committed => Lamports::ZERO,
            SeatOutcome::Equal => rates.equal,
            SeatOutcome::Different => rates.different,
            SeatOutcome::Unavailable => rates.unavailable,
        };
    }
    payouts
}

impl Resolution {
    const fn empty(verdict: Verdict, status: JobStatus) -> Self {
        Self {
            verdict,
            status,
            refund: Lamports::ZERO,
            paid: Lamports::ZERO,
            bonus: Lamports::ZERO,
            slash: Lamports::ZERO,
            burned: Lamports::ZERO,
            level1: NO_PAYOUTS,
            level2: NO_PAYOUTS,
        }
    }

    const fn appeal(verdict: Verdict) -> Self {
        Self::empty(verdict, JobStatus::Appealing)
    }
}
