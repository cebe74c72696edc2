//! Providers that change who signs their receipts, or where they are, sooner than their offers and the list tell.

use std::sync::atomic::Ordering;

use assay_client::protocol::Address;
use futures_util::StreamExt;

use super::{
    FLAT, PATIENCE, World, config,
    killed::killed_in_a_run,
    prompt,
    provider::{Deed, MODEL},
    settled,
};
use crate::{Upstream, store::State, upstream::Piece};

#[tokio::test]
async fn receipts_of_a_new_operator_count_at_once() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    provider.plan(&[Deed::Honest, Deed::ChangeOperator]);
    let sessions = world.sessions(config()).await;
    for number in 1..=3 {
        sessions.run(MODEL, vec![number].into()).await.unwrap();
    }
    assert_eq!(*provider.asked.lock().unwrap(), [1, 2, 3]);
    assert_eq!((provider.paid(), world.charged(&world.row())), (200, 300));
    assert_eq!(world.store().breaches().unwrap(), []);
}

#[tokio::test]
async fn generation_that_a_new_operator_signs_is_whole() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    provider.plan(&[Deed::ChangeOperator]);
    let sessions = world.sessions(config()).await;
    let pieces = sessions.generate(MODEL, prompt(&[1], 3)).await.unwrap();
    let pieces: Vec<_> = pieces.collect().await;
    assert!(matches!(
        pieces.last(),
        Some(Ok(Piece::Done { price: 100, .. }))
    ));
    assert_eq!(world.charged(&world.row()), 100);
}

/// The old operator signed what is charged, the new one what is given again.
#[tokio::test]
async fn answer_that_a_new_operator_gives_again_is_paid() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    provider.plan(&[Deed::ChargeAndBreak, Deed::Break, Deed::ChangeOperator]);
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    settled(&sessions).await;
    assert_eq!(*provider.asked.lock().unwrap(), [1, 1, 1]);
    let row = world.row();
    assert_eq!((row.state, world.charged(&row)), (State::Open, 100));
    assert_eq!(world.store().breaches().unwrap(), []);
}

/// Nobody here knows who signed before the start, if that was neither the first operator nor the one of now.
#[tokio::test]
async fn claim_of_before_the_start_by_an_operator_between_is_no_breach() {
    let world = World::new();
    killed_in_a_run(&world, Deed::ChangeOperatorAndBreak).await;
    let row = world.row();
    let now = Address::new_from_array([9; 32]);
    world.chain.set_operator(&row.provider, now);
    let sessions = world.sessions(config()).await;
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    let row = world.row();
    assert_eq!((row.state, world.charged(&row)), (State::Broken, 100));
    assert_eq!(world.store().breaches().unwrap(), []);
}

/// Who signed is open while the chain does not answer.
#[tokio::test]
async fn claim_by_an_operator_that_the_chain_cannot_be_asked_about_waits() {
    let world = World::new();
    killed_in_a_run(&world, Deed::ChangeOperatorAndBreak).await;
    let sessions = world.sessions(config()).await;
    world.chain.unreachable.store(true, Ordering::SeqCst);
    world.chain.refused.notified().await;
    world.chain.unreachable.store(false, Ordering::SeqCst);
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    let row = world.row();
    assert_eq!((row.state, world.charged(&row)), (State::Open, 200));
}

/// Whoever has the address now is not whom the session is with.
#[tokio::test]
async fn operator_of_a_later_registration_signs_for_nobody() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    provider.plan(&[Deed::Honest, Deed::ChangeOperator]);
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    world.chain.providers.lock().unwrap()[0].1.generation = 6;
    sessions.run(MODEL, vec![2].into()).await.unwrap_err();
    let row = world.row();
    assert_eq!((row.state, world.charged(&row)), (State::Broken, 100));
}

/// The ledger has the address of the opening.
#[tokio::test]
async fn request_in_doubt_is_asked_about_where_its_provider_is_now() {
    let world = World::new();
    killed_in_a_run(&world, Deed::ChargeAndBreak).await;
    let ledger = rusqlite::Connection::open(world.path()).unwrap();
    let moved = "UPDATE sessions SET endpoint = 'http://127.0.0.1:1'";
    assert_eq!(ledger.execute(moved, []).unwrap(), 1);
    let sessions = world.sessions(config()).await;
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    assert_eq!(world.charged(&world.row()), 200);
}
