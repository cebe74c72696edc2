//! A requester whose ledger is gone: the wallet alone gets the deposit back.

use anyhow::{Context as _, Result};
use assay_client::{
    protocol::{Address, SessionData, SessionStatus},
    session::Price,
};
use assay_tests::e2e::{
    Provider, SOL, Stage,
    gateway::{Client, Served},
};
use serde_json::Value;

use super::{ask, received, serving, start};

const DEPOSIT: u64 = 20_000_000;

fn state(ends: &Value) -> (&Value, &Value, &Value) {
    (
        &ends[0]["session"],
        &ends[0]["state"],
        &ends[0]["in_ledger"],
    )
}

#[test]
fn sessions_of_a_lost_ledger_are_found_and_closed_with_the_wallet_alone() -> Result<()> {
    let stage = Stage::start()?;
    let provider = Provider::register(&stage)?;
    let worker = start(&stage, &provider, &serving(&[Served::DIGITS]))?;
    let mut client = Client::new(&stage, SOL)?;
    let to = provider.address.to_string();
    let opened = client.json(&["session", "open", &to, "--deposit", "0.02"])?;
    let session = opened["session"].as_str().context("a session")?.to_owned();
    let address: Address = session.parse()?;
    // Who settles and closes at once is not there any more: the requester gets out alone.
    assert!(worker.process.terminate()?.status.success());

    // Without the chain the ledger still tells.
    client.rpc = Some("http://127.0.0.1:1".to_owned());
    let listed = client.json(&["session", "list"])?;
    assert_eq!(
        (&listed[0]["session"], &listed[0]["in_ledger"]),
        (&opened["session"], &true.into())
    );
    client.rpc = None;

    client.lose_ledger()?;
    let listed = client.json(&["session", "list"])?;
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(listed[0]["session"], session.as_str());
    assert_eq!(listed[0]["in_ledger"], false);
    assert_eq!(listed[0]["deposit_lamports"], DEPOSIT);
    assert!(listed[0]["spent_lamports"].is_null());
    let table = client.run(&["session", "list"])?;
    assert!(table.stdout.contains("open, unknown to this ledger"));
    assert!(table.stderr.contains("No voucher can be signed"));

    // Nobody else sees it or closes it.
    let stranger = Client::new(&stage, SOL)?;
    assert_eq!(stranger.json(&["session", "list"])?, Value::Array(vec![]));
    let refused = stranger.run(&["session", "close", &session])?;
    assert!(!refused.status.success());
    assert!(
        refused.stderr.contains("not by this wallet"),
        "{}",
        refused.stderr
    );
    assert_eq!(stranger.requester.balance(&stage)?, SOL);
    let data: SessionData = stage.get(&address)?;
    assert_eq!(data.status, SessionStatus::Open as u8);

    let closing = client.json(&["session", "close", &session])?;
    let expected = |state: &str| {
        (
            session.clone().into(),
            state.to_owned().into(),
            false.into(),
        )
    };
    let is = |ends: &Value, expected: (Value, Value, Value)| {
        let found = state(ends);
        assert_eq!(found, (&expected.0, &expected.1, &expected.2));
    };
    is(&closing, expected("closing"));
    stage.chain.time_travel_by(2 * 86_400)?;
    let closed = client.json(&["session", "close", "--all"])?;
    is(&closed, expected("closed"));
    assert!(client.session(&address)?.is_none());
    let fees = stage.network_fees(&client.requester.address())?;
    assert_eq!(client.requester.balance(&stage)?, SOL - fees);
    Ok(())
}

/// The provider has a voucher for the first answer and none for the second.
#[test]
fn provider_settles_its_vouchers_though_the_requester_lost_the_ledger() -> Result<()> {
    let stage = Stage::start()?;
    let provider = Provider::register(&stage)?;
    // Dear enough that one request is worth a settlement's fees.
    let served = Served {
        price: Price {
            request: 500_000,
            ..Served::CACHED.price
        },
        ..Served::CACHED
    };
    let worker = start(&stage, &provider, &serving(&[served]))?;
    let client = Client::new(&stage, SOL)?;
    let gateway = client.gateway(&[&provider], &["--lanes", "1"])?;
    for _ in 0..2 {
        ask(&gateway, served.name)?;
    }
    assert!(gateway.process.terminate()?.status.success());
    let books = client.books()?;
    let [session] = books.as_slice() else {
        panic!("one session served all: {books:?}");
    };
    assert_eq!(session.requests, 2);
    assert!(session.paid >= 500_000 && session.paid < session.charged);

    client.lose_ledger()?;
    let closing = client.run(&["session", "close", "--all"])?;
    assert!(closing.status.success(), "{}", closing.stderr);
    assert!(worker.process.terminate()?.status.success());
    assert_eq!(received(&stage, &provider)?, session.paid);
    stage.chain.time_travel_by(8 * 86_400)?;
    let closed = client.run(&["session", "close", "--all"])?;
    assert!(closed.status.success(), "{}", closed.stderr);
    assert!(client.session(&session.session)?.is_none());
    let fees = stage.network_fees(&client.requester.address())?;
    assert_eq!(client.requester.balance(&stage)?, SOL - session.paid - fees);
    Ok(())
}
