//! Limits, top-ups, restarts, and a chain that is away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use assay_client::{
    protocol::Voucher,
    session::{Payment, Price, Usage},
};
use futures_util::StreamExt;
use reqwest::Response;
use solana_keypair::Keypair;
use tokio::sync::Notify;

use super::{
    FLAT, PATIENCE, Sessions, World,
    chain::MemoryChain,
    config, prompt,
    provider::{Deed, MODEL, Provider},
};
use crate::{
    Config, Upstream, UpstreamError,
    lane::{
        Doubt,
        wire::{Request, Wire, WireError},
        worth::{Agreed, Worth},
    },
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
    let sessions = world
        .sessions(Config {
            deposit: 150,
            lanes: 1,
            ..config()
        })
        .await;
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
            deposit: 150,
            lanes: 1,
            ..config()
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
    let sessions = world
        .sessions(Config {
            deposit: 250,
            lanes: 1,
            ..config()
        })
        .await;
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

/// A session with one answer, and a second request of which the ledger has the intent, the provider perhaps an answer.
async fn killed_after_sending(
    world: &World,
    request: Request,
    agreed: Agreed,
) -> Result<Response, WireError> {
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    drop(sessions);
    let row = world.row();
    let last = world.store().last_receipt(&row.address).unwrap().unwrap();
    let cumulative = last.signed.receipt.cumulative;
    let doubt = Doubt {
        sequence: 2,
        model: MODEL,
        request: request.digest,
        max_price: agreed.most,
    };
    let worth = Worth::unseen(request.kind, agreed);
    let store = world.store();
    store
        .set_doubt(&row.address, &doubt, &worth, cumulative)
        .unwrap();
    let wire = Wire::new(config().bounds).unwrap();
    let voucher = Voucher {
        session: row.address,
        cumulative,
        expires_at: i64::MAX,
    };
    let payment = Payment::sign(voucher, &Keypair::new_from_array(row.key)).unwrap();
    wire.send(&row.endpoint, &row.address, &request, &doubt, &payment)
        .await
}

/// The same for the run of `[2]`, of which no answer comes.
pub(super) async fn killed_in_a_run(world: &World, deed: Deed) -> Arc<Provider> {
    let provider = world.provider(1, FLAT).await;
    provider.plan(&[Deed::Honest, deed]);
    let request = Request::run(MODEL, vec![2].into());
    let agreed = Agreed::new(&FLAT, Usage::default(), 100);
    let sent = killed_after_sending(world, request, agreed).await;
    assert!(sent.is_err() || sent.unwrap().bytes().await.is_err());
    provider
}

/// The next start, once it knows what became of the request.
async fn restarted(world: &World) -> Sessions {
    let sessions = world.sessions(config()).await;
    let inner = Arc::clone(&sessions.inner);
    let changed = inner.pool.changed.notified();
    tokio::pin!(changed);
    changed.as_mut().enable();
    tokio::time::timeout(PATIENCE, changed).await.unwrap();
    sessions
}

#[tokio::test]
async fn request_in_doubt_at_the_end_is_settled_after_the_restart() {
    for (asked, deed) in [
        (&[1, 2, 2, 3][..], Deed::ChargeAndBreak),
        (&[1, 2, 2, 3], Deed::ChangeOperatorAndBreak),
        (&[1, 2, 2], Deed::Break),
    ] {
        let world = World::new();
        let provider = killed_in_a_run(&world, deed).await;
        let sessions = restarted(&world).await;
        sessions.run(MODEL, vec![3].into()).await.unwrap();
        assert_eq!(*provider.asked.lock().unwrap(), *asked, "{deed:?}");
        let row = world.row();
        assert_eq!((row.state, row.doubt, row.worth), (State::Open, None, None));
        assert_eq!(world.charged(&row), if asked.len() > 3 { 300 } else { 200 });
        assert_eq!(world.store().breaches().unwrap(), []);
    }
}

/// The provider is asked for it by the digest. That it has no answer any more is no lie, and a wrong one is.
#[tokio::test]
async fn claim_of_before_the_start_is_not_paid_without_its_answer() {
    for (deed, breaches) in [(Deed::ChargeAndKeep, 0), (Deed::Answer, 1)] {
        let world = World::new();
        let provider = killed_in_a_run(&world, Deed::ChargeAndBreak).await;
        provider.plan(&[deed]);
        let sessions = restarted(&world).await;
        assert_eq!(*provider.asked.lock().unwrap(), [1, 2, 2]);
        let row = world.row();
        assert_eq!((row.state, world.charged(&row)), (State::Broken, 100));
        assert_eq!(world.store().breaches().unwrap().len(), breaches);
        assert_eq!(sessions.spending().spent, 0);
    }
}

/// The ledger knows what a token costs: 50 of them are worth what was charged for them, or nothing.
#[tokio::test]
async fn generation_of_before_the_start_is_paid_by_the_tokens_that_are_given() {
    for (token, paid, breaches) in [(1, 50, 0), (0, 0, 1)] {
        let world = World::new();
        let price = Price {
            output_token: 1,
            ..Price::default()
        };
        let provider = world.provider(1, price).await;
        provider.plan(&[Deed::Honest, Deed::ChargeAll]);
        let body = serde_json::to_vec(&prompt(&[1], 50)).unwrap();
        let agreed = Agreed {
            base: 0,
            token,
            tokens: 50,
            most: 50,
        };
        let request = Request::generate(MODEL, body.into());
        *provider.gate.lock().unwrap() = Some(Arc::default());
        provider.gate.lock().unwrap().as_ref().unwrap().notify_one();
        let sent = killed_after_sending(&world, request, agreed).await;
        drop(sent.unwrap());
        provider.dropped.notified().await;
        let sessions = restarted(&world).await;
        assert_eq!(world.charged(&world.row()), paid);
        assert_eq!(sessions.spending().spent, paid);
        assert_eq!(world.store().breaches().unwrap().len(), breaches);
    }
}

/// It was held to be free, and the ledger has nothing of it: no lie, and not paid.
#[tokio::test]
async fn claim_of_before_the_start_that_the_ledger_does_not_explain_is_not_paid_and_no_breach() {
    let world = World::new();
    killed_in_a_run(&world, Deed::ChargeAndBreak).await;
    let (store, row) = (world.store(), world.row());
    store.clear_doubt(&row.address).unwrap();
    let sessions = world.sessions(config()).await;
    sessions.run(MODEL, vec![3].into()).await.unwrap_err();
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    let before = store.session(&row.address).unwrap().unwrap();
    assert_eq!((before.state, world.charged(&before)), (State::Broken, 100));
    assert_eq!(store.breaches().unwrap(), []);
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
