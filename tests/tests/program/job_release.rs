//! job_release: a claim given back in time costs a quarter of the late slash and an attempt.

use assay_client::{
    Event,
    event::of_logs,
    program::INCINERATOR,
    protocol::{Address, Error, JobStatus},
};
use assay_tests::{Model, Provider, SOL, World};

fn world() -> (World, Provider, Model) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    (world, provider, model)
}

#[test]
fn job_release_burns_a_quarter_of_the_late_slash() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let wallet = world.balance(&job.requester);
    let outcome = world.do_job_release(&job, &provider);
    // The late slash is min(1 SOL, 0.1 SOL).
    let slash = SOL / 40;
    let (open, holder) = (world.job(&job.account), world.provider(&provider.account));
    assert_eq!(
        (open.status(), open.attempt, open.price),
        (Ok(JobStatus::Open), 1, 0)
    );
    assert_eq!((open.provider, open.generation), (Address::default(), 0));
    assert_eq!(
        (open.escrow, open.opened_at),
        (job.args.terms.ceiling, world.now().0)
    );
    assert_eq!(
        (holder.stake, holder.reserved, holder.live_jobs),
        (10 * SOL - slash, 0, 0)
    );
    assert_eq!(
        (holder.total_slashed, holder.jobs_released, holder.jobs_late),
        (slash, 1, 0)
    );
    assert_eq!(world.balance(&INCINERATOR), slash);
    assert_eq!(
        world.balance(&job.requester),
        wallet,
        "a slash never reaches the requester"
    );
    let events = of_logs(&outcome.logs);
    let [Event::JobReleased(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.slash, event.refund, event.stake),
        (slash, 0, 10 * SOL - slash)
    );
    assert_eq!((event.provider, event.status), (provider.account, 1));
}

#[test]
fn job_release_slash_is_rounded_down() {
    for (ceiling, slash) in [(1, 0), (3, 0), (4, 1), (40_003, 10_000)] {
        let (mut world, provider, model) = world();
        let job = world.new_job(&model).with_terms(|terms| {
            (terms.ceiling, terms.floor, terms.collateral) = (ceiling, 0, ceiling);
        });
        world.do_job_create_as(&job);
        world.do_job_claim(&job, &provider);
        world.do_job_release(&job, &provider);
        assert_eq!(
            world.provider(&provider.account).stake,
            10 * SOL - slash,
            "{ceiling}"
        );
    }
}

#[test]
fn job_release_of_another_attempt_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let early = world.job_release(&job, &provider).arguments(&[1]);
    world.send(early).refused(Error::JobAttemptMismatch);
    let first = world.job_release(&job, &provider);
    world.do_job_release(&job, &provider);
    world.do_job_claim(&job, &provider);
    world.send(first).refused(Error::JobAttemptMismatch);
}

#[test]
fn third_job_release_ends_the_job_and_refunds() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    let before = world.balance(&job.requester);
    for attempt in 0..3 {
        assert_eq!(world.job(&job.account).attempt, attempt);
        world.do_job_claim(&job, &provider);
        world.do_job_release(&job, &provider);
    }
    let ended = world.job(&job.account);
    assert_eq!(
        (ended.status(), ended.attempt, ended.escrow),
        (Ok(JobStatus::Expired), 3, 0)
    );
    assert_eq!(
        world.balance(&job.requester),
        before + job.args.terms.ceiling
    );
    assert_eq!(
        world.provider(&provider.account).stake,
        10 * SOL - 3 * (SOL / 40)
    );
    world
        .send(world.job_claim(&job, &provider))
        .refused(Error::JobNotOpen);
}

#[test]
fn job_release_by_anyone_but_the_operator_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    for stranger in [provider.authority, job.requester, world.authority] {
        let call = world.job_release(&job, &provider).put("operator", stranger);
        world.send(call).refused(Error::ProviderOperatorMismatch);
    }
}

#[test]
fn job_release_of_another_providers_job_fails() {
    let (mut world, provider, model) = world();
    let other = world.do_provider();
    let job = world.do_claimed_job(&model, &provider);
    world
        .send(world.job_release(&job, &other))
        .refused(Error::JobProviderMismatch);
    let open = world.do_job_create(&model);
    world
        .send(world.job_release(&open, &provider))
        .refused(Error::JobProviderMismatch);
}

#[test]
fn job_release_towards_another_wallet_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let call = world
        .job_release(&job, &provider)
        .put("requester", provider.authority);
    world.send(call).refused(Error::JobRequesterMismatch);
}

#[test]
fn job_release_twice_or_after_commit_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    world.do_job_release(&job, &provider);
    world
        .send(world.job_release(&job, &provider))
        .refused(Error::JobProviderMismatch);
    let job = world.do_committed_job(&model, &provider);
    world
        .send(world.job_release(&job, &provider))
        .refused(Error::JobNotClaimed);
    world.do_job_finalize(&job, &provider);
    world
        .send(world.job_release(&job, &provider))
        .refused(Error::JobNotClaimed);
}

#[test]
fn job_release_after_the_compute_deadline_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let deadline = world
        .job(&job.account)
        .compute_deadline()
        .expect("the clock fits");
    world.pass_to(deadline);
    world.clone().do_job_release(&job, &provider);
    world.pass(1);
    world
        .send(world.job_release(&job, &provider))
        .refused(Error::JobComputeDeadlinePassed);
}
