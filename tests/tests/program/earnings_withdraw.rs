//! Income leaves to where the authority says, and the market's share goes to the treasury with it.

use assay_client::{address, protocol::Error};
use assay_tests::{Provider, Refusal, SOL, World};

/// A provider that settled one job at 0.01 SOL: 2 % of it is the market's.
fn world_with_earnings() -> (World, Provider) {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    world.do_settled_job(&model, &provider);
    (world, provider)
}

#[test]
fn earnings_withdraw_pays_provider_and_treasury() {
    let (mut world, provider) = world_with_earnings();
    let destination = world.wallet();
    let mut expected = world.provider(&provider.account);
    let (before, treasury) = (
        world.balance(&destination),
        world.balance(&address::treasury()),
    );
    assert_eq!((expected.earnings, expected.fees_due), (9_800_000, 200_000));
    world.do_earnings_withdraw(&provider, destination);
    expected.earnings = 0;
    expected.fees_due = 0;
    expected.sequence += 1;
    assert_eq!(world.provider(&provider.account), expected);
    assert_eq!(world.balance(&destination), before + 9_800_000);
    assert_eq!(world.balance(&address::treasury()), treasury + 200_000);
    assert_eq!(
        (world.treasury().collected, world.treasury().total_collected),
        (200_000, 200_000)
    );
}

#[test]
fn earnings_withdraw_of_fees_alone_is_accepted() {
    let mut world = World::new();
    let params = assay_client::protocol::market::MarketParams {
        fee_bps: 1_000,
        ..assay_client::protocol::market::MarketParams::LOCAL
    };
    world.do_market_update(params);
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.new_job(&model).with_terms(|terms| {
        terms.ceiling = 10;
        terms.floor = 10;
    });
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
    world.do_earnings_withdraw(&provider, provider.authority);
    assert_eq!(world.treasury().collected, 1);
}

#[test]
fn earnings_withdraw_to_the_authority_itself_is_accepted() {
    let (mut world, provider) = world_with_earnings();
    let before = world.balance(&provider.authority);
    world.do_earnings_withdraw(&provider, provider.authority);
    assert_eq!(world.balance(&provider.authority), before + 9_800_000);
}

#[test]
fn earnings_withdraw_into_the_accounts_they_come_from_or_pass_fails() {
    let (mut world, provider) = world_with_earnings();
    for destination in [address::treasury(), provider.account] {
        let call = world.earnings_withdraw(&provider, destination);
        world.send(call).refused(Refusal::Duplicate);
    }
}

#[test]
fn earnings_withdraw_into_another_account_of_the_program_is_a_gift_there() {
    let (mut world, provider) = world_with_earnings();
    let other = world.do_provider();
    world.do_earnings_withdraw(&provider, other.account);
    assert_eq!(world.provider(&other.account).stake, 10 * SOL);
    let call = world.earnings_withdraw(&other, other.authority);
    world.send(call).refused(Error::ProviderNothingEarned);
}

#[test]
fn earnings_withdraw_of_nothing_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let call = world.earnings_withdraw(&provider, provider.authority);
    world.send(call).refused(Error::ProviderNothingEarned);
}

#[test]
fn earnings_withdraw_twice_fails() {
    let (mut world, provider) = world_with_earnings();
    world.do_earnings_withdraw(&provider, provider.authority);
    let call = world.earnings_withdraw(&provider, provider.authority);
    world.send(call).refused(Error::ProviderNothingEarned);
}

#[test]
fn earnings_withdraw_by_anyone_else_fails() {
    let (mut world, provider) = world_with_earnings();
    let stranger = world.wallet();
    for signer in [stranger, provider.operator, provider.payer, world.authority] {
        let call = world
            .earnings_withdraw(&provider, signer)
            .put("authority", signer);
        world.send(call).refused(Error::ProviderAuthorityMismatch);
    }
}

#[test]
fn earnings_withdraw_below_the_rent_of_an_empty_wallet_fails() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.new_job(&model).with_terms(|terms| {
        terms.ceiling = 100;
        terms.floor = 100;
    });
    world.do_job_create_as(&job);
    world.do_job_claim(&job, &provider);
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
    let empty = world.key();
    world
        .send(world.earnings_withdraw(&provider, empty))
        .refused(Refusal::RentUnpaid);
    world.do_earnings_withdraw(&provider, provider.authority);
}
