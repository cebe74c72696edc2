//! The second step of a hand-over: only the proposed key takes it.

use assay_client::protocol::{Address, Error};
use assay_tests::World;

#[test]
fn authority_accept_hands_the_market_over() {
    let mut world = World::new();
    let (old, next) = (world.authority, world.wallet());
    world.do_authority_propose(next);
    let mut expected = world.market();
    world.do_authority_accept(next);
    expected.authority = next;
    expected.pending_authority = Address::default();
    expected.sequence += 1;
    assert_eq!(world.market(), expected);

    let call = world.market_pause(1).put("authority", old);
    world.send(call).refused(Error::MarketAuthorityMismatch);
    world.do_market_pause(1);
}

#[test]
fn authority_accept_without_a_proposal_fails() {
    let mut world = World::new();
    let stranger = world.wallet();
    world
        .send(world.authority_accept(stranger))
        .refused(Error::MarketPendingMismatch);
}

/// The zero address stands for "no proposal"; it is the system program's and can never sign, but were it to, nothing
/// would come of it.
#[test]
fn authority_accept_by_the_zero_address_fails() {
    let mut world = World::new();
    let nobody = Address::default();
    world
        .send(world.authority_accept(nobody))
        .refused(Error::MarketPendingMismatch);
}

#[test]
fn authority_accept_by_anyone_else_fails() {
    let mut world = World::new();
    let (next, stranger) = (world.wallet(), world.wallet());
    world.do_authority_propose(next);
    world
        .send(world.authority_accept(stranger))
        .refused(Error::MarketPendingMismatch);
    world
        .send(world.authority_accept(world.authority))
        .refused(Error::MarketPendingMismatch);
}

#[test]
fn authority_accept_twice_fails() {
    let mut world = World::new();
    let next = world.wallet();
    world.do_authority_propose(next);
    world.do_authority_accept(next);
    world
        .send(world.authority_accept(next))
        .refused(Error::MarketPendingMismatch);
}

#[test]
fn authority_accept_in_a_durable_nonce_transaction_fails() {
    let mut world = World::new();
    let next = world.wallet();
    world.do_authority_propose(next);
    let nonce = world.do_nonce(next);
    let accept = world.authority_accept(next).instruction;
    world
        .send([world.nonce_advance(&nonce), accept])
        .refused(Error::DurableNonceRefused);
}
