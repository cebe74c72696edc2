//! Who can lose money, and through whom: what an honest party risks in every case there is.
//!
//! An honest auditor of an honest primary reveals an equal root, of a cheating one a different
//! root, and 0xff only where it was not served the hints.

use assay_protocol::{
    JobStatus,
    verdict::{
        Case, Origin, Outcomes, Resolution,
        SeatOutcome::{Committed, Different, Empty, Equal, Joined, Unavailable},
        Verdict,
    },
};

use super::oracle::Money;

/// Whether a strict majority of at least three reveals on level 2 did one of these.
fn majority(case: &Case, equal: bool) -> bool {
    let count = |which: fn(bool) -> bool| {
        let revealed = case.level2.iter().filter(|seat| **seat >= Equal);
        revealed.filter(|seat| which(**seat == Equal)).count()
    };
    let (for_it, against) = (count(|is| is), count(|is| !is));
    let (winning, losing) = if equal {
        (for_it, against)
    } else {
        (against, for_it)
    };
    winning + losing >= 3 && winning > losing
}

pub fn check(money: &Money, case: &Case, resolution: &Resolution) {
    primary(money, case, resolution);
    requester(money, case, resolution);
    if resolution.status != JobStatus::Appealing {
        auditors(money, case, resolution, 1);
        auditors(money, case, resolution, 2);
    }
}

/// A primary that revealed is slashed by a level-2 majority against it and by nothing else; one
/// that did not reveal only if somebody committed. Without a slash its stake is untouched.
fn primary(money: &Money, case: &Case, resolution: &Resolution) {
    let faulted = resolution.status == JobStatus::Faulted;
    let slash = if faulted { money.collateral } else { 0 };
    assert_eq!(i128::from(resolution.slash.0), slash, "{case:?}");
    if case.primary_revealed {
        assert_eq!(
            faulted,
            case.origin != Origin::Draw && majority(case, false),
            "{case:?}"
        );
    }
    // Unpaid without fault: only where level 2 could not decide a dissent, or to pay level 2 after
    // a dissent of nothing but 0xff.
    let paid = i128::from(resolution.paid.0);
    let open = !faulted && resolution.status != JobStatus::Appealing;
    if open && paid < money.price {
        let unresolved =
            resolution.status == JobStatus::Unresolved && case.origin == Origin::Dissent;
        let only_missing_hints = resolution.verdict == Verdict::Upheld
            && case
                .level1
                .iter()
                .all(|seat| matches!(seat, Empty | Equal | Unavailable))
            && case.level1.contains(&Unavailable);
        assert!(unresolved || only_missing_hints, "{case:?}");
    }
}

/// A requester never pays more than the price and a panel's fees, gets everything back from a
/// faulted primary, and risks its dispute bond only where level 2 did not fault the primary.
fn requester(money: &Money, case: &Case, resolution: &Resolution) {
    if resolution.status == JobStatus::Appealing {
        return;
    }
    let bond = i128::from(case.stakes.dispute_bond.0);
    let cost = money.escrow() + bond - i128::from(resolution.refund.0);
    if resolution.status == JobStatus::Faulted {
        assert_eq!(cost, 0, "{case:?}");
    } else {
        let fees = i128::from(money.size) * money.fee;
        assert!(cost <= money.price + fees.max(bond), "{case:?}");
    }
    if resolution.status == JobStatus::Unresolved {
        let fees = i128::from(money.size) * money.fee;
        assert!(cost <= fees, "without a verdict no price is paid: {case:?}");
    }
}

/// A seat that revealed keeps its bond unless level 2's majority says the opposite; the one honest
/// seat that can lose is 0xff where level 2's majority was served the hints, and it loses two fees
/// on level 1 and one on level 2, never more.
fn auditors(money: &Money, case: &Case, resolution: &Resolution, level: u8) {
    let (seats, payouts): (&Outcomes, _) = if level == 1 {
        (&case.level1, &resolution.level1)
    } else {
        (&case.level2, &resolution.level2)
    };
    for (seat, payout) in seats.iter().zip(payouts) {
        let gain = i128::from(payout.0) - money.bond();
        let [upheld, overturned] = [true, false].map(|side| majority(case, side));
        match seat {
            Empty => assert_eq!(payout.0, 0, "{case:?}"),
            Equal => assert!(gain >= 0 || overturned, "{case:?}"),
            Different => assert!(gain >= 0 || upheld, "{case:?}"),
            Unavailable => {
                let excused = if level == 1 { 2 } else { 1 } * money.fee;
                assert!(gain >= 0 || (upheld && gain == -excused), "{case:?}");
            }
            Joined | Committed => assert_eq!(payout.0, 0, "silence costs the bond: {case:?}"),
        }
    }
}
