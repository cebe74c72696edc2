//! When a transaction can land no more.

use super::*;

fn sent(last_valid_block_height: u64) -> SentTransaction {
    SentTransaction {
        signature: [7; 64],
        members: vec![Member {
            job: JOB,
            attempt: 0,
            action: Action::Job(Step::Commit),
        }],
        bytes: vec![1; 100],
        last_valid_block_height,
        quote: Quote::default(),
    }
}

async fn expired(
    submitter: &Submitter<RpcChain>,
    sent: &SentTransaction,
) -> Result<bool, ChainError> {
    let end = submitter.late_end(sent).await?;
    Ok(matches!(end, Some(follow::End::Expired)))
}

#[tokio::test]
async fn wrong_height_of_one_endpoint_lets_nothing_expire() {
    let (first, second) = (Node::start().await, Node::start().await);
    let folder = tempfile::tempdir().unwrap();
    first.world().height = 1_000_000;
    let both = submitter(&[&first, &second], &folder);
    assert!(!expired(&both, &sent(900)).await.unwrap());
    second.world().height = 901;
    assert!(expired(&both, &sent(900)).await.unwrap());
    // Whoever knows the signature is right.
    let text = bs58::encode([7; 64]).into_string();
    second.world().statuses.insert(text, status(&Value::Null));
    assert!(!expired(&both, &sent(900)).await.unwrap());
}

#[tokio::test]
async fn single_endpoint_must_be_past_a_margin_and_readable() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let alone = submitter(&[&node], &folder);
    node.world().height = 932;
    assert!(!expired(&alone, &sent(900)).await.unwrap());
    node.world().height = 933;
    assert!(expired(&alone, &sent(900)).await.unwrap());
    node.trouble("getMultipleAccounts", Trouble::Status(500));
    assert!(expired(&alone, &sent(900)).await.is_err());
}

#[tokio::test]
async fn settlement_expires_once_its_session_is_readable() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let alone = submitter(&[&node], &folder);
    node.world().height = 933;
    let mut settlement = sent(900);
    settlement.members[0].action = Action::Session(SessionStep::Settle);
    assert!(expired(&alone, &settlement).await.unwrap());
    node.trouble("getMultipleAccounts", Trouble::Status(500));
    assert!(expired(&alone, &settlement).await.is_err());
}

/// This node says that the signature is in a block, and never that it is confirmed.
fn processed(node: &Node) {
    let text = bs58::encode([7; 64]).into_string();
    let state = json!({
        "slot": 7, "confirmations": 0, "err": null, "confirmationStatus": "processed",
    });
    node.world().statuses.insert(text, state);
}

#[tokio::test]
async fn signature_that_stays_unconfirmed_is_none_well_beyond_its_last_block() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, honest) = (Node::start().await, Node::start().await);
    let submitter = submitter(&[&liar, &honest], &folder);
    processed(&liar);
    let heights = |heights: [u64; 2]| {
        for (node, height) in [&liar, &honest].into_iter().zip(heights) {
            node.world().height = height;
        }
    };
    for (height, ended) in [
        ([932, 932], false),
        ([2_000, 932], false),
        ([933, 933], true),
    ] {
        heights(height);
        let expired = expired(&submitter, &sent(900)).await.unwrap();
        assert_eq!(expired, ended, "{height:?}");
    }
    // One endpoint's height is no proof that it was dropped.
    honest.trouble("getBlockHeight", Trouble::Status(500));
    assert!(!expired(&submitter, &sent(900)).await.unwrap());
}

#[tokio::test]
async fn what_another_endpoint_shows_confirmed_has_landed() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, honest) = (Node::start().await, Node::start().await);
    let submitter = submitter(&[&liar, &honest], &folder);
    processed(&liar);
    let text = bs58::encode([7; 64]).into_string();
    honest.world().statuses.insert(text, status(&Value::Null));
    for node in [&liar, &honest] {
        node.world().height = 933;
    }
    let end = submitter.late_end(&sent(900)).await.unwrap();
    assert!(matches!(end, Some(follow::End::Landed)));
}
