//! Every verdict there is: all combinations of what seats, the primary and the requester did,
//! against the specification's table.

use assay_protocol::{
    Error, JobStatus, Lamports,
    verdict::{
        Case, NO_PAYOUTS, NO_SEATS, Origin, Outcomes, Resolution,
        SeatOutcome::{self, Committed, Different, Empty, Equal, Unavailable},
        Stakes, decide,
    },
};

mod examples;
mod honest;
mod oracle;
mod walk;

use oracle::{Fate, Money, Row, row};

/// Largest term, 2^49 lamports.
const MOST: i128 = 1 << 49;

/// Ceiling, price, fee and collateral: fee at both bounds, price at both, amounts that do not
/// divide, least collateral, largest terms.
const MONEY: [(i128, i128, i128, i128); 9] = [
    (1_000, 600, 1_000, 20_000),
    (1_000, 1_000, 2_000, 40_000),
    (1_000, 0, 1_000, 20_000),
    (1_000, 1_000, 1_001, 20_020),
    (7, 5, 11, 220),
    (1, 1, 1, 20),
    (1, 0, 2, 41),
    (997, 13, 1_009, 99_991),
    (MOST / 20, MOST / 20 - 1, MOST / 20, MOST),
];

fn settings(size: u8) -> impl Iterator<Item = Money> {
    MONEY
        .into_iter()
        .map(move |(ceiling, price, fee, collateral)| Money {
            ceiling,
            price,
            fee,
            collateral,
            size,
        })
}

fn lamports(amount: i128) -> Lamports {
    Lamports(u64::try_from(amount).unwrap())
}

fn case(
    money: &Money,
    origin: Origin,
    primary_revealed: bool,
    level1: Outcomes,
    level2: Outcomes,
) -> Case {
    let dispute_bond = if origin == Origin::Dispute {
        5 * money.fee
    } else {
        0
    };
    Case {
        stakes: Stakes {
            price: lamports(money.price),
            escrow: lamports(money.escrow()),
            collateral: lamports(money.collateral),
            audit_fee: lamports(money.fee),
            dispute_bond: lamports(dispute_bond),
            panel_size: money.size,
        },
        origin,
        primary_revealed,
        level1,
        level2,
    }
}

/// Every order of outcomes on the first `seats` seats.
fn all_orders(seats: u32) -> impl Iterator<Item = Outcomes> {
    (0..6_usize.pow(seats)).map(move |mut number| {
        let mut outcomes = NO_SEATS;
        for outcome in outcomes.iter_mut().take(seats as usize) {
            *outcome = SeatOutcome::ALL[number % 6];
            number /= 6;
        }
        outcomes
    })
}

/// Every multiset of outcomes on the first `seats` seats, once.
fn all_kinds(seats: u32) -> impl Iterator<Item = Outcomes> {
    all_orders(seats).filter(move |outcomes| {
        let taken = outcomes.iter().take(seats as usize);
        taken.is_sorted_by(|a, b| a >= b)
    })
}

fn joined(seats: &Outcomes) -> i128 {
    seats.iter().map(|seat| i128::from(*seat != Empty)).sum()
}

/// Whether the program can come to this case at all.
fn reachable(case: &Case) -> bool {
    let did = |seats: &Outcomes, what: fn(&SeatOutcome) -> bool| seats.iter().any(what);
    let committed = |seats| did(seats, |seat| *seat >= Committed);
    // Compared with an unknown root nothing is equal, and whoever revealed did so for a panel
    // somebody committed on.
    let no_equals =
        !did(&case.level1, |seat| *seat == Equal) && !did(&case.level2, |seat| *seat == Equal);
    let known = case.primary_revealed || no_equals;
    known
        && match case.origin {
            Origin::Draw => {
                case.level2 == NO_SEATS && (!case.primary_revealed || committed(&case.level1))
            }
            // The primary must have revealed for level 1 to be a dissent.
            Origin::Dissent => {
                case.primary_revealed
                    && did(&case.level1, |seat| matches!(seat, Different | Unavailable))
            }
            Origin::Silence => {
                case.level1 != NO_SEATS
                    && case.level1.iter().all(|seat| *seat <= Committed)
                    && (case.primary_revealed || !committed(&case.level1))
                    && (!case.primary_revealed
                        || committed(&case.level1)
                        || committed(&case.level2))
            }
            Origin::Dispute => {
                case.level1 == NO_SEATS && (!case.primary_revealed || committed(&case.level2))
            }
        }
}

