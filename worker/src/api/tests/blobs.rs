//! Files by digest: what is taken, and what is given back.

use super::*;

#[tokio::test]
async fn blob_is_taken_once_checked_and_given_back() {
    let service = Service::start().await;
    let path = delivery::blob_path(&Digest::of(&[b"input"]));
    assert_eq!(
        refusal(service.plain(Method::GET, &path, b"").await).await,
        refused(404, "blob_unknown")
    );
    let wrong = service.plain(Method::PUT, &path, b"wrong").await;
    assert_eq!(refusal(wrong).await, refused(400, "digest_mismatch"));
    assert_eq!(
        service.plain(Method::PUT, &path, b"input").await.status(),
        201
    );
    assert_eq!(
        service.plain(Method::PUT, &path, b"input").await.status(),
        200
    );
    assert_eq!(
        service
            .plain(Method::GET, &path, b"")
            .await
            .bytes()
            .await
            .unwrap(),
        &b"input"[..]
    );

    let large = delivery::blob_path(&Digest::of(&[&[0; 601]]));
    assert_eq!(
        refusal(service.plain(Method::PUT, &large, &[0; 601]).await).await,
        refused(413, "too_large")
    );
    for odd in [
        "/v1/blobs/12",
        &path.to_uppercase().replace("/V1/BLOBS", "/v1/blobs"),
    ] {
        assert_eq!(
            refusal(service.plain(Method::PUT, odd, b"x").await).await,
            refused(400, "digest_malformed")
        );
    }
    service.stop.cancel();
    assert_eq!(service.driver.await.unwrap(), ["blob"]);
}

/// Auditors fetch here what the model's host does not serve them.
#[tokio::test]
async fn fetched_model_is_served() {
    let service = Service::start().await;
    // More than one part of the answer.
    let model: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = Digest::of(&[&model]);
    let path = delivery::blob_path(&digest);
    assert_eq!(
        refusal(service.plain(Method::GET, &path, b"").await).await,
        refused(404, "blob_unknown")
    );
    let mut incoming = service
        .artifacts
        .models
        .incoming(digest, model.len() as u64)
        .unwrap();
    incoming.write(&model).unwrap();
    incoming.finish().unwrap();
    let answer = service.plain(Method::GET, &path, b"").await;
    assert_eq!(answer.content_length(), Some(800_000));
    assert_eq!(answer.bytes().await.unwrap(), model);
}
