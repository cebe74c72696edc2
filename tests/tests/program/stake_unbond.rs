//! Free stake starts its way out.

use assay_client::protocol::{Error, market::MarketParams};
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

/// The way out is open in any steps: a rest below the minimum only needs a full deposit before it can grow again.
#[test]
fn stake_unbond_that_leaves_less_than_the_minimum_is_accepted() {
    let mut world = World::new();
    let provider = world.do_provider();
    world.do_stake_unbond(&provider, 10 * SOL - 1);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, provider.authority);
    let least = world.market().params.min_stake;
    let call = world.stake_deposit(&provider, least - 2);
    world.send(call).refused(Error::ProviderStakeBelowMinimum);
    world.do_stake_deposit(&provider, least - 1);
}

#[test]
fn stake_unbond_waits_no_longer_than_promised_at_registration() {
    let mut world = World::new();
    let provider = world.do_provider();
    let promised = world.market().params.unbond_secs;
    for unbond_secs in [300 * 86_400, promised, promised - 86_400] {
        world.do_market_update(MarketParams {
            unbond_secs,
            ..MarketParams::LOCAL
        });
        world.do_stake_unbond(&provider, SOL);
        let waits = world.provider(&provider.account).unbond_at - world.now().0;
        assert_eq!(waits, i64::from(unbond_secs.min(promised)));
    }
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
