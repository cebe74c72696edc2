//! job_commit: one result, hidden, once, in time.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{Error, JobStatus, args::JobCommitArgs},
};
use assay_tests::{Model, Provider, SOL, World};
use bytemuck::bytes_of;

fn world() -> (World, Provider, Model) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    (world, provider, model)
}

#[test]
fn job_commit_fixes_the_result() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let args = world.commit_args(&job);
    let outcome = world.do_job_commit(&job, &provider);
    let committed = world.job(&job.account);
    assert_eq!(committed.status(), Ok(JobStatus::Committed));
    assert_eq!(committed.commitment, args.commitment);
    assert_eq!(committed.worker_secret_hash, args.worker_secret_hash);
    assert_eq!(committed.hints_digest, args.hints_digest);
    assert_eq!(
        (committed.committed_at, committed.sequence),
        (world.now().0, 3)
    );
    assert_eq!(
        world.provider(&provider.account).reserved,
        SOL,
        "the collateral stays reserved"
    );
    let events = of_logs(&outcome.logs);
    let [Event::JobCommitted(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.job, event.provider, event.commitment),
        (job.account, provider.account, args.commitment)
    );
}

#[test]
fn second_job_commit_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_committed_job(&model, &provider);
    world
        .send(world.job_commit(&job, &provider))
        .refused(Error::JobNotClaimed);
    let other = JobCommitArgs {
        commitment: [9; 32],
        ..world.commit_args(&job)
    };
    let call = world
        .job_commit(&job, &provider)
        .arguments(bytes_of(&other));
    world.send(call).refused(Error::JobNotClaimed);
}

#[test]
fn job_commit_for_another_attempt_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let first = world.job_commit(&job, &provider);
    world.do_job_release(&job, &provider);
    world.do_job_claim(&job, &provider);
    world.send(first).refused(Error::JobAttemptMismatch);
    world.do_job_commit(&job, &provider);
}

#[test]
fn job_commit_without_all_digests_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let whole = world.commit_args(&job);
    for args in [
        JobCommitArgs {
            commitment: [0; 32],
            ..whole
        },
        JobCommitArgs {
            worker_secret_hash: [0; 32],
            ..whole
        },
        JobCommitArgs {
            hints_digest: [0; 32],
            ..whole
        },
    ] {
        let call = world.job_commit(&job, &provider).arguments(bytes_of(&args));
        world.send(call).refused(Error::JobCommitmentMissing);
    }
}

#[test]
fn job_commit_by_anyone_but_the_operator_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    for stranger in [provider.authority, job.requester] {
        let call = world.job_commit(&job, &provider).put("operator", stranger);
        world.send(call).refused(Error::ProviderOperatorMismatch);
    }
}

#[test]
fn job_commit_to_another_providers_job_fails() {
    let (mut world, provider, model) = world();
    let other = world.do_provider();
    let job = world.do_claimed_job(&model, &provider);
    world
        .send(world.job_commit(&job, &other))
        .refused(Error::JobProviderMismatch);
    let open = world.do_job_create(&model);
    world
        .send(world.job_commit(&open, &provider))
        .refused(Error::JobProviderMismatch);
}

#[test]
fn job_commit_after_the_compute_deadline_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let deadline = world
        .job(&job.account)
        .compute_deadline()
        .expect("the clock fits");
    world.pass_to(deadline);
    world.clone().do_job_commit(&job, &provider);
    world.pass(1);
    world
        .send(world.job_commit(&job, &provider))
        .refused(Error::JobComputeDeadlinePassed);
}

#[test]
fn job_commit_after_a_crank_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    world.pass(job.args.terms.compute_secs + 1);
    world.do_job_expire(&job);
    world
        .send(world.job_commit(&job, &provider))
        .refused(Error::JobProviderMismatch);
}

#[test]
fn changed_operator_commits_and_the_old_one_cannot() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let operator = world.wallet();
    let mut args = provider.args();
    args.operator = operator;
    world.do_provider_update(&provider, args);
    world
        .send(world.job_commit(&job, &provider))
        .refused(Error::ProviderOperatorMismatch);
    world.do_job_commit(
        &job,
        &Provider {
            operator,
            ..provider
        },
    );
}
