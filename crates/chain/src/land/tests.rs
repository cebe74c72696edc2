use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
};

use assay_client::budget::Budget;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;

use super::*;

const LAST_HEIGHT: u64 = 100;

/// A node that answers each method from a list, the last answer again and again; none closes the connection.
fn node(mut answers: Vec<(&'static str, Vec<Option<Value>>)>) -> Cluster {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let method = method(&stream);
            let list = answers.iter_mut().find(|(name, _)| *name == method);
            let answer = match list {
                Some((_, list)) if list.len() > 1 => list.remove(0),
                Some((_, list)) => list[0].clone(),
                None => Some(json!({ "result": null })),
            };
            let Some(mut answer) = answer else { continue };
            answer["jsonrpc"] = json!("2.0");
            answer["id"] = json!(0);
            let body = answer.to_string();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    Cluster::new(url, Duration::from_secs(30))
}

fn method(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    request["method"].as_str().unwrap().to_owned()
}

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
    let cluster = node(vec![
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
    ]);
    assert_eq!(cluster.land(&signed(), |_| ()).await.unwrap(), 5);
}

#[tokio::test]
async fn expiry_is_told_by_the_block_height() {
    let height = |height: u64| Some(json!({ "result": height }));
    let cluster = node(vec![
        ("sendTransaction", vec![sent()]),
        ("getSignatureStatuses", vec![status(None)]),
        (
            "getBlockHeight",
            vec![height(LAST_HEIGHT), None, height(LAST_HEIGHT + 1)],
        ),
    ]);
    let error = cluster.land(&signed(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error}");
}

#[tokio::test]
async fn refusal_of_the_node_ends_at_once() {
    let no = Some(json!({ "error": { "code": -32005, "message": "Node is unhealthy" } }));
    let cluster = node(vec![("sendTransaction", vec![no])]);
    let error = cluster.land(&signed(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Unsent { .. }), "{error}");
    assert!(
        !error.is_certain(),
        "what stands before the node may have passed it on"
    );
}
