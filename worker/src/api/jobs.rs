//! Results for their requesters, and their acknowledgements.

use std::sync::Arc;

use assay_client::{
    delivery::{
        Acknowledgement, Delivery, Outcome, OutputInfo, Pending, REQUESTER_HEADER, Request,
        SIGNATURE_HEADER, SignedHeaders, TIMESTAMP_HEADER, UnauthenticError, authenticate,
    },
    protocol::{
        Address, Digest, JobStatus, commitment::secret_hash, job::JOB_ACKNOWLEDGED,
        panel::SeatState,
    },
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use tokio::sync::oneshot;

use super::{Api, ApiError};
use crate::{
    chain::Chain,
    core::AcknowledgeError,
    driver::{AcknowledgeFailure, Input},
    store::{Delivered, JobRow},
};

pub async fn result<C: Chain>(
    State(api): State<Arc<Api<C>>>,
    Path(job): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = own_job(&api, &job, &method, &uri, &headers, &[]).await?;
    let Some(delivered) = committed(&api, &row).await? else {
        let pending = Pending { state: row.phase };
        return Ok((StatusCode::ACCEPTED, Json(pending)).into_response());
    };
    let delivery = delivery(&api, &row, delivered).await?;
    Ok(Json(delivery).into_response())
}

pub async fn outputs<C: Chain>(
    State(api): State<Arc<Api<C>>>,
    Path(job): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    file(&api, &job, &method, &uri, &headers, FileKind::Outputs).await
}

pub async fn hints<C: Chain>(
    State(api): State<Arc<Api<C>>>,
    Path(job): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    file(&api, &job, &method, &uri, &headers, FileKind::Hints).await
}

pub async fn acknowledge<C: Chain>(
    State(api): State<Arc<Api<C>>>,
    Path(job): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let row = own_job(&api, &job, &method, &uri, &headers, &body).await?;
    let read: Acknowledgement = serde_json::from_slice(&body).map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "body_malformed",
            format!("no acknowledgement: {error}"),
        )
    })?;
    if row.phase == "settled" {
        return Ok(StatusCode::OK);
    }
    let (reply, answer) = oneshot::channel();
    let input = Input::Acknowledge {
        job: row.job,
        secret: read.requester_secret,
        reply,
    };
    let stopping = || {
        let message = "the worker is stopping; acknowledge again when it is back";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message)
    };
    api.driver.send(input).await.map_err(|_| stopping())?;
    match answer.await.map_err(|_| stopping())? {
        Ok(()) => Ok(StatusCode::OK),
        Err(AcknowledgeFailure::Invalid(error)) => Err(invalid(error)),
        Err(AcknowledgeFailure::Store(error)) => Err(error.into()),
    }
}

fn invalid(error: AcknowledgeError) -> ApiError {
    let (status, code) = match error {
        AcknowledgeError::Unknown => (StatusCode::NOT_FOUND, "job_unknown"),
        AcknowledgeError::NotCommitted => (StatusCode::CONFLICT, "not_committed"),
        AcknowledgeError::SecretMismatch => (StatusCode::BAD_REQUEST, "secret_mismatch"),
    };
    ApiError::new(status, code, error)
}

/// What a seat of ours computed, for a requester who has nothing from the primary to rely on: the
/// job was not acknowledged, or was disputed. Only once our root is public, so that no auditor can
/// copy it.
pub async fn audit_outputs<C: Chain>(
    State(api): State<Arc<Api<C>>>,
    Path((job, level)): Path<(String, u8)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let address: Address = job.parse().map_err(|_| unknown())?;
    let signer = requester(&api, &method, &uri, &headers, &[])?;
    let audits = api
        .store
        .call(move |store| store.audits(Some(&address), 1))
        .await?;
    let row = audits.first().ok_or_else(unknown)?;
    let on_chain = &row.evidence.job;
    require(signer, on_chain.requester)?;
    // A dispute goes to level 2 without a first panel.
    let disputed = on_chain.level == 2 && !on_chain.has_panel(1);
    if on_chain.flags & JOB_ACKNOWLEDGED != 0 && !disputed {
        let message =
            "this job was acknowledged and not disputed: its result is its provider's to deliver";
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "acknowledged",
            message,
        ));
    }
    let [first, second] = &row.evidence.panels;
    let panel = if level == 1 { first } else { second };
    let revealed = panel.as_ref().is_some_and(|panel| {
        let mut seats = panel.seats.iter();
        seats.any(|seat| seat.provider == api.provider && seat.state >= SeatState::Revealed as u8)
    });
    if !revealed {
        let state = "audited".to_owned();
        return Ok((StatusCode::ACCEPTED, Json(Pending { state })).into_response());
    }
    let bytes = api
        .store
        .call(move |store| store.seat_outputs(&address, level))
        .await?;
    bytes.map(|bytes| api.answers.bytes(bytes)).ok_or_else(gone)
}

#[derive(Clone, Copy)]
enum FileKind {
    Outputs,
    Hints,
}

