//! Limits, top-ups, restarts, and a chain that is away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use assay_client::session::Price;
use futures_util::StreamExt;
use tokio::sync::Notify;

use super::{
    FLAT, PATIENCE, Sessions, World,
    chain::MemoryChain,
    config, one_lane, prompt,
    provider::{Deed, MODEL},
};
use crate::{
    Config, Upstream, UpstreamError,
    store::{SessionRow, State},
};

#[tokio::test]
async fn spending_stops_at_the_limit() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let sessions = world
        .sessions(Config {
            max_spend: 250,
            deposit: 250,
            ..config()
        })
        .await;
    for _ in 0..2 {
        sessions.run(MODEL, vec![1].into()).await.unwrap();
    }
    let refused = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    let UpstreamError::Payment(text) = refused else {
        panic!("{refused:?}");
    };
    assert!(text.contains("--max-spend"), "{text}");
    assert_eq!(sessions.spending().spent, 200);
    assert_eq!(provider.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn request_dearer_than_the_limit_is_not_sent() {
    let world = World::new();
    let dear = Price {
        request: 10_001,
        ..FLAT
    };
    let provider = world.provider(1, dear).await;
    let sessions = world.sessions(config()).await;
    let refused = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    assert!(matches!(refused, UpstreamError::Payment(ref text) if text.contains("10001")));
    assert!(provider.asked.lock().unwrap().is_empty() && world.rows().is_empty());
}

#[tokio::test]
async fn session_is_topped_up_when_its_deposit_ends() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let sessions = world.sessions(one_lane(150)).await;
    for _ in 0..5 {
        sessions.run(MODEL, vec![1].into()).await.unwrap();
    }
    assert_eq!(provider.paid(), 400);
    assert_eq!(world.chain.count("session open"), 1);
    let topped_up = world.chain.count("session top-up");
    assert!(topped_up >= 3, "{topped_up}");
    let deposited = sessions.spending().deposited;
    assert_eq!(deposited, 150 * (1 + topped_up as u64));
}

/// A session of 150 lamports with one answer of 100 and a top-up that the second needs, of which its sender learns nothing.
async fn topped_up_unseen(world: &World, trouble: fn(&MemoryChain) -> &AtomicBool) -> Sessions {
    world.provider(1, FLAT).await;
    let sessions = world
        .sessions(Config {
            max_spend: 300,
            ..one_lane(150)
        })
        .await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    trouble(&world.chain).store(true, Ordering::SeqCst);
    sessions.run(MODEL, vec![2].into()).await.unwrap_err();
    assert_eq!(sessions.spending().deposited, 300);
    sessions
}

#[tokio::test]
async fn top_up_that_never_landed_is_given_back_when_it_no_longer_can() {
    let world = World::new();
    let sessions = topped_up_unseen(&world, |chain| &chain.lose).await;
    for (slot, deposited) in [(150, 300), (151, 150), (152, 150)] {
        world.chain.slot.store(slot, Ordering::SeqCst);
        sessions.inner.look().await.unwrap();
        assert_eq!(sessions.spending().deposited, deposited);
    }
    // So there is room for another.
    sessions.run(MODEL, vec![2].into()).await.unwrap();
    assert_eq!(sessions.spending().deposited, 300);
}

#[tokio::test]
async fn top_up_that_landed_unseen_counts_and_is_used() {
    let world = World::new();
    let sessions = topped_up_unseen(&world, |chain| &chain.forget).await;
    world.chain.slot.store(151, Ordering::SeqCst);
    sessions.inner.look().await.unwrap();
    sessions.run(MODEL, vec![2].into()).await.unwrap();
    assert_eq!(world.chain.count("session top-up"), 1);
    assert_eq!(sessions.spending().deposited, 300);
}

#[tokio::test]
async fn sessions_go_on_without_the_chain_and_only_money_does_not_move() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let sessions = world.sessions(one_lane(250)).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    world.chain.unreachable.store(true, Ordering::SeqCst);
    sessions.run(MODEL, vec![2].into()).await.unwrap();
    let refused = sessions.run(MODEL, vec![3].into()).await.unwrap_err();
    assert!(
        matches!(refused, UpstreamError::Unavailable(ref text) if text.contains("did not answer")),
        "{refused:?}"
    );
    world.chain.unreachable.store(false, Ordering::SeqCst);
    sessions.run(MODEL, vec![3].into()).await.unwrap();
    assert_eq!(*provider.asked.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn restart_goes_on_with_the_sessions_of_before() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    let refused = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    assert!(matches!(refused, UpstreamError::Unavailable(_)));
    drop(sessions);
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![2].into()).await.unwrap();
    assert_eq!(*provider.asked.lock().unwrap(), [1, 2]);
    assert_eq!(world.chain.count("session open"), 1);
    assert_eq!((provider.paid(), world.charged(&world.row())), (100, 200));
}

