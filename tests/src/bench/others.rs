//! Instructions of the market's authority, of providers and of models.

use assay_client::protocol::market::MarketParams;

use super::{Gauge, model, provider};
use crate::{SOL, World, chain::UPGRADE_AUTHORITY};

pub(super) fn measure(gauge: &mut Gauge) {
    admin(gauge);
    provider_ways(gauge);
    model_ways(gauge);
}

fn admin(gauge: &mut Gauge) {
    let mut world = World::without_market();
    let authority = UPGRADE_AUTHORITY;
    let call = world.market_init(MarketParams::LOCAL);
    gauge.note(&mut world, authority, call);
    let call = world.market_update(MarketParams::PUBLIC);
    gauge.note(&mut world, authority, call);
    let call = world.market_pause(0);
    gauge.note(&mut world, authority, call);

    let (someone, model) = (provider(&mut world), model(&mut world));
    world.send(world.provider_register(&someone)).accepted();
    world.do_stake_deposit(&someone, 10 * SOL);
    world.send(world.model_register(&model)).accepted();
    world.do_settled_job(&model, &someone);
    let call = world.earnings_withdraw(&someone, someone.authority);
    gauge.note(&mut world, someone.authority, call);
    let call = world.treasury_withdraw(authority, 1);
    gauge.note(&mut world, authority, call);

    let next = world.wallet();
    let call = world.authority_propose(next);
    gauge.note(&mut world, authority, call);
    let call = world.authority_accept(next);
    gauge.note(&mut world, next, call);
}

fn provider_ways(gauge: &mut Gauge) {
    let mut world = World::new();
    let someone = provider(&mut world);
    let authority = someone.authority;
    let call = world.provider_register(&someone);
    gauge.note(&mut world, authority, call);
    let call = world.provider_update(&someone, someone.args());
    gauge.note(&mut world, authority, call);
    for amount in [SOL, 2 * SOL] {
        let call = world.stake_deposit(&someone, amount);
        gauge.note(&mut world, authority, call);
    }
    for amount in [SOL, 2 * SOL] {
        let call = world.stake_unbond(&someone, amount);
        gauge.note(&mut world, authority, call);
    }
    world.pass(MarketParams::LOCAL.unbond_secs + 1);
    let call = world.stake_withdraw(&someone, authority);
    gauge.note(&mut world, authority, call);
    let call = world.provider_deregister(&someone);
    gauge.note(&mut world, authority, call);
}

fn model_ways(gauge: &mut Gauge) {
    let mut world = World::new();
    let model = model(&mut world);
    let call = world.model_register(&model);
    gauge.note(&mut world, model.author, call);
    let call = world.model_retire(&model);
    gauge.note(&mut world, model.author, call);
    world.pass(MarketParams::LOCAL.unbond_secs + 1);
    let call = world.model_close(&model);
    gauge.note(&mut world, model.author, call);
}
