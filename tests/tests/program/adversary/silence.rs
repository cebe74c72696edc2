//! Whoever says nothing when it is asked.

use assay_client::protocol::{
    Error, JobStatus, UnixSeconds,
    commitment::{draw_seed, is_drawn},
    verdict::SeatOutcome,
};
use assay_tests::{Court, Job, WORKER_SECRET};

use super::{Trial, ends};

use SeatOutcome::{Committed, Different, Equal, Joined};

/// A primary that sees that it is found out keeps its root to itself: that costs what being found out costs.
#[test]
fn primary_that_does_not_reveal_is_faulted() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let bench = court.judged(&trial.job, &[Different, Different], false);
    assert_eq!(
        trial.ends(&court, &bench),
        ends(400, -4_000, [150, 150], 3_700)
    );

    // On level 2 after a dispute, too, where D comes back to the requester.
    let job = court.committed(|_| {});
    let trial = Trial::of(&court, job);
    court.world.do_job_dispute(&job);
    let bench = court.judged(&job, &[Different, Committed], false);
    assert_eq!(
        trial.ends(&court, &bench),
        ends(400, -4_000, [150, -750], 4_600)
    );
}

/// Its reveal counts for nothing one second after the window.
#[test]
fn primary_that_reveals_late_is_faulted() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let bench = court.played(&job, &[Equal, Equal], false);
    let late = court.world.job_reveal(&job);
    court.world.send(late).refused(Error::PanelNotRevealing);
    court.world.do_panel_resolve(&job);
    assert_eq!(
        trial.ends(&court, &bench),
        ends(400, -4_000, [150, 150], 3_700)
    );
}

/// An auditor that committed to nothing in particular and waits for the others to show their roots.
#[test]
fn auditor_that_does_not_reveal_loses_its_bond() {
    for silent in [Joined, Committed] {
        let mut court = Court::new();
        let trial = Trial::drawn(&mut court);
        let bench = court.judged(&trial.job, &[Equal, silent], true);
        assert_eq!(
            trial.ends(&court, &bench),
            ends(195, 55, [150, -750], 750),
            "{silent:?}"
        );
    }
}

/// A whole first panel that takes its seats to keep honest auditors off them: it pays for the second one, which
/// decides as if there had been none.
#[test]
fn panel_of_squatters_pays_for_the_next_one() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let first = court.judged(&trial.job, &[Joined, Joined], false);
    assert_eq!(court.world.status(&trial.job), JobStatus::Appealing);
    let second = court.judged(&trial.job, &[Different; 3], true);
    assert_eq!(
        trial.ends(&court, &[first, second].concat()),
        ends(400, -4_000, [-750, -750, 150, 150, 150], 5_050)
    );
}

/// A provider that knows both secrets sees a draw against it before it finalizes. Not finalizing costs its whole
/// collateral, not the late slash.
#[test]
fn withheld_finalize_after_a_bad_draw_is_faulted() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let trial = Trial::of(&court, job);
    let world = &mut court.world;
    let deadline = world.job(&job.account).finalize_deadline().unwrap();
    world.pass_to(deadline);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpired);
    world.pass(1);
    for call in [
        world.job_finalize(&job, &court.primary),
        world.job_finalize_alone(&job, &court.primary),
    ] {
        world.send(call).refused(Error::JobFinalizeDeadlinePassed);
    }
    world
        .send(world.job_release(&job, &court.primary))
        .refused(Error::JobNotClaimed);
    world.do_job_expire(&job);
    assert_eq!(world.status(&job), JobStatus::Faulted);
    assert_eq!(trial.ends(&court, &[]), ends(400, -4_000, [], 4_000));
}

/// A job audited at 5 % that its acknowledgement would not select.
fn spared(court: &mut Court) -> Job {
    loop {
        let job = court.committed(|terms| terms.audit_bps = 500);
        let attempt = court.world.job(&job.account).attempt;
        if !is_drawn(
            &draw_seed(&job.account, attempt, &WORKER_SECRET, &job.secret),
            500,
        ) {
            return job;
        }
    }
}

/// Neither side gains a draw by withholding: without the acknowledgement the job waits and is always audited. The
/// requester that withholds pays the auditors; so it does where the provider pretends to have none, which gains no draw by it.
#[test]
fn withheld_acknowledgement_buys_no_draw() {
    let mut court = Court::new();
    let job = spared(&mut court);
    let trial = Trial::of(&court, job);
    let mut told = court.clone();
    told.world.do_job_finalize(&job, &told.primary);
    assert_eq!(trial.ends(&told, &[]), ends(345, 55, [], 0));

    let world = &mut court.world;
    let alone = world.job_finalize_alone(&job, &court.primary);
    let deadline = world.job(&job.account).challenge_deadline().unwrap();
    world.pass_to(deadline);
    world
        .send(alone.clone())
        .refused(Error::JobChallengeWindowOpen);
    world.pass_to(UnixSeconds(deadline.0 + 1));
    world.send(alone).accepted();
    assert_eq!(world.status(&job), JobStatus::Auditing);
    let bench = court.judged(&job, &[Equal, Equal], true);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));
}

/// A guess at the requester's secret, or another job's, is no acknowledgement.
#[test]
fn acknowledgement_of_another_job_is_none() {
    let mut court = Court::new();
    let (one, other) = (court.committed(|_| {}), court.committed(|_| {}));
    let swapped = Job {
        secret: other.secret,
        ..one
    };
    let call = court.world.job_finalize(&swapped, &court.primary);
    court
        .world
        .send(call)
        .refused(Error::JobRequesterSecretMismatch);
}