fn expected_status(fate: Fate) -> JobStatus {
    match fate {
        Fate::Appealing => JobStatus::Appealing,
        Fate::Settled => JobStatus::Settled,
        Fate::Faulted => JobStatus::Faulted,
        Fate::Unresolved => JobStatus::Unresolved,
    }
}

fn payouts(seats: &Outcomes, gains: &[i128; 5], bond: i128) -> [Lamports; 5] {
    let mut payouts = NO_PAYOUTS;
    for ((payout, seat), gain) in payouts.iter_mut().zip(seats).zip(gains) {
        if *seat != Empty {
            *payout = lamports(bond + gain);
        }
    }
    payouts
}

/// The table's row, to the lamport, and nothing created or lost on the way.
fn check(money: &Money, case: &Case, resolution: &Resolution) {
    let expected: Row = row(
        money,
        case.origin,
        case.primary_revealed,
        &case.level1,
        &case.level2,
    );
    let what = || format!("{case:?}");
    assert_eq!(
        resolution.status,
        expected_status(expected.fate),
        "{}",
        what()
    );
    assert_eq!(resolution.verdict, expected.verdict, "{}", what());
    if expected.fate == Fate::Appealing {
        let still = Resolution {
            verdict: resolution.verdict,
            status: JobStatus::Appealing,
            refund: Lamports::ZERO,
            paid: Lamports::ZERO,
            bonus: Lamports::ZERO,
            slash: Lamports::ZERO,
            burned: Lamports::ZERO,
            level1: NO_PAYOUTS,
            level2: NO_PAYOUTS,
        };
        assert_eq!(*resolution, still, "no money moves: {}", what());
        return;
    }
    let bond = money.bond();
    assert_eq!(
        resolution.refund,
        lamports(expected.requester),
        "{}",
        what()
    );
    let earned = resolution.paid.plus(resolution.bonus).unwrap();
    assert_eq!(earned, lamports(expected.earned), "{}", what());
    assert!(i128::from(resolution.paid.0) <= money.price, "{}", what());
    assert_eq!(resolution.slash, lamports(expected.slash), "{}", what());
    assert_eq!(
        resolution.level1,
        payouts(&case.level1, &expected.seats1, bond),
        "{}",
        what()
    );
    assert_eq!(
        resolution.level2,
        payouts(&case.level2, &expected.seats2, bond),
        "{}",
        what()
    );
    assert_eq!(resolution.burned, lamports(expected.burned), "{}", what());
    conserved(money, case, resolution);
}

/// What comes in is what goes out, and the slash covers what it pays for.
fn conserved(money: &Money, case: &Case, resolution: &Resolution) {
    let sum =
        |payouts: &[Lamports]| -> i128 { payouts.iter().map(|paid| i128::from(paid.0)).sum() };
    let inflow = money.escrow()
        + i128::from(case.stakes.dispute_bond.0)
        + (joined(&case.level1) + joined(&case.level2)) * money.bond()
        + i128::from(resolution.slash.0);
    let outflow = [
        resolution.refund,
        resolution.paid,
        resolution.bonus,
        resolution.burned,
    ];
    assert_eq!(
        inflow,
        sum(&outflow) + sum(&resolution.level1) + sum(&resolution.level2),
        "{case:?}"
    );
    if resolution.status == JobStatus::Faulted {
        let bonds = (joined(&case.level1) + joined(&case.level2)) * money.bond();
        let from_slash = sum(&resolution.level1) + sum(&resolution.level2) - bonds;
        assert!(from_slash <= 11 * money.fee, "{case:?}");
    }
}

