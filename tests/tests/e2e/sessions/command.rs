//! `assay session` and `assay chat`, as a person types them.

use anyhow::{Context as _, Result};
use assay_tests::e2e::{
    Provider, SOL,
    gateway::{Client, Served},
};

use super::{ANSWER, QUESTION, serving, settle_up, start};
use crate::present;

#[test]
fn session_is_opened_used_shown_and_closed_by_command() -> Result<()> {
    let stage = present();
    let provider = Provider::register(stage)?;
    let worker = start(stage, &provider, &serving(&[Served::CACHED]))?;
    let client = Client::new(stage, SOL)?;
    let address = provider.address.to_string();
    let opened = client.json(&["session", "open", &address, "--deposit", "0.02"])?;
    let session = opened["session"].as_str().context("a session")?.to_owned();

    // The gateway takes it up instead of opening another.
    let gateway = client.gateway(&[&provider], &["--lanes", "1"])?;
    let chat = client.run(&[
        "chat",
        "--gateway",
        &gateway.url,
        "--package",
        "tiny-chat-cached",
        "--once",
        QUESTION,
    ])?;
    assert!(chat.status.success(), "{}", chat.stderr);
    assert_eq!(chat.stdout.trim(), ANSWER);
    let listed = client.json(&["session", "list"])?;
    let listed = listed.as_array().context("a list")?;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["session"], session.as_str());
    let receipts = client.json(&["session", "receipts"])?;
    assert_eq!(receipts.as_array().map(Vec::len), Some(1));

    let books = settle_up(&client, &[&provider], gateway)?;
    assert_eq!(books.len(), 1);
    assert_eq!(books[0].session.to_string(), session);
    assert_eq!((books[0].requests, books[0].paid), (1, 0));
    drop(worker);
    Ok(())
}
