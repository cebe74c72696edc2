//! job_finalize: at once with the requester's acknowledgement, after the challenge window without it; paid once.

use assay_client::{
    Event,
    budget::Budget,
    event::of_logs,
    protocol::{Error, JobStatus, UnixSeconds, args::JobFinalizeArgs},
};
use assay_tests::{Job, Model, Provider, Refusal, SOL, WORKER_SECRET, World};
use bytemuck::bytes_of;

fn world() -> (World, Provider, Model) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    (world, provider, model)
}

fn revealed(job: &Job) -> JobFinalizeArgs {
    JobFinalizeArgs {
        worker_secret: WORKER_SECRET,
        requester_secret: job.secret,
        acknowledged: 1,
    }
}

/// As a worker sends those that are due together.
#[test]
fn job_finalize_of_several_jobs_pays_all_or_none() {
    let (mut world, provider, model) = world();
    let jobs = [0; 6].map(|_| {
        let job = world.do_job_create(&model);
        world.do_job_claim(&job, &provider);
        world.do_job_commit(&job, &provider);
        job
    });
    let finalizes = jobs
        .iter()
        .map(|job| world.job_finalize(job, &provider).instruction);
    let batch = [Budget::generous(1).instructions(), finalizes.collect()].concat();
    let mut late = world.clone();
    late.do_job_finalize(&jobs[5], &provider);
    late.send_from(provider.operator, batch.clone())
        .refused(Error::JobNotCommitted);
    world.send_from(provider.operator, batch).accepted();
    for job in &jobs {
        assert_eq!(world.job(&job.account).status(), Ok(JobStatus::Settled));
    }
    let holder = world.provider(&provider.account);
    assert_eq!((holder.live_jobs, holder.jobs_settled), (0, 6));
}

#[test]
fn job_finalize_pays_the_provider_and_returns_the_rest() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    world.pass(30);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    let (wallet, account) = (
        world.balance(&job.requester),
        world.balance(&provider.account),
    );
    let outcome = world.do_job_finalize(&job, &provider);
    let (price, fee) = (55 * SOL / 1_000, 55 * SOL / 50_000);
    let (ended, holder) = (world.job(&job.account), world.provider(&provider.account));
    assert_eq!(
        (ended.status(), ended.escrow, ended.refund_due),
        (Ok(JobStatus::Settled), 0, 0)
    );
    assert_eq!(
        (ended.price, ended.ended_at, ended.sequence),
        (price, world.now().0, 4)
    );
    assert_eq!(
        world.balance(&job.requester),
        wallet + job.args.terms.ceiling - price
    );
    assert_eq!(world.balance(&provider.account), account + price);
    assert_eq!(
        (holder.earnings, holder.fees_due, holder.total_earned),
        (price - fee, fee, price - fee)
    );
    assert_eq!(
        (
            holder.stake,
            holder.reserved,
            holder.live_jobs,
            holder.jobs_settled
        ),
        (10 * SOL, 0, 0, 1)
    );
    let events = of_logs(&outcome.logs);
    let [Event::JobSettled(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.price, event.fee, event.refund),
        (price, fee, job.args.terms.ceiling - price)
    );
    assert_eq!((event.earnings, event.acknowledged), (price - fee, 1));
}

#[test]
fn job_finalize_without_acknowledgement_waits_for_the_challenge_window() {
    let (mut world, provider, model) = world();
    let job = world.do_committed_job(&model, &provider);
    world
        .send(world.job_finalize_alone(&job, &provider))
        .refused(Error::JobChallengeWindowOpen);
    world.pass(job.args.terms.challenge_secs);
    world
        .send(world.job_finalize_alone(&job, &provider))
        .refused(Error::JobChallengeWindowOpen);
    world.pass(1);
    let outcome = world
        .send(world.job_finalize_alone(&job, &provider))
        .accepted();
    let events = of_logs(&outcome.logs);
    let [Event::JobSettled(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(event.acknowledged, 0);
}

#[test]
fn job_finalize_twice_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_settled_job(&model, &provider);
    world
        .send(world.job_finalize(&job, &provider))
        .refused(Error::JobNotCommitted);
    let twice = world.do_committed_job(&model, &provider);
    let call = world.job_finalize(&twice, &provider);
    world
        .send(vec![call.clone(), call])
        .refused(Error::JobNotCommitted);
    assert_eq!(world.status(&twice), JobStatus::Committed);
}

#[test]
fn job_finalize_with_wrong_secrets_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_committed_job(&model, &provider);
    let right = revealed(&job);
    let with = |args: JobFinalizeArgs| {
        world
            .job_finalize(&job, &provider)
            .arguments(bytes_of(&args))
    };
    let calls = [
        (
            with(JobFinalizeArgs {
                worker_secret: [1; 32],
                ..right
            }),
            Error::JobWorkerSecretMismatch,
        ),
        (
            with(JobFinalizeArgs {
                worker_secret: [1; 32],
                acknowledged: 0,
                ..right
            }),
            Error::JobWorkerSecretMismatch,
        ),
        (
            with(JobFinalizeArgs {
                requester_secret: [1; 32],
                ..right
            }),
            Error::JobRequesterSecretMismatch,
        ),
        (
            with(JobFinalizeArgs {
                requester_secret: WORKER_SECRET,
                ..right
            }),
            Error::JobRequesterSecretMismatch,
        ),
        (
            with(JobFinalizeArgs {
                acknowledged: 0,
                ..right
            }),
            Error::JobChallengeWindowOpen,
        ),
    ];
    for (call, error) in calls {
        world.send(call).refused(error);
    }
    world.do_job_finalize(&job, &provider);
}

