//! What keeps the worker from claiming more, and never from finishing.

use assay_protocol::{JobStatus, Lamports, UnixSeconds};

use super::{
    super::*,
    world::{World, address},
};

fn careful(policy: &mut Policy) {
    policy.breaker.failures = 2;
    policy.concurrent_jobs = 1;
}

/// Fails the next jobs of a model.
fn fail(world: &mut World, jobs: std::ops::Range<u8>, model: [u8; 32]) {
    for number in jobs {
        world.run_faults = vec![RunFault::Never];
        world.add(number, |job| job.model_digest = model);
        world.drain();
        assert_eq!(world.reports(number), ["claimed", "lost"]);
    }
}

#[test]
fn model_whose_jobs_fail_is_left_alone_and_others_are_not() {
    let mut world = World::with(0, |_| (), careful);
    fail(&mut world, 0..2, [1; 32]);
    world.add(2, |job| job.claim_secs = 3_000);
    world.add(3, |job| job.model_digest = [2; 32]);
    world.drain();
    assert_eq!(world.status(2), JobStatus::Open);
    assert_eq!(world.status(3), JobStatus::Committed);
    assert!(world.core.standing().is_accepting());
    let paused = world.core.paused_models(UnixSeconds(world.now));
    assert_eq!(paused, [[1; 32]].into());
    world.at(world.now + 599);
    assert_eq!(world.status(2), JobStatus::Open);
    world.at(world.now + 1);
    assert_eq!(world.status(2), JobStatus::Committed);
}

#[test]
fn failures_of_two_models_stop_everything_and_say_so() {
    let mut world = World::with(0, |_| (), careful);
    world.hold_runs = true;
    world.add(0, |job| job.model_digest = [3; 32]);
    world.drain();
    for model in [[1; 32], [2; 32]] {
        let now = UnixSeconds(world.now);
        world.core.handle_outcome(model, Outcome::Lost, now);
    }
    let standing = world.core.standing();
    assert!(standing.has(Pause::Failures) && !standing.is_accepting());
    world.add(1, |job| job.claim_secs = 3_000);
    // What is claimed goes on.
    world.hold_runs = false;
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
    assert_eq!(world.status(1), JobStatus::Open);
    world.at(world.now + 600);
    world.drain();
    assert!(world.core.standing().is_accepting());
    assert_eq!(world.status(1), JobStatus::Committed);
}

#[test]
fn lost_job_counts_once_however_it_is_heard_of() {
    let mut world = World::with(0, |_| (), |policy| policy.breaker.failures = 2);
    fail(&mut world, 0..1, [1; 32]);
    // Given back, then seen as lost: one failure.
    world.add(1, |_| ());
    world.drain();
    assert_eq!(world.status(1), JobStatus::Committed);
}

#[test]
fn faulted_job_pauses_its_model_at_once() {
    let mut world = World::new(1);
    world.drain();
    let mut job = world.job(0);
    (job.status, job.sequence) = (JobStatus::Faulted as u8, job.sequence + 1);
    let now = UnixSeconds(world.now);
    world.core.handle_job(address(0), &job, now);
    assert_eq!(world.core.paused_models(now).len(), 1);
}

#[test]
fn key_that_runs_dry_stops_claims_and_keeps_what_live_jobs_need() {
    let dear = |policy: &mut Policy| {
        policy.concurrent_jobs = 4;
        policy.funds = Funds {
            reserve: Lamports(1_000),
            transaction: Lamports(100),
        };
    };
    let mut world = World::with(0, |_| (), dear);
    world.hold_runs = true;
    let balance = |world: &mut World, lamports| {
        let now = UnixSeconds(world.now);
        world.core.handle_balance(Lamports(lamports), now);
        world.drain();
    };
    // The reserve, and a claim, a commit and a finalizing.
    balance(&mut world, 1_299);
    world.add(0, |_| ());
    world.drain();
    assert_eq!(world.status(0), JobStatus::Open);
    balance(&mut world, 1_300);
    assert_eq!(world.status(0), JobStatus::Claimed);
    assert!(world.core.standing().is_accepting());
    // Two more transactions are owed for it, and none is left for another job.
    balance(&mut world, 1_200);
    world.add(1, |_| ());
    world.drain();
    assert_eq!(world.status(1), JobStatus::Open);
    assert!(world.core.standing().is_accepting());
    balance(&mut world, 1_199);
    assert!(world.core.standing().has(Pause::Funds));
    world.hold_runs = false;
    world.drain();
    assert_eq!(
        world.status(0),
        JobStatus::Committed,
        "it is for this that it was kept"
    );
    balance(&mut world, 1_799);
    assert!(
        world.core.standing().has(Pause::Funds),
        "not by a lamport more"
    );
    balance(&mut world, 1_800);
    assert!(world.core.standing().is_accepting());
    // What seats owe is kept too.
    world.core.handle_seats(Vec::new(), 10);
    balance(&mut world, 1_800);
    assert!(world.core.standing().has(Pause::Funds));
}

#[test]
fn requester_gets_its_share_of_places_and_not_all() {
    let share = |policy: &mut Policy| {
        policy.requester_percent = 50;
        (policy.preparing_jobs, policy.watched_jobs) = (4, 6);
    };
    let mut world = World::with(0, |_| (), share);
    world.hold_preparations = true;
    for number in 0..8 {
        world.add(number, |job| job.requester = address(121));
    }
    world.drain();
    assert_eq!(world.seen, ["prepare"; 2]);
    assert_eq!(world.core.counts().candidates, 3);
    for number in 8..16 {
        world.add(number, |job| job.requester = address(122));
    }
    world.drain();
    assert_eq!(world.seen, ["prepare"; 4]);
    assert_eq!(world.core.counts().candidates, 6);
}

#[test]
fn hours_of_pause_take_nothing_new_and_end_by_themselves() {
    let window = Window::parse("00:00-24:00").unwrap();
    let mut world = World::with(1, |_| (), |policy| policy.pauses = vec![window.clone()]);
    world.drain();
    assert!(world.core.standing().has(Pause::PauseWindow));
    assert_eq!(world.status(0), JobStatus::Open);
    // The test's clock begins at 13:46:40.
    let window = Window::parse("13:00-13:47").unwrap();
    let mut world = World::with(1, |_| (), |policy| policy.pauses = vec![window.clone()]);
    world.at(world.now + 19);
    assert_eq!(world.status(0), JobStatus::Open);
    world.at(world.now + 1);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
}

#[test]
fn one_job_is_tried_after_a_pause_and_the_others_wait_for_it() {
    let both = |policy: &mut Policy| {
        careful(policy);
        policy.concurrent_jobs = 4;
    };
    let mut world = World::with(0, |_| (), both);
    fail(&mut world, 0..2, [1; 32]);
    for number in 2..4 {
        world.add(number, |job| job.claim_secs = 3_000);
    }
    world.hold_runs = true;
    world.at(world.now + 600);
    assert_eq!(world.core.counts().busy, 1);
    world.hold_runs = false;
    world.drain();
    assert_eq!(
        world.committed(),
        2,
        "it was good, and the circuit is closed"
    );
}
