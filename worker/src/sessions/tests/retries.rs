//! Requesters that ask for their last answer again, or go away, to pay less than an answer costs.

use assay_client::{
    protocol::Digest,
    session::{Line, REQUEST_HEADER, Receipt, Usage},
};
use futures_util::StreamExt;
use serde_json::json;

use super::{
    kit::{PRICE, RUN},
    model::{FAILS_AT_ONCE, HOLD_FIRST},
    *,
};

fn price(input: u64, output: u64) -> u64 {
    let usage = Usage {
        input_bytes: 0,
        input_tokens: input,
        output_tokens: output,
    };
    PRICE.of(usage).unwrap()
}

/// Until the worker has noticed that nobody listens.
async fn rests(world: &World) {
    while world
        .sessions
        .with(&SESSION, |channel| channel.is_under_way())
        == Some(true)
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn retry_that_is_broken_off_makes_no_answer_cheaper() {
    let world = World::start().await;
    let call = Call::generate(1, 0, &json!({ "tokens": [10], "max_tokens": 5 }));
    assert_eq!(world.call(&call).await.status(), 200);
    world.until(|standing| standing.sequence == 1).await;
    let whole = world.standing().await;
    assert_eq!(whole.due, price(1, 5));
    // Not in memory any more, so that it is computed again.
    let world = world.restarted().await;
    world.model.tokens.forget_permits(1_000);
    world.model.tokens.add_permits(1);
    let response = world.call(&call).await;
    let mut shown = response.bytes_stream();
    let first: Line = serde_json::from_slice(&shown.next().await.unwrap().unwrap()).unwrap();
    assert!(matches!(first, Line::Token(_)));
    drop(shown);
    rests(&world).await;
    assert_eq!(world.standing().await, whole);
}

#[tokio::test]
async fn answer_that_is_lost_again_and_again_is_not_computed_for_ever() {
    let world = World::start().await;
    let call = Call::run(1, 0, b"abc");
    assert_eq!(world.call(&call).await.status(), 200);
    for _ in 0..2 {
        world.sessions.answers.forget(&SESSION);
        assert_eq!(world.call(&call).await.status(), 200);
    }
    world.sessions.answers.forget(&SESSION);
    let fourth = world.call(&call).await;
    assert_eq!(refusal(fourth).await, refused(409, code::SEQUENCE_MISMATCH));
    assert_eq!(world.model.runs(), 3);
    // Neither is the next one kept from it.
    let next = Call::run(2, kit::RUN, b"abd");
    assert_eq!(world.call(&next).await.status(), 200);
    world.sessions.answers.forget(&SESSION);
    assert_eq!(world.call(&next).await.status(), 200);
}

#[tokio::test]
async fn requester_that_leaves_before_the_first_token_pays_for_its_prompt() {
    let world = World::start().await;
    world.model.tokens.forget_permits(1_000);
    let call = Call::generate(1, 0, &json!({ "tokens": [HOLD_FIRST, 1], "max_tokens": 9 }));
    let leaving = tokio::spawn(world.request(&call));
    world.model.held(1).await;
    leaving.abort();
    let _ = leaving.await;
    world.model.release();
    rests(&world).await;
    assert_eq!(world.standing().await.due, price(2, 0));
    // It was shown nothing, which is not computed again.
    world.sessions.answers.forget(&SESSION);
    let again = world.call(&call).await;
    let line = again.bytes().await.unwrap();
    assert!(matches!(
        serde_json::from_slice(&line),
        Ok(Line::Done { .. })
    ));
    assert_eq!(world.model.runs(), 1);
}

#[tokio::test]
async fn failure_before_the_first_token_is_told_again() {
    let world = World::start().await;
    let call = Call::generate(1, 0, &json!({ "tokens": [FAILS_AT_ONCE], "max_tokens": 9 }));
    let first = world.call(&call).await;
    let charged = (first.status().as_u16(), receipt(&first));
    assert_eq!(charged.0, 422);
    world.sessions.answers.forget(&SESSION);
    let again = world.call(&call).await;
    assert_eq!((again.status().as_u16(), receipt(&again)), charged);
    assert_eq!(refusal(again).await, refused(422, code::MODEL_FAILED));
}

/// Its requester was killed and has the digest left.
#[tokio::test]
async fn answer_in_memory_is_given_for_its_request_s_digest_and_nothing_is_computed() {
    let world = World::start().await;
    let asked = json!({ "tokens": [10], "max_tokens": 3 });
    let calls = [Call::run(1, 0, b"abc"), Call::generate(2, RUN, &asked)];
    for (index, call) in calls.iter().enumerate() {
        let again = |digest: Digest| {
            let call = world.builder(&Call {
                body: Vec::new(),
                ..call.clone()
            });
            call.header(REQUEST_HEADER, hex::encode(digest.0)).send()
        };
        let digest = Receipt::request_digest(call.kind, &call.body);
        let early = again(digest).await.unwrap();
        assert_eq!(early.status(), 400, "it was not asked yet");
        let first = world.call(call).await.bytes().await.unwrap();
        assert_eq!(again(digest).await.unwrap().bytes().await.unwrap(), first);
        let other = again(Digest([1; 32])).await.unwrap();
        assert_eq!(refusal(other).await, refused(409, code::SEQUENCE_MISMATCH));
        world.sessions.answers.forget(&SESSION);
        let late = again(digest).await.unwrap();
        assert_eq!(refusal(late).await, refused(409, code::SEQUENCE_MISMATCH));
        assert_eq!(world.model.runs(), index + 1);
    }
}

#[tokio::test]
async fn answer_in_memory_is_given_whatever_became_of_the_session() {
    let world = World::start().await;
    let call = Call::run(1, 0, b"abc");
    let first = world.call(&call).await;
    let charged = receipt(&first);
    world.change(&SESSION, |account| {
        account.status = SessionStatus::CloseRequested as u8
    });
    world.sessions.look().await;
    let again = world.call(&call).await;
    assert_eq!((again.status().as_u16(), receipt(&again)), (200, charged));
    assert_eq!(again.bytes().await.unwrap(), first.bytes().await.unwrap());
    assert_eq!(world.model.runs(), 1);
    world.sessions.answers.forget(&SESSION);
    let computed = world.call(&call).await;
    assert_eq!(refusal(computed).await, refused(410, code::SESSION_CLOSING));
}
