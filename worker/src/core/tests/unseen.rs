//! Jobs that readings do not show as they are: nothing of ours is lost from sight.

use assay_protocol::{Error, JobStatus, UnixSeconds};

use super::{
    super::*,
    world::{World, address},
};

#[test]
fn claimed_job_that_cannot_be_prepared_yet_is_not_left_behind() {
    let mut world = World::new(1);
    world.hold_runs = true;
    world.drain();
    world.prepare_faults = vec![PrepareFault::Later];
    world.restart();
    world.drain();
    assert!(!world.core.is_idle(), "whoever stops now is slashed");
    assert_eq!(world.core.live_jobs(), [address(0)]);
    assert_eq!(world.core.counts().busy, 1);
    world.hold_runs = false;
    world.at(world.now + 1);
    assert_eq!(world.status(0), JobStatus::Committed);
}

#[test]
fn claim_of_an_attempt_that_somebody_else_had_is_made_again() {
    let mut world = World::new(1);
    for _ in 0..4 {
        world.step();
    }
    assert!(world.core.is_sending(&address(0)));
    world.lose_sent();
    world.taken_by_another(0);
    world.lost_by_another(0);
    world.reads(0);
    let (now, refused) = (UnixSeconds(world.now), Some(Error::JobNotOpen));
    world
        .core
        .handle_submitted(address(0), 0, Step::Claim, Submitted::Refused(refused), now);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
    assert_eq!(world.job(0).attempt, 1);
}

#[test]
fn claim_that_landed_unseen_is_looked_for_beyond_its_deadline() {
    let slow = |job: &mut JobData| (job.claim_secs, job.compute_secs) = (9, 200);
    let mut world = World::with(1, slow, |_| ());
    for _ in 0..4 {
        world.step();
    }
    world.land_unseen();
    for _ in 0..2 {
        world.now += 10;
        world.core.handle_time(UnixSeconds(world.now));
    }
    assert_eq!(world.core.live_jobs(), [address(0)]);
    assert!(world.core.minds(&address(0), &world.job(0)));
    world.reads(0);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
}
