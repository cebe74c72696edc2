//! Providers that fail or lie: the request goes elsewhere, and nothing is paid that was not agreed to.

use std::{sync::Arc, time::Duration};

use assay_client::{protocol::UnixSeconds, session::Price};
use futures_util::StreamExt;
use tokio::sync::Notify;

use super::{
    FLAT, PATIENCE, World, config, prompt,
    provider::{Deed, MODEL, Provider},
    settled,
};
use crate::{Config, Upstream, UpstreamError, providers::Outcome, store::State};

/// A provider that is asked after the other one.
const DEARER: Price = Price {
    request: 150,
    ..FLAT
};

#[tokio::test]
async fn liar_is_not_paid_and_the_request_goes_elsewhere() {
    for lie in [
        Deed::Price,
        Deed::Request,
        Deed::Answer,
        Deed::Sum,
        Deed::Fork,
        Deed::NoReceipt,
        Deed::Stranger,
    ] {
        let world = World::new();
        let liar = world.provider(1, FLAT).await;
        let honest = world.provider(2, DEARER).await;
        liar.plan(&[Deed::Honest, lie]);
        let sessions = world.sessions(config()).await;
        assert_eq!(
            sessions.run(MODEL, vec![1].into()).await.unwrap().price,
            100
        );
        assert_eq!(
            sessions.run(MODEL, vec![2].into()).await.unwrap().price,
            150
        );
        assert_eq!(
            sessions.run(MODEL, vec![3].into()).await.unwrap().price,
            150
        );
        // It has the voucher for the answer that it gave, and no other.
        assert_eq!((liar.paid(), honest.paid()), (100, 150), "{lie:?}");
        let rows = world.rows();
        let broken = rows
            .iter()
            .find(|row| row.provider == liar.account)
            .unwrap();
        assert_eq!(broken.state, State::Broken, "{lie:?}");
        assert!(!broken.reason.is_empty());
        assert_eq!(world.charged(broken), 100);
        let spending = sessions.spending();
        assert_eq!((spending.spent, spending.reserved), (400, 0), "{lie:?}");
    }
}

#[tokio::test]
async fn generation_with_a_wrong_receipt_is_not_paid() {
    for lie in [Deed::Price, Deed::Answer, Deed::Fork] {
        let world = World::new();
        let liar = world.provider(1, FLAT).await;
        liar.plan(&[lie]);
        let sessions = world.sessions(config()).await;
        let pieces: Vec<_> = sessions
            .generate(MODEL, prompt(&[1], 3))
            .await
            .unwrap()
            .collect()
            .await;
        assert!(matches!(
            pieces.last(),
            Some(Err(UpstreamError::Unavailable(_)))
        ));
        assert_eq!(world.row().state, State::Broken);
        assert_eq!((liar.paid(), sessions.spending().spent), (0, 0));
    }
}

#[tokio::test]
async fn lost_answer_is_asked_for_again_and_paid_once() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    provider.plan(&[Deed::ChargeAndBreak]);
    let sessions = world.sessions(config()).await;
    let ran = sessions.run(MODEL, vec![1, 2].into()).await.unwrap();
    assert_eq!(ran.outputs[..], [2, 1]);
    sessions.run(MODEL, vec![3].into()).await.unwrap();
    assert_eq!(*provider.asked.lock().unwrap(), [1, 1, 2]);
    assert_eq!((provider.paid(), world.charged(&world.row())), (100, 200));
}

/// However often it comes back, in a new session or after a new start, it gains nothing: its claims come without answers.
/// After the third it is not asked any more, until the user says so.
#[tokio::test]
async fn provider_that_charges_and_never_answers_gains_nothing_and_is_given_up() {
    let world = World::new();
    let thief = world.provider(1, FLAT).await;
    *thief.always.lock().unwrap() = Deed::ChargeAndKeep;
    let asked = || thief.asked.lock().unwrap().len();
    let mut tries = Vec::new();
    for _ in 0..6 {
        let before = asked();
        let sessions = world.sessions(config()).await;
        let refused = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
        assert!(
            matches!(refused, UpstreamError::Unavailable(_)),
            "{refused:?}"
        );
        assert_eq!(sessions.drain(PATIENCE).await, 0);
        assert_eq!(sessions.spending().spent, 0);
        tries.push(asked() > before);
    }
    assert_eq!(tries, [true, true, true, false, false, false]);
    assert_eq!(thief.paid(), 0);
    let broken = world.rows();
    assert_eq!(broken.len(), 3);
    for row in broken {
        assert_eq!((row.state, world.charged(&row)), (State::Broken, 0));
        assert!(row.reason.contains("does not give"), "{}", row.reason);
    }
    let breaches = world.store().breaches().unwrap();
    assert_eq!(
        (breaches[0].provider, breaches[0].count),
        (thief.account, 3)
    );
    assert!(world.store().trust(&thief.account).unwrap());
    let before = asked();
    let sessions = world.sessions(config()).await;
    *thief.always.lock().unwrap() = Deed::Honest;
    sessions.run(MODEL, vec![1].into()).await.unwrap();
    assert!(asked() > before);
}

