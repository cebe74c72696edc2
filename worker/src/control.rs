//! The service for this machine's own user: status page, `ps`, `drain`, metrics.
//!
//! It has a port of its own, on loopback, with few connections: whatever is done to it costs the
//! requesters' service nothing. It shows what the worker has and earns, and can keep it from taking
//! new work. Nothing here moves money or touches a claimed job.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::api::server::{self, ConnectionLimits};

mod access;
pub mod client;
mod guard;
mod handover;
pub mod launch;
pub mod machine;
pub mod observer;
mod page;
pub mod recent;
pub mod snapshot;
mod stream;

#[cfg(test)]
mod tests;

use access::{Access, TICKET_LIFE};
use guard::refuse;
pub use handover::{Handover, HandoverError, Written};
use snapshot::Snapshot;

/// Pages and scripts that follow live at the same time; the next one has to ask again and again.
const STREAMS: usize = 8;
/// Connections. A follower says nothing for as long as it likes; whoever reads nothing is cut off.
const CONNECTIONS: ConnectionLimits = ConnectionLimits {
    all: 64,
    each: 64,
    head: Duration::from_secs(10),
    silence: Duration::from_secs(24 * 3_600),
};
/// From a request's head to the head of its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Between two looks at the worker, however many follow it.
const EVERY: Duration = Duration::from_secs(1);
/// A ticket is all that anybody has to send.
const BODY_BYTES: usize = 1_024;

/// What the service shows and asks.
pub trait Worker: Send + Sync + 'static {
    fn snapshot(&self) -> impl Future<Output = Snapshot> + Send;
    /// For Prometheus.
    fn metrics(&self) -> String;
    /// Takes no new work from now on, or takes it again.
    fn drain(&self, draining: bool) -> impl Future<Output = Result<(), Unmoved>> + Send;
}

/// Why an order was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unmoved {
    #[error("the worker is stopping")]
    Stopping,
    #[error("the order is not in the journal, and not followed: {0}")]
    NotKept(String),
}

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(
        "control.listen: cannot listen on {address}: {source}; set it to a free port, or to \"\" for none"
    )]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("{0} is no loopback address; the control service is for this machine alone")]
    Foreign(SocketAddr),
    #[error("there is no randomness for the token of the control service: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// A port with its token, before anybody is served.
pub struct Control {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
}

impl Control {
    pub async fn listen(address: SocketAddr) -> Result<Self, ControlError> {
        if !address.ip().is_loopback() {
            return Err(ControlError::Foreign(address));
        }
        let failed = |source| ControlError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            access: Access::new()?,
        })
    }

    /// What this user's commands need to find the service.
    pub fn handover(&self) -> Handover {
        Handover {
            url: format!("http://{}", self.address),
            token: self.access.token().to_owned(),
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Serves until `stop` is cancelled.
    pub async fn serve<W: Worker>(self, worker: W, stop: CancellationToken) -> std::io::Result<()> {
        let service = Arc::new(Service {
            worker,
            access: self.access,
            port: self.address.port(),
            streams: Arc::new(Semaphore::new(STREAMS)),
            latest: Mutex::new(None),
            stop: stop.clone(),
        });
        server::serve(self.listener, router(service), CONNECTIONS, stop).await
    }
}

struct Service<W> {
    worker: W,
    access: Access,
    port: u16,
    streams: Arc<Semaphore>,
    latest: Mutex<Option<(Instant, Bytes)>>,
    stop: CancellationToken,
}

impl<W: Worker> Service<W> {
    /// The newest snapshot as JSON. Many who ask at once cost the worker one look.
    async fn status(&self) -> Bytes {
        let mut latest = self.latest.lock().await;
        if let Some((made, json)) = &*latest
            && made.elapsed() < EVERY / 2
        {
            return json.clone();
        }
        let snapshot = self.worker.snapshot().await;
        // A structure of text, numbers, lists and maps by text always has a JSON form.
        let json = Bytes::from(serde_json::to_vec(&snapshot).unwrap_or_default());
        *latest = Some((Instant::now(), json.clone()));
        json
    }
}

fn router<W: Worker>(service: Arc<Service<W>>) -> Router {
    Router::new()
        .route("/api/status", get(status::<W>))
        .route("/api/events", get(stream::follow::<W>))
        .route("/api/drain", post(drain::<W>))
        .route("/api/resume", post(resume::<W>))
        .route("/api/tickets", post(ticket::<W>))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&service),
            guard::token::<W>,
        ))
        .route("/api/session", post(session::<W>))
        // Without the token: Prometheus has no way to follow one that is new at each start.
        .route("/metrics", get(metrics::<W>))
        .merge(page::router())
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "not_found", "there is no such page") })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&service),
            guard::origin::<W>,
        ))
        .with_state(service)
}

async fn status<W: Worker>(State(service): State<Arc<Service<W>>>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, service.status().await).into_response()
}

async fn metrics<W: Worker>(State(service): State<Arc<Service<W>>>) -> String {
    service.worker.metrics()
}

async fn drain<W: Worker>(State(service): State<Arc<Service<W>>>) -> Response {
    order(&service, true).await
}

async fn resume<W: Worker>(State(service): State<Arc<Service<W>>>) -> Response {
    order(&service, false).await
}

async fn order<W: Worker>(service: &Service<W>, draining: bool) -> Response {
    match service.worker.drain(draining).await {
        Ok(()) => {
            // Whoever asks next sees what was ordered.
            *service.latest.lock().await = None;
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, service.status().await).into_response()
        }
        Err(refused) => {
            let (status, code) = match refused {
                Unmoved::Stopping => (StatusCode::CONFLICT, "stopping"),
                Unmoved::NotKept(_) => (StatusCode::INTERNAL_SERVER_ERROR, "not_kept"),
            };
            refuse(status, code, &refused.to_string())
        }
    }
}

/// What a page's link carries.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ticket {
    pub ticket: String,
    pub good_secs: u64,
}

async fn ticket<W: Worker>(State(service): State<Arc<Service<W>>>) -> Response {
    match service.access.ticket(Instant::now()) {
        Ok(ticket) => Json(Ticket {
            ticket,
            good_secs: TICKET_LIFE.as_secs(),
        })
        .into_response(),
        Err(error) => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "no_randomness",
            &format!("no ticket could be made: {error}"),
        ),
    }
}

#[derive(Serialize)]
struct Session<'a> {
    token: &'a str,
}

async fn session<W: Worker>(State(service): State<Arc<Service<W>>>, ticket: String) -> Response {
    match service.access.redeem(ticket.trim(), Instant::now()) {
        Some(token) => Json(Session { token }).into_response(),
        None => refuse(
            StatusCode::UNAUTHORIZED,
            "ticket",
            "this link was used already or is too old; run `assay-worker status --open` for another",
        ),
    }
}
