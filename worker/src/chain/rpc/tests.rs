//! Against nodes that answer over real sockets, some of which lie or fail.

use assay_client::{
    PROGRAM_ID,
    account::encode,
    protocol::{Address, JobData, LAYOUT_VERSION, UnixSeconds},
};
use bytemuck::Zeroable;
use serde_json::json;

use super::*;
use crate::chain::{
    Chain, Sending, Wanted,
    fake::{Account, Node, Trouble, chain},
};

mod disagreement;
mod failover;

fn address(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

fn account(owner: Address, data: &[u8]) -> Account {
    Account {
        owner,
        lamports: 1_000_000,
        data: data.to_vec(),
        executable: false,
    }
}

fn job(sequence: u32) -> Vec<u8> {
    encode(&JobData {
        version: LAYOUT_VERSION,
        sequence,
        ..JobData::zeroed()
    })
}

fn states(chain: &RpcChain) -> Vec<State> {
    let endpoints = chain.health().endpoints;
    endpoints.into_iter().map(|one| one.state).collect()
}

/// Waits until what runs in the background has done its part.
async fn until(what: &str, done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "{what}");
}

fn wanted(time: i64) -> Wanted {
    Wanted {
        provider: address(1),
        operator: address(2),
        expected: Some(UnixSeconds(time)),
        ..Wanted::default()
    }
}

#[tokio::test]
async fn account_that_is_no_job_does_not_hide_the_others() {
    let node = Node::start().await;
    let asked: Vec<Address> = (1..=4).map(address).collect();
    let accounts = [
        account(Address::default(), b""),
        account(PROGRAM_ID, b"something else"),
        account(PROGRAM_ID, &job(7)),
    ];
    node.world()
        .accounts
        .extend(asked.iter().copied().zip(accounts));
    let chain = chain(&[&node]);
    let read = chain.jobs(&asked).await.unwrap();
    let seen: Vec<_> = read
        .iter()
        .map(|(address, job)| (*address, job.map(|job| job.sequence)))
        .collect();
    assert_eq!(
        seen,
        [(asked[0], None), (asked[2], Some(7)), (asked[3], None)],
        "paid to after its end, unreadable, alive, gone"
    );
    let short = json!({ "context": { "slot": 1 }, "value": [null] });
    node.trouble("getMultipleAccounts", Trouble::Says(short));
    assert!(
        chain.jobs(&asked[..2]).await.is_err(),
        "one answer to two questions"
    );
}

#[tokio::test]
async fn snapshot_takes_one_request() {
    let node = Node::start().await;
    let time = node.world().time;
    let lamports_alone = account(Address::default(), b"");
    node.world().accounts.extend([
        (address(1), lamports_alone.clone()),
        (address(2), lamports_alone),
        (address(3), account(PROGRAM_ID, &job(7))),
    ]);
    let chain = chain(&[&node]);
    chain.check().await;
    let before = chain.calls();
    let wanted = Wanted {
        jobs: vec![address(3), address(4)],
        panels: vec![address(5)],
        ..wanted(time)
    };
    let snapshot = chain.snapshot(&wanted).await.unwrap();
    assert_eq!(chain.calls().since(&before).total, 1);
    assert_eq!((snapshot.clock.slot, snapshot.clock.time.0), (1_000, time));
    assert!(snapshot.provider.is_none());
    assert_eq!(snapshot.operator, 1_000_000);
    assert_eq!(snapshot.jobs[0].1.unwrap().sequence, 7);
    assert_eq!(snapshot.jobs[1], (address(4), None));
    assert_eq!(snapshot.panels, [(address(5), None)]);
    let many = Wanted {
        jobs: (0..250).map(|_| address(3)).collect(),
        ..wanted
    };
    let before = chain.calls();
    assert_eq!(chain.snapshot(&many).await.unwrap().jobs.len(), 250);
    assert_eq!(chain.calls().since(&before).total, 3);
}