/// The only provider is a liar: once it is given up, whoever asks is told why.
#[tokio::test]
async fn only_provider_that_was_given_up_is_named_with_the_way_back() {
    let world = World::new();
    let thief = world.provider(1, FLAT).await;
    for _ in 0..3 {
        world.store().add_breach(&thief.account, "it lied").unwrap();
    }
    let sessions = world.sessions(config()).await;
    let refused = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    assert!(
        matches!(refused, UpstreamError::Unavailable(ref text) if text.contains("session trust")),
        "{refused:?}"
    );
    assert!(thief.asked.lock().unwrap().is_empty());
}

/// The worker charged, and was gone twice before its answer was here: back again, it gives the answer and is paid.
#[tokio::test]
async fn honest_provider_that_restarted_gives_the_answer_again_and_is_paid() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    world.provider(2, DEARER).await;
    provider.plan(&[Deed::ChargeAndBreak, Deed::Break]);
    let sessions = world.sessions(config()).await;
    let ran = sessions.run(MODEL, vec![1].into()).await.unwrap();
    assert_eq!(ran.price, 150);
    settled(&sessions).await;
    assert_eq!(*provider.asked.lock().unwrap(), [1, 1, 1]);
    assert_eq!(sessions.spending().spent, 150 + 100);
    let rows = world.rows();
    let row = rows
        .iter()
        .find(|row| row.provider == provider.account)
        .unwrap();
    assert_eq!((row.state, row.doubt), (State::Open, None));
    assert_eq!(world.charged(row), 100);
    assert_eq!(world.store().breaches().unwrap(), []);
    // Two were paid for one answer: one in time does not make good for that at once.
    let answered = Outcome::Answered(Duration::from_millis(1));
    sessions.directory().note(&provider.account, answered);
    let ran = sessions.run(MODEL, vec![1].into()).await.unwrap();
    assert_eq!(ran.price, 150);
}

/// It breaks off after two tokens and charges for twelve.
#[tokio::test]
async fn generation_is_not_paid_beyond_what_came() {
    let world = World::new();
    let price = Price {
        output_token: 1,
        ..Price::default()
    };
    let thief = world.provider(1, price).await;
    thief.plan(&[Deed::ChargeAndKeep, Deed::ChargeAndKeep]);
    let gate = Arc::new(Notify::new());
    *thief.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let sessions = world.sessions(config()).await;
    let mut pieces = sessions.generate(MODEL, prompt(&[1], 20)).await.unwrap();
    assert!(matches!(pieces.next().await, Some(Ok(_))));
    gate.notify_one();
    let rest: Vec<_> = pieces.collect().await;
    assert!(matches!(
        rest.last(),
        Some(Err(UpstreamError::Unavailable(_)))
    ));
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    assert_eq!((thief.paid(), sessions.spending().spent), (0, 0));
    assert_eq!(world.row().state, State::Broken);
}

/// One whose next generation stays at its first token, and is then charged whole.
async fn provider_that_charges_all(world: &World) -> Arc<Provider> {
    let price = Price {
        output_token: 1,
        ..Price::default()
    };
    let provider = world.provider(1, price).await;
    *provider.gate.lock().unwrap() = Some(Arc::default());
    provider.plan(&[Deed::ChargeAll]);
    provider
}

/// The reader leaves at the first of two tokens; the provider charges for all that it asked for, and has them.
#[tokio::test]
async fn generation_whose_reader_left_is_not_paid_beyond_what_was_on_its_way() {
    for (asked, paid) in [(50, 50), (2_000, 0)] {
        let world = World::new();
        let provider = provider_that_charges_all(&world).await;
        let sessions = world.sessions(config()).await;
        let mut pieces = sessions.generate(MODEL, prompt(&[1], asked)).await.unwrap();
        assert!(matches!(pieces.next().await, Some(Ok(_))));
        drop(pieces);
        provider.dropped.notified().await;
        assert_eq!(sessions.drain(PATIENCE).await, 0);
        let spending = sessions.spending();
        assert_eq!((spending.spent, spending.reserved), (paid, 0));
        let (row, breaches) = (world.row(), world.store().breaches().unwrap());
        let is_broken = row.state == State::Broken;
        assert_eq!(
            (is_broken, breaches.len()),
            (paid == 0, usize::from(paid == 0))
        );
    }
}

