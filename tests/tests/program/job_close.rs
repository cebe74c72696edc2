//! job_close: rent and what is still due go to the requester, and the address never comes back.

use assay_client::{
    Event, address,
    event::of_logs,
    protocol::{Error, limits::OPEN_SLOT_AGE},
};
use assay_tests::{Job, Model, Provider, World};

fn world() -> (World, Provider, Model) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    (world, provider, model)
}

fn cancelled(world: &mut World, model: &Model) -> Job {
    let job = world.do_job_create(model);
    world.do_job_cancel(&job);
    job
}

#[test]
fn job_close_returns_the_rent() {
    let (mut world, _, model) = world();
    let job = cancelled(&mut world, &model);
    let before = world.balance(&job.requester);
    world.pass_open_slot(&job);
    let outcome = world.do_job_close(&job);
    assert!(!world.exists(&job.account));
    assert_eq!(world.balance(&job.account), 0);
    assert_eq!(world.balance(&job.requester), before + world.rent(752));
    let events = of_logs(&outcome.logs);
    let [Event::JobClosed(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.job, event.requester, event.refund),
        (job.account, job.requester, 0)
    );
}

#[test]
fn job_close_returns_a_strangers_gift_with_the_rent() {
    let (mut world, provider, model) = world();
    let job = cancelled(&mut world, &model);
    world.do_transfer(provider.authority, job.account, 12_345);
    let before = world.balance(&job.requester);
    world.pass_open_slot(&job);
    world.do_job_close(&job);
    assert_eq!(
        world.balance(&job.requester),
        before + world.rent(752) + 12_345
    );
}

#[test]
fn job_close_before_the_end_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    world.pass_open_slot(&job);
    world
        .send(world.job_close(&job))
        .refused(Error::JobNotTerminal);
    world.do_job_claim(&job, &provider);
    world
        .send(world.job_close(&job))
        .refused(Error::JobNotTerminal);
    world.do_job_commit(&job, &provider);
    world
        .send(world.job_close(&job))
        .refused(Error::JobNotTerminal);
    world.do_job_finalize(&job, &provider);
    world.do_job_close(&job);
}

#[test]
fn job_close_waits_until_the_open_slot_is_old() {
    let (mut world, _, model) = world();
    let job = cancelled(&mut world, &model);
    world
        .send(world.job_close(&job))
        .refused(Error::JobSlotTooRecent);
    world.pass_slots(OPEN_SLOT_AGE - (world.slot() - job.args.open_slot));
    world
        .send(world.job_close(&job))
        .refused(Error::JobSlotTooRecent);
    world.pass_slots(1);
    world.do_job_close(&job);
}

#[test]
fn closed_address_never_lives_again() {
    let (mut world, _, model) = world();
    let job = cancelled(&mut world, &model);
    world.pass_open_slot(&job);
    world.do_job_close(&job);
    world
        .send(world.job_create(&job))
        .refused(Error::JobSlotInvalid);
    // Nor by another name: the address follows from the slot, and the slot is too old.
    assert_eq!(
        job.account,
        address::job(&job.requester, job.args.open_slot, job.args.index)
    );
    world.pass(1_000_000);
    world
        .send(world.job_create(&job))
        .refused(Error::JobSlotInvalid);
}

#[test]
fn job_close_and_create_in_one_transaction_fails() {
    let (mut world, _, model) = world();
    let job = cancelled(&mut world, &model);
    world.pass_open_slot(&job);
    let both = vec![world.job_close(&job), world.job_create(&job)];
    world.send(both).refused(Error::JobSlotInvalid);
    assert!(world.exists(&job.account));
}

#[test]
fn job_close_towards_another_wallet_fails() {
    let (mut world, provider, model) = world();
    let job = cancelled(&mut world, &model);
    world.pass_open_slot(&job);
    let call = world.job_close(&job).put("requester", provider.authority);
    world.send(call).refused(Error::JobRequesterMismatch);
}

#[test]
fn closed_job_cannot_be_closed_again() {
    let (mut world, _, model) = world();
    let job = cancelled(&mut world, &model);
    world.pass_open_slot(&job);
    world.do_job_close(&job);
    assert!(!world.send(world.job_close(&job)).is_accepted());
    let call = world.job_cancel(&job);
    assert!(!world.send(call).is_accepted());
}
