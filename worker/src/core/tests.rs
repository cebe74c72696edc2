//! The core against the market's own rules, under a clock that the test moves.

use assay_protocol::{Error, JobStatus, UnixSeconds};

use super::*;
use world::{PROVIDER, World, address, policy};

mod admission;
mod audited;
mod guards;
mod limits;
mod pauses;
mod random;
mod set_back;
mod unseen;
mod world;

#[test]
fn job_is_claimed_run_committed_and_finalized_on_acknowledgement() {
    let mut world = World::new(1);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
    let before = world.now;
    world.acknowledge(0);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Settled);
    assert_eq!(world.now, before, "an acknowledged job does not wait");
    assert_eq!(world.reports(0), ["claimed", "committed", "settled"]);
}

#[test]
fn job_without_acknowledgement_is_finalized_right_after_the_challenge_window() {
    let mut world = World::new(1);
    world.drain();
    let deadline = world.job(0).challenge_deadline().unwrap();
    world.at(deadline.0);
    assert_eq!(world.status(0), JobStatus::Committed);
    assert_eq!(world.core.poll_timeout(), Some(UnixSeconds(deadline.0 + 1)));
    world.at(deadline.0 + 1);
    assert_eq!(world.status(0), JobStatus::Settled);
}

#[test]
fn job_below_minimum_price_is_claimed_the_second_the_ramp_reaches_it() {
    let mut world = World::with(1, |job| job.floor = 100, |policy| policy.min_price.0 = 700);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Open);
    // 100 -> 1000 over 60 s: 700 is reached after 40 s.
    assert_eq!(world.core.poll_timeout(), Some(UnixSeconds(world.now + 40)));
    world.at(world.now + 39);
    assert_eq!(world.status(0), JobStatus::Open);
    world.at(world.now + 1);
    assert_eq!(world.job(0).price, 700);
}

#[test]
fn unwanted_jobs_are_not_even_prepared() {
    type Change = fn(&mut JobData);
    let cases: [(Change, Refusal); 10] = [
        (
            |job| job.exclusive_provider = address(99),
            Refusal::ReservedForAnother,
        ),
        (|job| job.runtime_class = [9; 32], Refusal::ClassMismatch),
        (|job| job.model_digest = [9; 32], Refusal::ModelNotListed),
        (|job| job.ceiling = 9, Refusal::CeilingBelowMinimum),
        (|job| job.collateral = 1 << 40, Refusal::CollateralTooHigh),
        (
            |job| job.collateral = 4_001,
            Refusal::CollateralOutOfProportion,
        ),
        (
            |job| job.challenge_secs = 3_601,
            Refusal::ChallengeWindowTooLong,
        ),
        (|job| job.input_bytes = 2_000_000, Refusal::InputTooLarge),
        (|job| job.output_limit = 2_000_000, Refusal::OutputTooLarge),
        (|job| job.audit_bps = 1, Refusal::Audited),
    ];
    for (change, refusal) in cases {
        let mut world = World::with(1, change, |policy| {
            policy.min_price.0 = 10;
            policy.models = Some([[1; 32]].into());
            policy.audited = false;
        });
        world.drain();
        assert_eq!(world.left, [(address(0), refusal)], "said once");
        assert_eq!(world.status(0), JobStatus::Open);
        assert!(!world.seen.contains(&"prepare"), "{refusal:?}");
    }
}

#[test]
fn job_that_does_not_fit_is_never_claimed() {
    let mut world = World::new(1);
    world.prepare_faults = vec![PrepareFault::Never];
    world.drain();
    assert_eq!(world.core.refusal(&address(0)), Some(Refusal::Unfit));
    assert_eq!(world.status(0), JobStatus::Open);
}

#[test]
fn input_that_arrives_late_starts_the_job_at_once() {
    let mut world = World::new(1);
    world.prepare_faults = vec![PrepareFault::Later; 4];
    world.drain();
    assert_eq!(world.status(0), JobStatus::Open);
    world.prepare_faults.clear();
    let digest = world.job(0).input_digest;
    world.core.handle_blob(&digest, UnixSeconds(world.now));
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
}