/// A close by the requester, or a worker that has no room for the answer or not the model, is nothing to be blamed for.
#[tokio::test]
async fn refusal_to_give_an_answer_again_is_no_breach() {
    for (is_closing, deed) in [
        (true, Deed::Busy),
        (false, Deed::Busy),
        (false, Deed::Unserved),
    ] {
        let world = World::new();
        let provider = provider_that_charges_all(&world).await;
        *provider.always.lock().unwrap() = deed;
        let mut config = config();
        config.bounds.asks = 1;
        let sessions = world.sessions(config).await;
        let mut pieces = sessions.generate(MODEL, prompt(&[1], 50)).await.unwrap();
        assert!(matches!(pieces.next().await, Some(Ok(_))));
        if is_closing {
            for data in world.chain.sessions.lock().unwrap().values_mut() {
                data.request_close(UnixSeconds(1)).unwrap();
            }
        }
        drop(pieces);
        assert_eq!(sessions.drain(PATIENCE).await, 0);
        assert_eq!(world.row().state, State::Broken);
        assert_eq!(sessions.spending().spent, 0);
        assert_eq!(world.store().breaches().unwrap(), []);
    }
}

/// The reader of the first request left, and its provider notices only after it has refused another.
#[tokio::test]
async fn request_refused_while_another_is_under_way_does_not_hide_that_one() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    *provider.gate.lock().unwrap() = Some(Arc::default());
    provider.plan(&[Deed::Unaware]);
    let sessions = world
        .sessions(Config {
            lanes: 1,
            ..config()
        })
        .await;
    let mut pieces = sessions.generate(MODEL, prompt(&[1], 20)).await.unwrap();
    assert!(matches!(pieces.next().await, Some(Ok(_))));
    drop(pieces);
    *provider.gate.lock().unwrap() = None;
    sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    settled(&sessions).await;
    provider.notices.notify_one();
    provider.dropped.notified().await;
    let answered = Outcome::Answered(Duration::from_millis(1));
    sessions.directory().note(&provider.account, answered);
    sessions.run(MODEL, vec![2].into()).await.unwrap();
    assert_eq!(world.charged(&world.row()), 200);
    assert_eq!(world.store().breaches().unwrap(), []);
}

/// Who charges for failures one after the other is left alone, though each may be the input's fault.
#[tokio::test]
async fn provider_that_charges_for_failures_loses_its_customer() {
    let world = World::new();
    let first = world.provider(1, FLAT).await;
    let other = world.provider(2, DEARER).await;
    *first.always.lock().unwrap() = Deed::ModelFailed;
    first.plan(&[Deed::ModelFailed, Deed::ModelFailed, Deed::Honest]);
    let sessions = world.sessions(config()).await;
    let mut answered = Vec::new();
    for _ in 0..7 {
        let ran = sessions.run(MODEL, vec![1].into()).await;
        answered.push(ran.map_or(0, |ran| ran.price));
    }
    assert_eq!(answered, [0, 0, 100, 0, 0, 0, 150]);
    assert_eq!(other.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn busy_and_broken_providers_are_passed_over_and_left_alone() {
    for trouble in [Deed::Busy, Deed::Proxy, Deed::Break] {
        let world = World::new();
        let first = world.provider(1, FLAT).await;
        world.provider(2, DEARER).await;
        *first.always.lock().unwrap() = trouble;
        let sessions = world.sessions(config()).await;
        for _ in 0..2 {
            assert_eq!(
                sessions.run(MODEL, vec![1].into()).await.unwrap().price,
                150
            );
        }
        let asked = first.asked.lock().unwrap().len();
        // Once, and once more where the connection broke.
        assert_eq!(
            asked,
            if trouble == Deed::Break { 2 } else { 1 },
            "{trouble:?}"
        );
        assert_eq!(sessions.drain(PATIENCE).await, 0);
        assert_eq!(sessions.spending().spent, 300);
    }
}

#[tokio::test]
async fn input_that_the_model_fails_on_is_not_tried_elsewhere() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let other = world.provider(2, DEARER).await;
    provider.plan(&[Deed::ModelFailed]);
    let sessions = world.sessions(config()).await;
    let failed = sessions.run(MODEL, vec![2].into()).await.unwrap_err();
    let UpstreamError::Unprocessable(text) = failed else {
        panic!("{failed:?}");
    };
    assert!(text.contains("divides by zero"), "{text}");
    // The model's failure is work like any other.
    assert_eq!(sessions.spending().spent, 100);
    assert_eq!(world.charged(&world.row()), 100);
    assert!(other.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_left_is_said_with_the_first_reason() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    *provider.always.lock().unwrap() = Deed::Busy;
    let sessions = world.sessions(config()).await;
    let error = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    assert!(
        matches!(error, UpstreamError::Busy { ref text, .. } if text.contains("queue is full"))
    );
    let unknown = sessions
        .run(assay_client::protocol::Digest([1; 32]), vec![1].into())
        .await
        .unwrap_err();
    assert!(matches!(unknown, UpstreamError::ModelUnknown(_)));
}
