//! The stock clients of Triton, OpenAI and Ollama, unchanged, through gateway and worker to the engine.

use anyhow::Result;
use assay_tests::e2e::{
    Provider, SOL, Stage,
    gateway::{Client, Served, script},
};

use super::{assert_untouched, get_back, serving, settle_up, start};

#[test]
fn stock_clients_work_and_every_lamport_is_accounted_for() -> Result<()> {
    let stage = Stage::start()?;
    let provider = Provider::register(&stage)?;
    let worker = start(&stage, &provider, &serving(&Served::ALL))?;
    let client = Client::new(&stage, SOL)?;
    let gateway = client.gateway(&[&provider], &[])?;

    let asked = script("main.py", &[&gateway.url])?;
    assert!(asked.status.success(), "{}\n{}", asked.stdout, asked.stderr);
    assert!(asked.stdout.contains("PASS: "), "{}", asked.stdout);

    let books = settle_up(&client, &[&provider], gateway)?;
    let requests: u64 = books.iter().map(|session| session.requests).sum();
    assert!(requests > 50, "{books:?}");
    assert!(worker.process.terminate()?.status.success());
    get_back(&client, &books)?;
    assert_untouched(&stage)
}
