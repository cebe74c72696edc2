//! session_close_request and session_close: everybody gets out, and nobody before the other had its time.

use assay_client::protocol::{Error, SessionStatus, limits::OPEN_SLOT_AGE};
use assay_tests::{Provider, Refusal, SOL, Session, World};

fn world() -> (World, Provider, Session) {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.do_session_open(&provider);
    (world, provider, session)
}

#[test]
fn provider_closes_at_once_and_the_requester_gets_the_rest() {
    for by_authority in [false, true] {
        let (mut world, provider, session) = world();
        world.do_session_settle(&session, SOL / 4);
        world.pass_session_slot(&session);
        let before = world.balance(&session.requester);
        let mut call = world.session_close(&session, &provider);
        if by_authority {
            call = call.put("closer", provider.authority);
        }
        world.send(call).accepted();
        let back = SOL - SOL / 4 + world.rent(224);
        assert_eq!(world.balance(&session.requester), before + back);
        assert!(!world.exists(&session.account));
    }
}

#[test]
fn close_request_starts_the_grace_time_once() {
    let (mut world, provider, session) = world();
    let call = world
        .session_close_request(&session)
        .put("requester", provider.authority);
    world.send(call).refused(Error::SessionRequesterMismatch);
    world.do_session_close_request(&session);
    let data = world.session(&session.account);
    assert_eq!(data.status, SessionStatus::CloseRequested as u8);
    assert_eq!(data.close_requested_at, world.now().0);
    world.pass(5);
    world
        .send(world.session_close_request(&session))
        .refused(Error::SessionClosing);
}

#[test]
fn anybody_closes_after_the_grace_time_and_not_before() {
    let (mut world, provider, session) = world();
    let stranger = world.wallet();
    world.pass_session_slot(&session);
    for closer in [stranger, session.requester, provider.operator] {
        world
            .send(world.session_close_by(&session, closer))
            .refused(Error::SessionNotClosable);
    }
    world.do_session_close_request(&session);
    world.pass_grace(&session, false);
    for closer in [stranger, session.requester, provider.operator] {
        world
            .send(world.session_close_by(&session, closer))
            .refused(Error::SessionNotClosable);
    }
    // The provider may still settle in the last second, and even later, while the session is there.
    world.do_session_settle(&session, 1_000);
    world.pass(1);
    world.do_session_settle(&session, 2_000);
    let before = world.balance(&session.requester);
    world
        .send(world.session_close_by(&session, stranger))
        .accepted();
    let back = SOL - 2_000 + world.rent(224);
    assert_eq!(world.balance(&session.requester), before + back);
}

#[test]
fn stranger_that_names_the_provider_closes_nothing() {
    let (mut world, provider, session) = world();
    world.pass_session_slot(&session);
    let stranger = world.wallet();
    for closer in [stranger, session.requester] {
        let call = world
            .session_close(&session, &provider)
            .put("closer", closer);
        world.send(call).refused(Error::SessionNotClosable);
    }
    let other = world.do_provider();
    let call = world
        .session_close(&session, &other)
        .put("provider", other.account);
    world.send(call).refused(Error::SessionProviderMismatch);
}

#[test]
fn operator_of_yesterday_closes_nothing() {
    let (mut world, provider, session) = world();
    world.pass_session_slot(&session);
    let next = world.wallet();
    let mut args = provider.args();
    args.operator = next;
    world.do_provider_update(&provider, args);
    world
        .send(world.session_close(&session, &provider))
        .refused(Error::SessionNotClosable);
    // Whoever holds the voucher settles, whoever is the operator now closes.
    world.do_session_settle(&session, 1_000);
    let call = world.session_close(&session, &provider).put("closer", next);
    world.send(call).accepted();
}

#[test]
fn close_waits_until_the_open_slot_is_old() {
    let (mut world, provider, session) = world();
    world
        .send(world.session_close(&session, &provider))
        .refused(Error::SessionSlotTooRecent);
    world.pass_slots(OPEN_SLOT_AGE - (world.slot() - session.args.open_slot));
    world
        .send(world.session_close(&session, &provider))
        .refused(Error::SessionSlotTooRecent);
    world.pass_slots(1);
    world.do_session_close(&session, &provider);
    assert!(
        !world
            .send(world.session_close(&session, &provider))
            .is_accepted()
    );
}

#[test]
fn close_towards_another_wallet_fails() {
    let (mut world, provider, session) = world();
    world.pass_session_slot(&session);
    let call = world
        .session_close(&session, &provider)
        .put("requester", provider.authority);
    world.send(call).refused(Error::SessionRequesterMismatch);
}

/// An emptied wallet could not take less than its own minimum; the session's rent alone is more.
#[test]
fn requester_whose_wallet_is_empty_is_paid() {
    let (mut world, provider, session) = world();
    world.do_session_settle(&session, SOL);
    let all = world.balance(&session.requester);
    world.do_transfer(session.requester, provider.authority, all);
    world.pass_session_slot(&session);
    world.do_session_close(&session, &provider);
    assert_eq!(world.balance(&session.requester), world.rent(224));
}

#[test]
fn gifts_go_with_the_rest_and_pay_nobody_else() {
    let (mut world, provider, session) = world();
    world.do_transfer(provider.authority, session.account, 5 * SOL);
    world
        .send(world.session_settle(&session, SOL + 1))
        .refused(Error::VoucherAboveDeposit);
    world.pass_session_slot(&session);
    let (held, before) = (
        world.balance(&session.account),
        world.balance(&session.requester),
    );
    world.do_session_close(&session, &provider);
    assert_eq!(world.balance(&session.requester), before + held);
}

#[test]
fn closed_session_takes_nothing_any_more() {
    let (mut world, provider, session) = world();
    world.pass_session_slot(&session);
    world.do_session_close(&session, &provider);
    for call in [
        world.session_top_up(&session, 1),
        world.session_settle(&session, 1),
        world.session_close_request(&session),
    ] {
        world.send(call).refused(Refusal::TooSmall);
    }
}
