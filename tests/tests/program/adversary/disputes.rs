//! Disputes for other reasons than a wrong result, and dissents that nobody can judge.

use assay_client::protocol::{Error, JobStatus, verdict::SeatOutcome};
use assay_tests::Court;

use super::{Trial, ends};

use SeatOutcome::{Different, Equal, Joined};

fn disputed(court: &mut Court) -> Trial {
    let job = court.committed(|_| {});
    let trial = Trial::of(court, job);
    court.world.do_job_dispute(&job);
    trial
}

/// Where nobody can judge, the primary is paid: a dispute is no way to inference for nothing. Auditors that do come
/// are paid out of the bond even if they are too few.
#[test]
fn dispute_for_free_inference_in_a_thin_network_pays_the_primary() {
    let mut court = Court::new();
    let trial = disputed(&mut court);
    let deadline = court.world.job(&trial.job.account).panel_open_deadline();
    court.world.pass_deadline(deadline.unwrap());
    court.world.do_panel_resolve(&trial.job);
    assert_eq!(trial.ends(&court, &[]), ends(345, 55, [], 0));

    // Not even two auditors of its own change that.
    let trial = disputed(&mut court);
    let own = court.judged(&trial.job, &[Different, Different], true);
    assert_eq!(court.world.status(&trial.job), JobStatus::Settled);
    assert_eq!(trial.ends(&court, &own), ends(45, 55, [150, 150], 0));
}

/// A dispute of a right result costs the bond.
#[test]
fn dispute_of_a_right_result_costs_the_bond() {
    let mut court = Court::new();
    let trial = disputed(&mut court);
    let bench = court.judged(&trial.job, &[Equal, Equal, Equal], true);
    assert_eq!(
        trial.ends(&court, &bench),
        ends(345 - 750, 55 + 300, [150, 150, 150], 0)
    );
}

/// Whoever has acknowledged and sees the draw come out cannot object any more; nor can one whose job has ended.
#[test]
fn dispute_after_finalize_is_refused() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let trial = Trial::of(&court, job);
    let world = &mut court.world;
    let dispute = world.job_dispute(&job);
    let finalize = world.job_finalize(&job, &court.primary);
    world
        .send([finalize.clone(), dispute.clone()])
        .refused(Error::JobNotCommitted);
    world.send(finalize).accepted();
    world.send(dispute.clone()).refused(Error::JobNotCommitted);
    let bench = court.judged(&job, &[Equal, Equal], true);
    court.world.send(dispute).refused(Error::JobNotCommitted);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));

    // And a dispute that was first leaves the provider nothing to finalize.
    let trial = disputed(&mut court);
    for call in [
        court.world.job_finalize(&trial.job, &court.primary),
        court.world.job_finalize_alone(&trial.job, &court.primary),
    ] {
        court.world.send(call).refused(Error::JobNotCommitted);
    }
    assert_eq!(
        court.world.job(&trial.job.account).dispute_bond,
        750_000_000
    );
}

/// One bond, one panel.
#[test]
fn dispute_twice_is_refused() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    let trial = Trial::of(&court, job);
    let call = court.world.job_dispute(&job);
    court
        .world
        .send([call.clone(), call.clone()])
        .refused(Error::JobNotCommitted);
    court.world.send(call.clone()).accepted();
    court
        .world
        .send(call.clone())
        .refused(Error::JobNotCommitted);
    let bench = court.judged(&job, &[Different, Different, Different], true);
    court.world.send(call).refused(Error::JobNotCommitted);
    assert_eq!(
        trial.ends(&court, &bench),
        ends(400, -4_000, [150, 150, 150], 3_550)
    );
}

/// Limit: a dissent that too few can judge leaves the primary unpaid and unslashed, and the panel's fees to those
/// who came. A requester with one auditor of its own gets inference for nothing where no three others are eligible,
/// and a cheating primary keeps its collateral there: worker and client count eligible auditors first.
#[test]
fn level_2_with_too_few_auditors_leaves_a_dissent_unresolved() {
    for (second, expected) in [
        (&[][..], ends(400, 0, [0, 0], 0)),
        (&[Equal], ends(250, 0, [0, 0, 150], 0)),
        (&[Equal, Equal], ends(100, 0, [0, 0, 150, 150], 0)),
        (
            &[Equal, Equal, Joined],
            ends(100, 0, [0, 0, 150, 150, -750], 750),
        ),
    ] {
        let mut court = Court::new();
        let trial = Trial::drawn(&mut court);
        let first = court.judged(&trial.job, &[Equal, Different], true);
        let second = court.judged(&trial.job, second, true);
        assert_eq!(court.world.status(&trial.job), JobStatus::Unresolved);
        assert_eq!(trial.ends(&court, &[first, second].concat()), expected);
    }
}
