//! Providers that fail or lie: the request goes elsewhere, and nothing is paid that was not agreed to.

use assay_client::session::Price;
use futures_util::StreamExt;

use super::{
    FLAT, World, config, prompt,
    provider::{Deed, MODEL},
};
use crate::{Upstream, UpstreamError, store::State};

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

#[tokio::test]
async fn provider_that_charges_and_never_answers_gains_one_request() {
    let world = World::new();
    let thief = world.provider(1, FLAT).await;
    let honest = world.provider(2, DEARER).await;
    // Charged with the first attempt; the second one gives nothing either.
    thief.plan(&[Deed::ChargeAndBreak, Deed::Break]);
    let sessions = world.sessions(config()).await;
    for number in 0..3 {
        let ran = sessions.run(MODEL, vec![number].into()).await.unwrap();
        assert_eq!(ran.price, 150);
    }
    assert_eq!(sessions.drain(config().patience).await, 0);
    assert_eq!(honest.paid(), 300);
    assert_eq!(sessions.spending().spent, 450 + 100);
    let rows = world.rows();
    let row = rows
        .iter()
        .find(|row| row.provider == thief.account)
        .unwrap();
    assert_eq!((row.state, row.doubt), (State::Open, None));
    assert_eq!(world.charged(row), 100);
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
        assert_eq!(sessions.drain(config().patience).await, 0);
        assert_eq!(sessions.spending().spent, 300);
    }
}

#[tokio::test]
async fn input_at_fault_is_not_tried_elsewhere() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let other = world.provider(2, DEARER).await;
    provider.plan(&[Deed::Mismatch, Deed::ModelFailed]);
    let sessions = world.sessions(config()).await;
    let misfit = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
    assert_eq!(misfit, UpstreamError::Unprocessable("no such input".into()));
    assert_eq!(sessions.spending().spent, 0);
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
