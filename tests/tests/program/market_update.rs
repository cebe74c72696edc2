//! The authority tunes the market; what runs already is not touched.

use assay_client::protocol::{Error, market::MarketParams};
use assay_tests::{SOL, World};

use super::market_init::out_of_bounds;

#[test]
fn market_update_replaces_parameters_only() {
    let mut world = World::new();
    let before = world.market();
    let params = MarketParams {
        fee_bps: 1_000,
        ..MarketParams::PUBLIC
    };
    world.do_market_update(params);
    let mut expected = before;
    expected.params = params;
    expected.sequence += 1;
    assert_eq!(world.market(), expected);
}

#[test]
fn market_update_leaves_running_jobs_their_terms() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let job = world.do_committed_job(&model, &provider);
    world.do_market_update(MarketParams {
        fee_bps: 1_000,
        max_ceiling: 1,
        ..MarketParams::PUBLIC
    });
    let price = world.job(&job.account).price;
    world.do_job_finalize(&job, &provider);
    assert_eq!(
        world.provider(&provider.account).fees_due,
        price / 50,
        "still two per cent"
    );
}

#[test]
fn market_update_leaves_started_unbonding_its_time() {
    let mut world = World::new();
    let provider = world.do_provider();
    world.do_stake_unbond(&provider, 10 * SOL);
    let unbond_at = world.provider(&provider.account).unbond_at;
    let longer = MarketParams {
        unbond_secs: 300 * 86_400,
        ..MarketParams::LOCAL
    };
    world.do_market_update(longer);
    assert_eq!(world.provider(&provider.account).unbond_at, unbond_at);
}

#[test]
fn market_update_by_anyone_else_fails() {
    let mut world = World::new();
    let stranger = world.wallet();
    let call = world
        .market_update(MarketParams::PUBLIC)
        .put("authority", stranger);
    world.send(call).refused(Error::MarketAuthorityMismatch);
}

#[test]
fn market_update_with_a_parameter_out_of_bounds_fails() {
    let mut world = World::new();
    for params in out_of_bounds() {
        world
            .send(world.market_update(params))
            .refused(Error::MarketParamsInvalid);
    }
}

#[test]
fn market_update_in_a_durable_nonce_transaction_fails() {
    let mut world = World::new();
    let nonce = world.do_nonce(world.authority);
    let update = world.market_update(MarketParams::PUBLIC).instruction;
    let advance = world.nonce_advance(&nonce);
    world
        .send([advance.clone(), update.clone()])
        .refused(Error::DurableNonceRefused);
    // Only as the first instruction does it make the transaction durable.
    world.send([update, advance]).accepted();
}