#[test]
fn stake_backs_one_job_at_a_time() {
    let mut world = World::new(3);
    world.provider.stake = 2_500; // Two collaterals of 1,000.
    world.tell_provider();
    world.drain();
    let committed = (0..3)
        .filter(|job| world.status(*job) == JobStatus::Committed)
        .count();
    assert_eq!(committed, 2);
}

#[test]
fn jobs_that_wait_for_their_price_are_prepared_late_and_few() {
    let dear = |policy: &mut Policy| {
        policy.min_price.0 = 1_000;
        (policy.preparing_jobs, policy.concurrent_jobs) = (2, 1);
    };
    let mut world = World::with(5, |job| (job.floor, job.ramp_secs) = (0, 100), dear);
    world.drain();
    assert!(
        world.seen.is_empty(),
        "a hundred seconds early is too early"
    );
    world.at(world.now + 40);
    assert_eq!(
        world.seen, ["prepare"; 3],
        "no more than can be prepared and run at once"
    );
    world.at(world.now + 60);
    assert!((0..5).all(|job| world.status(job) == JobStatus::Committed));
}

#[test]
fn concurrency_limit_holds_while_jobs_run() {
    let mut world = World::with(5, |_| (), |policy| policy.concurrent_jobs = 2);
    world.hold_runs = true;
    world.drain();
    assert_eq!(world.core.counts().busy, 2);
    world.hold_runs = false;
    world.drain();
    assert!((0..5).all(|job| world.status(job) == JobStatus::Committed));
}

#[test]
fn run_that_takes_too_long_is_given_back_in_time() {
    let mut world = World::new(1);
    world.hold_runs = true;
    world.drain();
    let deadline = world.job(0).compute_deadline().unwrap().0;
    world.at(deadline - 4);
    assert_eq!(
        world.status(0),
        JobStatus::Open,
        "released before its compute deadline"
    );
    assert_eq!(world.provider.jobs_released, 1);
    assert_eq!(world.reports(0), ["claimed", "lost"]);
    assert_eq!(world.core.refusal(&address(0)), Some(Refusal::LostBefore));
}

#[test]
fn engine_that_crashes_once_gets_a_second_try_and_then_the_job_is_released() {
    let mut world = World::new(2);
    world.run_faults = vec![RunFault::Again];
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
    world.run_faults = vec![RunFault::Again; 4];
    let mut world = World::new(1);
    world.run_faults = vec![RunFault::Again; 2];
    world.drain();
    assert_eq!(
        (world.status(0), world.provider.jobs_released),
        (JobStatus::Open, 1)
    );
}

#[test]
fn result_that_cannot_be_saved_is_never_committed() {
    let mut world = World::new(1);
    world.disk_full = true;
    world.drain();
    assert_eq!(
        (world.status(0), world.provider.jobs_released),
        (JobStatus::Open, 1)
    );
    assert!(world.commitments.is_empty());
}

#[test]
fn commitment_of_unknown_origin_is_reported_and_left_alone() {
    let mut world = World::new(1);
    world.drain();
    world.journal.results.clear();
    world.restart();
    world.acknowledge(0);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
    assert_eq!(world.reports(0).last(), Some(&"secrets_missing"));
}

#[test]
fn acknowledgement_is_checked_and_taken_twice() {
    let mut world = World::new(1);
    let (good, bad) = (world.requester_secret(0), [7; 32]);
    let job = address(0);
    assert_eq!(
        world.core.check_acknowledgement(&job, &good),
        Err(AcknowledgeError::Unknown)
    );
    world.drain();
    assert_eq!(
        world.core.check_acknowledgement(&job, &bad),
        Err(AcknowledgeError::SecretMismatch)
    );
    let new = Acknowledgement::New { attempt: 0 };
    assert_eq!(world.core.check_acknowledgement(&job, &good), Ok(new));
    world.acknowledge(0);
    assert_eq!(
        world.core.check_acknowledgement(&job, &good),
        Ok(Acknowledgement::Known)
    );
    world.drain();
    assert_eq!(
        world.core.check_acknowledgement(&job, &good),
        Ok(Acknowledgement::Known)
    );
}

