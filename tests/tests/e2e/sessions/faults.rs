//! What breaks on the way: each side loses the price of one request at most, and nothing is paid twice.

use std::thread;

use anyhow::{Context as _, Result};
use assay_tests::e2e::{
    Cable, Flow, Provider, SOL, Settings, Stage,
    gateway::{Client, Served},
};
use serde_json::json;

use super::{ask, get_back, of, question, serving, settle_up, start};
use crate::present;

const MODEL: &str = "tiny-chat-cached";

/// The highest price of the question: its prompt, and as many tokens as the test allows.
fn most(prompt: u64, answer: u64) -> u64 {
    let price = Served::CACHED.price;
    price.request + prompt * price.input_token + answer * price.output_token
}

/// A long answer, as it comes.
fn story() -> serde_json::Value {
    json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": "Tell me a story." }],
        "temperature": 0,
        "max_tokens": 200,
        "stream": true,
    })
}

#[test]
fn worker_that_is_killed_mid_stream_is_paid_for_one_request_at_most() -> Result<()> {
    let stage = present();
    let provider = Provider::register(stage)?;
    let settings = serving(&[Served::CACHED]);
    let worker = start(stage, &provider, &settings)?;
    let client = Client::new(stage, SOL)?;
    let gateway = client.gateway(&[&provider], &["--lanes", "1"])?;
    ask(&gateway, MODEL)?;

    let mut pieces = gateway.stream("/v1/chat/completions", &story())?;
    assert!(pieces.piece()?.is_some());
    worker.process.kill()?;
    // Whether the worker had come to the end or not: what came is shown, and the stream ends.
    pieces.rest();
    assert!(gateway.process.terminate()?.status.success());

    let worker = start(stage, &provider, &settings)?;
    let gateway = client.gateway(&[&provider], &["--lanes", "1"])?;
    ask(&gateway, MODEL)?;
    let books = settle_up(&client, &[&provider], gateway)?;
    let [session] = books.as_slice() else {
        panic!("one session served all: {books:?}");
    };
    assert!((2..=3).contains(&session.requests), "{session:?}");
    assert!(session.charged <= 3 * most(50, 200), "{session:?}");
    drop(worker);
    Ok(())
}

#[test]
fn gateway_that_is_killed_mid_stream_goes_on_in_the_same_session() -> Result<()> {
    let stage = present();
    let provider = Provider::register(stage)?;
    let worker = start(stage, &provider, &serving(&[Served::CACHED]))?;
    let client = Client::new(stage, SOL)?;
    let gateway = client.gateway(&[&provider], &["--lanes", "1"])?;
    ask(&gateway, MODEL)?;
    let mut pieces = gateway.stream("/v1/chat/completions", &story())?;
    assert!(pieces.piece()?.is_some());
    gateway.process.kill()?;

    let gateway = client.gateway(&[&provider], &["--lanes", "1"])?;
    ask(&gateway, MODEL)?;
    let books = settle_up(&client, &[&provider], gateway)?;
    let [session] = books.as_slice() else {
        panic!("one session served all: {books:?}");
    };
    assert!((2..=3).contains(&session.requests), "{session:?}");
    drop(worker);
    Ok(())
}

/// Sessions go on while nobody can reach the chain; what was promised meanwhile is settled afterwards.
#[test]
fn chain_out_of_reach_stops_no_session() -> Result<()> {
    let stage = present();
    let provider = Provider::register(stage)?;
    let rpc = stage.chain.rpc_url();
    let rpc = rpc.strip_prefix("http://").context("a plain url")?;
    let cable = Cable::to(rpc.trim_end_matches('/').parse()?)?;
    let far = Some(format!("http://{}", cable.place));
    let settings = Settings {
        rpc: far.clone(),
        ..serving(&[Served::CACHED])
    };
    let worker = start(stage, &provider, &settings)?;
    let mut client = Client::new(stage, SOL)?;
    client.rpc = far;
    let gateway = client.gateway(&[&provider], &["--lanes", "1"])?;
    ask(&gateway, MODEL)?;

    cable.set(Flow::Nothing);
    for _ in 0..20 {
        ask(&gateway, MODEL)?;
    }
    cable.set(Flow::Both);
    let books = settle_up(&client, &[&provider], gateway)?;
    assert_eq!(
        books.iter().map(|session| session.requests).sum::<u64>(),
        21
    );
    assert!(worker.process.terminate()?.status.success());
    Ok(())
}

