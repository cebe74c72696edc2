//! session_open and session_top_up: what goes in, who may put it in, and until when.

use assay_client::{
    Event,
    event::of_logs,
    protocol::{
        Address, Error, SessionStatus,
        limits::OPEN_SLOT_AGE,
        market::{MarketParams, PAUSE_JOBS, PAUSE_REGISTRATIONS, PAUSE_SESSIONS},
    },
};
use assay_tests::{Refusal, SOL, World};

const DAY: u32 = 86_400;

#[test]
fn session_open_locks_the_deposit_and_copies_what_it_needs() {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.new_session(&provider);
    let before = world.balance(&session.requester);
    let outcome = world.send(world.session_open(&session)).accepted();
    let data = world.session(&session.account);
    assert_eq!(data.status, SessionStatus::Open as u8);
    assert_eq!(
        (data.requester, data.provider, data.session_key),
        (
            session.requester,
            provider.account,
            session.args.session_key
        )
    );
    assert_eq!((data.deposit, data.settled), (SOL, 0));
    assert_eq!(data.fee_bps, world.market().params.fee_bps);
    assert_eq!(
        data.generation,
        world.provider(&provider.account).generation
    );
    let rent = world.rent(224);
    assert_eq!(world.balance(&session.account), rent + SOL);
    assert_eq!(world.balance(&session.requester), before - rent - SOL);
    let events = of_logs(&outcome.logs);
    assert!(
        matches!(events.as_slice(), [Event::SessionOpened(event)] if event.deposit == SOL),
        "{events:?}"
    );
}

#[test]
fn session_open_with_terms_out_of_bounds_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.new_session(&provider);
    for (grace, fits) in [
        (DAY - 1, false),
        (DAY, true),
        (30 * DAY, true),
        (30 * DAY + 1, false),
        (0, false),
        (u32::MAX, false),
    ] {
        let session = world
            .new_session_of(session.requester, &provider)
            .with_args(|args| args.grace_secs = grace);
        let sent = world.send(world.session_open(&session));
        if fits {
            sent.accepted();
        } else {
            sent.refused(Error::SessionGraceInvalid);
        }
    }
    let nobody = world
        .new_session(&provider)
        .with_args(|args| args.session_key = Address::default());
    world
        .send(world.session_open(&nobody))
        .refused(Error::SessionKeyMissing);
    let nothing = world
        .new_session(&provider)
        .with_args(|args| args.deposit = 0);
    world
        .send(world.session_open(&nothing))
        .refused(Error::AmountZero);
    let too_much = world
        .new_session(&provider)
        .with_args(|args| args.deposit = u64::MAX);
    world
        .send(world.session_open(&too_much))
        .refused(Refusal::TooPoor);
}

#[test]
fn session_open_needs_a_recent_slot() {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.new_session(&provider);
    world.pass_slots(OPEN_SLOT_AGE + 1);
    world
        .send(world.session_open(&session))
        .refused(Error::JobSlotInvalid);
    let ahead = world.slot() + 1;
    let early = world
        .new_session(&provider)
        .with_args(|args| args.open_slot = ahead);
    let account = assay_client::address::session(
        &early.requester,
        &provider.account,
        ahead,
        early.args.index,
    );
    let call = world.session_open(&early).put("session", account);
    world.send(call).refused(Error::JobSlotInvalid);
    let session = world.new_session(&provider);
    world.pass_slots(OPEN_SLOT_AGE);
    world.send(world.session_open(&session)).accepted();
}

#[test]
fn session_open_at_a_pre_funded_address_counts_no_gift() {
    let mut world = World::new();
    let provider = world.do_provider();
    for gift in [890_880, 2_000_000, 5 * SOL] {
        let session = world.new_session(&provider);
        world.do_transfer(provider.authority, session.account, gift);
        world.send(world.session_open(&session)).accepted();
        assert_eq!(world.session(&session.account).deposit, SOL);
        let held = world.balance(&session.account);
        let before = world.balance(&session.requester);
        world.pass_session_slot(&session);
        world.do_session_close(&session, &provider);
        assert_eq!(world.balance(&session.requester), before + held);
    }
}

#[test]
fn session_address_that_lives_is_not_opened_again() {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.do_session_open(&provider);
    world
        .send(world.session_open(&session))
        .refused(Refusal::InUse);
}

/// Pausing stops what comes in and nothing that goes out.
#[test]
fn pause_stops_opens_and_top_ups_and_no_exit() {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.do_session_open(&provider);
    world.do_market_pause(PAUSE_SESSIONS);
    let other = world.new_session(&provider);
    world
        .send(world.session_open(&other))
        .refused(Error::MarketPaused);
    world
        .send(world.session_top_up(&session, 1))
        .refused(Error::MarketPaused);
    world.do_session_settle(&session, 1_000);
    world.do_session_close_request(&session);
    world.pass_session_slot(&session);
    world.do_session_close(&session, &provider);
    world.do_market_pause(PAUSE_JOBS | PAUSE_REGISTRATIONS);
    world.do_session_open(&provider);
}

#[test]
fn session_keeps_the_fee_of_its_opening() {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.do_session_open(&provider);
    world.do_market_update(MarketParams {
        fee_bps: 1_000,
        ..MarketParams::LOCAL
    });
    world.do_session_settle(&session, SOL);
    let fee = SOL * u64::from(MarketParams::LOCAL.fee_bps) / 10_000;
    assert_eq!(world.provider(&provider.account).fees_due, fee);
}

#[test]
fn session_top_up_adds_until_a_close_is_requested() {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.do_session_open(&provider);
    world.do_session_top_up(&session, 5);
    assert_eq!(world.session(&session.account).deposit, SOL + 5);
    world
        .send(world.session_top_up(&session, 0))
        .refused(Error::AmountZero);
    world
        .send(world.session_top_up(&session, u64::MAX))
        .refused(Error::AmountOverflow);
    world.do_session_close_request(&session);
    world
        .send(world.session_top_up(&session, 5))
        .refused(Error::SessionClosing);
}

#[test]
fn session_top_up_by_a_stranger_fails() {
    let mut world = World::new();
    let provider = world.do_provider();
    let session = world.do_session_open(&provider);
    let call = world
        .session_top_up(&session, 5)
        .put("requester", provider.authority);
    world.send(call).refused(Error::SessionRequesterMismatch);
}
