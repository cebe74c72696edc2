//! Sessions over HTTP. The paths, headers and bodies are `assay_client::session`'s.

use std::{net::SocketAddr, sync::Arc};

use assay_client::{
    PROGRAM_ID,
    protocol::Address,
    session::{OFFER_PATH, Offer, Standing},
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, header::CONTENT_LENGTH},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use solana_signer::Signer;

use super::{Sessions, core::Refused, known::Asker, offer::Offered, request::Request};
use crate::{chain::Chain, metrics};

mod again;
mod failure;
mod generate;
mod head;
mod run;

pub use failure::Failure;
use head::Head;

/// Every path of sessions. Requests have limits of their own here: neither jobs' requests nor their time limit.
pub fn router<C: Chain>(sessions: Arc<Sessions<C>>) -> Router {
    Router::new()
        .route(OFFER_PATH, get(offer::<C>))
        .route("/v1/sessions/{session}", get(standing::<C>))
        .route("/v1/sessions/{session}/run", post(run::<C>))
        .route("/v1/sessions/{session}/generate", post(generate::<C>))
        .with_state(sessions)
}

async fn offer<C: Chain>(State(sessions): State<Arc<Sessions<C>>>) -> Json<Offer> {
    Json(Offer {
        provider: sessions.terms.provider,
        operator: sessions.operator().pubkey(),
        program_id: PROGRAM_ID,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        accepting: !sessions.is_draining() && sessions.store.is_written(),
        min_grace_secs: sessions.terms.min_grace_secs,
        min_voucher_secs: sessions.terms.min_voucher_secs,
        max_body_bytes: sessions.bodies.most(),
        models: sessions.offering.ready(),
    })
}

async fn standing<C: Chain>(
    State(sessions): State<Arc<Sessions<C>>>,
    Path(session): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Standing>, Failure> {
    let session = address(&session)?;
    let asker = Asker {
        peer,
        headers: &headers,
    };
    // Also while the chain does not answer: what was answered is known here.
    let standing = || sessions.with(&session, |channel| channel.standing());
    if let Some(standing) = standing() {
        return Ok(Json(standing));
    }
    sessions.know(session, asker).await?;
    standing().map(Json).ok_or_else(|| Refused::Unknown.into())
}

async fn run<C: Chain>(
    State(sessions): State<Arc<Sessions<C>>>,
    Path(session): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asker = Asker {
        peer,
        headers: &headers,
    };
    let answered = match open(&sessions, &session, asker, body).await {
        Ok((request, body, head)) => match head.request {
            Some(digest) => again::answer(request, digest).await,
            None => run::answer(request, body, &head).await,
        },
        Err(failure) => Err(failure),
    };
    respond("run", answered)
}

async fn generate<C: Chain>(
    State(sessions): State<Arc<Sessions<C>>>,
    Path(session): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asker = Asker {
        peer,
        headers: &headers,
    };
    let answered = match open(&sessions, &session, asker, body).await {
        Ok((request, body, head)) => match head.request {
            Some(digest) => again::answer(request, digest).await,
            None => generate::answer(request, body, &head).await,
        },
        Err(failure) => Err(failure),
    };
    respond("generate", answered)
}

fn respond(kind: &'static str, answered: Result<Response, Failure>) -> Response {
    match answered {
        Ok(response) => {
            metrics::sessions_request(kind, "answered");
            response
        }
        Err(failure) => {
            metrics::sessions_request(kind, failure.code);
            failure.into_response()
        }
    }
}

/// Everything up to the body: only who has a session's key may send one.
async fn open<C: Chain>(
    sessions: &Arc<Sessions<C>>,
    session: &str,
    asker: Asker<'_>,
    body: Body,
) -> Result<(Request<C>, Bytes, Head), Failure> {
    let session = address(session)?;
    let head = Head::read(asker.headers)?;
    if sessions.is_draining() {
        return Err(Failure::draining());
    }
    if !sessions.store.is_written() {
        return Err(Failure::unwritten());
    }
    let model = match sessions.offering.get(&head.ask.model) {
        Offered::Ready(model) => model,
        Offered::Loading => {
            return Err(Failure::busy(
                503,
                "the model is still being loaded; ask again",
                5,
            ));
        }
        Offered::Never => return Err(Failure::model_not_served()),
    };
    sessions.know(session, asker).await?;
    let mut request = Request::begin(sessions, session, head.ask, model).await?;
    let body = read(&mut request, asker.headers, body).await?;
    // Whoever sends slowly takes no place from others.
    let Ok(slot) = Arc::clone(&sessions.slots).try_acquire_owned() else {
        let text = "as many requests as this worker takes are under way; ask again";
        return Err(Failure::busy(429, text, 1));
    };
    request.places.push(slot);
    Ok((request, body, head))
}

/// A body, if there is room for it.
async fn read<C: Chain>(
    request: &mut Request<C>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Failure> {
    let told = headers.get(CONTENT_LENGTH);
    let told = told.and_then(|length| length.to_str().ok()?.parse().ok());
    let (body, room) = request.sessions().bodies.read(told, body).await?;
    request.places.push(room);
    Ok(body)
}

fn address(text: &str) -> Result<Address, Failure> {
    let session = text.parse::<Address>();
    session.map_err(|_| Failure::malformed(format!("{text:?} is no session's address")))
}
