//! job_cancel: the requester takes an open job back, whole, at any time.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{Error, JobStatus},
};
use assay_tests::World;

#[test]
fn job_cancel_returns_the_whole_escrow() {
    let mut world = World::new();
    let model = world.do_model_register();
    let job = world.do_job_create(&model);
    let (before, locked) = (world.balance(&job.requester), world.balance(&job.account));
    let outcome = world.do_job_cancel(&job);
    let ceiling = job.args.terms.ceiling;
    assert_eq!(world.balance(&job.requester), before + ceiling);
    assert_eq!(world.balance(&job.account), locked - ceiling);
    let ended = world.job(&job.account);
    assert_eq!(
        (ended.status(), ended.escrow, ended.refund_due),
        (Ok(JobStatus::Cancelled), 0, 0)
    );
    assert_eq!((ended.sequence, ended.ended_at), (2, world.now().0));
    let events = of_logs(&outcome.logs);
    let [Event::JobCancelled(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.job, event.refund, event.sequence),
        (job.account, ceiling, 2)
    );
}

#[test]
fn job_cancel_after_the_claim_deadline_is_accepted() {
    let mut world = World::new();
    let model = world.do_model_register();
    let job = world.do_job_create(&model);
    world.pass(job.args.terms.claim_secs + 1_000_000);
    world.do_job_cancel(&job);
}

#[test]
fn job_cancel_by_anyone_else_fails() {
    let mut world = World::new();
    let (model, provider) = (world.do_model_register(), world.do_provider());
    let job = world.do_job_create(&model);
    for stranger in [
        provider.operator,
        provider.authority,
        model.author,
        world.authority,
    ] {
        let call = world.job_cancel(&job).put("requester", stranger);
        world.send(call).refused(Error::JobRequesterMismatch);
    }
    world
        .send(world.job_cancel(&job).unsigned("requester"))
        .refused(assay_tests::Refusal::NotSigner);
}

#[test]
fn job_cancel_in_any_other_status_fails() {
    let mut world = World::new();
    let (model, provider) = (world.do_model_register(), world.do_provider());
    let job = world.do_claimed_job(&model, &provider);
    world
        .send(world.job_cancel(&job))
        .refused(Error::JobNotOpen);
    world.do_job_commit(&job, &provider);
    world
        .send(world.job_cancel(&job))
        .refused(Error::JobNotOpen);
    world.do_job_finalize(&job, &provider);
    world
        .send(world.job_cancel(&job))
        .refused(Error::JobNotOpen);

    let twice = world.do_job_create(&model);
    world.do_job_cancel(&twice);
    world
        .send(world.job_cancel(&twice))
        .refused(Error::JobNotOpen);
}

#[test]
fn job_cancel_between_attempts_returns_the_whole_escrow() {
    let mut world = World::new();
    let (model, provider) = (world.do_model_register(), world.do_provider());
    let job = world.do_claimed_job(&model, &provider);
    let before = world.balance(&job.requester);
    world.do_job_release(&job, &provider);
    world.do_job_cancel(&job);
    assert_eq!(
        world.balance(&job.requester),
        before + job.args.terms.ceiling
    );
}
