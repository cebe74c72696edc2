//! The specification's table of verdicts, row by row, in plain 128-bit arithmetic. Written from the
//! table alone: it shares no code with the rules it judges.

use assay_protocol::verdict::{
    Origin,
    SeatOutcome::{self, Committed, Different, Empty, Equal, Joined, Unavailable},
    Verdict,
};

/// Money of one job: ceiling K, price P, audit fee a, collateral C, seats of level 1.
#[derive(Clone, Copy, Debug)]
pub struct Money {
    pub ceiling: i128,
    pub price: i128,
    pub fee: i128,
    pub collateral: i128,
    pub size: u8,
}

impl Money {
    pub fn escrow(&self) -> i128 {
        self.ceiling + i128::from(self.size) * self.fee
    }

    pub fn bond(&self) -> i128 {
        5 * self.fee
    }
}

/// Where a verdict leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Appealing,
    Settled,
    Faulted,
    Unresolved,
}

/// What every party has more or less than before the job was made; seats against their bond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub fate: Fate,
    pub verdict: Verdict,
    /// Back to the requester out of escrow and dispute bond.
    pub requester: i128,
    /// Paid to the primary.
    pub earned: i128,
    /// Lost by the primary.
    pub slash: i128,
    /// Gain of each seat; minus its bond if the bond is lost.
    pub seats1: [i128; 5],
    pub seats2: [i128; 5],
    pub burned: i128,
}

fn count(seats: &[SeatOutcome; 5], which: &[SeatOutcome]) -> i128 {
    seats
        .iter()
        .map(|seat| i128::from(which.contains(seat)))
        .sum()
}

const REVEALED: &[SeatOutcome] = &[Equal, Different, Unavailable];
const DISSENT: &[SeatOutcome] = &[Different, Unavailable];
const SILENT: &[SeatOutcome] = &[Joined, Committed];

/// The gain of each seat by what it did; a silent seat always loses its bond.
fn gains(
    seats: &[SeatOutcome; 5],
    bond: i128,
    [equal, different, unavailable]: [i128; 3],
) -> [i128; 5] {
    seats.map(|seat| match seat {
        Empty => 0,
        Joined | Committed => -bond,
        Equal => equal,
        Different => different,
        Unavailable => unavailable,
    })
}

/// The row of the table that applies, with what is burned stated as the table states it.
pub fn row(
    money: &Money,
    origin: Origin,
    primary_revealed: bool,
    level1: &[SeatOutcome; 5],
    level2: &[SeatOutcome; 5],
) -> Row {
    let silent_primary =
        |seats| !primary_revealed && count(seats, &[Committed, Equal, Different, Unavailable]) > 0;
    if origin == Origin::Draw {
        return if silent_primary(level1) {
            primary_silent(money, origin, level1, level2)
        } else {
            first(money, level1)
        };
    }
    if silent_primary(level2) {
        return primary_silent(money, origin, level1, level2);
    }
    let (for_it, against) = (count(level2, &[Equal]), count(level2, DISSENT));
    let quorum = for_it + against >= 3;
    if quorum && for_it > against {
        upheld(money, origin, level1, level2)
    } else if quorum && against > for_it {
        overturned(money, origin, level1, level2)
    } else {
        undecided(money, origin, level1, level2)
    }
}

/// L1 nobody joined, L1 all revealed equal, L1 any dissent or all silent.
fn first(money: &Money, level1: &[SeatOutcome; 5]) -> Row {
    let settled = |verdict, equal: i128, gain: [i128; 5], burned| Row {
        fate: Fate::Settled,
        verdict,
        requester: money.escrow() - money.price - equal * money.fee,
        earned: money.price,
        slash: 0,
        seats1: gain,
        seats2: [0; 5],
        burned,
    };
    let (equal, dissent) = (count(level1, &[Equal]), count(level1, DISSENT));
    if *level1 == [Empty; 5] {
        return settled(Verdict::Unattended, 0, [0; 5], 0);
    }
    if equal > 0 && dissent == 0 {
        let gain = gains(level1, money.bond(), [money.fee, 0, 0]);
        let burned = count(level1, SILENT) * money.bond();
        return settled(Verdict::Confirmed, equal, gain, burned);
    }
    Row {
        fate: Fate::Appealing,
        verdict: if dissent > 0 {
            Verdict::Dissent
        } else {
            Verdict::Silence
        },
        requester: 0,
        earned: 0,
        slash: 0,
        seats1: [0; 5],
        seats2: [0; 5],
        burned: 0,
    }
}

fn disputed(money: &Money, origin: Origin) -> i128 {
    if origin == Origin::Dispute {
        5 * money.fee
    } else {
        0
    }
}

