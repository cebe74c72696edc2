//! What providers charge for requests that gave no whole answer, and what of it is paid.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use assay_client::session::Price;
use futures_util::StreamExt;
use tokio::sync::Notify;

use super::{
    FLAT, PATIENCE, World, config, prompt,
    provider::{Deed, MODEL},
    settled,
};
use crate::{Config, Upstream, providers::Outcome, store::State};

/// A provider that is asked after the other one.
const DEARER: Price = Price {
    request: 150,
    ..FLAT
};

/// Who charges a request with a refusal has the answer asked for under the same number, and it goes to whoever waits.
#[tokio::test]
async fn request_charged_with_a_refusal_is_answered_under_its_number_and_paid_once() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    *provider.always.lock().unwrap() = Deed::ChargeAndMiscount;
    let sessions = world.sessions(config()).await;
    let ran = sessions.run(MODEL, vec![1, 2].into()).await.unwrap();
    assert_eq!((ran.outputs.as_ref(), ran.price), ([2, 1].as_slice(), 100));
    assert_eq!(*provider.asked.lock().unwrap(), [1, 1]);
    assert_eq!(sessions.spending().spent, 100);
    assert_eq!(world.charged(&world.row()), 100);
}

/// And who then keeps the answer back is paid once it gives it, and is set aside: another gave one meanwhile.
#[tokio::test]
async fn request_charged_with_a_refusal_and_kept_back_is_asked_elsewhere() {
    for kept_back in [Deed::Break, Deed::Busy] {
        let world = World::new();
        let provider = world.provider(1, FLAT).await;
        world.provider(2, DEARER).await;
        provider.plan(&[Deed::ChargeAndMiscount, kept_back]);
        let sessions = world.sessions(config()).await;
        for _ in 0..2 {
            let ran = sessions.run(MODEL, vec![1].into()).await.unwrap();
            assert_eq!(ran.price, 150);
        }
        assert_eq!(sessions.drain(PATIENCE).await, 0);
        assert_eq!(*provider.asked.lock().unwrap(), [1, 1, 1]);
        assert_eq!(sessions.spending().spent, 150 + 100 + 150);
        assert_eq!(world.store().breaches().unwrap(), []);
    }
}

/// It breaks off, says that it charges nothing, and charges when the next request comes: the next but one goes elsewhere.
#[tokio::test]
async fn provider_that_charges_a_request_only_with_the_next_one_is_set_aside() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    world.provider(2, DEARER).await;
    provider.plan(&[Deed::Break, Deed::Break, Deed::ChargeBefore]);
    let sessions = world.sessions(config()).await;
    let mut prices = Vec::new();
    for number in [1, 2, 3] {
        let ran = sessions.run(MODEL, vec![number].into()).await.unwrap();
        prices.push(ran.price);
        settled(&sessions).await;
        if number == 1 {
            let answered = Outcome::Answered(Duration::from_millis(1));
            sessions.directory().note(&provider.account, answered);
        }
    }
    assert_eq!(prices, [150, 100, 150]);
    assert_eq!(*provider.asked.lock().unwrap(), [1, 1, 1, 1, 2]);
    assert_eq!(sessions.spending().spent, 150 + 100 + 100 + 150);
}

/// It never broke a connection: it miscounts, says that it charges nothing, is busy, and charges with the next request.
#[tokio::test]
async fn request_called_free_after_a_miscount_is_not_paid_without_its_answer() {
    for (deed, spent, breaches) in [(Deed::ChargeAndKeep, 150, 1), (Deed::Honest, 200, 0)] {
        let world = World::new();
        let provider = world.provider(1, FLAT).await;
        world.provider(2, DEARER).await;
        provider.plan(&[Deed::Miscount, Deed::Busy, Deed::ChargeBefore, deed]);
        let sessions = world.sessions(config()).await;
        sessions.run(MODEL, vec![1].into()).await.unwrap();
        assert_eq!(sessions.spending().spent, 150);
        let answered = Outcome::Answered(Duration::from_millis(1));
        sessions.directory().note(&provider.account, answered);
        sessions.run(MODEL, vec![2].into()).await.unwrap();
        // The first request's number: once more after the miscount, under the second's, and for its answer.
        assert_eq!(provider.asked.lock().unwrap()[..4], [1, 1, 1, 1]);
        assert_eq!(sessions.spending().spent, 150 + spent);
        assert_eq!(world.store().breaches().unwrap().len(), breaches);
    }
}

