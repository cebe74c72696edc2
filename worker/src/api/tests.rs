//! The service over real sockets, with a real journal and cache. The chain is a closed port: what
//! is asked here must not need it.

use assay_client::{
    delivery::{self, Acknowledgement, Delivery, Outcome, Refusal},
    protocol::{Digest, JobData, Lamports, UnixSeconds},
};
use bytemuck::Zeroable;
use reqwest::{Method, Response, StatusCode};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::*;
use crate::{
    core::{Action, Body, Report, Step},
    store::{Member, Quote, SentTransaction, TransactionEnd},
    wall_clock,
};
use service::{NOW, Service, key};

mod audits;
mod blobs;
mod service;

async fn refusal(response: Response) -> (StatusCode, String) {
    let status = response.status();
    (status, response.json::<Refusal>().await.unwrap().error)
}

fn refused(status: u16, code: &str) -> (StatusCode, String) {
    (StatusCode::from_u16(status).unwrap(), code.to_owned())
}

#[tokio::test]
async fn result_goes_to_the_jobs_requester_only() {
    let service = Service::start().await;
    let body = Body {
        outputs: b"outputs".to_vec(),
        hints: vec![1, 2],
        outputs_json: r#"[{"name":"y","dtype":"F32","shape":[1,2]}]"#.into(),
        runtime: "test".into(),
        compute_ms: 12,
        ..Body::default()
    };
    let job = service.job(1, &body, Report::Committed);
    let path = delivery::result_path(&job);
    let response = service
        .signed(&service.requester, Method::GET, &path, b"")
        .await;
    assert_eq!(response.status(), 200);
    let delivery: Delivery = response.json().await.unwrap();
    assert_eq!(
        (delivery.job, delivery.attempt, delivery.provider),
        (job, 1, key(7))
    );
    assert_eq!(
        (
            delivery.outcome,
            delivery.outputs_bytes,
            delivery.hints_bytes
        ),
        (Outcome::Outputs, 7, 2)
    );
    assert_eq!(delivery.outputs_digest, Digest::of(&[b"outputs"]).0);
    assert_eq!(delivery.outputs[0].shape, [1, 2]);
    for (path, expected) in [
        (delivery::outputs_path(&job), b"outputs".to_vec()),
        (delivery::hints_path(&job), vec![1, 2]),
    ] {
        let response = service
            .signed(&service.requester, Method::GET, &path, b"")
            .await;
        assert_eq!(response.bytes().await.unwrap(), expected);
        let stranger = service
            .signed(&Keypair::new(), Method::GET, &path, b"")
            .await;
        assert_eq!(refusal(stranger).await, refused(403, "not_the_requester"));
    }
    let unsigned = service.plain(Method::GET, &path, b"").await;
    assert_eq!(refusal(unsigned).await, refused(401, "signature_missing"));
    let old = wall_clock() - delivery::MAX_SKEW_SECS - 5;
    let stale = service
        .signed_at(&service.requester, Method::GET, &path, b"", old)
        .await;
    assert_eq!(refusal(stale).await, refused(401, "signature_stale"));
    let absent = delivery::result_path(&key(99));
    let absent = service
        .signed(&service.requester, Method::GET, &absent, b"")
        .await;
    assert_eq!(refusal(absent).await, refused(404, "job_unknown"));
}

#[tokio::test]
async fn result_whose_commitment_never_landed_is_kept_back() {
    let service = Service::start().await;
    let status = async |job: &Address| {
        let path = delivery::result_path(job);
        let response = service.signed(&service.requester, Method::GET, &path, b"");
        response.await.status().as_u16()
    };
    let body = Body {
        outputs_json: "[]".into(),
        ..Body::default()
    };
    let lost = service.job(1, &body, Report::Lost);
    let faulted = service.job(2, &body, Report::Faulted);
    let gone = service.job(3, &body, Report::Gone);
    assert_eq!(
        (
            status(&lost).await,
            status(&faulted).await,
            status(&gone).await
        ),
        (202, 200, 202)
    );
    let commit = SentTransaction {
        signature: [1; 64],
        members: vec![Member {
            job: gone,
            attempt: 1,
            action: Action::Job(Step::Commit),
        }],
        bytes: vec![1],
        last_valid_block_height: 1,
        quote: Quote::default(),
    };
    service.store.save_transaction(&commit, NOW).unwrap();
    assert_eq!(status(&gone).await, 202, "sent is not landed");
    service
        .store
        .end_transaction(&[1; 64], &TransactionEnd::Landed)
        .unwrap();
    assert_eq!(status(&gone).await, 200);
}

#[tokio::test]
async fn signature_for_another_request_is_refused() {
    let service = Service::start().await;
    let job = service.job(1, &Body::default(), Report::Committed);
    let (signed, sent) = (delivery::outputs_path(&job), delivery::hints_path(&job));
    let operator = key(8);
    let request = delivery::Request {
        method: "GET",
        path: &signed,
        timestamp: wall_clock(),
        body: b"",
        operator: &operator,
    };
    let mut moved = service.client.get(format!("{}{sent}", service.url));
    for (name, value) in delivery::sign(&service.requester, &request).unwrap() {
        moved = moved.header(name, value);
    }
    assert_eq!(
        refusal(moved.send().await.unwrap()).await,
        refused(401, "signature_wrong")
    );
}