/// L1 primary silent, and L2 primary silent, where somebody committed.
fn primary_silent(
    money: &Money,
    origin: Origin,
    level1: &[SeatOutcome; 5],
    level2: &[SeatOutcome; 5],
) -> Row {
    let fee = money.fee;
    let (first, seats) = if origin == Origin::Draw {
        ([fee; 3], level1)
    } else {
        ([0, 2 * fee, 2 * fee], level2)
    };
    let mut fees = count(seats, REVEALED) * fee;
    if origin == Origin::Dissent {
        fees += 2 * count(level1, DISSENT) * fee;
    }
    let silent = count(level1, SILENT) + count(level2, SILENT);
    Row {
        fate: Fate::Faulted,
        verdict: Verdict::PrimarySilent,
        requester: money.escrow() + disputed(money, origin),
        earned: 0,
        slash: money.collateral,
        seats1: gains(level1, money.bond(), first),
        seats2: gains(level2, money.bond(), [fee; 3]),
        burned: money.collateral - fees + silent * money.bond(),
    }
}

fn overturned(
    money: &Money,
    origin: Origin,
    level1: &[SeatOutcome; 5],
    level2: &[SeatOutcome; 5],
) -> Row {
    let (fee, bond) = (money.fee, money.bond());
    let fees = (count(level2, DISSENT) + 2 * count(level1, DISSENT)) * fee;
    let wrong = |seats| (count(seats, SILENT) + count(seats, &[Equal])) * bond;
    Row {
        fate: Fate::Faulted,
        verdict: Verdict::Overturned,
        requester: money.escrow() + disputed(money, origin),
        earned: 0,
        slash: money.collateral,
        seats1: gains(level1, bond, [-bond, 2 * fee, 2 * fee]),
        seats2: gains(level2, bond, [-bond, fee, fee]),
        burned: money.collateral - fees + wrong(level1) + wrong(level2),
    }
}

fn upheld(
    money: &Money,
    origin: Origin,
    level1: &[SeatOutcome; 5],
    level2: &[SeatOutcome; 5],
) -> Row {
    let (fee, bond) = (money.fee, money.bond());
    let winners = count(level2, &[Equal]);
    let equal1 = count(level1, &[Equal]);
    let lost = count(level1, SILENT) * bond
        + count(level1, &[Different]) * bond
        + count(level1, &[Unavailable]) * 2 * fee
        + count(level2, SILENT) * bond
        + count(level2, &[Different]) * bond
        + count(level2, &[Unavailable]) * fee;
    let (mut earned, mut each, mut burned) = (money.price, fee, lost - winners * fee);
    match origin {
        Origin::Dispute => {
            earned += 5 * fee - winners * fee;
            burned = lost;
        }
        Origin::Dissent if lost < winners * fee => {
            // Only where every dissent was 0xff: the price pays, never the stake.
            assert_eq!(count(level1, &[Different, Joined, Committed]), 0);
            let taken = (winners * fee - lost).min(money.price);
            earned -= taken;
            each = (lost + taken) / winners;
            burned = lost + taken - winners * each;
        }
        Origin::Draw | Origin::Dissent | Origin::Silence => {}
    }
    Row {
        fate: Fate::Settled,
        verdict: Verdict::Upheld,
        requester: money.escrow() - money.price - equal1 * fee,
        earned,
        slash: 0,
        seats1: gains(level1, bond, [fee, -bond, -2 * fee]),
        seats2: gains(level2, bond, [each, -bond, -fee]),
        burned,
    }
}

fn undecided(
    money: &Money,
    origin: Origin,
    level1: &[SeatOutcome; 5],
    level2: &[SeatOutcome; 5],
) -> Row {
    let (fee, bond) = (money.fee, money.bond());
    let voters = count(level2, REVEALED);
    let silent = (count(level1, SILENT) + count(level2, SILENT)) * bond;
    let mut row = Row {
        fate: Fate::Settled,
        verdict: Verdict::Undecided,
        requester: money.escrow() - money.price,
        earned: money.price,
        slash: 0,
        seats1: gains(level1, bond, [0; 3]),
        seats2: gains(level2, bond, [fee; 3]),
        burned: silent,
    };
    match origin {
        Origin::Draw | Origin::Dissent => {
            let each = if voters == 0 {
                0
            } else {
                (i128::from(money.size) * fee / voters).min(fee)
            };
            row.fate = Fate::Unresolved;
            row.requester = money.escrow() - voters * each;
            row.earned = 0;
            row.seats2 = gains(level2, bond, [each; 3]);
        }
        Origin::Silence => row.burned = silent - voters * fee,
        Origin::Dispute => row.requester += 5 * fee - voters * fee,
    }
    row
}
