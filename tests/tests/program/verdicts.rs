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

mod dispute;
mod level2;

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
