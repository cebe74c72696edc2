//! Requests that go well, and generations.

use std::sync::Arc;

use assay_client::session::{Finish, Price};
use futures_util::{StreamExt, future::join_all};
use tokio::sync::Notify;

use super::{
    FLAT, PATIENCE, World, config, prompt,
    provider::{Deed, MODEL},
};
use crate::{Config, Upstream, UpstreamError, store::State, upstream::Piece};

#[tokio::test]
async fn requests_are_answered_paid_and_kept() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let sessions = world.sessions(config()).await;
    let listed = sessions.models().await.unwrap();
    assert_eq!((listed[0].model.digest, listed[0].providers), (MODEL, 1));
    for number in 0..3_u8 {
        let ran = sessions.run(MODEL, vec![number, 9].into()).await.unwrap();
        assert_eq!((&ran.outputs[..], ran.price), (&[9, number][..], 100));
    }
    assert_eq!(*provider.asked.lock().unwrap(), [1, 2, 3]);
    // The last one is paid with the next.
    assert_eq!(provider.paid(), 200);
    let row = world.row();
    assert_eq!((row.state, row.paid, row.doubt), (State::Open, 200, None));
    assert_eq!(world.charged(&row), 300);
    let spending = sessions.spending();
    assert_eq!((spending.requests, spending.spent), (3, 300));
    assert_eq!((spending.reserved, spending.deposited), (0, 10_000));
}

#[tokio::test]
async fn cheapest_provider_is_asked_first() {
    let world = World::new();
    let dear = world
        .provider(
            1,
            Price {
                request: 101,
                ..FLAT
            },
        )
        .await;
    let cheap = world.provider(2, FLAT).await;
    let sessions = world.sessions(config()).await;
    for _ in 0..2 {
        assert_eq!(
            sessions.run(MODEL, vec![1].into()).await.unwrap().price,
            100
        );
    }
    assert_eq!(*cheap.asked.lock().unwrap(), [1, 2]);
    assert!(dear.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn requests_at_once_take_a_session_each_up_to_the_limit() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let gate = Arc::new(Notify::new());
    *provider.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let sessions = world
        .sessions(Config {
            lanes: 3,
            ..config()
        })
        .await;
    let all = join_all((0..6_u8).map(|number| sessions.run(MODEL, vec![number].into())));
    let opener = async {
        // Let each go on once all three lanes are taken, and the rest after them.
        loop {
            if provider.peak.lock().unwrap().0 == 3 {
                break;
            }
            tokio::task::yield_now().await;
        }
        loop {
            gate.notify_one();
            tokio::task::yield_now().await;
        }
    };
    let answers = tokio::select! {
        answers = all => answers,
        () = opener => unreachable!(),
    };
    for (number, ran) in (0..).zip(answers) {
        assert_eq!(ran.unwrap().outputs[..], [number]);
    }
    assert_eq!(provider.peak.lock().unwrap().1, 3);
    assert_eq!(world.rows().len(), 3);
    let charged: u64 = world.rows().iter().map(|row| world.charged(row)).sum();
    assert_eq!(charged, 600);
}

#[tokio::test]
async fn generation_comes_token_by_token_and_ends_with_its_price() {
    let world = World::new();
    let price = Price {
        request: 10,
        input_token: 1,
        output_token: 5,
        ..Price::default()
    };
    world.provider(1, price).await;
    let sessions = world.sessions(config()).await;
    let pieces: Vec<_> = sessions
        .generate(MODEL, prompt(&[3, 7], 4))
        .await
        .unwrap()
        .collect()
        .await;
    let ids: Vec<u32> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Ok(Piece::Token(token)) => Some(token.id),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [8, 9, 10, 11]);
    let Some(Ok(Piece::Done {
        finish,
        usage,
        price,
    })) = pieces.last()
    else {
        panic!("{pieces:?}");
    };
    assert_eq!((*finish, *price), (Finish::Length, 32));
    assert_eq!((usage.input_tokens, usage.output_tokens), (2, 4));
    assert_eq!(world.charged(&world.row()), 32);
}

#[tokio::test]
async fn generation_that_nobody_wants_any_more_costs_what_was_shown() {
    let world = World::new();
    let price = Price {
        output_token: 1,
        ..Price::default()
    };
    let provider = world.provider(1, price).await;
    *provider.gate.lock().unwrap() = Some(Arc::default());
    let sessions = world.sessions(config()).await;
    let mut pieces = sessions.generate(MODEL, prompt(&[0], 9_000)).await.unwrap();
    assert!(matches!(pieces.next().await, Some(Ok(Piece::Token(_)))));
    drop(pieces);
    provider.dropped.notified().await;
    *provider.gate.lock().unwrap() = None;
    // The next request in the same session goes well, whatever the one before cost.
    let ran = sessions.run(MODEL, vec![1].into()).await.unwrap();
    assert_eq!(ran.price, 0);
    assert_eq!(sessions.drain(PATIENCE).await, 0);
    let spent = sessions.spending().spent;
    assert_eq!(spent, 2);
    assert_eq!(
        world
            .rows()
            .iter()
            .map(|row| world.charged(row))
            .sum::<u64>(),
        spent
    );
}

#[tokio::test]
async fn generation_that_breaks_off_is_an_error_and_not_begun_again_elsewhere() {
    let world = World::new();
    let provider = world.provider(1, FLAT).await;
    let other = world
        .provider(
            2,
            Price {
                request: 150,
                ..FLAT
            },
        )
        .await;
    provider.plan(&[Deed::Break]);
    let gate = Arc::new(Notify::new());
    *provider.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let sessions = world.sessions(config()).await;
    let mut pieces = sessions.generate(MODEL, prompt(&[3], 4)).await.unwrap();
    assert!(matches!(pieces.next().await, Some(Ok(Piece::Token(_)))));
    gate.notify_one();
    let rest: Vec<_> = pieces.collect().await;
    assert!(
        matches!(
            rest[..],
            [Ok(Piece::Token(_)), Err(UpstreamError::Unavailable(_))]
        ),
        "{rest:?}"
    );
    let asked = provider.asked.lock().unwrap().len() + other.asked.lock().unwrap().len();
    assert_eq!(asked, 1);
    sessions.drain(PATIENCE).await;
    let spending = sessions.spending();
    assert_eq!((spending.spent, spending.reserved), (0, 0));
}

/// They would fill the memory of whoever waits for the end of the answer.
#[tokio::test]
async fn likely_tokens_that_nobody_asked_for_are_a_breach() {
    let world = World::new();
    world.provider(1, FLAT).await.plan(&[Deed::Talkative]);
    let sessions = world.sessions(config()).await;
    let pieces = sessions.generate(MODEL, prompt(&[1], 3)).await.unwrap();
    let pieces: Vec<_> = pieces.collect().await;
    assert!(
        matches!(pieces.as_slice(), [Err(UpstreamError::Unavailable(_))]),
        "{} pieces",
        pieces.len()
    );
    assert_eq!(
        (world.row().state, sessions.spending().spent),
        (State::Broken, 0)
    );
    assert_eq!(world.store().breaches().unwrap().len(), 1);
}