/// What it claims is within what was on its way when the reader left; what it gives when it is asked again is not.
#[tokio::test]
async fn answer_given_again_costs_no_more_than_was_claimed() {
    let world = World::new();
    let price = Price {
        output_token: 1,
        ..Price::default()
    };
    let provider = world.provider(1, price).await;
    *provider.gate.lock().unwrap() = Some(Arc::default());
    provider.plan(&[Deed::ChargeMore, Deed::ChargeMore]);
    let sessions = world.sessions(config()).await;
    let mut pieces = sessions.generate(MODEL, prompt(&[1], 2_000)).await.unwrap();
    assert!(matches!(pieces.next().await, Some(Ok(_))));
    drop(pieces);
    provider.dropped.notified().await;
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    assert_eq!(*provider.asked.lock().unwrap(), [1, 1]);
    assert_eq!(sessions.spending().spent, 0);
    assert_eq!(world.row().state, State::Broken);
    assert_eq!(world.store().breaches().unwrap().len(), 1);
}

/// There is room for two requests, and the second of them is under way when the one of before is charged.
#[tokio::test]
async fn request_charged_with_the_next_one_is_not_paid_beyond_the_limit() {
    for (max_spend, spent) in [(199, 0), (200, 200)] {
        let world = World::new();
        let provider = world.provider(1, FLAT).await;
        provider.plan(&[Deed::Break, Deed::Break, Deed::ChargeBefore]);
        let sessions = world
            .sessions(Config {
                max_spend,
                ..config()
            })
            .await;
        sessions.run(MODEL, vec![1].into()).await.unwrap_err();
        settled(&sessions).await;
        let answered = Outcome::Answered(Duration::from_millis(1));
        sessions.directory().note(&provider.account, answered);
        let ran = sessions.run(MODEL, vec![2].into()).await;
        assert_eq!(ran.is_ok(), spent == 200);
        let spending = sessions.spending();
        assert_eq!((spending.spent, spending.reserved), (spent, 0));
        assert_eq!(world.store().breaches().unwrap(), []);
    }
}

/// Each of its generations begins and is broken off: that is a failure each time, and no answer.
#[tokio::test]
async fn provider_that_breaks_off_each_generation_is_set_aside_for_longer_each_time() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    *provider.always.lock().unwrap() = Deed::Break;
    let gate = Arc::<Notify>::default();
    *provider.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let sessions = world.sessions(config()).await;
    let directory = sessions.directory();
    for _ in 0..8 {
        // The time is over.
        directory.note(&provider.account, Outcome::Busy(Duration::ZERO));
        let mut pieces = sessions.generate(MODEL, prompt(&[1], 20)).await.unwrap();
        assert!(matches!(pieces.next().await, Some(Ok(_))));
        gate.notify_one();
        let rest: Vec<_> = pieces.collect().await;
        assert!(matches!(rest.last(), Some(Err(_))));
        settled(&sessions).await;
    }
    let offering = directory.offering(&MODEL).await.unwrap();
    assert!(directory.back_in(&offering).unwrap() > Duration::from_mins(1));
}

/// It refuses, and does not say where it stands: each further session with it would lock a deposit.
#[tokio::test]
async fn provider_that_leaves_a_request_in_doubt_is_left_alone() {
    for refusal in [Deed::Miscount, Deed::LongRefusal] {
        let world = World::new();
        let provider = world.provider(1, FLAT).await;
        *provider.always.lock().unwrap() = refusal;
        provider.mute.store(true, Ordering::SeqCst);
        let mut config = config();
        config.bounds.max_answer = 1_000;
        let sessions = world.sessions(config).await;
        for _ in 0..2 {
            sessions.run(MODEL, vec![1].into()).await.unwrap_err();
        }
        assert_eq!(*provider.asked.lock().unwrap(), [1], "{refusal:?}");
        assert_eq!(world.rows().len(), 1);
    }
}
