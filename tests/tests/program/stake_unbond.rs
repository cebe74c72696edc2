//! Free stake starts its way out.

use assay_client::protocol::Error;
use assay_tests::{SOL, World};

#[test]
fn stake_unbond_starts_the_waiting_time() {
    let mut world = World::new();
    let provider = world.do_provider();
    let mut expected = world.provider(&provider.account);
    world.do_stake_unbond(&provider, 4 * SOL);
    expected.unbonding = 4 * SOL;
    expected.unbond_at = world.now().0 + i64::from(world.market().params.unbond_secs);
    expected.sequence += 1;
    assert_eq!(world.provider(&provider.account), expected);
}

#[test]
fn stake_unbond_again_joins_and_restarts() {
    let mut world = World::new();
    let provider = world.do_provider();
    world.do_stake_unbond(&provider, 4 * SOL);
    world.pass(1_000);
    world.do_stake_unbond(&provider, SOL);
    let data = world.provider(&provider.account);
    assert_eq!(data.unbonding, 5 * SOL);
    assert_eq!(
        data.unbond_at,
        world.now().0 + i64::from(world.market().params.unbond_secs)
    );
}

#[test]
fn stake_unbond_of_everything_is_accepted() {
    let mut world = World::new();
    let provider = world.do_provider();
    world.do_stake_unbond(&provider, 10 * SOL);
    assert_eq!(world.provider(&provider.account).free_stake().unwrap().0, 0);
}

#[test]
fn stake_unbond_that_leaves_less_than_the_minimum_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let least = world.market().params.min_stake;
    let call = world.stake_unbond(&provider, 10 * SOL - least + 1);
    world.send(call).refused(Error::ProviderStakeBelowMinimum);
    world.do_stake_unbond(&provider, 10 * SOL - least);
}

#[test]
fn stake_unbond_of_more_than_is_free_fails() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let call = world.stake_unbond(&provider, 10 * SOL + 1);
    world.send(call).refused(Error::ProviderStakeInsufficient);
    world.do_claimed_job(&model, &provider);
    let call = world.stake_unbond(&provider, 9 * SOL + 1);
    world.send(call).refused(Error::ProviderStakeInsufficient);
    world.do_stake_unbond(&provider, 9 * SOL);
    let call = world.stake_unbond(&provider, 1);
    world.send(call).refused(Error::ProviderStakeInsufficient);
}

/// A slash may leave less than the minimum: then everything can still go.
#[test]
fn stake_unbond_of_the_rest_after_a_slash_is_accepted() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider_register(), world.do_model_register());
    let least = world.market().params.min_stake;
    world.do_stake_deposit(&provider, least);
    let job = world
        .new_job(&model)
        .with_terms(|terms| terms.collateral = least);
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_release(&job, &provider);
    let rest = world.provider(&provider.account).stake;
    assert!(rest < least);
    world
        .send(world.stake_unbond(&provider, 1))
        .refused(Error::ProviderStakeBelowMinimum);
    world.do_stake_unbond(&provider, rest);
}

#[test]
fn stake_unbond_of_nothing_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    world
        .send(world.stake_unbond(&provider, 0))
        .refused(Error::AmountZero);
}

#[test]
fn stake_unbond_by_anyone_else_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let stranger = world.wallet();
    for signer in [stranger, provider.operator, provider.payer] {
        let call = world.stake_unbond(&provider, SOL).put("authority", signer);
        world.send(call).refused(Error::ProviderAuthorityMismatch);
    }
}
