//! The listening side: who may ask, and what the gateway says of itself.

use std::{future::Future, io, net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{HOST, ORIGIN},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt as _,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{Sessions, api};

/// Path of what was spent so far, as JSON.
pub const SPENDING_PATH: &str = "/v1/gateway/spending";

/// Whoever reaches the gateway spends the wallet's money, so beyond this machine it needs a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} can be reached from other machines, and whoever reaches the gateway spends this wallet's money; \
     give a key with --api-key, or listen on 127.0.0.1"
)]
pub struct KeyMissing(pub SocketAddr);

/// Who may ask.
#[derive(Clone, Debug)]
pub struct Guard {
    key: Option<Arc<str>>,
}

type Refusal = (StatusCode, &'static str);

impl Guard {
    /// Everybody on this machine, or whoever brings the key.
    ///
    /// # Errors
    /// When others can reach the address and there is no key.
    pub fn new(listen: SocketAddr, key: Option<&str>) -> Result<Self, KeyMissing> {
        match key.filter(|key| !key.is_empty()) {
            None if !listen.ip().is_loopback() => Err(KeyMissing(listen)),
            key => Ok(Self {
                key: key.map(Arc::from),
            }),
        }
    }

    /// The key that requests must bring.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// A web page of a stranger, open in a browser on this machine, must not spend: it has no key, and without one
    /// only this machine's own names are answered.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = headers.get(HOST).map(|value| value.to_str());
        let origin = headers.get(ORIGIN).map(|value| value.to_str());
        let local = host.is_none_or(|host| host.is_ok_and(is_local_host))
            && origin.is_none_or(|origin| origin.is_ok_and(is_local_origin));
        if local || self.key.is_some() {
            Ok(())
        } else {
            Err((
                StatusCode::FORBIDDEN,
                "this gateway answers requests to and from this machine alone; start it with --api-key for others",
            ))
        }
    }

    fn check_key(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let carries = |key: &str| api::carries(headers, key);
        if self.key.as_deref().is_none_or(carries) {
            Ok(())
        } else {
            Err((
                StatusCode::UNAUTHORIZED,
                "this gateway needs its key, as `Authorization: Bearer KEY`",
            ))
        }
    }
}

/// What the gateway says of itself.
pub fn router(sessions: Sessions, guard: Guard) -> Router {
    let key = middleware::from_fn(move |request: Request, next: Next| {
        let checked = guard.check_key(request.headers());
        pass(checked, request, next)
    });
    Router::new()
        .route(
            SPENDING_PATH,
            get(|State(sessions): State<Sessions>| async move { Json(sessions.spending()) }),
        )
        .layer(key)
        .with_state(sessions)
}

/// Answers until `stop`, and lets requests under way end. The routers look after the key themselves.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    guard: Guard,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let origin = middleware::from_fn(move |request: Request, next: Next| {
        let checked = guard.check_origin(request.headers());
        pass(checked, request, next)
    });
    // An answer goes out at once: waiting for the client to acknowledge the one before costs up to 40 ms.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::trace!(%error, "a connection may wait with small answers");
        }
    });
    axum::serve(listener, router.layer(origin))
        .with_graceful_shutdown(stop)
        .await
}

async fn pass(checked: Result<(), Refusal>, request: Request, next: Next) -> Response {
    match checked {
        Ok(()) => next.run(request).await,
        Err((status, message)) => {
            let body = json!({ "error": { "message": message, "type": "authentication_error" } });
            (status, Json(body)).into_response()
        }
    }
}

/// Whether a host, perhaps with a port, is this machine by a name that nobody else can give.
fn is_local_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_local_origin(origin: &str) -> bool {
    origin.parse::<Uri>().is_ok_and(|uri| {
        uri.authority()
            .is_some_and(|host| is_local_host(host.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::header::AUTHORIZATION;

    use super::*;

    fn guard(listen: &str, key: Option<&str>) -> Result<Guard, KeyMissing> {
        Guard::new(listen.parse().unwrap(), key)
    }

    fn headers(pairs: &[(axum::http::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn other_machines_need_a_key() {
        assert!(guard("127.0.0.1:8952", None).is_ok());
        assert!(guard("[::1]:8952", None).is_ok());
        assert!(guard("0.0.0.0:8952", Some("")).is_err());
        let guard = guard("0.0.0.0:8952", Some("secret")).unwrap();
        let given = |value: &str| guard.check_key(&headers(&[(AUTHORIZATION, value)]));
        assert_eq!(given("Bearer secret"), Ok(()));
        for wrong in [
            "Bearer secre",
            "Bearer secrets",
            "Basic secret",
            "secret",
            "",
        ] {
            let (status, _) = given(wrong).unwrap_err();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
        }
    }

    #[test]
    fn web_pages_of_strangers_are_refused() {
        let guard = guard("127.0.0.1:8952", None).unwrap();
        for fine in [
            headers(&[(HOST, "127.0.0.1:8952")]),
            headers(&[(HOST, "localhost")]),
            headers(&[(HOST, "[::1]:8952"), (ORIGIN, "http://localhost:3000")]),
        ] {
            assert_eq!(guard.check_origin(&fine), Ok(()));
        }
        for strange in [
            headers(&[(HOST, "rebound.example:8952")]),
            headers(&[(HOST, "127.0.0.1:8952"), (ORIGIN, "https://evil.example")]),
            headers(&[(HOST, "127.0.0.1:8952"), (ORIGIN, "null")]),
        ] {
            let (status, _) = guard.check_origin(&strange).unwrap_err();
            assert_eq!(status, StatusCode::FORBIDDEN);
        }
    }
}
