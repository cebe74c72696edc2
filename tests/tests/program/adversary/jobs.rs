//! Attacks that need more than one spoiled account.

use assay_client::protocol::{Error, JobStatus, args::ProviderArgs};
use assay_tests::{Provider, Refusal, SOL, World};

/// One hot key may work for two providers; the provider that claimed is the one that answers.
#[test]
fn operator_of_two_providers_cannot_swap_them() {
    let mut world = World::new();
    let (one, model) = (world.do_provider(), world.do_model_register());
    let other = world.do_provider();
    let args = ProviderArgs {
        operator: one.operator,
        ..other.args()
    };
    world.do_provider_update(&other, args);
    let other = Provider {
        operator: one.operator,
        ..other
    };

    let job = world.do_claimed_job(&model, &one);
    world
        .send(world.job_commit(&job, &other))
        .refused(Error::JobProviderMismatch);
    world
        .send(world.job_release(&job, &other))
        .refused(Error::JobProviderMismatch);
    world.do_job_commit(&job, &one);
    world
        .send(world.job_finalize(&job, &other))
        .refused(Error::JobProviderMismatch);
    world.do_job_finalize(&job, &one);
}

/// Whoever's account is passed for an open job: it is neither read nor changed.
#[test]
fn job_expire_of_an_open_job_leaves_a_passed_provider_alone() {
    let mut world = World::new();
    let (victim, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_job_create(&model);
    world.pass(1_000);
    let before = world.provider(&victim.account);
    let call = world.job_expire(&job).put("provider", victim.account);
    let mut call = call;
    call.instruction.accounts[2].is_writable = true;
    world.send(call).accepted();
    assert_eq!(world.status(&job), JobStatus::Expired);
    assert_eq!(world.provider(&victim.account), before);
}

/// The provider of a lost claim cannot be spared by leaving it out.
#[test]
fn job_expire_of_a_claimed_job_needs_its_provider() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_claimed_job(&model, &provider);
    world.pass(10_000);
    let call = world
        .job_expire(&job)
        .put("provider", assay_client::PROGRAM_ID);
    let mut call = call;
    call.instruction.accounts[2].is_writable = false;
    world.send(call).refused(Error::ProviderMissing);
    world.do_job_expire(&job);
}

/// A claim, a commitment and a release in one transaction: the last one fails, so all of them do.
#[test]
fn claim_commit_and_release_in_one_transaction_fails_as_a_whole() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_job_create(&model);
    let batch = [
        world.job_claim(&job, &provider),
        world.job_commit(&job, &provider),
        world.job_release(&job, &provider),
    ];
    world.send(batch).refused(Error::JobNotClaimed);
    assert_eq!(world.status(&job), JobStatus::Open);
}

/// Stake cannot be taken out in the transaction that claims with it.
#[test]
fn claim_and_unbond_in_one_transaction_share_one_stake() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_job_create(&model);
    let claim = world.job_claim(&job, &provider);
    let all = world.stake_unbond(&provider, 10 * SOL);
    world
        .send([claim.clone(), all.clone()])
        .refused(Error::ProviderStakeInsufficient);
    world
        .send([all, claim.clone()])
        .refused(Error::ProviderStakeInsufficient);
    world
        .send([world.stake_unbond(&provider, 9 * SOL), claim])
        .accepted();
}

/// A slash reaches unbonding stake's neighbour only: what is reserved stays until the job ends.
#[test]
fn unbonding_stake_cannot_carry_collateral_out() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world
        .new_job(&model)
        .with_terms(|terms| terms.collateral = 9 * SOL);
    world.do_job_create_as(&job);
    world.do_stake_unbond(&provider, SOL);
    world.do_job_claim(&job, &provider);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, provider.authority);
    world
        .send(world.stake_unbond(&provider, 1))
        .refused(Error::ProviderStakeInsufficient);
    world.do_job_expire(&job);
    assert_eq!(world.provider(&provider.account).stake, 9 * SOL - SOL / 10);
}

/// A model that closes and comes again under the same address does not reach back into a job's snapshot.
#[test]
fn model_registered_anew_leaves_old_jobs_alone() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_claimed_job(&model, &provider);
    let snapshot = world.job(&job.account);
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_model_close(&model);
    let mut args = model.args();
    args.output_profile[0] = 5;
    let again = assay_client::instruction::ModelRegister {
        payer: model.payer,
        author: model.author,
        args,
    };
    world.send(again).accepted();
    assert_eq!(world.job(&job.account), snapshot);
    world.do_job_expire(&job);
}

/// The same wallet in every role: authority, operator, requester and rent payer. Nothing locks its money up.
#[test]
fn one_wallet_in_every_role_gets_everything_out() {
    let mut world = World::new();
    let wallet = world.wallet();
    let before = world.balance(&wallet);
    let model = world.do_model_register();
    let provider = Provider::of(wallet, wallet);
    world.send(world.provider_register(&provider)).accepted();
    world.do_stake_deposit(&provider, 10 * SOL);

    let mut burned = 0;
    for ending in [
        "settled",
        "released",
        "late",
        "faulted",
        "cancelled",
        "expired",
    ] {
        let job = world.new_job_of(wallet, &model);
        world.do_job_create_as(&job);
        match ending {
            "cancelled" => drop(world.do_job_cancel(&job)),
            "expired" => {
                world.pass(1_000);
                world.do_job_expire(&job);
            }
            _ => {
                world.do_job_claim(&job, &provider);
                match ending {
                    "released" => {
                        world.do_job_release(&job, &provider);
                        burned += SOL / 40;
                        world.do_job_cancel(&job);
                    }
                    "late" => {
                        world.pass(301);
                        world.do_job_expire(&job);
                        burned += SOL / 10;
                        world.do_job_cancel(&job);
                    }
                    "faulted" => {
                        world.do_job_commit(&job, &provider);
                        world.pass(100_000);
                        world.do_job_expire(&job);
                        burned += SOL;
                    }
                    _ => {
                        world.do_job_commit(&job, &provider);
                        world.do_job_finalize(&job, &provider);
                    }
                }
            }
        }
        world.pass_open_slot(&job);
        world.do_job_close(&job);
    }

    world.do_earnings_withdraw(&provider, wallet);
    let fees = world.treasury().collected;
    let stake = world.provider(&provider.account).stake;
    world.do_stake_unbond(&provider, stake);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, wallet);
    world.do_provider_deregister(&provider);
    assert_eq!(world.balance(&wallet), before - burned - fees);
}

/// The instructions sysvar cannot be replaced by a copy that hides the nonce.
#[test]
fn forged_instructions_sysvar_is_refused() {
    let mut world = World::new();
    let forged = world.key();
    let account = solana_account::Account {
        lamports: SOL,
        data: vec![0; 64],
        owner: assay_client::protocol::Address::from_str_const(
            "Sysvar1111111111111111111111111111111111111",
        ),
        ..solana_account::Account::default()
    };
    world.put_account(forged, account);
    let call = world.market_pause(1).put("instructions", forged);
    world
        .send(call)
        .refused(Refusal::Other("InvalidArgument".to_owned()));
}
