//! Level 2 after a dissent or a silence.

use assay_client::protocol::{
    JobStatus,
    verdict::{SeatOutcome, Verdict},
};

use super::{MILLI, Row, dispute, drawn, ending, ends};

use SeatOutcome::{Committed, Different, Equal, Joined, Unavailable};

#[test]
fn level_2_upholds_after_dissent() {
    let row = Row {
        verdict: Verdict::Upheld,
        status: JobStatus::Settled,
        requester: 195,
        primary: 55,
        level1: &[150, -750],
        level2: &[150, 150, 150, -750, -750],
        burned: 1_800,
    };
    let first = Some(([Equal, Different].as_slice(), true));
    let second = [Equal, Equal, Equal, Different, Joined].as_slice();
    ends(drawn(first, Some((second, true))), &row);
    let unavailable = Row {
        level2: &[150, 150, 150, -150],
        burned: 450,
        ..row
    };
    let second = [Equal, Equal, Equal, Unavailable].as_slice();
    ends(drawn(first, Some((second, true))), &unavailable);
}

/// Nobody claimed that the result was wrong: those who had no hints lose a part, and what the second panel's fees
/// then lack comes out of the price.
#[test]
fn level_2_upholds_after_unavailable_hints() {
    let row = Row {
        verdict: Verdict::Upheld,
        status: JobStatus::Settled,
        requester: 345,
        primary: 55,
        level1: &[-300, -300],
        level2: &[150, 150, 150],
        burned: 150,
    };
    let second = Some(([Equal, Equal, Equal].as_slice(), true));
    ends(
        drawn(Some((&[Unavailable, Unavailable], true)), second),
        &row,
    );

    let one = ending(drawn(Some((&[Equal, Unavailable], true)), second));
    let share = 355 * MILLI / 3;
    assert_eq!(
        (one.status, one.verdict),
        (JobStatus::Settled, Verdict::Upheld as u8)
    );
    assert_eq!((one.requester, one.primary), (195 * MILLI, 0));
    assert_eq!(one.level1, [150 * MILLI, -300 * MILLI]);
    assert_eq!(one.level2, [share; 3]);
    assert_eq!(one.burned, 355 * MILLI - 3 * share);
}

#[test]
fn level_2_faults_after_dissent() {
    let row = Row {
        verdict: Verdict::Overturned,
        status: JobStatus::Faulted,
        requester: 400,
        primary: -4_000,
        level1: &[-750, 300],
        level2: &[150, 150, 150, -750, -750],
        burned: 5_500,
    };
    let second = [Different, Different, Unavailable, Equal, Equal].as_slice();
    let course = |first: &'static [SeatOutcome]| drawn(Some((first, true)), Some((second, true)));
    ends(course(&[Equal, Different]), &row);
    ends(course(&[Equal, Unavailable]), &row);
    let both = Row {
        level1: &[300, 300],
        burned: 4_450,
        ..row
    };
    ends(course(&[Different, Unavailable]), &both);
}

#[test]
fn level_2_is_undecided_after_dissent() {
    let row = Row {
        verdict: Verdict::Undecided,
        status: JobStatus::Unresolved,
        requester: 100,
        primary: 0,
        level1: &[0, 0],
        level2: &[150, 150],
        burned: 0,
    };
    let first = Some(([Equal, Different].as_slice(), true));
    ends(drawn(first, Some((&[Equal, Different], true))), &row);
    ends(drawn(first, Some((&[Different, Different], true))), &row);
    let tie = Row {
        level2: &[75, 75, 75, 75, -750],
        burned: 750,
        ..row
    };
    let four = [Equal, Different, Equal, Unavailable, Joined].as_slice();
    ends(drawn(first, Some((four, true))), &tie);
    let one = Row {
        requester: 250,
        level2: &[150, -750],
        burned: 750,
        ..row
    };
    ends(drawn(first, Some((&[Equal, Committed], true))), &one);
    let nobody = Row {
        requester: 400,
        level2: &[],
        ..row
    };
    ends(drawn(first, Some((&[], true))), &nobody);
    ends(drawn(first, None), &nobody);
    let silent = Row {
        level1: &[-750, 0],
        burned: 750,
        ..nobody
    };
    ends(drawn(Some((&[Joined, Different], true)), None), &silent);
}

#[test]
fn level_2_upholds_or_leaves_open_after_silence() {
    let upheld = Row {
        verdict: Verdict::Upheld,
        status: JobStatus::Settled,
        requester: 345,
        primary: 55,
        level1: &[-750, -750],
        level2: &[150, 150, 150],
        burned: 1_050,
    };
    let second = Some(([Equal, Equal, Equal].as_slice(), true));
    ends(drawn(Some((&[Joined, Committed], true)), second), &upheld);
    ends(drawn(Some((&[Joined, Joined], false)), second), &upheld);
    let unavailable = Row {
        level2: &[150, 150, 150, -150],
        burned: 1_200,
        ..upheld
    };
    let four = [Equal, Equal, Equal, Unavailable].as_slice();
    ends(
        drawn(Some((&[Joined, Joined], false)), Some((four, true))),
        &unavailable,
    );
    let open = Row {
        verdict: Verdict::Undecided,
        level2: &[150, 150],
        burned: 1_200,
        ..upheld
    };
    ends(
        drawn(
            Some((&[Joined, Joined], false)),
            Some((&[Equal, Different], true)),
        ),
        &open,
    );
    let nobody = Row {
        level2: &[],
        burned: 1_500,
        ..open
    };
    ends(drawn(Some((&[Joined, Joined], false)), None), &nobody);
    ends(
        drawn(Some((&[Joined, Joined], false)), Some((&[], false))),
        &nobody,
    );
}

#[test]
fn level_2_faults_after_silence() {
    let row = Row {
        verdict: Verdict::Overturned,
        status: JobStatus::Faulted,
        requester: 400,
        primary: -4_000,
        level1: &[-750, -750],
        level2: &[150, 150, 150, -750],
        burned: 5_800,
    };
    let second = Some(([Different, Different, Different, Equal].as_slice(), true));
    ends(drawn(Some((&[Joined, Joined], false)), second), &row);
    ends(drawn(Some((&[Joined, Committed], true)), second), &row);
}

/// After a dissent the primary's root is known, so only a silence or a dispute can meet a silent primary here.
#[test]
fn level_2_silent_primary_faults() {
    let row = Row {
        verdict: Verdict::PrimarySilent,
        status: JobStatus::Faulted,
        requester: 400,
        primary: -4_000,
        level1: &[-750, -750],
        level2: &[150, -750],
        burned: 6_100,
    };
    let second = Some(([Equal, Committed].as_slice(), false));
    ends(drawn(Some((&[Joined, Joined], false)), second), &row);
    let disputed = Row {
        level1: &[],
        level2: &[150, 150],
        burned: 3_700,
        ..row
    };
    ends(dispute(Some((&[Different, Equal], false))), &disputed);
}
