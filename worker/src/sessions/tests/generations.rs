//! Generations: streamed, broken off, asked for again.

use assay_client::{
    protocol::Digest,
    session::{Finish, Line, Usage},
};
use futures_util::StreamExt;
use serde_json::json;

use super::{
    kit::{self, PRICE},
    model::{FAILS_AT_ONCE, FAILS_AT_THIRD},
    *,
};

fn lines(body: &[u8]) -> Vec<Line> {
    let lines = body.split(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn ids(lines: &[Line]) -> Vec<u32> {
    let tokens = lines.iter().filter_map(|line| match line {
        Line::Token(token) => Some(token.id),
        Line::Done { .. } | Line::Failed(_) => None,
    });
    tokens.collect()
}

fn price(input: u64, output: u64) -> u64 {
    let usage = Usage {
        input_bytes: 0,
        input_tokens: input,
        output_tokens: output,
    };
    PRICE.of(usage).unwrap()
}

fn digest(ids: &[u32]) -> Digest {
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    Digest::of(&[&bytes])
}

#[tokio::test]
async fn generation_ends_with_its_receipt_and_is_found_again() {
    let world = World::start().await;
    let asked = json!({ "tokens": [10, 20], "max_tokens": 9, "stop_tokens": [24] });
    let call = Call::generate(1, 0, &asked);
    let body = world.call(&call).await.bytes().await.unwrap();
    let told = lines(&body);
    assert_eq!(ids(&told), [21, 22, 23], "the stop token is not shown");
    let Some(Line::Done {
        finish,
        usage,
        receipt,
    }) = told.last()
    else {
        panic!("the last line is the receipt's");
    };
    assert_eq!(*finish, Finish::Stop);
    assert_eq!((usage.input_tokens, usage.output_tokens), (2, 3));
    let signed = receipt.receipt;
    assert_eq!(signed.price, price(2, 3), "nor charged");
    assert_eq!(signed.response, digest(&[21, 22, 23]));
    assert_eq!(
        signed.request,
        Receipt::request_digest("generate", &call.body)
    );
    let again = world.call(&call).await.bytes().await.unwrap();
    assert_eq!(again, body);
    assert_eq!(world.model.runs(), 1);
}

#[tokio::test]
async fn deposit_covers_all_tokens_that_may_come() {
    let world = World::start().await;
    world.change(&SESSION, |account| account.deposit = price(1, 8));
    let dear = json!({ "tokens": [1], "max_tokens": 9 });
    let dear = world.call(&Call::generate(1, 0, &dear)).await;
    assert_eq!(refusal(dear).await, refused(402, code::DEPOSIT_TOO_SMALL));
    let fits = json!({ "tokens": [1], "max_tokens": 8 });
    let fits = world.call(&Call::generate(1, 0, &fits)).await;
    assert_eq!(fits.status(), 200);
    // One that is not read to its end would be broken off.
    assert_eq!(ids(&lines(&fits.bytes().await.unwrap())).len(), 8);
    let wrong = Call::generate(2, price(1, 8), &json!({ "prompt": "hello" }));
    let wrong = world.call(&wrong).await;
    assert_eq!(refusal(wrong).await, refused(422, code::INPUT_MISMATCH));
}

#[tokio::test]
async fn generation_that_is_broken_off_is_charged_for_what_was_shown() {
    let world = World::start().await;
    world.model.tokens.forget_permits(1_000);
    world.model.tokens.add_permits(2);
    let asked = json!({ "tokens": [10], "max_tokens": 500 });
    let call = Call::generate(1, 0, &asked);
    let response = world.call(&call).await;
    let mut shown = response.bytes_stream();
    let mut read = Vec::new();
    while ids(&lines(&read)).len() < 2 {
        read.extend(shown.next().await.unwrap().unwrap());
    }
    drop(shown);
    world.until(|standing| standing.sequence == 1).await;
    let standing = world.standing().await;
    assert_eq!(standing.due, price(1, 2));
    let signed = standing.receipt.unwrap().receipt;
    assert_eq!(signed.response, digest(&[11, 12]));
    // Whoever asks again gets what was charged, whether it is remembered or not, and no more.
    world.model.tokens.add_permits(1_000);
    let again = world.call(&call).await.bytes().await.unwrap();
    assert_eq!(ids(&lines(&again)), [11, 12]);
    let world = world.restarted().await;
    let again = world.call(&call).await.bytes().await.unwrap();
    let again = lines(&again);
    assert_eq!(ids(&again), [11, 12]);
    let Some(Line::Done { receipt, .. }) = again.last() else {
        panic!("it is whole now");
    };
    assert_eq!(receipt.receipt, signed);
    assert_eq!(world.standing().await.due, price(1, 2));
}

#[tokio::test]
async fn model_that_fails_within_a_generation_is_charged_for_what_was_shown() {
    let world = World::start().await;
    let asked = json!({ "tokens": [FAILS_AT_THIRD], "max_tokens": 9 });
    let body = world.call(&Call::generate(1, 0, &asked)).await;
    let body = body.bytes().await.unwrap();
    let told = lines(&body);
    assert_eq!(ids(&told), [667, 668]);
    let Some(Line::Failed(why)) = told.last() else {
        panic!("the last line says why");
    };
    assert_eq!(why.error, code::MODEL_FAILED);
    assert_eq!(world.standing().await.due, price(1, 2));
}

#[tokio::test]
async fn model_that_fails_before_the_first_token_has_a_receipt() {
    let world = World::start().await;
    let asked = json!({ "tokens": [FAILS_AT_ONCE, 1], "max_tokens": 9 });
    let response = world.call(&Call::generate(1, 0, &asked)).await;
    assert_eq!(response.status(), 422);
    let signed = receipt(&response).receipt;
    assert_eq!(signed.price, price(2, 0));
    let body = response.bytes().await.unwrap();
    assert_eq!(signed.response, Digest::of(&[&body]));
    assert_eq!(world.standing().await.due, kit::PRICE.request + 20);
}
