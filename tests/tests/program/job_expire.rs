//! job_expire: what anyone may do once time alone decides.

use assay_client::{
    Event,
    event::of_logs,
    instruction::JobExpire,
    program::INCINERATOR,
    protocol::{Address, Error, JobStatus, UnixSeconds},
};
use assay_tests::{Call, Job, Model, Provider, SOL, World};

fn world() -> (World, Provider, Model) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    (world, provider, model)
}

/// The crank with any provider or none.
fn expire(job: &Job, provider: Option<Address>) -> Call {
    JobExpire {
        job: job.account,
        requester: job.requester,
        provider,
    }
    .into()
}

#[test]
fn job_expire_of_an_open_job_refunds() {
    let (mut world, _, model) = world();
    let job = world.do_job_create(&model);
    let before = world.balance(&job.requester);
    world.pass(job.args.terms.claim_secs);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpired);
    world.pass(1);
    let outcome = world.do_job_expire(&job);
    let ended = world.job(&job.account);
    assert_eq!((ended.status(), ended.escrow), (Ok(JobStatus::Expired), 0));
    assert_eq!(
        world.balance(&job.requester),
        before + job.args.terms.ceiling
    );
    let events = of_logs(&outcome.logs);
    let [Event::JobExpired(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.slash, event.refund, event.status),
        (0, job.args.terms.ceiling, 9)
    );
    assert_eq!(event.provider, Address::default());
}

#[test]
fn job_expire_of_a_late_claim_slashes_and_opens_again() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    let before = world.balance(&job.requester);
    world.pass(job.args.terms.compute_secs);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpired);
    world.pass(1);
    let outcome = world.do_job_expire(&job);
    let slash = SOL / 10;
    let deadline = world.now().0 - 1;
    let (open, holder) = (world.job(&job.account), world.provider(&provider.account));
    assert_eq!(
        (open.status(), open.attempt, open.escrow),
        (Ok(JobStatus::Open), 1, job.args.terms.ceiling)
    );
    assert_eq!(
        (open.opened_at, open.provider),
        (deadline, Address::default())
    );
    assert_eq!(
        (holder.stake, holder.reserved, holder.live_jobs),
        (10 * SOL - slash, 0, 0)
    );
    assert_eq!((holder.jobs_late, holder.total_slashed), (1, slash));
    assert_eq!(world.balance(&INCINERATOR), slash);
    assert_eq!(
        world.balance(&job.requester),
        before,
        "a slash never reaches the requester"
    );
    let events = of_logs(&outcome.logs);
    let [Event::JobExpired(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.provider, event.slash, event.refund),
        (provider.account, slash, 0)
    );
    assert_eq!((event.stake, event.status), (10 * SOL - slash, 1));
}

#[test]
fn another_provider_finishes_what_a_late_one_lost() {
    let (mut world, late, model) = world();
    let other = world.do_provider();
    let job = world.do_claimed_job(&model, &late);
    world.pass(job.args.terms.compute_secs + 1);
    world.do_job_expire(&job);
    world.do_job_claim(&job, &other);
    assert_eq!(world.job(&job.account).attempt, 1);
    world.do_job_commit(&job, &other);
    world.do_job_finalize(&job, &other);
    assert!(world.provider(&other.account).earnings > 0);
    assert_eq!(world.provider(&late.account).earnings, 0);
}

#[test]
fn late_crank_does_not_lengthen_the_jobs_life() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    world.pass(job.args.terms.compute_secs + job.args.terms.claim_secs + 1);
    world.do_job_expire(&job);
    assert_eq!(world.status(&job), JobStatus::Open);
    world
        .send(world.job_claim(&job, &provider))
        .refused(Error::JobClaimDeadlinePassed);
    world.do_job_expire(&job);
    assert_eq!(world.status(&job), JobStatus::Expired);
}

