//! What is taken while something stands against new work: nothing. What is ours goes on.

use assay_protocol::{JobStatus, UnixSeconds};

use super::{
    super::*,
    world::{World, address},
};

#[test]
fn paused_worker_claims_nothing_and_finishes_what_it_has() {
    // Those come and go by a rule of their own.
    let own = |pause: &Pause| matches!(pause, Pause::Failures | Pause::Funds | Pause::PauseWindow);
    for pause in Pause::ALL.into_iter().filter(|pause| !own(pause)) {
        let mut world = World::with(3, |_| (), |policy| policy.concurrent_jobs = 1);
        world.hold_runs = true;
        world.drain();
        world.pause(pause);
        world.hold_runs = false;
        world.drain();
        let committed = |world: &World| {
            let jobs = (0..3).filter(|job| world.status(*job) == JobStatus::Committed);
            jobs.count()
        };
        assert_eq!(committed(&world), 1, "{pause:?}");
        world.acknowledge(0);
        world.drain();
        assert_eq!(world.status(0), JobStatus::Settled, "{pause:?}");
        world.core.resume(pause, UnixSeconds(world.now));
        world.drain();
        assert_eq!(committed(&world), 2, "{pause:?}");
    }
}

#[test]
fn pause_lets_go_of_what_is_prepared_unless_it_is_short() {
    for (pause, held) in [(Pause::ChainUnreachable, 1), (Pause::Drained, 0)] {
        let mut world = World::with(1, |job| job.floor = 0, |policy| policy.min_price.0 = 1_000);
        world.at(world.now + 10);
        assert_eq!(world.core.counts().candidates, 1);
        world.pause(pause);
        assert_eq!(world.core.counts().candidates, held, "{pause:?}");
        world.at(world.now + 60);
        assert_eq!(world.status(0), JobStatus::Open);
        assert_eq!(world.core.poll_timeout(), None, "nothing is due");
    }
}

#[test]
fn job_lost_before_a_pause_is_not_taken_after_it() {
    let mut world = World::new(1);
    world.run_faults = vec![RunFault::Never];
    world.drain();
    world.pause(Pause::Drained);
    world.core.resume(Pause::Drained, UnixSeconds(world.now));
    world.drain();
    assert_eq!(world.core.refusal(&address(0)), Some(Refusal::LostBefore));
    assert_eq!(world.status(0), JobStatus::Open);
}

#[test]
fn claim_under_way_at_a_pause_is_finished_and_never_made_anew() {
    let mut world = World::new(1);
    while !world.seen.contains(&"claim") {
        world.step();
    }
    world.pause(Pause::Drained);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed, "it landed");
    let mut world = World::new(1);
    while !world.seen.contains(&"claim") {
        world.step();
    }
    world.pause(Pause::Drained);
    // It is said to have landed, and is not to be seen.
    let now = UnixSeconds(world.now);
    world
        .core
        .handle_submitted(address(0), 0, Step::Claim, Submitted::Landed, now);
    assert!(!world.core.is_idle(), "it may be ours");
    for seconds in 1..200 {
        world.core.handle_time(UnixSeconds(now.0 + seconds));
    }
    assert!(world.core.is_idle());
    while let Some(command) = world.core.poll_command() {
        assert!(matches!(command, Command::Discard { .. }), "{command:?}");
    }
}

#[test]
fn live_jobs_are_shown_with_phase_and_deadline() {
    let mut world = World::new(1);
    world.hold_runs = true;
    world.drain();
    let shown = &world.core.live()[0];
    let job = world.job(0);
    assert_eq!((shown.phase.as_str(), shown.ours), ("running", true));
    assert_eq!(shown.deadline, Some(job.compute_deadline().unwrap().0));
    assert_eq!(shown.price, job.price);
    world.hold_runs = false;
    world.drain();
    let shown = &world.core.live()[0];
    assert_eq!(shown.phase, "waiting");
    let deadline = world.job(0).finalize_deadline().unwrap();
    assert_eq!(shown.deadline, Some(deadline.0));
    world.acknowledge(0);
    world.drain();
    assert!(world.core.live().is_empty());
}

#[test]
fn nearly_full_disk_stops_new_work_until_there_is_clearly_room() {
    let mut core = World::new(0).core;
    let now = UnixSeconds(1);
    let few = LEAST_FREE_DISK - 1;
    assert_eq!(core.handle_free_disk(LEAST_FREE_DISK, now), None);
    assert_eq!(core.handle_free_disk(few, now), Some(true));
    assert_eq!(core.handle_free_disk(few, now), None, "known");
    let reason = core.standing.reasons().next().unwrap();
    assert!(reason.detail.contains("1023 MiB free"), "{reason:?}");
    assert_eq!(core.handle_free_disk(LEAST_FREE_DISK, now), None);
    assert!(core.standing.has(Pause::DiskFull), "it would begin again");
    assert_eq!(
        core.handle_free_disk(LEAST_FREE_DISK / 4 * 5, now),
        Some(false)
    );
    assert!(core.standing.is_accepting());
}

#[test]
fn dearest_of_a_list_is_prepared_first_wherever_it_stands() {
    let listed = World::new(3);
    let jobs = [2, 1, 0].map(|number| (address(number), listed.job(number)));
    let mut world = World::with(0, |_| (), |policy| policy.preparing_jobs = 1);
    world.core.handle_jobs(&jobs, UnixSeconds(world.now));
    let prepared = std::iter::from_fn(|| world.core.poll_command());
    let prepared: Vec<_> = prepared
        .filter_map(|command| {
            if let Command::Prepare { job } = command {
                Some(job)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(prepared, [address(0)], "job 0 pays the most");
}
