//! Pause bits stop entries and no exit.

use assay_client::protocol::{
    Error,
    market::{PAUSE_ALL, PAUSE_JOBS, PAUSE_REGISTRATIONS, PAUSE_SESSIONS},
};
use assay_tests::{SOL, World};

#[test]
fn market_pause_sets_and_clears_bits() {
    let mut world = World::new();
    for flags in [
        PAUSE_JOBS,
        PAUSE_REGISTRATIONS,
        PAUSE_SESSIONS,
        PAUSE_ALL,
        0,
    ] {
        let before = world.market();
        world.do_market_pause(flags);
        let mut expected = before;
        expected.flags = flags;
        expected.sequence += 1;
        assert_eq!(world.market(), expected);
    }
}

#[test]
fn market_pause_stops_entries_of_its_kind_only() {
    let mut world = World::new();
    let model = world.do_model_register();
    let job = world.new_job(&model);
    let provider = world.new_provider();
    let another = world.new_model();

    world.do_market_pause(PAUSE_JOBS | PAUSE_SESSIONS);
    world
        .send(world.job_create(&job))
        .refused(Error::MarketPaused);
    world.send(world.provider_register(&provider)).accepted();

    world.do_market_pause(PAUSE_REGISTRATIONS);
    world
        .send(world.model_register(&another))
        .refused(Error::MarketPaused);
    world.do_job_create_as(&job);
    let late = world.new_provider();
    world
        .send(world.provider_register(&late))
        .refused(Error::MarketPaused);

    world.do_market_pause(0);
    world.send(world.model_register(&another)).accepted();
    world.send(world.provider_register(&late)).accepted();
}

#[test]
fn market_pause_of_everything_leaves_every_exit_open() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let [open, unclaimed] = [(); 2].map(|()| world.do_job_create(&model));
    let [committed, settled] = [(); 2].map(|()| world.do_committed_job(&model, &provider));
    let [claimed, released] = [(); 2].map(|()| world.do_claimed_job(&model, &provider));
    world.do_market_pause(PAUSE_ALL);

    world.do_job_cancel(&open);
    world.do_job_finalize(&settled, &provider);
    world.do_job_release(&released, &provider);
    world.do_job_cancel(&released);
    world.pass_deadline(world.job(&unclaimed.account).claim_deadline().unwrap());
    world.do_job_expire(&unclaimed);
    world.do_job_commit(&claimed, &provider);
    world.pass_deadline(world.job(&claimed.account).finalize_deadline().unwrap());
    world.do_job_expire(&claimed);
    world.do_job_expire(&committed);
    for job in [open, unclaimed, settled, claimed, committed, released] {
        world.do_job_close(&job);
    }

    world.do_stake_deposit(&provider, SOL);
    let stake = world.provider(&provider.account).stake;
    world.do_stake_unbond(&provider, stake);
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, provider.authority);
    world.do_earnings_withdraw(&provider, provider.authority);
    world.do_provider_deregister(&provider);
    world.do_model_close(&model);
    let collected = world.treasury().collected;
    world.do_treasury_withdraw(world.authority, collected);
}

#[test]
fn market_pause_by_anyone_else_fails() {
    let mut world = World::new();
    let stranger = world.wallet();
    let call = world.market_pause(PAUSE_ALL).put("authority", stranger);
    world.send(call).refused(Error::MarketAuthorityMismatch);
}

#[test]
fn market_pause_with_a_bit_without_meaning_fails() {
    let mut world = World::new();
    for bit in 3..8 {
        world
            .send(world.market_pause(1 << bit))
            .refused(Error::MarketParamsInvalid);
    }
    world
        .send(world.market_pause(u8::MAX))
        .refused(Error::MarketParamsInvalid);
}

#[test]
fn market_pause_in_a_durable_nonce_transaction_fails() {
    let mut world = World::new();
    let nonce = world.do_nonce(world.authority);
    let pause = world.market_pause(PAUSE_ALL).instruction;
    world
        .send([world.nonce_advance(&nonce), pause])
        .refused(Error::DurableNonceRefused);
}