#[test]
fn third_late_claim_ends_the_job_and_refunds() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    let before = world.balance(&job.requester);
    for _ in 0..3 {
        world.do_job_claim(&job, &provider);
        world.pass(job.args.terms.compute_secs + 1);
        world.do_job_expire(&job);
    }
    assert_eq!(world.status(&job), JobStatus::Expired);
    assert_eq!(
        world.balance(&job.requester),
        before + job.args.terms.ceiling
    );
    assert_eq!(
        world.provider(&provider.account).stake,
        10 * SOL - 3 * (SOL / 10)
    );
}

#[test]
fn job_expire_of_an_abandoned_commitment_faults() {
    let (mut world, provider, model) = world();
    let job = world.do_committed_job(&model, &provider);
    let before = world.balance(&job.requester);
    let deadline = world
        .job(&job.account)
        .finalize_deadline()
        .expect("the clock fits");
    world.pass_to(deadline);
    world
        .send(world.job_expire(&job))
        .refused(Error::JobNotExpired);
    world.pass_to(UnixSeconds(deadline.0 + 1));
    let outcome = world.do_job_expire(&job);
    let (ended, holder) = (world.job(&job.account), world.provider(&provider.account));
    assert_eq!((ended.status(), ended.escrow), (Ok(JobStatus::Faulted), 0));
    assert_eq!(
        world.balance(&job.requester),
        before + job.args.terms.ceiling
    );
    assert_eq!(
        (holder.stake, holder.reserved, holder.jobs_faulted),
        (9 * SOL, 0, 1)
    );
    assert_eq!(world.balance(&INCINERATOR), SOL, "the whole collateral");
    let events = of_logs(&outcome.logs);
    let [Event::JobExpired(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((event.slash, event.status), (SOL, 7));
}

#[test]
fn job_expire_of_an_ended_job_fails() {
    let (mut world, provider, model) = world();
    let settled = world.do_settled_job(&model, &provider);
    let cancelled = world.do_job_create(&model);
    world.do_job_cancel(&cancelled);
    let expired = world.do_job_create(&model);
    world.pass(expired.args.terms.claim_secs + 1);
    world.do_job_expire(&expired);
    world.pass(10_000_000);
    for job in [settled, cancelled, expired] {
        world
            .send(world.job_expire(&job))
            .refused(Error::JobNotExpirable);
    }
}

#[test]
fn job_expire_without_the_jobs_provider_fails() {
    let (mut world, provider, model) = world();
    let other = world.do_provider();
    let claimed = world.do_claimed_job(&model, &provider);
    let committed = world.do_committed_job(&model, &provider);
    world.pass(200_000);
    for job in [claimed, committed] {
        world
            .send(expire(&job, None))
            .refused(Error::ProviderMissing);
        world
            .send(expire(&job, Some(other.account)))
            .refused(Error::JobProviderMismatch);
    }
}

#[test]
fn job_expire_of_an_open_job_leaves_a_named_provider_alone() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    world.pass(job.args.terms.claim_secs + 1);
    let before = world.provider(&provider.account);
    world.send(expire(&job, Some(provider.account))).accepted();
    assert_eq!(world.provider(&provider.account), before);
}

#[test]
fn job_expire_towards_another_wallet_fails() {
    let (mut world, provider, model) = world();
    let job = world.do_job_create(&model);
    world.pass(job.args.terms.claim_secs + 1);
    for thief in [provider.authority, INCINERATOR, world.fee_payer] {
        let call = world.job_expire(&job).put("requester", thief);
        world.send(call).refused(Error::JobRequesterMismatch);
    }
}

#[test]
fn job_expire_twice_in_one_transaction_slashes_once() {
    let (mut world, provider, model) = world();
    let job = world.do_claimed_job(&model, &provider);
    world.pass(job.args.terms.compute_secs + 1);
    let call = world.job_expire(&job);
    world
        .send(vec![call.clone(), call])
        .refused(Error::JobNotExpired);
    world.do_job_expire(&job);
    assert_eq!(world.provider(&provider.account).jobs_late, 1);
}
