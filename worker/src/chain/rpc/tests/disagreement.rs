//! Endpoints that say different things.

use assay_client::protocol::SessionData;

use super::*;

#[tokio::test]
async fn clock_of_one_endpoint_far_ahead_is_not_believed() {
    let (first, second) = (Node::start().await, Node::start().await);
    let chain = chain(&[&first, &second]);
    let time = first.world().time;
    first.world().time = time + 1_000_000;
    let snapshot = chain.snapshot(&wanted(time + 5)).await.unwrap();
    assert_eq!(snapshot.clock.time.0, time);
    let health = chain.health();
    assert_eq!(health.endpoints[0].state, State::Failing);
    let reason = health.endpoints[0].last_error.clone().unwrap();
    assert!(reason.contains("not believed"), "{reason}");
    assert_eq!(
        first.count("getMultipleAccounts"),
        2,
        "checked, and asked once"
    );
}

#[tokio::test]
async fn time_that_jumps_is_agreed_on_by_two_and_by_one_alone_only_told() {
    let (first, second) = (Node::start().await, Node::start().await);
    let time = first.world().time;
    for node in [&first, &second] {
        node.world().time = time + 1_000_000;
    }
    let both = chain(&[&first, &second]);
    let snapshot = both.snapshot(&wanted(time)).await.unwrap();
    assert!(snapshot.agreed);
    assert_eq!(snapshot.clock.time.0, time + 1_000_000);
    let alone = chain(&[&first]);
    assert!(!alone.snapshot(&wanted(time)).await.unwrap().agreed);
}

#[tokio::test]
async fn of_three_clocks_that_differ_from_what_is_expected_two_decide() {
    let nodes = [
        Node::start().await,
        Node::start().await,
        Node::start().await,
    ];
    let time = nodes[0].world().time;
    for (node, ahead) in nodes.iter().zip([9_000_000, 500, 501]) {
        node.world().time = time + ahead;
    }
    let chain = chain(&[&nodes[0], &nodes[1], &nodes[2]]);
    let snapshot = chain.snapshot(&wanted(time)).await.unwrap();
    assert!(snapshot.agreed);
    assert_eq!(snapshot.clock.time.0, time + 500);
    assert_eq!(states(&chain)[0], State::Failing);
}

#[tokio::test]
async fn height_is_the_lower_of_two_and_alone_not_agreed_on() {
    let (first, second) = (Node::start().await, Node::start().await);
    first.world().height = 1_000_000;
    let both = chain(&[&first, &second]);
    let height = both.block_height().await.unwrap();
    assert_eq!((height.height, height.agreed), (900, true));
    second.trouble("getBlockHeight", Trouble::Status(500));
    let height = both.block_height().await.unwrap();
    assert_eq!((height.height, height.agreed), (1_000_000, false));
    let alone = chain(&[&first]);
    assert!(!alone.block_height().await.unwrap().agreed);
}

#[tokio::test]
async fn signature_that_either_endpoint_finds_is_known() {
    let (first, second) = (Node::start().await, Node::start().await);
    let landed =
        json!({ "slot": 7, "confirmations": null, "err": null, "confirmationStatus": "finalized" });
    let text = bs58::encode([3; 64]).into_string();
    second.world().statuses.insert(text, landed);
    let chain = chain(&[&first, &second]);
    let ask = async |search| chain.signatures(&[[3; 64], [4; 64]], search).await.unwrap();
    assert!(ask(false).await[0].is_none(), "the first one is asked");
    let states = ask(true).await;
    assert!(states[0].as_ref().unwrap().confirmed && states[1].is_none());
}

#[tokio::test]
async fn session_that_one_endpoint_leaves_out_is_known_by_another() {
    let (first, second) = (Node::start().await, Node::start().await);
    let session = address(5);
    let data = SessionData {
        version: LAYOUT_VERSION,
        deposit: 7,
        ..SessionData::zeroed()
    };
    let held = account(PROGRAM_ID, &encode(&data));
    second.world().accounts.insert(session, held);
    let both = chain(&[&first, &second]);
    both.check().await;
    assert_eq!(
        both.sessions(&[(session, None)]).await.unwrap(),
        (1_000, vec![(session, Some(data))])
    );
    // Nothing is believed of it while the other one does not answer.
    second.trouble("getMultipleAccounts", Trouble::Garbage);
    assert_eq!(both.sessions(&[(session, None)]).await.unwrap().1, vec![]);
    let alone = chain(&[&first]);
    assert_eq!(
        alone.sessions(&[(session, None)]).await.unwrap().1,
        vec![(session, None)]
    );
}

#[tokio::test]
async fn session_that_one_endpoint_shows_otherwise_has_the_lower_sums_of_two() {
    let (first, second) = (Node::start().await, Node::start().await);
    let session = address(5);
    let known = SessionData {
        version: LAYOUT_VERSION,
        status: 1,
        deposit: 9,
        settled: 3,
        ..SessionData::zeroed()
    };
    let hold = |node: &Node, data: &SessionData| {
        let held = account(PROGRAM_ID, &encode(data));
        node.world().accounts.insert(session, held);
    };
    let wrong = SessionData {
        status: 2,
        deposit: 20,
        settled: 8,
        ..known
    };
    hold(&first, &wrong);
    hold(&second, &known);
    let both = chain(&[&first, &second]);
    both.check().await;
    let ask = async |known| both.sessions(&[(session, Some(known))]).await.unwrap().1;
    let closing = SessionData { status: 2, ..known };
    assert_eq!(ask(known).await, vec![(session, Some(closing))]);
    // Without news the other one is not asked, and where it does not answer, the one is believed.
    let before = second.count("getMultipleAccounts");
    assert_eq!(ask(wrong).await, vec![(session, Some(wrong))]);
    assert_eq!(second.count("getMultipleAccounts"), before);
    second.trouble("getMultipleAccounts", Trouble::Garbage);
    assert_eq!(ask(known).await, vec![(session, Some(wrong))]);
}
