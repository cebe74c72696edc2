use assay_client::budget::Budget;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;

use super::*;
use crate::{
    Sent,
    node::{Node, listed},
};

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

/// A node's recent statuses reach no further back than a blockhash lives.
#[tokio::test]
async fn transaction_that_landed_long_ago_is_found_in_the_history() {
    for (height, is_there, fate) in [
        (LAST_HEIGHT, true, Fate::Open),
        (LAST_HEIGHT + 1, true, Fate::Landed(5)),
        (LAST_HEIGHT + 1, false, Fate::Expired),
    ] {
        let node = Node::start(move |method, parameters| match method {
            "getBlockHeight" => Some(json!({ "result": height })),
            _ => {
                let searched = parameters[1]["searchTransactionHistory"] == true;
                status((searched && is_there).then_some("finalized"))
            }
        });
        assert_eq!(node.cluster.fate(signed().sent()).await.unwrap(), fate);
    }
}

#[tokio::test]
async fn each_of_many_has_its_own_fate() {
    let state = |error: Value| {
        json!({
            "slot": 5, "confirmations": 1, "err": error, "status": { "Ok": null },
            "confirmationStatus": "confirmed",
        })
    };
    let states = [
        state(Value::Null),
        state(json!("AccountInUse")),
        Value::Null,
        Value::Null,
    ];
    let answer = json!({ "result": { "context": { "slot": 9 }, "value": states } });
    let node = Node::start(listed(vec![
        (
            "getBlockHeight",
            vec![Some(json!({ "result": LAST_HEIGHT + 1 }))],
        ),
        ("getSignatureStatuses", vec![Some(answer)]),
    ]));
    let sent = [0, 0, 0, 1, 0].map(|later| Sent {
        last_height: LAST_HEIGHT + later,
        ..signed().sent()
    });
    let fates = fate::of_all(&node.cluster.rpc, &sent, true).await.unwrap();
    let failed = Fate::Failed(solana_transaction_error::TransactionError::AccountInUse);
    let expected = [
        Fate::Landed(5),
        failed,
        Fate::Expired,
        Fate::Open,
        Fate::Expired,
    ];
    assert_eq!(fates, expected, "the last is missing from the answer");
}

#[tokio::test]
async fn refusal_of_the_node_ends_at_once() {
    let no = Some(json!({ "error": { "code": -32005, "message": "Node is unhealthy" } }));
    let node = Node::start(listed(vec![("sendTransaction", vec![no])]));
    let error = node.cluster.land(&signed(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Unsent { .. }), "{error}");
    assert_eq!(
        error.sent(),
        Some(signed().sent()),
        "what stands before the node may have passed it on"
    );
}