/// Judges one case; returns how many of the two kinds it was: reachable, unreachable.
fn judge(money: &Money, case: &Case) -> [u64; 2] {
    let decided = decide(case);
    if reachable(case) {
        check(money, case, &decided.unwrap());
        honest::check(money, case, &decided.unwrap());
        return [1, 0];
    }
    // Cannot happen; if a bug made it happen, more than there is must not leave.
    match decided {
        Ok(resolution) if resolution.status != JobStatus::Appealing => {
            conserved(money, case, &resolution);
        }
        Ok(_) => {}
        Err(error) => assert_eq!(error, Error::AmountInsufficient, "{case:?}"),
    }
    [0, 1]
}

fn add(sum: &mut [u64; 2], more: [u64; 2]) {
    sum[0] += more[0];
    sum[1] += more[1];
}

#[test]
fn every_level_1_verdict_is_the_tables() {
    let mut seen = [0; 2];
    for size in [2_u8, 3] {
        for money in settings(size) {
            for level1 in all_orders(u32::from(size)) {
                for revealed in [false, true] {
                    let case = case(&money, Origin::Draw, revealed, level1, NO_SEATS);
                    add(&mut seen, judge(&money, &case));
                }
            }
        }
    }
    assert_eq!(seen[0] + seen[1], 2 * 9 * (36 + 216));
    assert!(seen[0] > 2_000, "{seen:?}");
}

/// Every order of seats on both levels, for terms that round and for the largest.
#[test]
fn every_order_of_seats_on_both_levels_is_the_tables() {
    let mut seen = [0; 2];
    for (size, pick) in [(2_u8, 4), (3, 3)] {
        let money = settings(size).nth(pick).unwrap();
        for level1 in all_orders(u32::from(size)) {
            for level2 in all_orders(5) {
                let dissent = case(&money, Origin::Dissent, true, level1, level2);
                if reachable(&dissent) {
                    add(&mut seen, judge(&money, &dissent));
                }
            }
        }
    }
    assert_eq!(seen[1], 0);
    assert!(seen[0] > 1_000_000, "{seen:?}");
}

/// Every kind of panel on both levels, from every origin, for every setting of money.
#[test]
fn every_level_2_verdict_is_the_tables() {
    let mut seen = [0; 2];
    for size in [2_u8, 3] {
        let kinds: Vec<_> = all_kinds(5).collect();
        assert_eq!(kinds.len(), 252);
        for money in settings(size) {
            for level1 in all_kinds(u32::from(size)) {
                for level2 in &kinds {
                    for origin in [Origin::Dissent, Origin::Silence, Origin::Dispute] {
                        for revealed in [false, true] {
                            let case = case(&money, origin, revealed, level1, *level2);
                            add(&mut seen, judge(&money, &case));
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen[0] + seen[1], 9 * 252 * 6 * (21 + 56));
    assert!(seen[0] > 100_000, "{seen:?}");
}

/// Where a seat stands on the panel decides nothing.
#[test]
fn payouts_follow_the_seats_in_every_order() {
    let money = settings(3).nth(7).unwrap();
    let level1 = [Equal, Different, Unavailable, Empty, Empty];
    for (origin, level1) in [(Origin::Dissent, level1), (Origin::Dispute, NO_SEATS)] {
        for level2 in all_orders(5) {
            let mut sorted = level2;
            sorted.sort_unstable();
            let one = decide(&case(&money, origin, true, level1, level2)).unwrap();
            let other = decide(&case(&money, origin, true, level1, sorted)).unwrap();
            let paid = |outcomes: Outcomes, resolution: &Resolution| {
                let mut paid: Vec<_> = outcomes.into_iter().zip(resolution.level2).collect();
                paid.sort_unstable();
                paid
            };
            assert_eq!(paid(level2, &one), paid(sorted, &other));
            assert_eq!(
                (one.verdict, one.refund, one.burned, one.level1),
                (other.verdict, other.refund, other.burned, other.level1)
            );
        }
    }
}
