//! Starts after a gateway that was killed with a request under way.

use std::sync::Arc;

use assay_client::{
    protocol::Voucher,
    session::{Payment, Price, Usage},
};
use reqwest::Response;
use solana_keypair::Keypair;

use super::{
    FLAT, PATIENCE, Sessions, World, config, prompt,
    provider::{Deed, MODEL, Provider},
};
use crate::{
    Upstream,
    lane::{
        Doubt,
        wire::{Request, Wire, WireError},
        worth::{Agreed, Worth},
    },
    store::State,
};

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
        asked: request.asked,
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

/// Its ledger is of before ledgers knew what a request in doubt is worth.
#[tokio::test]
async fn claim_that_the_ledger_has_no_worth_for_is_paid() {
    let world = World::new();
    let provider = killed_in_a_run(&world, Deed::ChargeAndBreak).await;
    let ledger = rusqlite::Connection::open(world.path()).unwrap();
    let older = "UPDATE sessions SET doubt_generates = NULL";
    assert_eq!(ledger.execute(older, []).unwrap(), 1);
    let _sessions = restarted(&world).await;
    assert_eq!(*provider.asked.lock().unwrap(), [1, 2]);
    assert_eq!(world.charged(&world.row()), 200);
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
