//! Who can leave a job, and when: one test for each cell of the protocol's exit matrix, then everything that might
//! stand in the way. Auditing and Appealing are in `panels`.

mod obstacles;
mod panels;
mod sessions;
mod wallets;

use assay_client::protocol::{Error, JobStatus};
use assay_tests::{Job, Model, Provider, SOL, World};

fn market() -> (World, Provider, Model) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    (world, provider, model)
}

/// The job ends where this says, every party has what it is due, and the account goes.
#[track_caller]
fn left(world: &mut World, job: &Job, status: JobStatus, wallet_before: u64, spent: u64) {
    assert_eq!(world.status(job), status);
    world.pass_open_slot(job);
    world.do_job_close(job);
    assert!(!world.exists(&job.account));
    assert_eq!(
        world.balance(&job.requester),
        wallet_before - spent,
        "escrow and rent are back but for {spent}"
    );
}

/// The provider takes everything out and goes.
#[track_caller]
fn provider_leaves(world: &mut World, provider: &Provider, slashed: u64) {
    let held = world.provider(&provider.account);
    assert_eq!((held.reserved, held.live_jobs), (0, 0));
    let destination = world.wallet();
    let before = world.balance(&destination);
    if held.earnings > 0 {
        world.do_earnings_withdraw(provider, destination);
    }
    world.do_stake_unbond(provider, held.stake);
    world.pass(held.unbond_secs + 1);
    world.do_stake_withdraw(provider, destination);
    assert_eq!(
        world.balance(&destination),
        before + 10 * SOL - slashed + held.earnings
    );
    world.do_provider_deregister(provider);
    assert!(!world.exists(&provider.account));
}

#[test]
fn open_requester_cancels() {
    let (mut world, provider, model) = market();
    let job = world.new_job(&model);
    let before = world.balance(&job.requester);
    world.do_job_create_as(&job);
    world.do_job_cancel(&job);
    left(&mut world, &job, JobStatus::Cancelled, before, 0);
    provider_leaves(&mut world, &provider, 0);
}

#[test]
fn open_anyone_expires_after_the_claim_deadline() {
    let (mut world, _, model) = market();
    let job = world.new_job(&model);
    let before = world.balance(&job.requester);
    world.do_job_create_as(&job);
    world.pass(job.args.terms.claim_secs);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpired);
    world.pass(1);
    world.do_job_expire(&job);
    left(&mut world, &job, JobStatus::Expired, before, 0);
}

#[test]
fn claimed_provider_releases() {
    let (mut world, provider, model) = market();
    let job = world.new_job(&model);
    let before = world.balance(&job.requester);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_release(&job, &provider);
    provider_leaves(&mut world, &provider, SOL / 40);
    world.do_job_cancel(&job);
    left(&mut world, &job, JobStatus::Cancelled, before, 0);
}

#[test]
fn claimed_requester_waits_and_anyone_expires_after_the_compute_deadline() {
    let (mut world, provider, model) = market();
    let job = world.new_job(&model);
    let before = world.balance(&job.requester);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world
        .send(world.job_cancel(&job))
        .refused(Error::JobNotOpen);
    world.pass(job.args.terms.compute_secs);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpired);
    world.pass(1);
    world.do_job_expire(&job);
    world.do_job_cancel(&job);
    left(&mut world, &job, JobStatus::Cancelled, before, 0);
    provider_leaves(&mut world, &provider, SOL / 10);
}

#[test]
fn committed_provider_finalizes_with_the_acknowledgement() {
    let (mut world, provider, model) = market();
    let job = world.new_job(&model);
    let before = world.balance(&job.requester);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
    left(
        &mut world,
        &job,
        JobStatus::Settled,
        before,
        job.args.terms.floor,
    );
    provider_leaves(&mut world, &provider, 0);
}

/// A requester that never answers cannot keep a provider from its pay.
#[test]
fn committed_provider_finalizes_alone_after_the_challenge_window() {
    let (mut world, provider, model) = market();
    let job = world.new_job(&model);
    let before = world.balance(&job.requester);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world.pass(job.args.terms.challenge_secs + 1);
    world
        .send(world.job_finalize_alone(&job, &provider))
        .accepted();
    left(
        &mut world,
        &job,
        JobStatus::Settled,
        before,
        job.args.terms.floor,
    );
    provider_leaves(&mut world, &provider, 0);
}

#[test]
fn committed_anyone_expires_a_day_after_the_challenge_window() {
    let (mut world, provider, model) = market();
    let job = world.new_job(&model);
    let before = world.balance(&job.requester);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world
        .send(world.job_cancel(&job))
        .refused(Error::JobNotOpen);
    world.pass(job.args.terms.challenge_secs + 86_400);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpired);
    world.pass(1);
    world.do_job_expire(&job);
    left(&mut world, &job, JobStatus::Faulted, before, 0);
    provider_leaves(&mut world, &provider, SOL);
}

/// Every terminal status that exists without audits: the account goes, the stake is free.
#[test]
fn terminal_jobs_close_and_free_the_stake() {
    let (mut world, provider, model) = market();
    let mut jobs = vec![world.do_settled_job(&model, &provider)];
    let cancelled = world.do_job_create(&model);
    world.do_job_cancel(&cancelled);
    jobs.push(cancelled);
    let faulted = world.do_committed_job(&model, &provider);
    world.pass(1_000_000);
    world.do_job_expire(&faulted);
    jobs.push(faulted);
    let expired = world.do_job_create(&model);
    world.pass(1_000_000);
    world.do_job_expire(&expired);
    jobs.push(expired);
    let ends: Vec<_> = jobs.iter().map(|job| world.status(job)).collect();
    assert_eq!(
        ends,
        [
            JobStatus::Settled,
            JobStatus::Cancelled,
            JobStatus::Faulted,
            JobStatus::Expired
        ]
    );
    world.pass(1_000);
    for job in &jobs {
        world.do_job_close(job);
    }
    provider_leaves(&mut world, &provider, SOL);
}
