//! A single run of a model.

use assay_client::{
    delivery::Refusal,
    protocol::Digest,
    session::{RECEIPT_HEADER, Receipt, SignedReceipt, Usage, code},
};
use axum::{
    body::Bytes,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use super::{Failure, Head, again::given};
use crate::{
    chain::Chain,
    serving::{self, ServeError},
    sessions::{
        answers::Answer,
        offer::{self, is_forgotten},
        request::Request,
    },
};

/// Runs the model and charges for it, also when nobody waits for the answer any more: a retry finds it.
pub async fn answer<C: Chain>(
    mut request: Request<C>,
    body: Bytes,
    head: &Head,
) -> Result<Response, Failure> {
    if is_forgotten(&request.model.price, offer::RUN) {
        let text = if request.model.generates {
            "this model has a price for tokens alone; use generate"
        } else {
            "this worker has no price for runs of this model; ask another worker"
        };
        return Err(Failure::mismatch(text));
    }
    let usage = Usage {
        input_bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
        ..Usage::default()
    };
    let most = request.model.price.of(usage);
    let digest = apart(body.clone(), |body| Receipt::request_digest("run", body)).await?;
    request.admit(digest, most, head.max_price).await?;
    match request.former() {
        Some((last, Some(former))) => return given(last, &former),
        Some((_, None)) => request.repeat()?,
        None => {}
    }
    let tasks = request.sessions().tasks.clone();
    let running = tasks.spawn(async move {
        let serve = &request.sessions().ground.serve;
        let (status, bytes) = match serve.run(request.model.digest, body).await {
            Ok(bytes) => (200, bytes),
            Err(error) => match request.failed(error).await {
                Ok(failure) => return Err(failure),
                Err(text) => (422, failed(text)?),
            },
        };
        complete(request, usage, status, bytes).await
    });
    running.await.map_err(Failure::internal)?
}

/// Gives a model's failure in a generation before its first token.
pub async fn model_failed<C: Chain>(
    request: Request<C>,
    usage: Usage,
    text: String,
) -> Result<Response, Failure> {
    complete(request, usage, 422, failed(text)?).await
}

async fn complete<C: Chain>(
    request: Request<C>,
    usage: Usage,
    status: u16,
    bytes: Bytes,
) -> Result<Response, Failure> {
    let digest = apart(bytes.clone(), |bytes| Digest::of(&[bytes])).await?;
    let answer = Answer::Body {
        status,
        bytes: bytes.clone(),
    };
    let answered = request.complete(digest, usage, answer).await?;
    Ok(response(status, bytes, &answered.receipt))
}

/// The body of a model's failure, which its receipt covers.
fn failed(message: String) -> Result<Bytes, Failure> {
    let body = Refusal {
        error: code::MODEL_FAILED.to_owned(),
        message,
    };
    let body = serde_json::to_vec(&body).map_err(Failure::internal)?;
    Ok(body.into())
}

pub fn response(status: u16, bytes: Bytes, receipt: &SignedReceipt) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if status == StatusCode::OK {
        "application/octet-stream"
    } else {
        "application/json"
    };
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(kind));
    if let Ok(receipt) = receipt.to_header().parse() {
        headers.insert(RECEIPT_HEADER, receipt);
    }
    response
}

/// What is made of a body.
///
/// # Errors
/// When the thread that makes it broke off.
pub async fn apart<T: Send + 'static>(
    bytes: Bytes,
    of: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<T, Failure> {
    let made = serving::apart(bytes, of).await;
    made.map_err(Failure::internal)
}

/// What a serving that ends without an end is.
pub fn ended_early() -> ServeError {
    ServeError::Unavailable("the answer ended early; ask again".to_owned())
}
