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
    let first = Tally::of(&case.level1);
    let second = Tally::of(&case.level2);
    let ruling = match case.origin {
        Origin::Draw => case.level1(&first)?,
        Origin::Dissent | Origin::Silence | Origin::Dispute => case.level2(&first, &second)?,
    };
    let stakes = &case.stakes;
    let mut resolution = Resolution {
        verdict: ruling.verdict,
        status: ruling.status,
        refund: ruling.refund,
        paid: ruling.paid,
        bonus: ruling.bonus,
        slash: ruling.slash,
        burned: Lamports::ZERO,
        level1: NO_PAYOUTS,
        level2: NO_PAYOUTS,
    };
    if ruling.status == JobStatus::Appealing {
        return Ok(resolution);
    }
    // Checked: more would have to be there than is, or nothing is paid.
    let mut rest = stakes
        .escrow
        .plus(stakes.dispute_bond)?
        .plus(
            case.bond()?
                .times(first.joined.wrapping_add(second.joined))?,
        )?
        .plus(ruling.slash)?
        .minus(ruling.refund)?
        .minus(ruling.paid)?
        .minus(ruling.bonus)?;
    let panels = [
        (&case.level1, &ruling.level1, &mut resolution.level1),
        (&case.level2, &ruling.level2, &mut resolution.level2),
    ];
    for (seats, rates, payouts) in panels {
        for (seat, payout) in seats.iter().zip(payouts) {
            *payout = rates.of(*seat);
            rest = rest.minus(*payout)?;
        }
    }
    resolution.burned = rest;
    Ok(resolution)
}

/// A resolution by what each kind of seat gets.
struct Ruling {
    verdict: Verdict,
    status: JobStatus,
    refund: Lamports,
    paid: Lamports,
    bonus: Lamports,
    slash: Lamports,
    level1: Rates,
    level2: Rates,
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
struct Rates {
    equal: Lamports,
    different: Lamports,
    unavailable: Lamports,
}

impl Rates {
    const fn revealed(paid: Lamports) -> Self {
        Self {
            equal: paid,
            different: paid,
            unavailable: paid,
        }
    }

    const fn of(&self, seat: SeatOutcome) -> Lamports {
        match seat {
            SeatOutcome::Empty | SeatOutcome::Joined | SeatOutcome::Committed => Lamports::ZERO,
            SeatOutcome::Equal => self.equal,
            SeatOutcome::Different => self.different,
            SeatOutcome::Unavailable => self.unavailable,
        }
    }
}

impl Case {
    fn level1(&self, seats: &Tally) -> Result<Ruling> {
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

    fn level2(&self, first: &Tally, seats: &Tally) -> Result<Ruling> {
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

    fn bond(&self) -> Result<Lamports> {
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