async fn file<C: Chain>(
    api: &Api<C>,
    job: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    kind: FileKind,
) -> Result<Response, ApiError> {
    let row = own_job(api, job, method, uri, headers, &[]).await?;
    if committed(api, &row).await?.is_none() {
        return Ok((StatusCode::ACCEPTED, Json(Pending { state: row.phase })).into_response());
    }
    let (job, attempt) = (row.job, row.attempt);
    let bytes = api
        .store
        .call(move |store| match kind {
            FileKind::Outputs => store.outputs(&job, attempt),
            FileKind::Hints => store.hints(&job, attempt),
        })
        .await?;
    bytes.map(|bytes| api.answers.bytes(bytes)).ok_or_else(gone)
}

fn gone() -> ApiError {
    let message = "the time for which this worker keeps results has passed";
    ApiError::new(StatusCode::GONE, "dropped", message)
}

/// The job's row, if the request is signed by its requester.
async fn own_job<C: Chain>(
    api: &Api<C>,
    job: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<JobRow, ApiError> {
    let address: Address = job.parse().map_err(|_| unknown())?;
    let requester = requester(api, method, uri, headers, body)?;
    let row = api
        .store
        .call(move |store| store.job(&address))
        .await?
        .ok_or_else(unknown)?;
    require(requester, row.requester)?;
    Ok(row)
}

fn unknown() -> ApiError {
    let message =
        "this worker does not work on such a job; it is delivered by the provider that claimed it";
    ApiError::new(StatusCode::NOT_FOUND, "job_unknown", message)
}

fn require(signer: Address, requester: Address) -> Result<(), ApiError> {
    if signer == requester {
        return Ok(());
    }
    let message = "only the job's requester gets its result";
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "not_the_requester",
        message,
    ))
}

/// Who signed the request.
fn requester<C: Chain>(
    api: &Api<C>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Address, ApiError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = SignedHeaders {
        requester: header(REQUESTER_HEADER),
        timestamp: header(TIMESTAMP_HEADER),
        signature: header(SIGNATURE_HEADER),
    };
    let request = Request {
        method: method.as_str(),
        path: uri.path(),
        timestamp: 0,
        body,
        operator: &api.operator,
    };
    authenticate(signed, &request, (api.clock)()).map_err(|error| {
        let code = match error {
            UnauthenticError::Header(_) => "signature_missing",
            UnauthenticError::Stale { .. } => "signature_stale",
            UnauthenticError::Signature => "signature_wrong",
        };
        ApiError::new(StatusCode::UNAUTHORIZED, code, error)
    })
}

/// The result, once its commitment is on chain and so cannot be taken back. The requester may see
/// the commitment before our own next reading does: then the chain is asked.
async fn committed<C: Chain>(api: &Api<C>, row: &JobRow) -> Result<Option<Delivered>, ApiError> {
    let (job, attempt) = (row.job, row.attempt);
    let delivered = api
        .store
        .call(move |store| store.delivered(&job, attempt))
        .await?;
    let Some(delivered) = delivered else {
        return Ok(None);
    };
    let landed = match row.phase.as_str() {
        "committed" | "audited" | "settled" | "faulted" | "unresolved" => true,
        "gone" => {
            api.store
                .call(move |store| store.commit_landed(&job, attempt))
                .await?
        }
        "lost" => false,
        _ => return on_chain(api, job, delivered).await,
    };
    Ok(landed.then_some(delivered))
}

async fn on_chain<C: Chain>(
    api: &Api<C>,
    job: Address,
    delivered: Delivered,
) -> Result<Option<Delivered>, ApiError> {
    let read = api.chain.jobs(&[job]).await.map_err(ApiError::internal)?;
    let on_chain = read
        .first()
        .and_then(|(_, read)| *read)
        .is_some_and(|read| {
            read.status() != Ok(JobStatus::Claimed)
                && read.provider == api.provider
                && read.commitment == delivered.result.commitment.0
        });
    Ok(on_chain.then_some(delivered))
}

async fn delivery<C: Chain>(
    api: &Api<C>,
    row: &JobRow,
    delivered: Delivered,
) -> Result<Delivery, ApiError> {
    let (job, attempt) = (row.job, row.attempt);
    let files = api
        .store
        .call(move |store| {
            Ok(store
                .outputs(&job, attempt)?
                .zip(store.hints(&job, attempt)?))
        })
        .await?;
    let (outputs, hints) = files.ok_or_else(gone)?;
    let described: Vec<OutputInfo> =
        serde_json::from_str(&delivered.outputs_json).map_err(ApiError::internal)?;
    let result = delivered.result;
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(Delivery {
        job,
        attempt,
        provider: api.provider,
        generation: result.generation,
        salt: result.salt,
        root: result.root.0,
        hints_digest: result.hints_digest.0,
        runtime_class: result.runtime_class,
        worker_secret_hash: secret_hash(&result.worker_secret).0,
        commitment: result.commitment.0,
        outcome: if delivered.model_error.is_some() {
            Outcome::ModelError
        } else {
            Outcome::Outputs
        },
        message: delivered.model_error,
        outputs_digest: Digest::of(&[&outputs]).0,
        outputs_bytes: length(&outputs),
        hints_bytes: length(&hints),
        outputs: described,
        runtime: delivered.runtime,
        compute_ms: delivered.compute_ms,
    })
}
