//! Who can leave a session, and when, whatever anybody puts in the way.

use assay_client::protocol::{
    Error,
    market::{MarketParams, PAUSE_ALL},
};
use assay_tests::{Provider, SOL, Session, World};

use super::provider_leaves;

fn session() -> (World, Provider, Session) {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.do_session_open(&provider);
    (world, provider, session)
}

/// The requester gets out with nobody's help but a stranger's; what it gets back beyond the rent.
fn requester_leaves(world: &mut World, session: &Session) -> u64 {
    let before = world.balance(&session.requester);
    world.do_session_close_request(session);
    world.pass_grace(session, true);
    let stranger = world.wallet();
    let close = world.session_close_by(session, stranger);
    world.send(close).accepted();
    assert!(!world.exists(&session.account));
    world.balance(&session.requester) - before - world.rent(224)
}

#[test]
fn open_requester_leaves_after_the_grace_time() {
    let (mut world, provider, session) = session();
    assert_eq!(requester_leaves(&mut world, &session), SOL);
    provider_leaves(&mut world, &provider, 0);
}

#[test]
fn open_provider_settles_and_leaves_at_once() {
    let (mut world, provider, session) = session();
    world.pass_session_slot(&session);
    let before = world.balance(&session.requester);
    world.do_session_settle(&session, SOL / 4);
    world.do_session_close(&session, &provider);
    let back = SOL - SOL / 4 + world.rent(224);
    assert_eq!(world.balance(&session.requester), before + back);
    provider_leaves(&mut world, &provider, 0);
}

#[test]
fn close_requested_provider_settles_until_the_account_is_gone() {
    let (mut world, provider, session) = session();
    world.do_session_close_request(&session);
    world.pass_grace(&session, true);
    world.do_session_settle(&session, SOL);
    world.do_session_close(&session, &provider);
    provider_leaves(&mut world, &provider, 0);
}

/// Nothing of the provider is needed, not even that it exists.
#[test]
fn requester_leaves_a_provider_that_is_gone() {
    let (mut world, provider, session) = session();
    provider_leaves(&mut world, &provider, 0);
    assert_eq!(requester_leaves(&mut world, &session), SOL);
}

#[test]
fn pause_blocks_no_exit_of_a_session() {
    let (mut world, provider, session) = session();
    let other = world.do_session_open(&provider);
    world.do_market_pause(PAUSE_ALL);
    let new = world.new_session(&provider);
    let open = world.session_open(&new);
    world.send(open).refused(Error::MarketPaused);
    let more = world.session_top_up(&session, 1);
    world.send(more).refused(Error::MarketPaused);
    world.do_session_settle(&session, SOL / 2);
    assert_eq!(requester_leaves(&mut world, &session), SOL / 2);
    world.do_session_close(&other, &provider);
}

#[test]
fn market_update_changes_no_session_under_way() {
    let (mut world, provider, session) = session();
    let before = world.session(&session.account);
    world.do_market_update(MarketParams {
        min_stake: 1 << 49,
        fee_bps: 1_000,
        unbond_secs: 365 * 86_400,
        ..MarketParams::LOCAL
    });
    assert_eq!(world.session(&session.account), before);
    world.do_session_settle(&session, SOL);
    let fee = SOL / 10_000 * u64::from(MarketParams::LOCAL.fee_bps);
    let held = world.provider(&provider.account);
    assert_eq!((held.fees_due, held.earnings), (fee, SOL - fee));
    assert_eq!(requester_leaves(&mut world, &session), 0);
}
