//! Inputs, handed over by requesters without a server of their own, and what auditors fetch: inputs,
//! fetched models, and the hints of committed results.
//!
//! Whoever alone can serve a job's files decides who may sit in judgement over it. So a primary
//! serves what it has used, models too.

use std::{
    fs::File,
    io::{self, Read as _},
    sync::Arc,
};

use assay_client::protocol::Digest;
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::CONTENT_LENGTH},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};

use super::{
    Api, ApiError,
    answers::{Answers, PART_BYTES},
};
use crate::{chain::Chain, driver::Input};

pub async fn get<C: Chain>(
    State(api): State<Arc<Api<C>>>,
    Path(digest): Path<String>,
) -> Result<Response, ApiError> {
    let digest = parse(&digest)?;
    if let Some(file) = cached(&api, digest).await? {
        return Ok(in_parts(&api.answers, file));
    }
    // From the cache where they now are; from memory only if that is full.
    if let Some(bytes) = hints(&api, digest).await? {
        let file = cached(&api, digest).await?;
        return Ok(match file {
            Some(file) => in_parts(&api.answers, file),
            None => api.answers.bytes(bytes),
        });
    }
    let artifacts = Arc::clone(&api.artifacts);
    let opening = tokio::task::spawn_blocking(move || artifacts.models.open_file(&digest));
    match opening.await.map_err(ApiError::internal)?? {
        Some(file) => Ok(in_parts(&api.answers, file)),
        None => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "blob_unknown",
            "no blob of this digest is here; it may have been evicted, hand it over again",
        )),
    }
}

/// A blob's file and size, its bytes checked.
async fn cached<C: Chain>(api: &Api<C>, digest: Digest) -> Result<Option<(File, u64)>, ApiError> {
    let artifacts = Arc::clone(&api.artifacts);
    let opening = tokio::task::spawn_blocking(move || artifacts.blobs.open_checked(&digest));
    Ok(opening.await.map_err(ApiError::internal)??)
}

/// A file's bytes, part by part as they are sent: whoever reads slowly holds no memory.
fn in_parts(answers: &Answers, (file, size): (File, u64)) -> Response {
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    let state = (answers.clone(), file);
    let body = stream::try_unfold(state, move |(answers, mut file)| async move {
        let reading = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; PART_BYTES];
            let read = file.read(&mut part)?;
            part.truncate(read);
            Ok::<_, io::Error>((part, file))
        });
        let (part, file) = reading.await.map_err(io::Error::other)??;
        answers.wait(length, part.len()).await?;
        Ok::<_, io::Error>((!part.is_empty()).then_some((part, (answers, file))))
    });
    let body = Body::from_stream(body);
    ([(CONTENT_LENGTH, size)], body).into_response()
}

/// Hints out of the journal, and into the cache: whoever asks again does not keep the journal busy.
async fn hints<C: Chain>(api: &Api<C>, digest: Digest) -> Result<Option<Vec<u8>>, ApiError> {
    let found = api
        .store
        .call(move |store| store.public_hints(&digest))
        .await?;
    if let Some(hints) = &found {
        let size = u64::try_from(hints.len()).unwrap_or(u64::MAX);
        let incoming = api.artifacts.blobs.incoming(digest, size);
        let kept = incoming.and_then(|mut incoming| {
            incoming.write(hints)?;
            incoming.finish()
        });
        if let Err(error) = kept {
            tracing::debug!(%error, "hints are served from the journal only");
        }
    }
    Ok(found)
}

pub async fn put<C: Chain>(
    State(api): State<Arc<Api<C>>>,
    Path(digest): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let digest = parse(&digest)?;
    if api.artifacts.blobs.contains(&digest) {
        return Ok(StatusCode::OK);
    }
    let size = announced(&headers)?;
    if size > api.limits.blob_bytes {
        let message = format!(
            "the blob has {size} bytes and this worker takes at most {}",
            api.limits.blob_bytes
        );
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            message,
        ));
    }
    let mut incoming = api.artifacts.blobs.incoming(digest, size)?;
    let mut body = body.into_data_stream();
    while let Some(chunk) = body.next().await {
        let broken = |error| {
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "body_broken",
                format!("the body ended early: {error}"),
            )
        };
        incoming.write(&chunk.map_err(broken)?)?;
    }
    incoming.finish()?;
    tracing::debug!(digest = hex::encode(digest.0), size, "blob received");
    // If the driver has ended, so will this service.
    let _ = api.driver.send(Input::Blob(digest)).await;
    Ok(StatusCode::CREATED)
}

fn parse(text: &str) -> Result<Digest, ApiError> {
    let mut digest = [0; 32];
    let lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
    match hex::decode_to_slice(text, &mut digest) {
        Ok(()) if lower => Ok(Digest(digest)),
        Ok(()) | Err(_) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "digest_malformed",
            "a blob is named by its sha256: 64 hex digits in lower case",
        )),
    }
}

/// The size decides whether there is room, so it must come first.
fn announced(headers: &HeaderMap) -> Result<u64, ApiError> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    length.ok_or_else(|| {
        ApiError::new(
            StatusCode::LENGTH_REQUIRED,
            "length_required",
            "send a content-length header with the blob",
        )
    })
}
