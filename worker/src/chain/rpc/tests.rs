//! Against a node that answers over a real socket with accounts that a test chooses.

use assay_client::account::encode;
use axum::{Json, Router, routing::post};
use bytemuck::Zeroable;
use tokio::net::TcpListener;

use super::*;

/// A node that answers every request with these accounts.
async fn node(accounts: Value) -> RpcChain {
    let answer = json!({ "context": { "slot": 1 }, "value": accounts });
    let app = Router::new().route(
        "/",
        post(move |Json(request): Json<Value>| async move {
            Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": answer }))
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    RpcChain::new(&Endpoints {
        urls: vec![url],
        timeout: Duration::from_secs(10),
    })
}

fn account(owner: &Address, data: &[u8]) -> Value {
    json!({
        "lamports": 1_000_000, "owner": owner.to_string(), "data": [STANDARD.encode(data), "base64"],
        "executable": false, "rentEpoch": 0, "space": data.len(),
    })
}

#[tokio::test]
async fn account_that_is_no_job_does_not_hide_the_others() {
    let job = JobData {
        version: assay_client::protocol::LAYOUT_VERSION,
        sequence: 7,
        ..JobData::zeroed()
    };
    let system = Address::default();
    let chain = node(json!([
        account(&system, b""),
        account(&PROGRAM_ID, b"something else"),
        account(&PROGRAM_ID, &encode(&job)),
        Value::Null,
    ]))
    .await;
    let asked: Vec<Address> = (1..=4)
        .map(|byte| Address::new_from_array([byte; 32]))
        .collect();
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
    assert!(
        chain.jobs(&asked[..2]).await.is_err(),
        "four answers to two questions"
    );
}
