//! Level 2 after a dispute.

use assay_client::protocol::{
    JobStatus,
    verdict::{SeatOutcome, Verdict},
};

use super::{Row, dispute, ends};

use SeatOutcome::{Committed, Different, Equal, Joined, Unavailable};

/// The bond pays the panel; the rest of it is the primary's.
#[test]
fn dispute_upheld() {
    let row = Row {
        verdict: Verdict::Upheld,
        status: JobStatus::Settled,
        requester: 345 - 750,
        primary: 55 + 750 - 450,
        level1: &[],
        level2: &[150, 150, 150, -750],
        burned: 750,
    };
    ends(
        dispute(Some((&[Equal, Equal, Equal, Different], true))),
        &row,
    );
    let five = Row {
        primary: 55,
        level2: &[150; 5],
        burned: 0,
        ..row
    };
    ends(dispute(Some((&[Equal; 5], true))), &five);
    let unavailable = Row {
        level2: &[150, 150, 150, -150, -150],
        burned: 300,
        ..row
    };
    let five = [Equal, Equal, Equal, Unavailable, Unavailable].as_slice();
    ends(dispute(Some((five, true))), &unavailable);
}

#[test]
fn dispute_faulted() {
    let row = Row {
        verdict: Verdict::Overturned,
        status: JobStatus::Faulted,
        requester: 400,
        primary: -4_000,
        level1: &[],
        level2: &[150, 150, 150, 150, -750],
        burned: 4_150,
    };
    let second = [Different, Different, Different, Unavailable, Equal].as_slice();
    ends(dispute(Some((second, true))), &row);
}

/// Whoever disputes where nobody can judge pays for the inference all the same.
#[test]
fn dispute_undecided() {
    let row = Row {
        verdict: Verdict::Undecided,
        status: JobStatus::Settled,
        requester: 45,
        primary: 55,
        level1: &[],
        level2: &[150, 150],
        burned: 0,
    };
    ends(dispute(Some((&[Equal, Different], true))), &row);
    let silent = Row {
        requester: 195,
        level2: &[150, -750, -750],
        burned: 1_500,
        ..row
    };
    ends(
        dispute(Some((&[Different, Joined, Committed], true))),
        &silent,
    );
    let nobody = Row {
        requester: 345,
        level2: &[],
        ..row
    };
    ends(dispute(None), &nobody);
    ends(dispute(Some((&[], false))), &nobody);
    let joined = Row {
        level2: &[-750, -750],
        burned: 1_500,
        ..nobody
    };
    ends(dispute(Some((&[Joined, Joined], false))), &joined);
}
