//! What models are called, and who may ask for them.

use std::sync::atomic::Ordering;

use assay_gateway::api::Options;
use serde_json::Value;

use super::kit::{Gateway, Scripted, decoder, decoder_offer, offer};

#[tokio::test]
async fn a_model_goes_by_its_packages_name_its_offers_and_both_digests() {
    let package = decoder();
    let same = offer("same", b"one", Vec::new(), Vec::new());
    let other = offer("same", b"two", Vec::new(), Vec::new());
    // A provider that takes a package's name does not get its requests.
    let thief = offer("chat", b"three", Vec::new(), Vec::new());
    let names = [
        "chat".to_owned(),
        "theirs".to_owned(),
        hex::encode(package.digest.0),
        hex::encode(package.model.digest.0),
    ];
    let upstream = Scripted {
        models: vec![thief, decoder_offer(), same, other],
        ..Scripted::default()
    };
    let gateway = Gateway::over(upstream, vec![package]).await;
    for name in names {
        let response = gateway
            .get(&format!("/v2/models/{name}"))
            .send()
            .await
            .unwrap();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["inputs"][0]["name"], "input_ids", "{name}: {answer}");
    }
    let status = async |name: &str| {
        gateway
            .get(&format!("/v2/models/{name}/ready"))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(status("same").await, 400);
    let missed = || gateway.upstream.missed.load(Ordering::SeqCst);
    assert_eq!(missed(), 0);
    assert_eq!(status("none").await, 404);
    assert_eq!(status(&"0".repeat(64)).await, 404);
    // Whoever offers them may have come just now.
    assert_eq!(missed(), 2);
}

#[tokio::test]
async fn package_that_nobody_offers_is_not_answered_by_a_provider_that_took_its_name() {
    let thief = offer("chat", b"three", Vec::new(), Vec::new());
    let upstream = Scripted {
        models: vec![thief],
        ..Scripted::default()
    };
    let gateway = Gateway::over(upstream, vec![decoder()]).await;
    let ready = gateway.get("/v2/models/chat/ready").send().await.unwrap();
    assert_eq!(ready.status(), 404);
}

#[tokio::test]
async fn who_has_no_key_learns_only_that_the_gateway_lives() {
    let options = Options {
        api_key: Some("secret".to_owned()),
        ..Options::default()
    };
    let gateway = Gateway::with(Scripted::default(), Vec::new(), options).await;
    for path in [
        "/v2",
        "/v2/health/ready",
        "/v1/models",
        "/api/tags",
        "/",
        "/nowhere",
    ] {
        for key in [None, Some("secret2"), Some("")] {
            let mut request = gateway.get(path);
            if let Some(key) = key {
                request = request.bearer_auth(key);
            }
            assert_eq!(request.send().await.unwrap().status(), 401, "{path}");
        }
    }
    assert_eq!(
        gateway
            .get("/v2/health/live")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let let_in = gateway
        .get("/v1/models")
        .bearer_auth("secret")
        .send()
        .await
        .unwrap();
    assert_eq!(let_in.status(), 200);
    let refused: Value = gateway
        .get("/v1/models")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(refused["error"]["code"], "invalid_api_key");
}
