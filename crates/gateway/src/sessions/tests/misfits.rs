//! Inputs that providers call unfit, which is free: one word alone is not believed where another can be asked.

use std::sync::atomic::Ordering;

use assay_client::session::Price;
use futures_util::StreamExt;

use super::{
    FLAT, World, config, prompt,
    provider::{Deed, MODEL},
};
use crate::{Upstream, UpstreamError, upstream::Piece};

/// Of the provider with this number; the first is asked first.
fn price(number: u8) -> Price {
    Price {
        request: 100 + u64::from(number),
        ..FLAT
    }
}

#[tokio::test]
async fn provider_that_refuses_what_another_answers_is_set_aside() {
    let world = World::new();
    let first = world.provider(1, price(1)).await;
    world.provider(2, price(2)).await;
    *first.always.lock().unwrap() = Deed::Mismatch;
    let sessions = world.sessions(config()).await;
    for _ in 0..5 {
        let ran = sessions.run(MODEL, vec![1].into()).await.unwrap();
        assert_eq!(ran.price, 102);
    }
    assert_eq!(first.asked.lock().unwrap().len(), 3);
    assert_eq!(sessions.spending().spent, 5 * 102);
}

/// That of a provider alone, too. Nobody is blamed for it.
#[tokio::test]
async fn input_that_two_providers_refuse_is_at_fault() {
    for providers in 1..=3 {
        let world = World::new();
        let mut all = Vec::new();
        for number in 1..=providers {
            let provider = world.provider(number, price(number)).await;
            if number < 3 {
                *provider.always.lock().unwrap() = Deed::Mismatch;
            }
            all.push(provider);
        }
        let sessions = world.sessions(config()).await;
        for _ in 0..4 {
            let misfit = sessions.run(MODEL, vec![1].into()).await.unwrap_err();
            assert_eq!(misfit, UpstreamError::Unprocessable("no such input".into()));
        }
        let asked = all.iter().map(|one| one.asked.lock().unwrap().len());
        let asked: Vec<usize> = asked.collect();
        assert_eq!(asked, [4, 4, 0][..all.len()]);
        assert_eq!(sessions.spending().spent, 0);
    }
}

/// The first has room for three tokens, the second for six.
#[tokio::test]
async fn generation_goes_to_whoever_has_room_for_all_of_it() {
    let world = World::new();
    for (number, room) in [(1, 3), (2, 6)] {
        let provider = world.provider(number, price(number)).await;
        provider.max_tokens.store(room, Ordering::SeqCst);
    }
    let sessions = world.sessions(config()).await;
    // More than anybody has room for is cut short.
    for (tokens, expected) in [(1, 101), (2, 102), (3, 102), (4, 102), (5, 101)] {
        let pieces = sessions.generate(MODEL, prompt(&[1, 2], tokens)).await;
        let pieces: Vec<_> = pieces.unwrap().collect().await;
        let Some(Ok(Piece::Done { price, .. })) = pieces.last() else {
            panic!("{pieces:?}");
        };
        assert_eq!(*price, expected, "{tokens} tokens");
    }
    let pieces = sessions.generate(MODEL, prompt(&[1; 3], 9)).await;
    assert!(pieces.is_ok());
    let refused = sessions.generate(MODEL, prompt(&[1; 6], 1)).await;
    assert!(matches!(refused, Err(UpstreamError::Unprocessable(_))));
}
