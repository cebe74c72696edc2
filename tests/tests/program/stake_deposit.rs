//! Stake comes from the authority's wallet, zero or at least the market's minimum.

use assay_client::protocol::Error;
use assay_tests::{Refusal, SOL, World};

#[test]
fn stake_deposit_moves_lamports_and_restarts_the_age() {
    let mut world = World::new();
    let provider = world.do_provider_register();
    let mut expected = world.provider(&provider.account);
    let before = (
        world.balance(&provider.authority),
        world.balance(&provider.account),
    );
    world.pass(60);
    world.do_stake_deposit(&provider, 3 * SOL);
    expected.stake = 3 * SOL;
    expected.aged_at = world.now().0;
    expected.sequence += 1;
    assert_eq!(world.provider(&provider.account), expected);
    assert_eq!(world.balance(&provider.authority), before.0 - 3 * SOL);
    assert_eq!(world.balance(&provider.account), before.1 + 3 * SOL);
}

#[test]
fn stake_deposit_below_the_minimum_fails_until_it_is_reached() {
    let mut world = World::new();
    let provider = world.do_provider_register();
    let least = world.market().params.min_stake;
    let call = world.stake_deposit(&provider, least - 1);
    world.send(call).refused(Error::ProviderStakeBelowMinimum);
    world.do_stake_deposit(&provider, least);
    world.do_stake_deposit(&provider, 1);
    assert_eq!(world.provider(&provider.account).stake, least + 1);
}

#[test]
fn stake_deposit_of_nothing_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    world
        .send(world.stake_deposit(&provider, 0))
        .refused(Error::AmountZero);
}

#[test]
fn stake_deposit_beyond_64_bits_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let call = world.stake_deposit(&provider, u64::MAX - 10 * SOL + 1);
    world.send(call).refused(Error::AmountOverflow);
}

#[test]
fn stake_deposit_beyond_the_wallet_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let held = world.balance(&provider.authority);
    world
        .send(world.stake_deposit(&provider, held + 1))
        .refused(Refusal::TooPoor);
}

#[test]
fn stake_deposit_by_anyone_else_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let stranger = world.wallet();
    for signer in [stranger, provider.operator, provider.payer] {
        let call = world.stake_deposit(&provider, SOL).put("authority", signer);
        world.send(call).refused(Error::ProviderAuthorityMismatch);
    }
}
