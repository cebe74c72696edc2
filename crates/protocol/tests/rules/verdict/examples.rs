//! Numbers and rows to read: the examples of docs/verification.md, computed.

use assay_protocol::{
    BasisPoints, JobStatus, Lamports,
    amount::split_price,
    grid::{quantize, requantize},
    market::MarketParams,
    terms::JobTerms,
    verdict::{
        Case, NO_SEATS, Origin,
        SeatOutcome::{Different, Empty, Equal, Unavailable},
        Verdict, decide,
    },
};
use bytemuck::Zeroable;

use super::{case, oracle::Money};

/// 0.01 SOL at most, 0.008 paid, auditors at 0.01 each, collateral 0.39: the least at an audit rate of 5 %.
const MONEY: Money = Money {
    ceiling: 10_000_000,
    price: 8_000_000,
    fee: 10_000_000,
    collateral: 390_000_000,
    size: 2,
};

fn sol(thousandths: u64) -> Lamports {
    Lamports(thousandths * 1_000_000)
}

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

#[test]
fn documented_terms_are_the_least_the_market_accepts() {
    let terms = |collateral| JobTerms {
        ceiling: 10_000_000,
        collateral,
        audit_fee: 10_000_000,
        claim_secs: 600,
        compute_secs: 600,
        challenge_secs: 3_600,
        input_bytes: 1,
        output_limit: 1,
        audit_bps: 500,
        panel_size: 2,
        input_digest: [1; 32],
        requester_secret_hash: [1; 32],
        ..JobTerms::zeroed()
    };
    assert_eq!(terms(390_000_000).check(&MarketParams::PUBLIC), Ok(()));
    assert!(terms(389_999_999).check(&MarketParams::PUBLIC).is_err());
    assert_eq!(terms(390_000_000).escrow(), Ok(sol(30)));
    let split = split_price(sol(8), BasisPoints(MarketParams::PUBLIC.fee_bps)).unwrap();
    assert_eq!(
        (split.earned, split.fee),
        (Lamports(7_840_000), Lamports(160_000))
    );
}

#[test]
fn documented_confirmation_pays_both_auditors() {
    let both = [Equal, Equal, Empty, Empty, Empty];
    let resolution = decide(&case(&MONEY, Origin::Draw, true, both, NO_SEATS)).unwrap();
    assert_eq!(resolution.verdict, Verdict::Confirmed);
    assert_eq!((resolution.refund, resolution.paid), (sol(2), sol(8)));
    assert_eq!(resolution.level1, [60, 60, 0, 0, 0].map(sol));
}

#[test]
fn documented_cheat_loses_its_collateral() {
    let dissent = [Different, Different, Empty, Empty, Empty];
    let caught = [Different; 5];
    let resolution = decide(&case(&MONEY, Origin::Dissent, true, dissent, caught)).unwrap();
    assert_eq!(resolution.status, JobStatus::Faulted);
    assert_eq!(
        (resolution.refund, resolution.paid, resolution.slash),
        (sol(30), sol(0), sol(390))
    );
    assert_eq!(resolution.level1, [70, 70, 0, 0, 0].map(sol));
    assert_eq!(resolution.level2, [60; 5].map(sol));
    assert_eq!(resolution.burned, sol(300));
}

#[test]
fn documented_false_dissent_pays_for_its_refutation() {
    let dissent = [Different, Equal, Empty, Empty, Empty];
    let resolution = decide(&case(&MONEY, Origin::Dissent, true, dissent, [Equal; 5])).unwrap();
    assert_eq!(resolution.status, JobStatus::Settled);
    assert_eq!((resolution.refund, resolution.paid), (sol(12), sol(8)));
    assert_eq!(resolution.level1, [0, 60, 0, 0, 0].map(sol));
    assert_eq!(resolution.level2, [60; 5].map(sol));
    assert_eq!((resolution.slash, resolution.burned), (sol(0), sol(0)));
}

/// Hints withheld from level 1 alone: the auditors that said so pay, and so does the price.
#[test]
fn documented_withholding_costs_the_auditors_and_the_price() {
    let refused = [Unavailable, Unavailable, Empty, Empty, Empty];
    let resolution = decide(&case(&MONEY, Origin::Dissent, true, refused, [Equal; 5])).unwrap();
    assert_eq!((resolution.refund, resolution.paid), (sol(22), sol(0)));
    assert_eq!(resolution.level1, [30, 30, 0, 0, 0].map(sol));
    assert_eq!(resolution.level2, [Lamports(59_600_000); 5]);
    assert_eq!((resolution.slash, resolution.burned), (sol(0), sol(0)));
}

#[test]
fn documented_disputes_end_as_said() {
    let dispute = |seats| -> Case { case(&MONEY, Origin::Dispute, true, NO_SEATS, seats) };
    let lost = decide(&dispute([Equal; 5])).unwrap();
    assert_eq!(
        (lost.refund, lost.paid, lost.bonus),
        (sol(22), sol(8), sol(0))
    );
    let won = decide(&dispute([Different; 5])).unwrap();
    assert_eq!((won.refund, won.slash), (sol(80), sol(390)));
    let thin = decide(&dispute([Different, Different, Empty, Empty, Empty])).unwrap();
    assert_eq!(
        (thin.status, thin.refund, thin.paid),
        (JobStatus::Settled, sol(52), sol(8))
    );
}

/// A step of a quarter: with the hint, the auditor's number decides by how far it is, not by where
/// the cells' borders lie.
#[test]
fn documented_comparison_is_by_distance() {
    let (index, hint) = quantize(0.90, -2);
    assert_eq!((index, hint), (4, -102));
    assert_eq!(requantize(0.97, hint, -2), 4);
    assert_eq!(requantize(0.80, hint, -2), 4);
    assert_eq!(requantize(0.77, hint, -2), 3);
    assert_eq!(requantize(1.03, hint, -2), 5);
    // Rounding alone tells 0.90 and 0.87 apart and takes 0.90 and 1.12 for the same.
    assert_eq!(
        [0.90, 0.87, 1.12].map(|value| quantize(value, -2).0),
        [4, 3, 4]
    );
}
