//! Payees whose wallets are odd: emptied, gone, another program's, the same for every party.

use assay_client::{
    address,
    program::SYSTEM_PROGRAM,
    protocol::{Address, JobStatus},
};
use assay_tests::{Job, Model, Provider, SOL, World};
use solana_account::Account;

use super::{market, provider_leaves};

/// Lamports too few to keep a wallet alive.
const DUST: u64 = 10_000;

/// A job whose whole escrow is dust.
fn dust_job(world: &mut World, model: &Model) -> Job {
    let job = world.new_job(model).with_terms(|terms| {
        (terms.ceiling, terms.floor) = (DUST, DUST / 2);
    });
    world.do_job_create_as(&job);
    job
}

/// The requester spends everything it has.
fn empty(world: &mut World, job: &Job) {
    let (sink, all) = (world.wallet(), world.balance(&job.requester));
    world.do_transfer(job.requester, sink, all);
    assert!(
        world
            .account(&job.requester)
            .is_none_or(|account| account.lamports == 0)
    );
}

/// A refund that the wallet cannot take waits in the job and comes with the rent.
#[track_caller]
fn due_until_closed(world: &mut World, job: &Job, status: JobStatus, due: u64) {
    let ended = world.job(&job.account);
    assert_eq!(
        (ended.status(), ended.refund_due, ended.escrow),
        (Ok(status), due, 0)
    );
    assert_eq!(world.balance(&job.requester), 0);
    assert_eq!(world.balance(&job.account), world.rent(752) + due);
    world.pass_open_slot(job);
    world.do_job_close(job);
    assert_eq!(world.balance(&job.requester), world.rent(752) + due);
}

#[test]
fn emptied_wallet_gets_its_refund_with_the_rent_when_expired() {
    let (mut world, _, model) = market();
    let job = dust_job(&mut world, &model);
    empty(&mut world, &job);
    world.pass(job.args.terms.claim_secs + 1);
    world.do_job_expire(&job);
    due_until_closed(&mut world, &job, JobStatus::Expired, DUST);
}

#[test]
fn emptied_wallet_gets_its_refund_with_the_rent_when_cancelled() {
    let (mut world, _, model) = market();
    let job = dust_job(&mut world, &model);
    empty(&mut world, &job);
    world.do_job_cancel(&job);
    due_until_closed(&mut world, &job, JobStatus::Cancelled, DUST);
}

