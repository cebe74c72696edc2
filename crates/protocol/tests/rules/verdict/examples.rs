//! Numbers and rows to read.

use assay_protocol::{
    Lamports,
    verdict::{
        Origin,
        SeatOutcome::{Different, Empty, Equal, Joined, Unavailable},
        Verdict, decide,
    },
};

use super::{case, oracle::Money};

#[test]
fn verdict_numbers_are_pinned() {
    let named: Vec<_> = (0..=u8::MAX)
        .filter_map(|byte| {
            Verdict::from_byte(byte).map(|verdict| (byte, verdict as u8, verdict.name()))
        })
        .collect();
    assert_eq!(
        named,
        [
            (1, 1, "unattended"),
            (2, 2, "confirmed"),
            (3, 3, "primary silent"),
            (4, 4, "dissent"),
            (5, 5, "silence"),
            (6, 6, "upheld"),
            (7, 7, "overturned"),
            (8, 8, "undecided"),
        ]
    );
}

/// Two rows worked out by hand: a cheat caught, and a dissent that was wrong.
#[test]
fn worked_examples_are_as_documented() {
    let money = Money {
        ceiling: 1_000,
        price: 800,
        fee: 1_000,
        collateral: 40_000,
        size: 2,
    };
    let dissent = [Different, Equal, Empty, Empty, Empty];
    let caught = [Different, Different, Different, Different, Joined];
    let resolution = decide(&case(&money, Origin::Dissent, true, dissent, caught)).unwrap();
    assert_eq!(
        (resolution.refund, resolution.slash, resolution.paid),
        (Lamports(3_000), Lamports(40_000), Lamports(0))
    );
    assert_eq!(resolution.level1, [7_000, 0, 0, 0, 0].map(Lamports));
    assert_eq!(
        resolution.level2,
        [6_000, 6_000, 6_000, 6_000, 0].map(Lamports)
    );
    assert_eq!(resolution.burned, Lamports(40_000 - 6_000 + 10_000));

    let wrong = [Equal, Equal, Equal, Equal, Unavailable];
    let resolution = decide(&case(&money, Origin::Dissent, true, dissent, wrong)).unwrap();
    assert_eq!(
        (resolution.refund, resolution.slash, resolution.paid),
        (Lamports(1_200), Lamports(0), Lamports(800))
    );
    assert_eq!(resolution.level1, [0, 6_000, 0, 0, 0].map(Lamports));
    assert_eq!(
        resolution.level2,
        [6_000, 6_000, 6_000, 6_000, 4_000].map(Lamports)
    );
    assert_eq!(resolution.burned, Lamports(5_000 + 1_000 - 4_000));
}