/// The first provider takes the request and is never heard of again; the second answers.
#[test]
fn provider_that_takes_and_does_not_answer_gains_one_request_at_most() -> Result<()> {
    let stage = present();
    let (silent, cable) = Provider::cabled(stage)?;
    let honest = Provider::register(stage)?;
    // The silent one is cheaper, so it is asked first.
    let cheap = Served {
        price: assay_client::session::Price {
            request: 1,
            ..Served::CACHED.price
        },
        ..Served::CACHED
    };
    let first = start(stage, &silent, &serving(&[cheap]))?;
    let second = start(stage, &honest, &serving(&[Served::CACHED]))?;
    let client = Client::new(stage, SOL)?;
    let gateway = client.gateway(&[&silent, &honest], &["--lanes", "1"])?;
    ask(&gateway, MODEL)?;

    cable.set(Flow::ToService);
    thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&gateway, MODEL));
        cable.wait_swallowed()?;
        cable.set(Flow::Nothing);
        asking.join().expect("the asking thread ends")
    })?;
    let before = client.books()?;
    let [with_silent] = before
        .iter()
        .filter(|books| {
            let data = client.session(&books.session).ok().flatten();
            data.is_some_and(|data| data.provider == silent.address)
        })
        .collect::<Vec<_>>()[..]
    else {
        panic!("one session with the silent provider: {before:?}");
    };
    assert_eq!(with_silent.requests, 1);
    let with_silent = with_silent.session;

    // It comes back, and what it did is asked for: that one request, or nothing.
    cable.set(Flow::Both);
    assert!(gateway.process.terminate()?.status.success());
    let gateway = client.gateway(&[&silent, &honest], &["--lanes", "1"])?;
    let books = settle_up(&client, &[&silent, &honest], gateway)?;
    let after = of(&books, &with_silent);
    assert!((1..=2).contains(&after.requests), "{after:?}");
    assert!(after.charged <= of(&before, &with_silent).charged + most(50, 2_048));
    drop((first, second));
    Ok(())
}

/// The chain's clock is a week ahead of both machines: vouchers, answers and settlements are not judged by it.
#[test]
fn clocks_that_differ_by_a_week_change_nothing() -> Result<()> {
    let stage = Stage::start()?;
    stage.chain.time_travel_by(7 * 86_400)?;
    let provider = Provider::register(&stage)?;
    let worker = start(&stage, &provider, &serving(&[Served::CACHED]))?;
    let client = Client::new(&stage, SOL)?;
    let gateway = client.gateway(&[&provider], &[])?;
    ask(&gateway, MODEL)?;
    ask(&gateway, MODEL)?;
    let books = settle_up(&client, &[&provider], gateway)?;
    assert!(worker.process.terminate()?.status.success());
    get_back(&client, &books)
}

/// A reader that goes away ends the answer, and pays for what was shown and no more.
#[test]
fn reader_that_leaves_pays_for_what_came() -> Result<()> {
    let stage = present();
    let provider = Provider::register(stage)?;
    let worker = start(stage, &provider, &serving(&[Served::CHAT]))?;
    let client = Client::new(stage, SOL)?;
    let gateway = client.gateway(&[&provider], &["--lanes", "1"])?;
    let mut pieces = gateway.stream("/v1/chat/completions", &question("tiny-chat", true))?;
    assert!(pieces.piece()?.is_some());
    drop(pieces);
    // The next one waits until that one has its receipt.
    ask(&gateway, "tiny-chat")?;
    let books = settle_up(&client, &[&provider], gateway)?;
    assert_eq!(books.iter().map(|session| session.requests).sum::<u64>(), 2);
    drop(worker);
    Ok(())
}
