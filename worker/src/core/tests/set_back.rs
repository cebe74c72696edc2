//! A time that was believed wrongly, and corrected.

use assay_protocol::{JobStatus, UnixSeconds};

use super::{
    super::*,
    world::{World, address},
};

const YEARS: i64 = 100_000_000;

#[test]
fn job_given_up_as_too_late_is_taken_up_again_when_the_time_is_corrected() {
    let mut world = World::new(1);
    world.hold_runs = true;
    world.drain();
    world.core.handle_time(UnixSeconds(world.now + YEARS));
    while let Some(command) = world.core.poll_command() {
        assert!(
            !matches!(command, Command::Submit { .. }),
            "nothing can be sent as late as that"
        );
    }
    world.core.handle_set_back(UnixSeconds(world.now));
    world.hold_runs = false;
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
}

#[test]
fn committed_job_whose_finalize_seemed_too_late_is_paid_after_the_correction() {
    let mut world = World::with(1, |job| job.audit_bps = 1, |_| ());
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
    world.err_about_time(YEARS);
    world.acknowledge(0);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Settled);
}

#[test]
fn nothing_waits_for_a_moment_that_is_far_away_after_the_correction() {
    let mut world = World::new(1);
    world.prepare_faults = vec![PrepareFault::Later];
    world.core.handle_time(UnixSeconds(world.now + YEARS));
    let job = world.job(0);
    let far = UnixSeconds(world.now + YEARS);
    world.core.handle_job(address(0), &job, far);
    world.drain();
    world.core.handle_set_back(UnixSeconds(world.now));
    world.at(world.now + 40);
    assert_eq!(world.status(0), JobStatus::Committed);
}