#[test]
fn job_finalize_with_another_jobs_secret_fails() {
    let (mut world, provider, model) = world();
    let (one, two) = (
        world.do_committed_job(&model, &provider),
        world.do_committed_job(&model, &provider),
    );
    assert_ne!(one.secret, two.secret);
    let call = world
        .job_finalize(&one, &provider)
        .arguments(bytes_of(&revealed(&two)));
    world.send(call).refused(Error::JobRequesterSecretMismatch);
}

#[test]
fn job_finalize_before_commit_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    world
        .send(world.job_finalize(&job, &provider))
        .refused(Error::JobNotCommitted);
    let open = world.do_job_create(&model);
    world
        .send(world.job_finalize(&open, &provider))
        .refused(Error::JobProviderMismatch);
}

#[test]
fn job_finalize_by_anyone_but_the_operator_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_committed_job(&model, &provider);
    for stranger in [provider.authority, job.requester] {
        let call = world
            .job_finalize(&job, &provider)
            .put("operator", stranger);
        world.send(call).refused(Error::ProviderOperatorMismatch);
    }
}

#[test]
fn job_finalize_for_another_provider_or_requester_fails() {
    let (mut world, provider, model) = world();
    let other = world.do_provider();
    let job = world.do_committed_job(&model, &provider);
    world
        .send(world.job_finalize(&job, &other))
        .refused(Error::JobProviderMismatch);
    let stolen = world
        .job_finalize(&job, &provider)
        .put("requester", provider.authority);
    world.send(stolen).refused(Error::JobRequesterMismatch);
    let aliased = world
        .job_finalize(&job, &provider)
        .put("requester", provider.account);
    assert!(!world.send(aliased).is_accepted());
    let unsigned = world.job_finalize(&job, &provider).unsigned("operator");
    world.send(unsigned).refused(Refusal::NotSigner);
}

#[test]
fn job_finalize_without_acknowledgement_ends_with_its_deadline() {
    let (mut world, provider, model) = world();
    let job = world.do_committed_job(&model, &provider);
    let deadline = world
        .job(&job.account)
        .finalize_deadline()
        .expect("the clock fits");
    world.pass_to(deadline);
    world
        .clone()
        .send(world.job_finalize_alone(&job, &provider))
        .accepted();
    world.pass(1);
    world
        .send(world.job_finalize_alone(&job, &provider))
        .refused(Error::JobFinalizeDeadlinePassed);
    world.do_job_expire(&job);
    world
        .send(world.job_finalize(&job, &provider))
        .refused(Error::JobNotCommitted);
}

/// An unaudited job has no draw to escape from: a halt of the chain must not cost an honest provider.
#[test]
fn acknowledged_job_is_paid_until_somebody_expires_it() {
    let (mut world, provider, model) = world();
    let job = world.do_committed_job(&model, &provider);
    let deadline = world
        .job(&job.account)
        .finalize_deadline()
        .expect("the clock fits");
    world.pass_to(UnixSeconds(deadline.0 + 1_000_000));
    world.do_job_finalize(&job, &provider);
    assert_eq!(world.status(&job), JobStatus::Settled);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpirable);
}

#[test]
fn job_finalize_at_the_ceiling_returns_nothing() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    world.pass(60);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    let wallet = world.balance(&job.requester);
    world.do_job_finalize(&job, &provider);
    assert_eq!(world.balance(&job.requester), wallet);
    assert_eq!(world.balance(&job.account), world.rent(752));
}

#[test]
fn job_finalize_of_a_free_job_pays_nothing() {
    let (mut world, provider, model) = world();
    let job = world.new_job(&model).with_terms(|terms| terms.floor = 0);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    let wallet = world.balance(&job.requester);
    world.do_job_finalize(&job, &provider);
    assert_eq!(
        world.balance(&job.requester),
        wallet + job.args.terms.ceiling
    );
    assert_eq!(world.provider(&provider.account).earnings, 0);
}
