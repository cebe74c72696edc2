//! Jobs that panels judge: finalized, and then followed to their verdict.

use assay_protocol::{JobStatus, UnixSeconds};

use super::{
    super::*,
    world::{World, address},
};

/// Terms under which the job is always drawn.
fn audited(job: &mut JobData) {
    (job.audit_bps, job.panel_size) = (10_000, 2);
    (job.audit_fee, job.collateral) = (1_000, 20_000);
}

#[test]
fn drawn_job_is_reported_and_waits_for_its_verdict() {
    for (end, last) in [
        (JobStatus::Settled, "settled"),
        (JobStatus::Faulted, "faulted"),
        (JobStatus::Unresolved, "unresolved"),
    ] {
        let mut world = World::with(1, audited, |_| ());
        world.drain();
        world.acknowledge(0);
        world.drain();
        assert_eq!(world.status(0), JobStatus::Auditing);
        assert_eq!(world.reports(0), ["claimed", "committed", "audited"]);
        assert!(world.core.is_idle());
        assert_eq!(world.core.counts().committed, 1, "it is not over");
        assert_eq!(world.core.live_jobs(), [address(0)]);
        let secret = world.requester_secret(0);
        assert_eq!(
            world.core.check_acknowledgement(&address(0), &secret),
            Ok(Acknowledgement::Known)
        );
        let mut job = world.job(0);
        job.status = end as u8;
        job.sequence += 1;
        let now = UnixSeconds(world.now);
        world.core.handle_job(address(0), &job, now);
        world.drain();
        assert_eq!(world.reports(0).last(), Some(&last));
        assert!(world.core.live_jobs().is_empty());
    }
}

#[test]
fn audited_job_without_acknowledgement_is_finalized_after_its_window_and_judged() {
    let mut world = World::with(1, audited, |_| ());
    world.drain();
    let deadline = world.job(0).challenge_deadline().unwrap();
    world.at(deadline.0 + 1);
    assert_eq!(world.status(0), JobStatus::Auditing);
}

#[test]
fn disputed_job_is_left_to_its_panel() {
    let mut world = World::with(1, audited, |_| ());
    world.drain();
    let mut job = world.job(0);
    job.dispute(1_000, UnixSeconds(world.now)).unwrap();
    world
        .core
        .handle_job(address(0), &job, UnixSeconds(world.now));
    world.acknowledge(0);
    world.drain();
    assert_eq!(world.reports(0), ["claimed", "committed", "audited"]);
    assert_eq!(world.seen.last(), Some(&"commit"), "nothing is finalized");
}

#[test]
fn audited_job_may_ask_for_more_collateral_and_not_for_any() {
    for (collateral, taken) in [(400_000, true), (400_001, false)] {
        let change = |job: &mut JobData| {
            audited(job);
            job.collateral = collateral;
        };
        let mut world = World::with(1, change, |_| ());
        world.drain();
        assert_eq!(world.status(0) == JobStatus::Committed, taken);
    }
}