#[tokio::test]
async fn model_error_is_delivered_with_empty_files() {
    let service = Service::start().await;
    let body = Body {
        model_error: Some("index out of range".into()),
        outputs_json: "[]".into(),
        ..Body::default()
    };
    let job = service.job(1, &body, Report::Committed);
    let response = service
        .signed(
            &service.requester,
            Method::GET,
            &delivery::result_path(&job),
            b"",
        )
        .await;
    let delivery: Delivery = response.json().await.unwrap();
    assert_eq!(
        (delivery.outcome, delivery.outputs_bytes),
        (Outcome::ModelError, 0)
    );
    assert_eq!(delivery.message.as_deref(), Some("index out of range"));
    assert_eq!(delivery.outputs_digest, Digest::of(&[b""]).0);
}

#[tokio::test]
async fn job_without_a_result_is_pending_and_dropped_files_are_gone() {
    let service = Service::start().await;
    let claimed = Report::Claimed {
        price: Lamports(500),
    };
    let data = JobData {
        requester: service.requester.pubkey(),
        ..JobData::zeroed()
    };
    service
        .store
        .report(&key(2), 0, &data, claimed, NOW)
        .unwrap();
    let response = service
        .signed(
            &service.requester,
            Method::GET,
            &delivery::result_path(&key(2)),
            b"",
        )
        .await;
    assert_eq!(response.status(), 202);
    assert_eq!(
        response.json::<delivery::Pending>().await.unwrap().state,
        "claimed"
    );

    let settled = Report::Settled {
        price: Lamports(500),
        earned: Lamports(490),
    };
    let job = service.job(
        3,
        &Body {
            outputs_json: "[]".into(),
            ..Body::default()
        },
        settled,
    );
    service.store.prune(UnixSeconds(2_000), u64::MAX).unwrap();
    let response = service
        .signed(
            &service.requester,
            Method::GET,
            &delivery::outputs_path(&job),
            b"",
        )
        .await;
    assert_eq!(refusal(response).await, refused(410, "dropped"));
}

#[tokio::test]
async fn acknowledgement_is_signed_checked_and_idempotent() {
    let service = Service::start().await;
    let job = service.job(1, &Body::default(), Report::Committed);
    let path = delivery::acknowledge_path(&job);
    let body = |secret| {
        serde_json::to_vec(&Acknowledgement {
            requester_secret: secret,
        })
        .unwrap()
    };
    let send = |secret| service.signed_owned(path.clone(), body(secret));
    assert_eq!(send([9; 32]).await.status(), 200);
    assert_eq!(
        refusal(send([1; 32]).await).await,
        refused(400, "secret_mismatch")
    );
    let nonsense = service
        .signed(&service.requester, Method::POST, &path, b"{}")
        .await;
    assert_eq!(refusal(nonsense).await, refused(400, "body_malformed"));
    let stranger = service
        .signed(&Keypair::new(), Method::POST, &path, &body([9; 32]))
        .await;
    assert_eq!(refusal(stranger).await, refused(403, "not_the_requester"));
    let long = service
        .signed(&service.requester, Method::POST, &path, &[b' '; 5_000])
        .await;
    assert_eq!(long.status(), 413);

    let settled = Report::Settled {
        price: Lamports(500),
        earned: Lamports(490),
    };
    let job = service.job(2, &Body::default(), settled);
    let again = delivery::acknowledge_path(&job);
    let again = service
        .signed(&service.requester, Method::POST, &again, &body([9; 32]))
        .await;
    assert_eq!(
        again.status(),
        200,
        "a settled job is not asked about again"
    );
    service.stop.cancel();
    assert_eq!(
        service.driver.await.unwrap(),
        ["acknowledge", "acknowledge"]
    );
}

#[tokio::test]
async fn supervisors_see_whether_it_lives_and_works() {
    let service = Service::start().await;
    assert_eq!(
        service.plain(Method::GET, "/livez", b"").await.status(),
        200
    );
    let starting = service.plain(Method::GET, "/readyz", b"").await;
    assert_eq!(refusal(starting).await, refused(503, "not_ready"));
    service.shared.ready.store(true, Ordering::Relaxed);
    assert_eq!(
        service.plain(Method::GET, "/readyz", b"").await.status(),
        200
    );
    // What it earns is for its owner's port.
    assert_eq!(
        service.plain(Method::GET, "/metrics", b"").await.status(),
        404
    );
    let info: Info = service
        .plain(Method::GET, delivery::INFO_PATH, b"")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (info.provider, info.operator, info.accepting),
        (key(7), key(8), false)
    );
    assert_eq!(info.policy.min_price_lamports, 5);
    let absent = service.plain(Method::GET, "/v2/x", b"").await;
    assert_eq!(refusal(absent).await, refused(404, "not_found"));
}

/// A proxy on this machine says whom it speaks for; each of those has its own share.
#[tokio::test]
async fn client_that_asks_too_often_is_told_when_to_come_back() {
    let service = Service::start().await;
    let ask = async |client: &str| {
        let request = service.client.get(format!("{}/v1/info", service.url));
        let answer = request.header("x-forwarded-for", client).send().await;
        answer.unwrap()
    };
    assert_eq!(ask("203.0.113.5").await.status(), 200);
    assert_eq!(ask("203.0.113.5").await.status(), 200);
    let refused_one = ask("203.0.113.5").await;
    let wait = refused_one.headers()["retry-after"].to_str().unwrap();
    assert!((1..=31).contains(&wait.parse::<u64>().unwrap()));
    assert_eq!(
        refusal(refused_one).await,
        refused(429, "too_many_requests")
    );
    assert_eq!(ask("203.0.113.6").await.status(), 200);
}