#[tokio::test]
async fn endpoint_that_fails_is_passed_over_and_preferred_again_once_it_is_checked() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = chain(&[&first, &second]);
    chain.check().await;
    for trouble in [
        Trouble::Garbage,
        Trouble::Status(500),
        Trouble::Error(-32_005, Value::Null),
        Trouble::Says(json!({ "context": { "slot": 1 }, "value": "x" })),
    ] {
        assert_eq!(states(&chain), [State::Healthy, State::Healthy]);
        first.trouble("getBalance", trouble.clone());
        let asked = second.count("getBalance");
        chain.balance(&PROGRAM_ID).await.unwrap();
        assert_eq!(second.count("getBalance"), asked + 1, "{trouble:?}");
        assert_eq!(states(&chain)[0], State::Failing, "{trouble:?}");
        first.mend();
        // It rests, is checked while the other one answers, and takes its place again.
        until("the first endpoint comes back", || {
            chain.look_after_the_others(&[1]);
            states(&chain)[0] == State::Healthy
        })
        .await;
        let asked = first.count("getBalance");
        chain.balance(&PROGRAM_ID).await.unwrap();
        assert_eq!(first.count("getBalance"), asked + 1);
    }
    assert_eq!(
        first.count("getGenesisHash"),
        5,
        "once and after each failure"
    );
}

#[tokio::test]
async fn endpoint_that_lacks_one_method_is_asked_for_the_others() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = chain(&[&first, &second]);
    first.trouble("getProgramAccounts", Trouble::Error(-32_010, Value::Null));
    chain.open_jobs().await.unwrap();
    assert_eq!(second.count("getProgramAccounts"), 1);
    assert_eq!(states(&chain), [State::Healthy, State::Healthy]);
    chain.balance(&PROGRAM_ID).await.unwrap();
    assert_eq!(first.count("getBalance"), 1);
}

#[tokio::test]
async fn refused_request_is_not_repeated_elsewhere() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = chain(&[&first, &second]);
    first.trouble("sendTransaction", Trouble::Error(-32_602, Value::Null));
    assert!(chain.send(&[1; 100], 0).await.is_err());
    assert_eq!(second.count("sendTransaction"), 0);
    assert_eq!(states(&chain), [State::Healthy, State::Healthy]);
}

#[tokio::test]
async fn already_processed_is_no_error() {
    let node = Node::start().await;
    let data = json!({ "err": "AlreadyProcessed", "logs": [] });
    node.trouble("sendTransaction", Trouble::Error(-32_002, data));
    let chain = chain(&[&node]);
    let sent = chain.send(&[1; 100], 0).await.unwrap();
    assert_eq!(sent, Sending::AlreadyProcessed);
    node.trouble(
        "sendTransaction",
        Trouble::Error(-32_002, json!({ "err": "BlockhashNotFound" })),
    );
    assert!(chain.send(&[1; 100], 0).await.is_err());
}

#[tokio::test]
async fn resent_transaction_goes_to_the_next_endpoint() {
    let nodes = [Node::start().await, Node::start().await];
    let chain = chain(&[&nodes[0], &nodes[1]]);
    for again in 0..3 {
        chain.send(&[1; 100], again).await.unwrap();
    }
    let counts = nodes.each_ref().map(|node| node.count("sendTransaction"));
    assert_eq!(counts, [2, 1]);
}

#[tokio::test]
async fn endpoint_that_wants_less_is_left_alone_for_as_long_as_it_says() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = chain(&[&first, &second]);
    chain.check().await;
    first.trouble("", Trouble::Limited(Some(100)));
    for _ in 0..3 {
        chain.balance(&PROGRAM_ID).await.unwrap();
    }
    assert_eq!(
        (first.count("getBalance"), second.count("getBalance")),
        (1, 3)
    );
    let health = chain.health();
    assert_eq!(health.endpoints[0].state, State::Limited);
    let rests = health.endpoints[0].rests_ms.unwrap();
    assert!((90_000..=100_000).contains(&rests), "{rests}");
    second.trouble("", Trouble::Limited(None));
    chain.balance(&PROGRAM_ID).await.unwrap_err();
    let asked = second.count("getBalance");
    let error = chain.balance(&PROGRAM_ID).await.unwrap_err();
    assert!(matches!(error, ChainError::Nobody { .. }), "{error}");
    assert_eq!(
        second.count("getBalance"),
        asked,
        "nobody is asked meanwhile"
    );
}

