//! Requesters that want the worker to lose more than they pay.

use serde_json::json;

use super::{
    model::{LOST, LOST_AT_THIRD},
    *,
};

#[tokio::test]
async fn lost_run_is_charged_and_a_requester_has_three_of_them_an_hour() {
    let world = World::start().await;
    let mut due = 0;
    for sequence in 1..=2 {
        let lost = world.call(&Call::run(sequence, due, LOST)).await;
        let signed = receipt(&lost).receipt;
        assert_eq!((lost.status().as_u16(), signed.price), (422, kit::RUN));
        assert_eq!(refusal(lost).await, refused(422, code::MODEL_FAILED));
        due = signed.cumulative;
    }
    let asked = json!({ "tokens": [LOST_AT_THIRD], "max_tokens": 9 });
    let third = world.call(&Call::generate(3, due, &asked)).await;
    assert_eq!(third.status(), 200);
    third.bytes().await.unwrap();
    let standing = world.standing().await;
    assert_eq!(standing.sequence, 3, "what was shown is charged");
    let runs = world.model.runs();
    let next = world.call(&Call::run(4, standing.due, b"x")).await;
    assert_eq!(next.headers()["retry-after"], "3600");
    assert_eq!(refusal(next).await, refused(429, code::LOST_RUNS));
    // To ask again for what was lost is no way around it.
    let again = Call::generate(3, due, &asked);
    assert_eq!(world.call(&again).await.status(), 200, "it is in memory");
    world.sessions.answers.forget(&SESSION);
    let again = world.call(&again).await;
    assert_eq!(refusal(again).await, refused(429, code::LOST_RUNS));
    assert_eq!(world.model.runs(), runs);
}

#[tokio::test]
async fn model_with_a_price_is_not_had_for_nothing_by_the_way_that_has_none() {
    let tokens = Price {
        input_token: 20,
        output_token: 100,
        ..Price::default()
    };
    let bytes = Price {
        input_kib: 100,
        ..Price::default()
    };
    let run = Call::run(1, 0, b"abc");
    let generation = Call::generate(1, 0, &json!({ "tokens": [10], "max_tokens": 9 }));
    for (price, free, paid) in [(tokens, &run, &generation), (bytes, &generation, &run)] {
        let world = World::priced(price).await;
        let refused_to = world.call(free).await;
        assert_eq!(
            refusal(refused_to).await,
            refused(422, code::INPUT_MISMATCH)
        );
        assert_eq!(world.model.runs(), 0);
        assert_eq!(world.call(paid).await.status(), 200);
    }
    let world = World::priced(Price::default()).await;
    assert_eq!(world.call(&run).await.status(), 200, "a gift");
}

/// Another session costs a requester an opening's fee, and its provider's restart nothing.
#[tokio::test]
async fn requester_that_lost_three_runs_gets_no_more_by_another_session_or_after_a_restart() {
    let world = World::start().await;
    let mut call = Call::run(1, 0, LOST);
    for number in 10..13 {
        call.session = world.open(number);
        assert_eq!(world.call(&call).await.status(), 422);
    }
    let (same, other) = (world.open(13), world.open(14));
    world.change(&other, |account| account.requester = kit::NOBODY);
    let world = world.restarted().await;
    call.session = same;
    let refused_to = world.call(&call).await;
    assert_eq!(refusal(refused_to).await, refused(429, code::LOST_RUNS));
    call.session = other;
    assert_eq!(world.call(&call).await.status(), 422, "another requester");
    assert_eq!(world.model.runs(), 1);
}

#[tokio::test]
async fn nothing_is_served_while_what_is_owed_cannot_be_written() {
    let world = World::start().await;
    let books = world.spoil_file();
    let asked = json!({ "tokens": [10], "max_tokens": 9 });
    let call = Call::generate(1, 0, &asked);
    let told = world.call(&call).await.text().await.unwrap();
    assert!(told.contains("\"internal\""), "{told}");
    let again = world.call(&call).await;
    assert_eq!(again.headers()["retry-after"], "30");
    assert_eq!(refusal(again).await, refused(503, code::BUSY));
    assert_eq!(world.model.runs(), 1, "shown once, and never again");
    books.mend();
    world.sessions.try_books().await;
    assert_eq!(world.call(&call).await.status(), 200);
}
