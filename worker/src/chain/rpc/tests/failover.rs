//! Endpoints that pass every check and fail at what is asked of them.

use super::*;

#[tokio::test]
async fn endpoint_that_hangs_at_sending_alone_gets_no_more_to_send() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = RpcChain::new(&Endpoints {
        urls: vec![first.url.clone(), second.url.clone()],
        timeout: Duration::from_millis(100),
        genesis: String::new(),
        per_second: 10_000,
    })
    .unwrap();
    chain.check().await;
    first.trouble("sendTransaction", Trouble::Hang);
    for _ in 0..4 {
        chain.send(&[1; 100], 0).await.unwrap();
        until("the first endpoint passes its check", || {
            chain.look_after_the_others(&[1]);
            states(&chain)[0] == State::Healthy
        })
        .await;
    }
    let counts = [&first, &second].map(|node| node.count("sendTransaction"));
    assert_eq!(counts, [2, 4]);
    chain.balance(&PROGRAM_ID).await.unwrap();
    assert_eq!(first.count("getBalance"), 1, "all else is its own");
}

#[tokio::test]
async fn error_that_is_not_the_requests_is_no_answer() {
    for code in [-32_098, -32_000, -32_603, 0, 402] {
        let (first, second) = (Node::start().await, Node::start().await);
        let chain = chain(&[&first, &second]);
        first.trouble("sendTransaction", Trouble::Error(code, Value::Null));
        chain.send(&[1; 100], 0).await.unwrap();
        assert_eq!(second.count("sendTransaction"), 1, "{code}");
    }
}

#[tokio::test]
async fn answer_is_as_large_as_its_method_needs() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = chain(&[&first, &second]);
    let mut large = account(PROGRAM_ID, &job(1));
    large.data.resize(5 << 20, 0);
    first.world().accounts.insert(address(7), large);
    let read = chain.jobs(&[address(7)]).await.unwrap();
    assert_eq!(read, [(address(7), None)], "by the second one");
    let reason = chain.health().endpoints[0].last_error.clone().unwrap();
    assert!(reason.contains("more than 4194304 bytes"), "{reason}");
    let list = json!([{ "pubkey": address(7).to_string(), "account": {
        "lamports": 1, "owner": PROGRAM_ID.to_string(), "data": ["A".repeat(5 << 20), "base64"],
        "executable": false, "rentEpoch": 0, "space": 5 << 20,
    } }]);
    second.trouble("getProgramAccounts", Trouble::Says(list));
    assert_eq!(chain.open_jobs().await.unwrap(), []);
}
