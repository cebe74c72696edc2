use assay_client::budget::Budget;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;

use super::*;
use crate::node::{Node, listed};

const LAST_HEIGHT: u64 = 100;

fn signed() -> Signed {
    let wallet = Keypair::new_from_array([3; 32]);
    let budget = Budget::generous(0).instructions();
    let mut transaction = Transaction::new_unsigned(Message::new(&budget, Some(&wallet.pubkey())));
    transaction.sign(&[&wallet], transaction.message.recent_blockhash);
    Signed {
        purpose: "job create",
        transaction,
        last_height: LAST_HEIGHT,
    }
}

fn sent() -> Option<Value> {
    Some(json!({ "result": signed().signature().to_string() }))
}

fn status(confirmation: Option<&str>) -> Option<Value> {
    let status = confirmation.map(|confirmation| {
        json!({
            "slot": 5,
            "confirmations": 1,
            "err": null,
            "status": { "Ok": null },
            "confirmationStatus": confirmation,
        })
    });
    Some(json!({ "result": { "context": { "slot": 9 }, "value": [status] } }))
}

#[tokio::test]
async fn node_that_fails_for_a_moment_loses_nothing() {
    let height = Some(json!({ "result": LAST_HEIGHT + 1 }));
    let node = Node::start(listed(vec![
        ("sendTransaction", vec![None, sent()]),
        // Processed is in a block, so that the height says nothing.
        (
            "getSignatureStatuses",
            vec![
                None,
                status(Some("processed")),
                None,
                status(Some("confirmed")),
            ],
        ),
        ("getBlockHeight", vec![height]),
    ]));
    assert_eq!(node.cluster.land(&signed(), |_| ()).await.unwrap(), 5);
}

#[tokio::test]
async fn expiry_is_told_by_the_block_height() {
    let height = |height: u64| Some(json!({ "result": height }));
    let node = Node::start(listed(vec![
        ("sendTransaction", vec![sent()]),
        ("getSignatureStatuses", vec![status(None)]),
        (
            "getBlockHeight",
            vec![height(LAST_HEIGHT), None, height(LAST_HEIGHT + 1)],
        ),
    ]));
    let error = node.cluster.land(&signed(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error}");
    let asked = node.asked();
    let times = |name| asked.iter().filter(|method| *method == name).count();
    assert_eq!(
        (times("getBlockHeight"), times("sendTransaction")),
        (3, 3),
        "each answer above was needed, and each sending gets one: {asked:?}"
    );
}

/// What was in no block when the height was passed may have landed while it was asked for.
#[tokio::test]
async fn transaction_that_lands_with_its_last_block_is_confirmed() {
    let mut passed = false;
    let node = Node::start(move |method, _| match method {
        "sendTransaction" => sent(),
        "getBlockHeight" => {
            passed = true;
            Some(json!({ "result": LAST_HEIGHT + 1 }))
        }
        _ => status(passed.then_some("confirmed")),
    });
    assert_eq!(node.cluster.land(&signed(), |_| ()).await.unwrap(), 5);
    assert_eq!(
        node.asked()[2..],
        ["getBlockHeight", "getSignatureStatuses"],
        "the height first"
    );
}

#[tokio::test]
async fn refusal_of_the_node_ends_at_once() {
    let no = Some(json!({ "error": { "code": -32005, "message": "Node is unhealthy" } }));
    let node = Node::start(listed(vec![("sendTransaction", vec![no])]));
    let error = node.cluster.land(&signed(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Unsent { .. }), "{error}");
    assert!(
        !error.is_certain(),
        "what stands before the node may have passed it on"
    );
}
