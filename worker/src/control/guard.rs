//! What every request has to show, and what every answer says to browsers.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{Service, TIMEOUT, Worker, access::is_ours};

/// Scripts and styles come from files of this service alone, nothing is sent elsewhere, nobody
/// frames the page, and text never becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Requests must name this service as their host, against names that are rebound to loopback; what
/// a page sends to change something must come from our own.
pub(super) async fn origin<W: Worker>(
    State(service): State<Arc<Service<W>>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = if !names_us(&request, service.port) {
        refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "host",
            "this service answers as 127.0.0.1, [::1] or localhost with its own port only",
        )
    } else if !is_reading(&request) && !comes_from_us(request.headers(), service.port) {
        let message = "requests of other pages are not taken";
        refuse(StatusCode::FORBIDDEN, "origin", message)
    } else {
        let answer = tokio::time::timeout(TIMEOUT, next.run(request)).await;
        answer.unwrap_or_else(|_| {
            refuse(
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                "the worker is busy, or the request did not come whole; try again",
            )
        })
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) async fn token<W: Worker>(
    State(service): State<Arc<Service<W>>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    if service
        .access
        .admits(given.and_then(|value| value.to_str().ok()))
    {
        return next.run(request).await;
    }
    refuse(
        StatusCode::UNAUTHORIZED,
        "token",
        "open the page with `assay-worker status --open`; a link ends when the worker is started again",
    )
}

fn is_reading(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The host that the request line or the header names; every one of them must be ours.
fn names_us(request: &Request, port: u16) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let absolute = request.uri().authority();
    host.to_str().is_ok_and(|host| is_ours(host, port))
        && absolute.is_none_or(|authority| is_ours(authority.as_str(), port))
}

/// Browsers name the page that a request comes from; commands name none.
fn comes_from_us(headers: &HeaderMap, port: u16) -> bool {
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        let host = origin
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("http://"));
        host.is_some_and(|host| is_ours(host, port))
    })
}

pub(super) fn refuse(status: StatusCode, code: &'static str, message: &str) -> Response {
    (status, Json(json!({ "error": code, "message": message }))).into_response()
}
