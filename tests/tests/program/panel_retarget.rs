//! panel_retarget: a new target where the hash that should have seeded the panel is gone.

use assay_client::{Event, event::of_logs, protocol::Error};
use assay_tests::{Court, Job, World};

/// A job whose target's hash is gone.
fn gone() -> (World, Job) {
    let mut court = Court::new();
    let job = court.drawn();
    court.world.pass_slots(20);
    let target = court.world.job(&job.account).target_slot;
    court.world.retain_slots(&[target + 9, target + 1]);
    (court.world, job)
}

#[test]
fn panel_retarget_names_a_slot_that_is_not_there_yet() {
    let (mut world, job) = gone();
    let before = world.job(&job.account);
    let outcome = world.do_panel_retarget(&job);
    let after = world.job(&job.account);
    assert_eq!(after.target_slot, world.slot() + 8);
    assert_eq!(after.sequence, before.sequence + 1);
    assert_eq!(after.convened_at, before.convened_at);
    let events = of_logs(&outcome.logs);
    let [Event::PanelRetargeted(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((event.level, event.target_slot), (1, after.target_slot));
    world.do_panel_open(&job);
}

#[test]
fn anyone_may_retarget_any_job() {
    let mut court = Court::new();
    let jobs = [court.drawn(), court.drawn()];
    let world = &mut court.world;
    world.pass_slots(20);
    let slot = world.slot();
    world.retain_slots(&[slot - 1]);
    for job in &jobs {
        let stranger = world.wallet();
        world
            .send_from(stranger, world.panel_retarget(job))
            .accepted();
    }
}

#[test]
fn panel_retarget_with_the_hash_retained_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    let world = &mut court.world;
    let target = world.job(&job.account).target_slot;
    // Not there yet.
    world
        .send(world.panel_retarget(&job))
        .refused(Error::PanelSlotHashRetained);
    world.pass_slots(20);
    world
        .send(world.panel_retarget(&job))
        .refused(Error::PanelSlotHashRetained);
    for retained in [
        [target + 1, target].as_slice(),
        &[target + 2, target - 1],
        &[],
    ] {
        world.retain_slots(retained);
        world
            .send(world.panel_retarget(&job))
            .refused(Error::PanelSlotHashRetained);
    }
}

#[test]
fn panel_retarget_after_the_time_to_open_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    let world = &mut court.world;
    let deadline = world.job(&job.account).panel_open_deadline().unwrap();
    world.pass_to(deadline);
    let slot = world.slot();
    world.retain_slots(&[slot - 1]);
    world.clone().do_panel_retarget(&job);
    world.pass(1);
    let slot = world.slot();
    world.retain_slots(&[slot - 1]);
    world
        .send(world.panel_retarget(&job))
        .refused(Error::PanelOpenDeadlinePassed);
}

#[test]
fn panel_retarget_of_an_open_panel_or_a_job_without_one_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    court.world.do_panel_open(&job);
    let committed = court.committed(|_| {});
    let (settled, _) = court.confirmed();
    let world = &mut court.world;
    for (job, error) in [
        (job, Error::PanelAlreadyOpen),
        (committed, Error::JobNotConvened),
        (settled, Error::JobNotConvened),
    ] {
        let slot = world.slot();
        world.retain_slots(&[slot - 1]);
        world.send(world.panel_retarget(&job)).refused(error);
    }
}
