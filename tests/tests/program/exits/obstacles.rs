//! What the market's authority, a model's author or a provider could put in the way of an exit, and does not.

use assay_client::protocol::{
    Error, JobStatus,
    market::{MarketParams, PAUSE_ALL},
};
use assay_tests::{Job, Provider, SOL, World};

use super::{left, market, provider_leaves};

/// One job in each status from which somebody leaves.
struct Jobs {
    open: Job,
    claimed: Job,
    late: Job,
    committed: Job,
    settled: Job,
}

fn jobs() -> (World, Provider, assay_tests::Model, Jobs) {
    let (mut world, provider, model) = market();
    let jobs = Jobs {
        open: world.do_job_create(&model),
        claimed: world.do_claimed_job(&model, &provider),
        late: world.do_claimed_job(&model, &provider),
        committed: world.do_committed_job(&model, &provider),
        settled: world.do_settled_job(&model, &provider),
    };
    (world, provider, model, jobs)
}

/// Everybody leaves every status.
fn all_leave(world: &mut World, provider: &Provider, jobs: &Jobs) {
    world.do_job_cancel(&jobs.open);
    world.do_job_release(&jobs.claimed, provider);
    world.do_job_finalize(&jobs.committed, provider);
    world.pass(301);
    world.do_job_expire(&jobs.late);
    world.pass(121);
    world.do_job_expire(&jobs.late);
    world.do_job_expire(&jobs.claimed);
    let all = [
        &jobs.open,
        &jobs.claimed,
        &jobs.late,
        &jobs.committed,
        &jobs.settled,
    ];
    for job in all {
        assert!(world.status(job).is_terminal());
        world.do_job_close(job);
    }
    provider_leaves(world, provider, SOL / 40 + SOL / 10);
}

#[test]
fn pause_blocks_no_exit() {
    let (mut world, provider, model, jobs) = jobs();
    world.do_market_pause(PAUSE_ALL);
    let next = world.new_job(&model);
    world
        .send(world.job_create(&next))
        .refused(Error::MarketPaused);
    all_leave(&mut world, &provider, &jobs);
    world.do_model_retire(&model);
    world.pass(MarketParams::LOCAL.unbond_secs + 1);
    world.do_model_close(&model);
}

/// A pause neither keeps an open job from being served nor its provider from being paid.
#[test]
fn pause_stops_no_running_job() {
    let (mut world, provider, model) = market();
    let job = world.do_job_create(&model);
    world.do_market_pause(PAUSE_ALL);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
    world.do_earnings_withdraw(&provider, provider.payer);
}

#[test]
fn market_update_changes_no_running_job() {
    let (mut world, provider, _, jobs) = jobs();
    let before = [&jobs.open, &jobs.claimed, &jobs.committed].map(|job| world.job(&job.account));
    world.do_market_update(MarketParams {
        min_stake: 1 << 49,
        max_ceiling: 1,
        fee_bps: 1_000,
        min_claim_secs: 9_000,
        max_claim_secs: 9_000,
        min_compute_secs: 9_000,
        max_compute_secs: 9_000,
        min_challenge_secs: 9_000,
        max_challenge_secs: 9_000,
        max_input_bytes: 1,
        max_output_bytes: 1,
        unbond_secs: 365 * 86_400,
        ..MarketParams::LOCAL
    });
    let after = [&jobs.open, &jobs.claimed, &jobs.committed].map(|job| world.job(&job.account));
    assert_eq!(before, after);
    let fees = world.provider(&provider.account).fees_due;
    let mut paid = world.clone();
    paid.do_job_finalize(&jobs.committed, &provider);
    let fee = paid.provider(&provider.account).fees_due - fees;
    assert_eq!(
        fee,
        SOL / 100 / 50,
        "the fee of the day it was created, 2 %"
    );
    all_leave(&mut world, &provider, &jobs);
}

#[test]
fn retired_and_closed_model_stops_no_running_job() {
    let (mut world, provider, model, jobs) = jobs();
    world.do_model_retire(&model);
    let mut served = world.clone();
    served.do_job_claim(&jobs.open, &provider);
    served.do_job_commit(&jobs.open, &provider);
    served.do_job_finalize(&jobs.open, &provider);
    all_leave(&mut world, &provider, &jobs);

    let (mut world, provider, model) = market();
    let (open, claimed) = (
        world.do_job_create(&model),
        world.do_claimed_job(&model, &provider),
    );
    let before = world.balance(&open.requester) + world.balance(&open.account);
    world.do_model_retire(&model);
    world.pass(MarketParams::LOCAL.unbond_secs + 1);
    world.do_model_close(&model);
    world.do_job_expire(&claimed);
    world.do_job_expire(&open);
    left(&mut world, &open, JobStatus::Expired, before, 0);
}

#[test]
fn provider_with_a_live_job_cannot_deregister_or_hide_its_stake() {
    let (mut world, provider, model) = market();
    let job = world
        .new_job(&model)
        .with_terms(|terms| terms.collateral = 10 * SOL);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    for _ in ["claimed", "committed"] {
        world
            .send(world.provider_deregister(&provider))
            .refused(Error::ProviderHasLiveWork);
        world
            .send(world.stake_unbond(&provider, 1))
            .refused(Error::ProviderStakeInsufficient);
        if world.status(&job) == JobStatus::Claimed {
            world.do_job_commit(&job, &provider);
        }
    }
    world.do_job_finalize(&job, &provider);
    world
        .send(world.provider_deregister(&provider))
        .refused(Error::ProviderHasStake);
}

/// Stake that was on its way out before the claim still answers for nothing, and the rest answers for everything.
#[test]
fn stake_unbonded_before_the_slash_leaves_in_full() {
    let (mut world, provider, model) = market();
    world.do_stake_unbond(&provider, 9 * SOL);
    let job = world.do_committed_job(&model, &provider);
    world.pass(MarketParams::LOCAL.unbond_secs + 1);
    let destination = world.wallet();
    let before = world.balance(&destination);
    world.do_stake_withdraw(&provider, destination);
    assert_eq!(world.balance(&destination), before + 9 * SOL);
    world.do_job_expire(&job);
    assert_eq!(
        world.provider(&provider.account).stake,
        0,
        "the reserved SOL was slashed"
    );
    world.do_provider_deregister(&provider);
}

/// A provider that left and came back is another one: nothing of the old one's is accepted.
#[test]
fn returned_provider_inherits_nothing() {
    let (mut world, provider, model) = market();
    let job = world.do_claimed_job(&model, &provider);
    world.do_job_release(&job, &provider);
    let old = world.provider(&provider.account).generation;
    provider_leaves(&mut world, &provider, SOL / 40);
    world.send(world.provider_register(&provider)).accepted();
    world.do_stake_deposit(&provider, 10 * SOL);
    let new = world.provider(&provider.account).generation;
    assert!(new > old);
    world
        .send(world.job_commit(&job, &provider))
        .refused(Error::JobProviderMismatch);
    let fresh = world.do_claimed_job(&model, &provider);
    assert_eq!(world.job(&fresh.account).generation, new);
}
