//! Collected fees leave by the authority's hand only, and never more than was collected.

use assay_client::{address, protocol::Error};
use assay_tests::{Refusal, SOL, World};

/// A market whose treasury has collected the fee of one settled job.
fn world_with_fees() -> (World, u64) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    world.do_settled_job(&model, &provider);
    world.do_earnings_withdraw(&provider, provider.authority);
    let collected = world.treasury().collected;
    assert!(collected > 0);
    (world, collected)
}

#[test]
fn treasury_withdraw_pays_any_destination_in_parts() {
    let (mut world, collected) = world_with_fees();
    let destination = world.wallet();
    let (before, treasury) = (world.balance(&destination), world.treasury());
    world.do_treasury_withdraw(destination, 1);
    world.do_treasury_withdraw(destination, collected - 1);
    assert_eq!(world.balance(&destination), before + collected);
    let mut expected = treasury;
    expected.collected = 0;
    expected.sequence += 2;
    assert_eq!(world.treasury(), expected);
}

#[test]
fn treasury_withdraw_into_the_treasury_fails() {
    let (mut world, collected) = world_with_fees();
    let call = world.treasury_withdraw(address::treasury(), collected);
    world.send(call).refused(Refusal::Duplicate);
}

#[test]
fn treasury_withdraw_into_another_account_of_the_program_is_a_gift_there() {
    let (mut world, collected) = world_with_fees();
    let before = world.market();
    world.do_treasury_withdraw(address::market(), collected);
    assert_eq!(world.market(), before);
}

#[test]
fn treasury_withdraw_to_the_authority_itself_is_accepted() {
    let (mut world, collected) = world_with_fees();
    let before = world.balance(&world.authority);
    world.do_treasury_withdraw(world.authority, collected);
    assert_eq!(world.balance(&world.authority), before + collected);
}

#[test]
fn treasury_withdraw_above_collected_fails() {
    let (mut world, collected) = world_with_fees();
    let destination = world.wallet();
    for amount in [collected + 1, u64::MAX] {
        let call = world.treasury_withdraw(destination, amount);
        world.send(call).refused(Error::TreasuryInsufficient);
    }
}

#[test]
fn treasury_withdraw_of_a_gift_fails() {
    let (mut world, collected) = world_with_fees();
    let stranger = world.wallet();
    world.do_transfer(stranger, address::treasury(), 5 * SOL);
    let call = world.treasury_withdraw(stranger, collected + 1);
    world.send(call).refused(Error::TreasuryInsufficient);
}

#[test]
fn treasury_withdraw_of_nothing_fails() {
    let (mut world, _) = world_with_fees();
    world
        .send(world.treasury_withdraw(world.authority, 0))
        .refused(Error::AmountZero);
}

#[test]
fn treasury_withdraw_by_anyone_else_fails() {
    let (mut world, collected) = world_with_fees();
    let stranger = world.wallet();
    let call = world
        .treasury_withdraw(stranger, collected)
        .put("authority", stranger);
    world.send(call).refused(Error::MarketAuthorityMismatch);
}

#[test]
fn treasury_withdraw_below_the_rent_of_an_empty_wallet_fails() {
    let (mut world, _) = world_with_fees();
    let empty = world.key();
    world
        .send(world.treasury_withdraw(empty, 1))
        .refused(Refusal::RentUnpaid);
}

#[test]
fn treasury_withdraw_in_a_durable_nonce_transaction_fails() {
    let (mut world, collected) = world_with_fees();
    let nonce = world.do_nonce(world.authority);
    let withdraw = world
        .treasury_withdraw(world.authority, collected)
        .instruction;
    world
        .send([world.nonce_advance(&nonce), withdraw])
        .refused(Error::DurableNonceRefused);
}
