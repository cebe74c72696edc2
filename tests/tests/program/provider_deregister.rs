//! An empty provider leaves; its rent goes to who paid it.

use assay_client::protocol::Error;
use assay_tests::{SOL, World};

#[test]
fn provider_deregister_returns_rent_and_gifts_to_the_payer() {
    let mut world = World::new();
    let provider = world.do_provider_register();
    let stranger = world.wallet();
    world.do_transfer(stranger, provider.account, SOL);
    let (held, before) = (
        world.balance(&provider.account),
        world.balance(&provider.payer),
    );
    world.do_provider_deregister(&provider);
    assert!(!world.exists(&provider.account));
    assert_eq!(world.balance(&provider.payer), before + held);
}

#[test]
fn provider_deregister_and_register_again_starts_a_new_generation() {
    let mut world = World::new();
    let provider = world.do_provider_register();
    let first = world.provider(&provider.account).generation;
    world.do_provider_deregister(&provider);
    world.pass(10);
    world.send(world.provider_register(&provider)).accepted();
    assert!(world.provider(&provider.account).generation > first);
}

#[test]
fn provider_deregister_whose_payer_is_its_authority_is_accepted() {
    let mut world = World::new();
    let (authority, operator) = (world.wallet(), world.wallet());
    let provider = assay_tests::Provider::of(authority, operator);
    let before = world.balance(&authority);
    world.send(world.provider_register(&provider)).accepted();
    world.do_provider_deregister(&provider);
    assert_eq!(world.balance(&authority), before);
}

#[test]
fn provider_deregister_by_anyone_else_fails() {
    let mut world = World::new();
    let provider = world.do_provider_register();
    let stranger = world.wallet();
    for signer in [stranger, provider.operator, provider.payer] {
        let call = world
            .provider_deregister(&provider)
            .put("authority", signer);
        world.send(call).refused(Error::ProviderAuthorityMismatch);
    }
}

#[test]
fn provider_deregister_to_another_wallet_fails() {
    let mut world = World::new();
    let provider = world.do_provider_register();
    let call = world
        .provider_deregister(&provider)
        .put("rent_payer", provider.authority);
    world.send(call).refused(Error::RentPayerMismatch);
}

#[test]
fn provider_deregister_with_stake_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    world
        .send(world.provider_deregister(&provider))
        .refused(Error::ProviderHasStake);
    world.do_stake_unbond(&provider, 10 * SOL);
    world
        .send(world.provider_deregister(&provider))
        .refused(Error::ProviderHasStake);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, provider.authority);
    world.do_provider_deregister(&provider);
}

#[test]
fn provider_deregister_with_live_work_fails() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_claimed_job(&model, &provider);
    world
        .send(world.provider_deregister(&provider))
        .refused(Error::ProviderHasLiveWork);
    world.do_job_commit(&job, &provider);
    world
        .send(world.provider_deregister(&provider))
        .refused(Error::ProviderHasLiveWork);
}

#[test]
fn provider_deregister_with_earnings_fails() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    world.do_settled_job(&model, &provider);
    world.do_stake_unbond(&provider, 10 * SOL);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, provider.authority);
    world
        .send(world.provider_deregister(&provider))
        .refused(Error::ProviderHasEarnings);
    world.do_earnings_withdraw(&provider, provider.authority);
    world.do_provider_deregister(&provider);
}
