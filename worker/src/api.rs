//! The HTTP service: inputs in, results out to their requesters, acknowledgements in.
//!
//! The paths, headers and bodies are `assay_client::delivery`'s. Everything about a job is signed
//! by its requester; blobs are open to whoever knows their digest.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use assay_client::{
    PROGRAM_ID,
    delivery::{Info, Policy},
    protocol::Address,
};
use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    http::{HeaderName, Method, StatusCode, header::RETRY_AFTER},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

use crate::{
    artifacts::Artifacts,
    chain::Chain,
    driver::{Input, Shared},
    store::Store,
};

mod answers;
mod blobs;
mod clients;
mod jobs;
mod refusal;
pub(crate) mod server;

#[cfg(test)]
mod tests;

pub use answers::Answers;
pub(crate) use clients::Clients;
use refusal::ApiError;
pub(crate) use refusal::refuse;
use server::ConnectionLimits;

/// Bytes of an acknowledgement's body: two keys and a hex digest fit many times over.
const ACKNOWLEDGEMENT_BYTES: usize = 4_096;

/// What the handlers work with.
pub struct Api<C> {
    pub chain: Arc<C>,
    pub store: Store,
    pub artifacts: Arc<Artifacts>,
    pub driver: mpsc::Sender<Input>,
    pub shared: Arc<Shared>,
    pub provider: Address,
    pub operator: Address,
    pub runtime_class: [u8; 32],
    /// Unix seconds, by which the age of a signature is judged.
    pub clock: fn() -> i64,
    pub policy: Policy,
    pub limits: ApiLimits,
    pub answers: Answers,
}

#[derive(Clone, Debug)]
pub struct ApiLimits {
    pub timeout: Duration,
    pub concurrent_requests: usize,
    /// Connections in all, and from one client.
    pub connections: usize,
    pub connections_per_client: usize,
    /// Of one client; 0 for no limit.
    pub requests_per_minute: u32,
    /// Where a proxy on this machine names its client.
    pub client_header: Option<HeaderName>,
    /// Largest blob taken.
    pub blob_bytes: u64,
}

/// Without a byte from its reader, an answer may take so long: a generation of many tokens. A body has less time, and
/// idle connections too.
const LONGEST_ANSWER: Duration = Duration::from_secs(3_600);

/// Serves until `stop` is cancelled; the paths of sessions too, where there are some.
pub async fn serve<C: Chain>(
    listener: TcpListener,
    api: Arc<Api<C>>,
    sessions: Option<Router>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    // A request may take its time to be answered.
    let longest = if sessions.is_some() {
        LONGEST_ANSWER
    } else {
        api.limits.timeout
    };
    let limits = ConnectionLimits {
        all: api.limits.connections,
        each: api.limits.connections_per_client,
        head: Duration::from_secs(10),
        silence: longest.saturating_add(Duration::from_secs(15)),
    };
    let app = router(api).merge(sessions.unwrap_or_default());
    server::serve(listener, app, limits, stop).await
}

/// Every path of the service.
pub fn router<C: Chain>(api: Arc<Api<C>>) -> Router {
    let gate = Gate {
        answers: Arc::new(Semaphore::new(api.limits.concurrent_requests)),
        uploads: Arc::new(Semaphore::new(api.limits.concurrent_requests)),
        timeout: api.limits.timeout,
        clients: Arc::new(Clients::new(
            api.limits.requests_per_minute,
            api.limits.client_header.clone(),
        )),
    };
    Router::new()
        .route(
            "/v1/blobs/{digest}",
            get(blobs::get::<C>).put(blobs::put::<C>),
        )
        .route("/v1/jobs/{job}/result", get(jobs::result::<C>))
        .route("/v1/jobs/{job}/outputs", get(jobs::outputs::<C>))
        .route("/v1/jobs/{job}/hints", get(jobs::hints::<C>))
        .route(
            "/v1/jobs/{job}/audits/{level}/outputs",
            get(jobs::audit_outputs::<C>),
        )
        .route("/v1/jobs/{job}/acknowledge", post(jobs::acknowledge::<C>))
        .route("/v1/info", get(info::<C>))
        .layer(middleware::from_fn_with_state(gate, limit))
        // Asked by supervisors, also while all slots are taken.
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready::<C>))
        .fallback(|| async {
            refuse(
                StatusCode::NOT_FOUND,
                "not_found",
                "this worker has no such path; see docs/worker.md",
            )
        })
        .layer(DefaultBodyLimit::max(ACKNOWLEDGEMENT_BYTES))
        .with_state(api)
}

#[derive(Clone)]
struct Gate {
    answers: Arc<Semaphore>,
    /// Apart: a body may come as slowly as its sender likes, and hints withheld from auditors for
    /// want of a slot would cost the collateral.
    uploads: Arc<Semaphore>,
    timeout: Duration,
    clients: Arc<Clients>,
}

/// So many requests at once, so long each: a slow requester costs a slot for a while, not memory.
async fn limit(
    State(gate): State<Gate>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(wait) = gate.clients.refuse(peer, request.headers()) {
        let seconds = wait.as_secs().saturating_add(1);
        let message = format!("you ask too often; ask again in {seconds} s");
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", &message);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
        return response;
    }
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let slots = if reading { gate.answers } else { gate.uploads };
    let answered = tokio::time::timeout(gate.timeout, async {
        let _slot = slots.acquire().await;
        next.run(request).await
    });
    answered.await.unwrap_or_else(|_| {
        let message = format!(
            "not answered within {} s; try again, or send less",
            gate.timeout.as_secs()
        );
        refuse(StatusCode::REQUEST_TIMEOUT, "timeout", &message)
    })
}

async fn info<C: Chain>(State(api): State<Arc<Api<C>>>) -> Json<Info> {
    Json(Info {
        provider: api.provider,
        operator: api.operator,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program_id: PROGRAM_ID,
        policy: api.policy.clone(),
        runtime_class: api.runtime_class,
        accepting: api.shared.accepting.load(Ordering::Relaxed),
    })
}

async fn ready<C: Chain>(State(api): State<Arc<Api<C>>>) -> Response {
    if api.shared.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        let message =
            "the journal is being brought together with the chain, or the chain does not answer";
        refuse(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message)
    }
}