/// Nobody answers for a session that is gone: its request's share of the limit and its lane come back.
#[tokio::test]
async fn request_in_doubt_ends_with_its_session() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    *provider.gate.lock().unwrap() = Some(Arc::default());
    provider.mute.store(true, Ordering::SeqCst);
    let sessions = world.sessions(config()).await;
    let mut pieces = sessions.generate(MODEL, prompt(&[1], 20)).await.unwrap();
    assert!(matches!(pieces.next().await, Some(Ok(_))));
    world.chain.sessions.lock().unwrap().clear();
    world.chain.slot.store(151, Ordering::SeqCst);
    sessions.inner.look().await.unwrap();
    assert_eq!(world.row().state, State::Closed);
    let changed = sessions.inner.pool.changed.notified();
    tokio::pin!(changed);
    changed.as_mut().enable();
    drop(pieces);
    tokio::time::timeout(PATIENCE, changed).await.unwrap();
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    assert_eq!(sessions.spending().reserved, 0);
}

#[tokio::test]
async fn session_whose_opening_was_lost_sight_of_is_found_again() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    world.chain.forget.store(true, Ordering::SeqCst);
    let sessions = world.sessions(config()).await;
    let refused = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    assert!(
        matches!(refused, UpstreamError::Unavailable(_)),
        "{refused:?}"
    );
    assert_eq!(world.row().state, State::Opening);
    drop(sessions);
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    assert_eq!(world.chain.count("session open"), 1);
    assert_eq!(world.row().state, State::Open);
    assert_eq!(*provider.asked.lock().unwrap(), [1]);
}

/// The tending finds a session, and a request takes it, before the sender of its opening knows that it landed.
async fn found_while_opened(world: &World, sessions: &Sessions) -> Arc<Notify> {
    let late = Arc::<Notify>::default();
    *world.chain.late.lock().unwrap() = Some(Arc::clone(&late));
    let finding = async {
        world.chain.landed.notified().await;
        sessions.inner.look().await.unwrap();
    };
    let _ = tokio::join!(sessions.run(MODEL, vec![1].into()), finding);
    late
}

/// Now the sender learns of it.
async fn late_news(sessions: &Sessions, late: &Notify) {
    let changed = sessions.inner.pool.changed.notified();
    tokio::pin!(changed);
    changed.as_mut().enable();
    late.notify_one();
    changed.await;
}

#[tokio::test]
async fn session_found_while_it_is_opened_has_one_lane() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let sessions = world.sessions(config()).await;
    let late = found_while_opened(&world, &sessions).await;
    late_news(&sessions, &late).await;
    sessions.run(MODEL, vec![2].into()).await.unwrap();
    assert_eq!(*provider.asked.lock().unwrap(), [1, 2]);
    assert_eq!(world.charged(&world.row()), 200);
    assert_eq!(world.store().breaches().unwrap(), []);
}

/// It lies before the sender of its opening knows that it landed, which then is no news.
#[tokio::test]
async fn session_broken_while_it_is_opened_stays_broken() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    provider.plan(&[Deed::Price]);
    let sessions = world.sessions(config()).await;
    let late = found_while_opened(&world, &sessions).await;
    assert_eq!(world.row().state, State::Broken);
    late_news(&sessions, &late).await;
    assert_eq!(world.row().state, State::Broken);
}

#[tokio::test]
async fn session_whose_opening_was_called_expired_too_early_is_found_again() {
    let world = World::new();
    world.provider(1, FLAT).await;
    world.chain.expire.store(true, Ordering::SeqCst);
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    assert_eq!(world.row().state, State::Opening);
    assert_eq!(sessions.spending().deposited, 10_000);
    sessions.inner.look().await.unwrap();
    assert_eq!(world.row().state, State::Open);
    assert_eq!(sessions.spending().deposited, 10_000);
}

#[tokio::test]
async fn opening_that_never_landed_is_given_up_when_it_no_longer_can() {
    let world = World::new();
    world.provider(1, FLAT).await;
    world.chain.forget.store(true, Ordering::SeqCst);
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    world.chain.sessions.lock().unwrap().clear();
    for (slot, state, deposited) in [(0, State::Opening, 10_000), (151, State::Failed, 0)] {
        world.chain.slot.store(slot, Ordering::SeqCst);
        sessions.inner.look().await.unwrap();
        assert_eq!(world.row().state, state);
        assert_eq!(sessions.spending().deposited, deposited);
    }
}

#[tokio::test]
async fn session_that_is_closing_is_left_and_none_opened_with_its_provider_for_that_request() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let other = Price {
        request: 150,
        ..FLAT
    };
    world.provider(2, other).await;
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    for data in world.chain.sessions.lock().unwrap().values_mut() {
        data.request_close(assay_client::protocol::UnixSeconds(1))
            .unwrap();
    }
    for number in [2, 3] {
        let ran = sessions.run(MODEL, vec![number].into()).await.unwrap();
        assert_eq!(ran.price, 150);
    }
    assert_eq!(*provider.asked.lock().unwrap(), [1]);
    let of = |row: &SessionRow| (row.provider == provider.account, row.state);
    let states: Vec<_> = world.rows().iter().map(of).collect();
    assert_eq!(states.len(), 2);
    assert!(states.contains(&(true, State::Closing)) && states.contains(&(false, State::Open)));
}
