//! Sessions over real sockets: a requester, a node whose accounts change, a file, and a model that adds up bytes.

use assay_client::{
    delivery::Refusal,
    protocol::{SessionData, SessionStatus},
    session::{self, Offer, Price, RECEIPT_HEADER, Receipt, SignedReceipt, Standing, code},
};
use reqwest::StatusCode;

mod generations;
mod griefing;
mod kit;
mod model;
mod readings;
mod retries;
mod settlements;

use super::core::tests::{MODEL, SESSION, pays};
use kit::{Call, World};
use model::{BAD, BUSY, FAILS, HOLD};

async fn refusal(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    (status, response.json::<Refusal>().await.unwrap().error)
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn receipt(response: &reqwest::Response) -> SignedReceipt {
    let header = response.headers()[RECEIPT_HEADER].to_str().unwrap();
    SignedReceipt::from_header(header).unwrap()
}

#[tokio::test]
async fn offer_lists_what_is_loaded() {
    let world = World::start().await;
    let path = format!("{}{}", world.url, session::OFFER_PATH);
    let offer: Offer = world
        .client
        .get(path)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(offer.accepting);
    assert_eq!(offer.operator, world.operator());
    let [model] = offer.models.as_slice() else {
        panic!("one model is served");
    };
    assert_eq!((model.digest, model.name.as_str()), (MODEL, "adder"));
    assert_eq!(model.inputs[0].shape, Some(vec![-1, 4]));
    assert_eq!(model.inputs[0].dtype, "F32");
    assert!(model.generates);
    // The least of what the model, its entry and all models have.
    assert_eq!(model.max_tokens, 2_000);
}

#[tokio::test]
async fn answers_come_with_receipts_that_chain() {
    let world = World::start().await;
    let mut previous: Option<Receipt> = None;
    let mut paid = 0;
    for sequence in 1..=3 {
        let input = [u8::try_from(sequence).unwrap(); 3];
        let call = Call::run(sequence, paid, &input);
        let response = world.call(&call).await;
        assert_eq!(response.status(), StatusCode::OK);
        let signed = receipt(&response);
        let answer = response.bytes().await.unwrap();
        assert_eq!(*answer, (3 * sequence).to_le_bytes());
        let terms = session::Terms {
            session: &SESSION,
            operator: &world.operator(),
            model: &MODEL,
            request: &Receipt::request_digest("run", &input),
            response: &assay_client::protocol::Digest::of(&[&answer]),
            max_price: kit::RUN,
            previous: previous.as_ref(),
        };
        signed.check(&terms).unwrap();
        paid = signed.receipt.cumulative;
        previous = Some(signed.receipt);
    }
    let standing = world.standing().await;
    assert_eq!((standing.sequence, standing.due), (3, 3 * kit::RUN));
    assert_eq!(standing.paid, 2 * kit::RUN);
    assert_eq!(standing.receipt.unwrap().receipt, previous.unwrap());
}

#[tokio::test]
async fn request_that_does_not_fit_its_session_is_refused_with_its_code() {
    let world = World::start().await;
    let first = Call::run(1, 0, b"x");
    assert_eq!(world.call(&first).await.status(), 200);
    let next = || Call::run(2, kit::RUN, b"y");
    let mut wrong_key = next();
    wrong_key.payment.signature = pays(1, 1).signature;
    let mut soon = next();
    soon.payment = pays(kit::RUN, kit::NOW + 10);
    for (call, expected) in [
        (
            Call::run(2, kit::RUN - 1, b"y"),
            refused(402, code::PAYMENT_REQUIRED),
        ),
        (
            Call::run(2, kit::DEPOSIT + 1, b"y"),
            refused(402, code::DEPOSIT_TOO_SMALL),
        ),
        (
            Call {
                max_price: Some(kit::RUN - 1),
                ..next()
            },
            refused(402, code::PRICE_ABOVE_LIMIT),
        ),
        (wrong_key, refused(401, code::VOUCHER_INVALID)),
        (soon, refused(401, code::VOUCHER_INVALID)),
        (
            Call {
                voucher: Some("nonsense".into()),
                ..next()
            },
            refused(401, code::VOUCHER_INVALID),
        ),
        (
            Call::run(3, kit::RUN, b"y"),
            refused(409, code::SEQUENCE_MISMATCH),
        ),
        (
            Call::run(1, 0, b"another"),
            refused(409, code::SEQUENCE_MISMATCH),
        ),
        (
            Call {
                model: kit::OTHER,
                ..next()
            },
            refused(404, code::MODEL_NOT_SERVED),
        ),
        (
            Call {
                session: kit::NOBODY,
                ..next()
            },
            refused(404, code::SESSION_UNKNOWN),
        ),
        (
            Call {
                body: vec![0; kit::BODY + 1],
                ..next()
            },
            refused(413, code::INPUT_MISMATCH),
        ),
    ] {
        assert_eq!(refusal(world.call(&call).await).await, expected);
    }
    let bare = world
        .client
        .post(format!("{}{}", world.url, session::run_path(&SESSION)));
    let bare = bare.send().await.unwrap();
    assert_eq!(refusal(bare).await, refused(400, "malformed"));
    // Nothing of it was charged, and the session goes on.
    assert_eq!(world.standing().await.sequence, 1);
    assert_eq!(world.call(&next()).await.status(), 200);
}

#[tokio::test]
async fn input_that_does_not_fit_is_free_and_a_model_that_fails_is_not() {
    let world = World::start().await;
    let bad = world.call(&Call::run(1, 0, BAD)).await;
    assert_eq!(refusal(bad).await, refused(422, code::INPUT_MISMATCH));
    assert_eq!(world.standing().await.sequence, 0);
    let failed = world.call(&Call::run(1, 0, FAILS)).await;
    assert_eq!(failed.status(), 422);
    let signed = receipt(&failed).receipt;
    let body = failed.bytes().await.unwrap();
    assert_eq!(
        signed.response,
        assay_client::protocol::Digest::of(&[&body])
    );
    assert_eq!(signed.price, kit::RUN);
    let told: Refusal = serde_json::from_slice(&body).unwrap();
    assert_eq!(told.error, code::MODEL_FAILED);
    assert_eq!(world.standing().await.due, kit::RUN);
}

#[tokio::test]
async fn busy_worker_says_when_to_ask_again() {
    let world = World::start().await;
    let busy = world.call(&Call::run(1, 0, BUSY)).await;
    assert_eq!(busy.headers()["retry-after"], "7");
    assert_eq!(refusal(busy).await, refused(503, code::BUSY));
    // Two at once are taken; the third has no place, whatever its session.
    let held = [world.open(21), world.open(22)];
    let calls = held.map(|session| Call {
        session,
        ..Call::run(1, 0, HOLD)
    });
    let holding = calls
        .each_ref()
        .map(|call| tokio::spawn(world.request(call)));
    world.model.held(2).await;
    let third = Call {
        session: world.open(23),
        ..Call::run(1, 0, b"x")
    };
    let third = world.call(&third).await;
    assert_eq!(third.headers()["retry-after"], "1");
    assert_eq!(refusal(third).await, refused(429, code::BUSY));
    world.model.release();
    for one in holding {
        assert_eq!(one.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn second_request_of_one_session_waits_for_nothing() {
    let world = World::start().await;
    let call = Call::run(1, 0, HOLD);
    let first = tokio::spawn(world.request(&call));
    world.model.held(1).await;
    let second = world.call(&call).await;
    assert_eq!(refusal(second).await, refused(409, code::REQUEST_UNDER_WAY));
    world.model.release();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn retry_gets_the_same_answer_and_receipt_without_another_run() {
    let world = World::start().await;
    let call = Call::run(1, 0, b"abc");
    let first = world.call(&call).await;
    let (signed, answer) = (receipt(&first), first.bytes().await.unwrap());
    let again = world.call(&call).await;
    assert_eq!(receipt(&again), signed);
    assert_eq!(again.bytes().await.unwrap(), answer);
    assert_eq!(world.model.runs(), 1);
    // Where the answer is not in memory any more, it is computed again; that is free too.
    let world = world.restarted().await;
    let again = world.call(&call).await;
    assert_eq!(receipt(&again), signed);
    assert_eq!(again.bytes().await.unwrap(), answer);
    assert_eq!(world.model.runs(), 1);
    assert_eq!(world.standing().await.due, kit::RUN);
}

#[tokio::test]
async fn requester_that_left_is_charged_for_the_run_and_finds_its_answer() {
    let world = World::start().await;
    let call = Call::run(1, 0, HOLD);
    let leaving = tokio::spawn(world.request(&call));
    world.model.held(1).await;
    leaving.abort();
    let _ = leaving.await;
    world.model.release();
    world.until(|standing| standing.sequence == 1).await;
    let found = world.call(&call).await;
    assert_eq!(
        (found.status(), receipt(&found).receipt.sequence),
        (StatusCode::OK, 1)
    );
    assert_eq!(world.model.runs(), 1);
}

#[tokio::test]
async fn worker_that_dies_within_a_request_charges_nothing_for_it() {
    let world = World::start().await;
    assert_eq!(world.call(&Call::run(1, 0, b"x")).await.status(), 200);
    let call = Call::run(2, kit::RUN, HOLD);
    let lost = tokio::spawn(world.request(&call));
    world.model.held(1).await;
    // The old one never comes to its end.
    let world = world.restarted().await;
    lost.abort();
    let standing = world.standing().await;
    assert_eq!((standing.sequence, standing.due), (1, kit::RUN));
    assert_eq!(standing.paid, kit::RUN, "the voucher was kept first");
    let again = Call::run(2, kit::RUN, b"y");
    let again = world.call(&again).await;
    let receipt = receipt(&again).receipt;
    receipt
        .follows(Some(&standing.receipt.unwrap().receipt))
        .unwrap();
}

#[tokio::test]
async fn worker_that_ends_lets_requests_finish_and_takes_no_more() {
    let world = World::start().await;
    let call = Call::run(1, 0, HOLD);
    let under_way = tokio::spawn(world.request(&call));
    world.model.held(1).await;
    let sessions = std::sync::Arc::clone(&world.sessions);
    let ending = tokio::spawn(async move { sessions.end(kit::PATIENCE).await });
    while !world.sessions.is_draining() {
        tokio::task::yield_now().await;
    }
    let session = world.open(21);
    let refused_call = Call {
        session,
        ..Call::run(1, 0, b"x")
    };
    let answer = world.call(&refused_call).await;
    assert_eq!(refusal(answer).await, refused(503, code::DRAINING));
    assert!(!ending.is_finished());
    world.model.release();
    assert_eq!(under_way.await.unwrap().unwrap().status(), 200);
    ending.await.unwrap();
    let standing: Standing = world.standing().await;
    assert_eq!(standing.sequence, 1);
}

#[test]
fn price_of_the_kit_is_what_the_tests_count_with() {
    let usage = session::Usage {
        input_bytes: 3,
        ..session::Usage::default()
    };
    let price: Price = kit::PRICE;
    assert_eq!(price.of(usage), Some(kit::RUN));
}
