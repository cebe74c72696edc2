//! What is counted of deposits and top-ups.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::Notify;

use super::{Config, FLAT, Sessions, World, config, one_lane, provider::MODEL, settled};
use crate::{Upstream, providers::Outcome};

/// Sessions of 150 lamports; the only one has one answer, of 100.
async fn nearly_spent(world: &World) -> Sessions {
    world.provider(1, FLAT).await;
    let sessions = world.sessions(one_lane(150)).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    sessions
}

/// The tending sees a top-up on chain before its sender knows that it landed.
#[tokio::test]
async fn top_up_that_is_seen_before_it_is_confirmed_counts_once() {
    let world = World::new();
    let sessions = nearly_spent(&world).await;
    let late = Arc::<Notify>::default();
    *world.chain.late.lock().unwrap() = Some(Arc::clone(&late));
    world.chain.landed.notified().await;
    let seeing = async {
        world.chain.landed.notified().await;
        sessions.inner.look().await.unwrap();
        late.notify_one();
    };
    let (ran, ()) = tokio::join!(sessions.run(MODEL, vec![2].into()), seeing);
    assert_eq!(ran.unwrap().price, 100);
    let account = sessions.inner.pool.account(&world.row().address).unwrap();
    assert_eq!(account.deposit(), 300);
    for number in [3, 4] {
        sessions.run(MODEL, vec![number].into()).await.unwrap();
    }
}

/// More is counted than the chain has: its provider's refusal has it counted again, and topped up.
#[tokio::test]
async fn deposit_that_a_provider_finds_too_small_is_counted_again() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    for data in world.chain.sessions.lock().unwrap().values_mut() {
        data.deposit = 150;
    }
    sessions.run(MODEL, vec![2].into()).await.unwrap_err();
    settled(&sessions).await;
    let answered = Outcome::Answered(Duration::from_millis(1));
    sessions.directory().note(&provider.account, answered);
    sessions.run(MODEL, vec![2].into()).await.unwrap();
    assert_eq!(world.chain.count("session top-up"), 1);
    assert_eq!(world.charged(&world.row()), 200);
}

/// A node can say so of one that lands: its room in the limit is not given away.
#[tokio::test]
async fn top_up_that_was_called_expired_too_early_keeps_its_room() {
    let world = World::new();
    let sessions = nearly_spent(&world).await;
    world.chain.expire.store(true, Ordering::SeqCst);
    sessions.run(MODEL, vec![2].into()).await.unwrap_err();
    assert_eq!(sessions.spending().deposited, 300);
    sessions.inner.look().await.unwrap();
    sessions.run(MODEL, vec![2].into()).await.unwrap();
    assert_eq!(world.chain.count("session top-up"), 1);
    assert_eq!(sessions.spending().deposited, 300);
}

/// What comes back of a session makes room for others; what was signed away in it does not.
#[tokio::test]
async fn deposit_of_a_closed_session_comes_back_once() {
    let world = World::new();
    world.provider(1, FLAT).await;
    let limited = Config {
        max_spend: 300,
        ..one_lane(300)
    };
    let sessions = world.sessions(limited).await;
    for _ in 0..2 {
        sessions.run(MODEL, vec![1].into()).await.unwrap();
    }
    let paid = world.row().paid;
    assert_eq!((sessions.spending().deposited, paid), (300, 100));
    world.chain.sessions.lock().unwrap().clear();
    world.chain.slot.store(1_000, Ordering::SeqCst);
    for _ in 0..2 {
        sessions.inner.look().await.unwrap();
        assert_eq!(sessions.spending().deposited, paid);
    }
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    assert_eq!(world.chain.count("session open"), 2);
    assert_eq!(sessions.spending().deposited, 300);
}
