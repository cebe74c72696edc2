//! Unbonded stake leaves after its waiting time, to where the authority says.

use assay_client::{
    address,
    protocol::{Error, UnixSeconds},
};
use assay_tests::{Provider, Refusal, SOL, World};

/// A provider whose unbonding stake of 4 SOL is free to go.
fn world_with_unbonded() -> (World, Provider) {
    let mut world = World::new();
    let provider = world.do_provider();
    world.do_stake_unbond(&provider, 4 * SOL);
    let unbond_at = world.provider(&provider.account).unbond_at;
    world.pass_deadline(UnixSeconds(unbond_at));
    (world, provider)
}

#[test]
fn stake_withdraw_pays_what_was_unbonding() {
    let (mut world, provider) = world_with_unbonded();
    let destination = world.wallet();
    let (before, mut expected) = (
        world.balance(&destination),
        world.provider(&provider.account),
    );
    world.do_stake_withdraw(&provider, destination);
    expected.stake = 6 * SOL;
    expected.unbonding = 0;
    expected.unbond_at = 0;
    expected.sequence += 1;
    assert_eq!(world.provider(&provider.account), expected);
    assert_eq!(world.balance(&destination), before + 4 * SOL);
}

#[test]
fn stake_withdraw_to_the_authority_itself_is_accepted() {
    let (mut world, provider) = world_with_unbonded();
    let before = world.balance(&provider.authority);
    world.do_stake_withdraw(&provider, provider.authority);
    assert_eq!(world.balance(&provider.authority), before + 4 * SOL);
}

#[test]
fn stake_withdraw_into_the_provider_itself_fails() {
    let (mut world, provider) = world_with_unbonded();
    let call = world.stake_withdraw(&provider, provider.account);
    world.send(call).refused(Refusal::Duplicate);
}

/// The authority may throw its own money away, and nobody else's: no field counts it there.
#[test]
fn stake_withdraw_into_another_account_of_the_program_is_a_gift_there() {
    let (mut world, provider) = world_with_unbonded();
    world.do_stake_withdraw(&provider, address::treasury());
    assert_eq!(world.treasury().collected, 0);
}

#[test]
fn stake_withdraw_in_its_last_waiting_second_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    world.do_stake_unbond(&provider, 10 * SOL);
    let call = world.stake_withdraw(&provider, provider.authority);
    world.send(&call).refused(Error::ProviderStillUnbonding);
    world.pass_to(UnixSeconds(world.provider(&provider.account).unbond_at));
    world.send(&call).refused(Error::ProviderStillUnbonding);
    world.pass(1);
    world.send(call).accepted();
}

#[test]
fn stake_withdraw_without_unbonding_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let call = world.stake_withdraw(&provider, provider.authority);
    world.send(call).refused(Error::ProviderNothingUnbonding);
}

#[test]
fn stake_withdraw_twice_fails() {
    let (mut world, provider) = world_with_unbonded();
    world.do_stake_withdraw(&provider, provider.authority);
    let call = world.stake_withdraw(&provider, provider.authority);
    world.send(call).refused(Error::ProviderNothingUnbonding);
}

#[test]
fn stake_withdraw_by_anyone_else_fails() {
    let (mut world, provider) = world_with_unbonded();
    let stranger = world.wallet();
    for signer in [stranger, provider.operator, provider.payer, world.authority] {
        let call = world
            .stake_withdraw(&provider, signer)
            .put("authority", signer);
        world.send(call).refused(Error::ProviderAuthorityMismatch);
    }
}

#[test]
fn stake_withdraw_below_the_rent_of_an_empty_wallet_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    world.do_stake_unbond(&provider, 1);
    world.pass(world.market().params.unbond_secs + 1);
    let empty = world.key();
    world
        .send(world.stake_withdraw(&provider, empty))
        .refused(Refusal::RentUnpaid);
    world.do_stake_withdraw(&provider, provider.authority);
}
