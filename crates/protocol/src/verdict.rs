//! The verdict: what every party gets once a panel has spoken, as one pure function.
//!
//! Panels compare everybody with the primary, never with each other. Level 1 is drawn by lot and
//! asks for unanimity; level 2 decides a dissent, a silence or a dispute by a strict majority of at
//! least three reveals. The table of cases is in docs/protocol.md; [`decide`] is its only copy.

use crate::{amount::Lamports, error::Result, limits::MAX_SEATS, status::JobStatus};

mod ruling;
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