#[tokio::test]
async fn endpoint_of_another_chain_or_without_the_program_is_never_used() {
    let nodes = [
        Node::start().await,
        Node::start().await,
        Node::start().await,
    ];
    nodes[1].world().genesis = bs58::encode([7; 32]).into_string();
    nodes[2].world().accounts.clear();
    let chain = chain(&[&nodes[0], &nodes[1], &nodes[2]]);
    chain.check().await;
    assert_eq!(
        states(&chain),
        [State::Healthy, State::Foreign, State::Foreign]
    );
    nodes[0].trouble("", Trouble::Status(503));
    chain.balance(&PROGRAM_ID).await.unwrap_err();
    let error = chain.balance(&PROGRAM_ID).await.unwrap_err().to_string();
    assert!(error.contains("genesis") && error.contains("without the program"));
    assert_eq!(
        nodes[1].count("getBalance") + nodes[2].count("getBalance"),
        0
    );
}

#[tokio::test]
async fn preferred_endpoint_that_comes_back_as_another_chain_is_not_used() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = chain(&[&first, &second]);
    chain.check().await;
    first.trouble("getBalance", Trouble::Garbage);
    chain.balance(&PROGRAM_ID).await.unwrap();
    first.mend();
    first.world().genesis = bs58::encode([7; 32]).into_string();
    until("the first endpoint is checked", || {
        chain.look_after_the_others(&[1]);
        states(&chain)[0] == State::Foreign
    })
    .await;
    let asked = first.count("getBalance");
    chain.balance(&PROGRAM_ID).await.unwrap();
    assert_eq!(first.count("getBalance"), asked);
}

#[tokio::test]
async fn configured_genesis_is_held_against_every_endpoint() {
    let node = Node::start().await;
    let chain = RpcChain::new(&Endpoints {
        urls: vec![node.url.clone()],
        timeout: Duration::from_secs(10),
        genesis: bs58::encode([7; 32]).into_string(),
        per_second: 100,
    })
    .unwrap();
    chain.balance(&PROGRAM_ID).await.unwrap_err();
    assert_eq!(states(&chain), [State::Foreign]);
    assert_eq!(node.count("getBalance"), 0);
}

#[tokio::test]
async fn endpoint_that_hangs_keeps_the_others_waiting_once() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = RpcChain::new(&Endpoints {
        urls: vec![first.url.clone(), second.url.clone()],
        timeout: Duration::from_millis(300),
        genesis: String::new(),
        per_second: 100,
    })
    .unwrap();
    chain.check().await;
    first.trouble("", Trouble::Hang);
    chain.balance(&PROGRAM_ID).await.unwrap();
    chain.balance(&PROGRAM_ID).await.unwrap();
    assert_eq!(
        (first.count("getBalance"), second.count("getBalance")),
        (1, 2)
    );
    let reason = chain.health().endpoints[0].last_error.clone().unwrap();
    assert!(reason.contains("did not answer"), "{reason}");
}

#[tokio::test]
async fn endpoint_whose_slot_is_old_is_asked_last() {
    let nodes = [
        Node::start().await,
        Node::start().await,
        Node::start().await,
    ];
    nodes[0].world().slot = 100;
    nodes[2].world().slot = 9_000_000;
    let chain = chain(&[&nodes[0], &nodes[1], &nodes[2]]);
    chain.check().await;
    assert_eq!(
        states(&chain),
        [State::Behind, State::Healthy, State::Healthy],
        "one far ahead makes nobody late"
    );
    chain.balance(&PROGRAM_ID).await.unwrap();
    assert_eq!(nodes[1].count("getBalance"), 1);
}

#[tokio::test]
async fn nothing_that_is_shown_names_a_path_or_a_query() {
    let node = Node::start().await;
    let chain = chain(&[&node]);
    node.trouble("", Trouble::Garbage);
    let told = format!(
        "{:?} {}",
        chain.balance(&PROGRAM_ID).await.unwrap_err(),
        serde_json::to_string(&chain.health()).unwrap()
    );
    assert!(
        told.contains("127.0.0.1") && !told.contains("secret"),
        "{told}"
    );
    let gone = RpcChain::new(&Endpoints {
        urls: vec!["http://127.0.0.1:1/secret?key=secret".into()],
        timeout: Duration::from_secs(10),
        genesis: String::new(),
        per_second: 1,
    })
    .unwrap();
    let told = gone.balance(&PROGRAM_ID).await.unwrap_err().to_string();
    assert!(
        told.contains("no connection") && !told.contains("secret"),
        "{told}"
    );
}
