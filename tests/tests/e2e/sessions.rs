//! Sessions from end to end: the stock clients of three APIs, the real gateway, the real worker, and a chain that pays
//! what the receipts say.

#[path = "sessions/clients.rs"]
mod clients;
#[path = "sessions/command.rs"]
mod command;
#[path = "sessions/faults.rs"]
mod faults;
#[path = "sessions/lost.rs"]
mod lost;
#[path = "sessions/misers.rs"]
mod misers;

use anyhow::Result;
use assay_client::{
    address,
    protocol::{Address, TreasuryData},
};
use assay_tests::e2e::{
    Provider, SOL, Settings, Stage, Worker,
    gateway::{Checked, Client, Gateway, Served},
};
use serde_json::{Value, json};

/// A question that both chat models answer, and the answer that their reference gives.
const QUESTION: &str = "What is the capital of France?";
const ANSWER: &str = "The capital of France is Paris.";

/// What a worker is set to that serves these models to sessions.
fn serving(models: &[Served]) -> Settings {
    Settings {
        sessions: models.to_vec(),
        ..Settings::default()
    }
}

/// Starts the provider's worker and waits until all that it serves is loaded.
fn start(stage: &Stage, provider: &Provider, settings: &Settings) -> Result<Worker> {
    let worker = Worker::start(stage, provider, settings)?;
    worker.wait_served(&settings.sessions)?;
    Ok(worker)
}

fn question(model: &str, stream: bool) -> Value {
    json!({
        "model": model,
        "messages": [{ "role": "user", "content": QUESTION }],
        "temperature": 0,
        "stream": stream,
    })
}

/// Asks the question, and the answer must be right.
fn ask(gateway: &Gateway, model: &str) -> Result<()> {
    let answer = gateway.json("/v1/chat/completions", &question(model, false))?;
    assert_eq!(answer["choices"][0]["message"]["content"], ANSWER);
    Ok(())
}

/// What the market and its provider got together, and still hold or have taken out.
fn received(stage: &Stage, provider: &Provider) -> Result<u64> {
    let data = provider.data(stage)?;
    Ok(data.total_earned + data.fees_due)
}

/// Stops the gateway, has every session pay what its receipts say and closes it. The chain then holds what the books
/// say, to the lamport, and the wallet has everything else.
fn settle_up(
    client: &Client<'_>,
    providers: &[&Provider],
    gateway: Gateway,
) -> Result<Vec<Checked>> {
    assert!(gateway.process.terminate()?.status.success());
    let books = client.books()?;
    let charged: u64 = books.iter().map(|session| session.charged).sum();
    let closed = client.run(&["session", "close", "--all"])?;
    assert!(closed.status.success(), "{}", closed.stderr);
    for session in &books {
        // A provider that is up closes by itself; then the account is gone, with all that it settled.
        if let Some(data) = client.session(&session.session)? {
            assert_eq!(data.settled, session.charged, "{session:?}");
        }
    }
    let mut paid = 0;
    for provider in providers {
        paid += received(client.stage, provider)?;
    }
    assert_eq!(paid, charged, "what providers got is what the receipts say");
    Ok(books)
}

/// Closes what is left once the grace time is over: the wallet has all but what it paid for answers and fees.
fn get_back(client: &Client<'_>, books: &[Checked]) -> Result<()> {
    client.stage.chain.time_travel_by(8 * 86_400)?;
    let closed = client.run(&["session", "close", "--all"])?;
    assert!(closed.status.success(), "{}", closed.stderr);
    for session in books {
        assert!(client.session(&session.session)?.is_none());
    }
    let charged: u64 = books.iter().map(|session| session.charged).sum();
    let fees = client.stage.network_fees(&client.requester.address())?;
    let left = client.requester.balance(client.stage)?;
    assert_eq!(left, SOL - charged - fees);
    Ok(())
}

/// What the market's treasury has collected of a provider's fees is no part of this: nobody withdraws here.
fn assert_untouched(stage: &Stage) -> Result<()> {
    let treasury: TreasuryData = stage.get(&address::treasury())?;
    assert_eq!(treasury.collected, 0);
    Ok(())
}

fn of(books: &[Checked], session: &Address) -> Checked {
    let found = books.iter().find(|books| books.session == *session);
    found.cloned().expect("the ledger has the session")
}