#[test]
fn shutdown_takes_nothing_new_and_finishes_what_is_claimed() {
    let mut world = World::with(3, |_| (), |policy| policy.concurrent_jobs = 1);
    world.hold_runs = true;
    world.drain();
    assert!(!world.core.is_idle());
    world.pause(Pause::ShuttingDown);
    world.hold_runs = false;
    world.drain();
    assert!(world.core.is_idle());
    let committed = (0..3)
        .filter(|job| world.status(*job) == JobStatus::Committed)
        .count();
    assert_eq!(committed, 1);
}

#[test]
fn claim_refused_for_a_lasting_reason_is_given_up() {
    let mut world = World::new(1);
    world.refuse_claims = Some(Error::ProviderOperatorMismatch);
    for _ in 0..10 {
        world.at(world.now + 2);
    }
    assert_eq!(world.core.refusal(&address(0)), Some(Refusal::ClaimRefused));
    assert_eq!(
        world.seen.iter().filter(|name| **name == "claim").count(),
        3
    );
}

/// It names no attempt: sent for one that a rival got, it lands in the next, and no list of open jobs
/// shows the job any more.
#[test]
fn claim_that_lands_in_a_later_attempt_is_looked_for() {
    let mut world = World::new(1);
    while !world.seen.contains(&"claim") {
        world.step();
    }
    world.taken_by_another(0);
    world.reads(0);
    assert!(world.core.live_jobs().is_empty(), "in other hands");
    world.lost_by_another(0);
    world.land_unseen();
    assert_eq!(world.job(0).provider, PROVIDER);
    assert_eq!(world.core.live_jobs(), [address(0)]);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
    world.acknowledge(0);
    world.drain();
    assert!(world.core.live_jobs().is_empty());
}

#[test]
fn old_reading_does_not_undo_a_newer_one() {
    let mut world = World::new(1);
    let open = world.job(0);
    world.drain();
    world
        .core
        .handle_job(address(0), &open, UnixSeconds(world.now));
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
    assert_eq!(world.job(0).provider, PROVIDER);
    assert_eq!(policy().concurrent_jobs, 4);
}

#[test]
fn account_is_gone_only_when_it_may_be_and_two_readings_miss_it() {
    let mut world = World::with(1, |job| job.open_slot = 1_000, |_| ());
    world.drain();
    let (job, now) = (address(0), UnixSeconds(world.now));
    let data = world.job(0);
    // Accounts close from slot 1,151 on; before, the node must be wrong.
    for slot in [1_100, 1_120, 1_150, 1_151, 1_151] {
        world.core.handle_gone(job, slot, now);
    }
    world.core.handle_job(job, &data, now);
    world.core.handle_gone(job, 1_200, now);
    assert_eq!(world.core.counts().committed, 1);
    for slot in [1_201, 1_300, 1_350] {
        world.core.handle_gone(job, slot, now);
        assert_eq!(world.core.counts().committed, 1, "slot {slot}");
    }
    world.core.handle_gone(job, 1_351, now);
    world.drain();
    assert_eq!(world.reports(0), ["claimed", "committed", "gone"]);
}

#[test]
fn account_missed_after_a_restart_is_waited_for_until_it_may_be_closed() {
    let mut world = World::new(0);
    let (job, now) = (address(9), UnixSeconds(world.now));
    world.core.restore(job, Restored::default());
    for slot in [5_000, 5_001, 5_150] {
        world.core.handle_gone(job, slot, now);
    }
    world.drain();
    assert_eq!(world.core.live_jobs(), [job], "it is still asked for");
    assert!(world.reports(9).is_empty());
    world.core.handle_gone(job, 5_151, now);
    world.drain();
    assert_eq!(world.reports(9), ["gone"]);
    assert!(world.core.live_jobs().is_empty());
}
