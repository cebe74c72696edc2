//! The first step of a hand-over changes nothing but the proposal.

use assay_client::protocol::{Address, Error};
use assay_tests::World;

#[test]
fn authority_propose_names_the_next_and_keeps_the_old() {
    let mut world = World::new();
    let next = world.wallet();
    let mut expected = world.market();
    world.do_authority_propose(next);
    expected.pending_authority = next;
    expected.sequence += 1;
    assert_eq!(world.market(), expected);
    world.do_market_pause(1);
}

#[test]
fn authority_propose_replaces_and_withdraws_a_proposal() {
    let mut world = World::new();
    let (first, second) = (world.wallet(), world.wallet());
    world.do_authority_propose(first);
    world.do_authority_propose(second);
    world
        .send(world.authority_accept(first))
        .refused(Error::MarketPendingMismatch);
    world.do_authority_propose(Address::default());
    assert_eq!(world.market().pending_authority, Address::default());
    world
        .send(world.authority_accept(second))
        .refused(Error::MarketPendingMismatch);
}

#[test]
fn authority_propose_by_anyone_else_fails() {
    let mut world = World::new();
    let stranger = world.wallet();
    let call = world.authority_propose(stranger).put("authority", stranger);
    world.send(call).refused(Error::MarketAuthorityMismatch);
}

#[test]
fn authority_propose_by_the_proposed_one_fails() {
    let mut world = World::new();
    let next = world.wallet();
    world.do_authority_propose(next);
    let call = world.authority_propose(next).put("authority", next);
    world.send(call).refused(Error::MarketAuthorityMismatch);
}

#[test]
fn authority_propose_in_a_durable_nonce_transaction_fails() {
    let mut world = World::new();
    let nonce = world.do_nonce(world.authority);
    let propose = world.authority_propose(nonce.account).instruction;
    world
        .send([world.nonce_advance(&nonce), propose])
        .refused(Error::DurableNonceRefused);
}