#[test]
fn emptied_wallet_does_not_keep_the_provider_from_its_pay() {
    let (mut world, provider, model) = market();
    let job = dust_job(&mut world, &model);
    empty(&mut world, &job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
    assert_eq!(
        world.provider(&provider.account).total_earned,
        DUST / 2 - DUST / 100
    );
    due_until_closed(&mut world, &job, JobStatus::Settled, DUST / 2);
}

#[test]
fn emptied_wallet_does_not_save_a_provider_from_its_slash() {
    let (mut world, provider, model) = market();
    let job = dust_job(&mut world, &model);
    empty(&mut world, &job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world.pass(1_000_000);
    world.do_job_expire(&job);
    assert_eq!(world.provider(&provider.account).stake, 9 * SOL);
    due_until_closed(&mut world, &job, JobStatus::Faulted, DUST);
}

#[test]
fn emptied_wallet_gets_its_refund_with_the_rent_after_three_releases() {
    let (mut world, provider, model) = market();
    let job = dust_job(&mut world, &model);
    empty(&mut world, &job);
    for _ in 0..3 {
        world.do_job_claim(&job, &provider);
        world.do_job_release(&job, &provider);
    }
    due_until_closed(&mut world, &job, JobStatus::Expired, DUST);
}

/// The last lamport decides whether a wallet can be paid at once.
#[test]
fn refund_is_paid_at_once_where_the_wallet_reaches_its_rent() {
    let (mut world, _, model) = market();
    let least = world.rent(0);
    for (holds, due) in [(least - DUST - 1, DUST), (least - DUST, 0), (least, 0)] {
        let job = dust_job(&mut world, &model);
        let rest = world.balance(&job.requester);
        let sink = world.wallet();
        // A wallet cannot be left below its rent by itself, but the rent it must hold can be raised around it.
        world.do_transfer(job.requester, sink, rest);
        world.fund(job.requester, holds);
        world.pass(job.args.terms.claim_secs + 1);
        world.do_job_expire(&job);
        assert_eq!(
            world.job(&job.account).refund_due,
            due,
            "a wallet with {holds}"
        );
        assert_eq!(world.balance(&job.requester), holds + DUST - due);
    }
}

#[test]
fn wallet_given_to_another_program_is_still_paid() {
    let (mut world, _, model) = market();
    let job = world.do_job_create(&model);
    let rent = world.rent(100);
    let owner = Address::new_from_array([9; 32]);
    let account = Account {
        lamports: rent,
        data: vec![1; 100],
        owner,
        ..Account::default()
    };
    world.put_account(job.requester, account);
    world.pass(job.args.terms.claim_secs + 1);
    world.do_job_expire(&job);
    assert_eq!(world.balance(&job.requester), rent + job.args.terms.ceiling);
    world.pass_open_slot(&job);
    world.do_job_close(&job);
    let paid = world.account(&job.requester).expect("the account lives");
    assert_eq!(
        (paid.owner, paid.data, paid.lamports),
        (
            owner,
            vec![1; 100],
            rent + job.args.terms.ceiling + world.rent(752)
        )
    );
}

/// A requester that turned its own address into a program blocks nobody else's exit.
#[test]
fn wallet_made_a_program_blocks_nobody() {
    let (mut world, provider, model) = market();
    let (open, committed) = (
        world.do_job_create(&model),
        world.do_committed_job(&model, &provider),
    );
    let bytes = std::fs::read(assay_tests::chain::program_file()).expect("the program was found");
    for job in [open, committed] {
        let lamports = world.rent(bytes.len());
        let owner = solana_sdk_ids::bpf_loader::ID;
        let account = Account {
            lamports,
            data: bytes.clone(),
            owner,
            executable: true,
            ..Account::default()
        };
        world.put_account(job.requester, account);
    }
    world.do_job_finalize(&committed, &provider);
    world.pass(1_000);
    world.do_job_expire(&open);
    assert_eq!(world.status(&open), JobStatus::Expired);
    assert_eq!(world.job(&open.account).refund_due, open.args.terms.ceiling);
    provider_leaves(&mut world, &provider, 0);
    let before = world.balance(&open.requester);
    world.do_job_close(&open);
    assert_eq!(
        world.balance(&open.requester),
        before + world.rent(752) + open.args.terms.ceiling
    );
}

/// One key for every role: no instruction stumbles over the same account in two places.
#[test]
fn one_wallet_can_be_every_party() {
    let mut world = World::new();
    let model = world.do_model_register();
    let me = world.wallet();
    let provider = Provider::of(me, me);
    world
        .send_from(me, world.provider_register(&provider))
        .accepted();
    world
        .send_from(me, world.stake_deposit(&provider, 10 * SOL))
        .accepted();
    let mut claimed = Vec::new();
    for _ in 0..5 {
        let job = world.new_job_of(me, &model);
        world.send_from(me, world.job_create(&job)).accepted();
        claimed.push(job);
    }
    let [cancelled, released, late, abandoned, settled] = claimed.as_slice() else {
        unreachable!()
    };
    world.send_from(me, world.job_cancel(cancelled)).accepted();
    for job in [released, late, abandoned, settled] {
        world
            .send_from(me, world.job_claim(job, &provider))
            .accepted();
    }
    world
        .send_from(me, world.job_release(released, &provider))
        .accepted();
    world
        .send_from(me, world.job_commit(abandoned, &provider))
        .accepted();
    world
        .send_from(me, world.job_commit(settled, &provider))
        .accepted();
    world
        .send_from(me, world.job_finalize(settled, &provider))
        .accepted();
    world.pass(1_000_000);
    for job in [released, late, late, abandoned] {
        world.send_from(me, world.job_expire(job)).accepted();
    }
    world
        .send_from(me, world.earnings_withdraw(&provider, me))
        .accepted();
    for job in &claimed {
        world.send_from(me, world.job_close(job)).accepted();
    }
    let held = world.provider(&provider.account);
    assert_eq!(held.stake, 10 * SOL - SOL / 40 - SOL / 10 - SOL);
    world
        .send_from(me, world.stake_unbond(&provider, held.stake))
        .accepted();
    world.pass(held.unbond_secs + 1);
    world
        .send_from(me, world.stake_withdraw(&provider, me))
        .accepted();
    world
        .send_from(me, world.provider_deregister(&provider))
        .accepted();
    assert!(!world.exists(&provider.account));
}

/// A stranger's lamports at a job's future address neither stop the job nor are lost.
#[test]
fn job_at_a_pre_funded_address_lives_and_ends_as_any_other() {
    for gift in [1, 100_000, 7_000_000, SOL] {
        let (mut world, provider, model) = market();
        let job = world.new_job(&model);
        assert_eq!(
            job.account,
            address::job(&job.requester, job.args.open_slot, job.args.index)
        );
        let account = Account {
            lamports: gift,
            owner: SYSTEM_PROGRAM,
            ..Account::default()
        };
        world.put_account(job.account, account);
        let before = world.balance(&job.requester);
        world.do_job_create_as(&job);
        world.do_job_claim(&job, &provider);
        world.do_job_commit(&job, &provider);
        world.do_job_finalize(&job, &provider);
        world.pass_open_slot(&job);
        world.do_job_close(&job);
        assert_eq!(
            world.balance(&job.requester),
            before - job.args.terms.floor + gift
        );
    }
}
