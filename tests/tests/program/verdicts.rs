//! The table of verdicts on the real program: every row once, with the money of every party to the lamport.
//!
//! Amounts are changes of what each party holds, in thousandths of a SOL, from before the audit until everything is
//! paid and closed: P = 55, K = 100, a = 150, b = D = 750, C = 4,000, E = 400.

use assay_client::{
    program::INCINERATOR,
    protocol::{
        JobStatus,
        verdict::{SeatOutcome, Verdict},
    },
};
use assay_tests::{Court, Job, Provider};

use SeatOutcome::{Committed, Different, Equal, Joined, Unavailable};

const MILLI: i128 = 1_000_000;

/// What one panel does; none where it is never opened.
type Play = Option<(&'static [SeatOutcome], bool)>;

/// How a case goes.
#[derive(Clone, Copy)]
struct Course {
    dispute: bool,
    level1: Play,
    level2: Play,
}

/// What must come of it, in thousandths.
struct Row {
    verdict: Verdict,
    status: JobStatus,
    requester: i128,
    primary: i128,
    level1: &'static [i128],
    level2: &'static [i128],
    burned: i128,
}

fn drawn(level1: Play, level2: Play) -> Course {
    Course {
        dispute: false,
        level1,
        level2,
    }
}

fn dispute(level2: Play) -> Course {
    Course {
        dispute: true,
        level1: None,
        level2,
    }
}

struct Ending {
    verdict: u8,
    status: JobStatus,
    requester: i128,
    primary: i128,
    level1: Vec<i128>,
    level2: Vec<i128>,
    burned: i128,
}

/// Plays the convened panel or lets the time to open it pass, and lets it speak.
fn judge(court: &mut Court, job: &Job, play: Play) -> Vec<Provider> {
    let bench = match play {
        Some((outcomes, primary)) => court.played(job, outcomes, primary),
        None => {
            let deadline = court.world.job(&job.account).panel_open_deadline();
            court.world.pass_deadline(deadline.unwrap());
            Vec::new()
        }
    };
    court.world.do_panel_resolve(job);
    bench
}

fn ending(course: Course) -> Ending {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let before = court.world.clone();
    let mut benches = [Vec::new(), Vec::new()];
    if course.dispute {
        court.world.do_job_dispute(&job);
    } else {
        court.world.do_job_finalize(&job, &court.primary);
        benches[0] = judge(&mut court, &job, course.level1);
    }
    if court.world.status(&job) == JobStatus::Appealing {
        benches[1] = judge(&mut court, &job, course.level2);
    }
    let (status, verdict) = (
        court.world.status(&job),
        court.world.job(&job.account).verdict,
    );
    court.world.do_panels_closed(&job);
    court.world.pass_open_slot(&job);
    let rent = i128::from(court.world.rent(752));
    court.world.do_job_close(&job);

    let gain =
        |account| i128::from(court.world.balance(&account)) - i128::from(before.balance(&account));
    let gains = |bench: &[Provider]| bench.iter().map(|seat| gain(seat.account)).collect();
    for seat in benches.iter().flatten() {
        assert_eq!(court.world.provider(&seat.account).live_seats, 0);
    }
    Ending {
        verdict,
        status,
        requester: gain(job.requester) - rent,
        primary: gain(court.primary.account),
        level1: gains(&benches[0]),
        level2: gains(&benches[1]),
        burned: gain(INCINERATOR),
    }
}

#[track_caller]
fn ends(course: Course, row: &Row) {
    let ending = ending(course);
    let milli = |amounts: &[i128]| {
        amounts
            .iter()
            .map(|amount| amount * MILLI)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (ending.status, ending.verdict),
        (row.status, row.verdict as u8)
    );
    assert_eq!(ending.level1, milli(row.level1), "level 1");
    assert_eq!(ending.level2, milli(row.level2), "level 2");
    assert_eq!(
        [ending.requester, ending.primary, ending.burned],
        [row.requester, row.primary, row.burned].map(|amount| amount * MILLI),
        "requester, primary, burned"
    );
    let seats: i128 = row.level1.iter().chain(row.level2).sum();
    assert_eq!(
        row.requester + row.primary + seats + row.burned,
        400,
        "the row itself adds up to E"
    );
}

#[test]
fn level_1_nobody_joined_settles() {
    let row = Row {
        verdict: Verdict::Unattended,
        status: JobStatus::Settled,
        requester: 345,
        primary: 55,
        level1: &[],
        level2: &[],
        burned: 0,
    };
    ends(drawn(None, None), &row);
    ends(drawn(Some((&[], false)), None), &row);
}

#[test]
fn level_1_all_equal_settles() {
    let row = Row {
        verdict: Verdict::Confirmed,
        status: JobStatus::Settled,
        requester: 45,
        primary: 55,
        level1: &[150, 150],
        level2: &[],
        burned: 0,
    };
    ends(drawn(Some((&[Equal, Equal], true)), None), &row);
    let alone = Row {
        requester: 195,
        level1: &[150],
        ..row
    };
    ends(drawn(Some((&[Equal], true)), None), &alone);
    let silent = Row {
        level1: &[150, -750],
        burned: 750,
        ..alone
    };
    ends(drawn(Some((&[Equal, Joined], true)), None), &silent);
    ends(drawn(Some((&[Equal, Committed], true)), None), &silent);
}

#[test]
fn level_1_silent_primary_faults() {
    let row = Row {
        verdict: Verdict::PrimarySilent,
        status: JobStatus::Faulted,
        requester: 400,
        primary: -4_000,
        level1: &[150, -750],
        level2: &[],
        burned: 4_600,
    };
    ends(drawn(Some((&[Equal, Committed], false)), None), &row);
    ends(drawn(Some((&[Different, Joined], false)), None), &row);
    ends(drawn(Some((&[Unavailable, Joined], false)), None), &row);
    let nobody = Row {
        level1: &[-750, -750],
        burned: 5_500,
        ..row
    };
    ends(drawn(Some((&[Committed, Joined], false)), None), &nobody);
}

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
