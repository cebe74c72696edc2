//! Who may ask.

use std::sync::Arc;

use assay_client::outputs::digest;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Options,
    failure::{Failure, Why},
    oip, openai,
};

/// Lets through who carries the key, and whoever only asks whether this is alive.
pub async fn check(State(options): State<Arc<Options>>, request: Request, next: Next) -> Response {
    let Some(key) = &options.api_key else {
        return next.run(request).await;
    };
    let path = request.uri().path();
    if carries(request.headers(), key) || path == "/v2/health/live" {
        return next.run(request).await;
    }
    let failure = Failure::new(
        Why::Unauthorised,
        "this gateway wants a key; send it as `Authorization: Bearer KEY`",
    );
    if path.starts_with("/v1/") {
        openai::Refused(failure).into_response()
    } else {
        oip::Refused(failure).into_response()
    }
}

/// Whether a request brings this key, as `Authorization: Bearer KEY`.
pub fn carries(headers: &HeaderMap, key: &str) -> bool {
    let given = headers.get(AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok()?.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    // Digests, so that the time taken tells nothing of the key.
    given.is_some_and(|(_, given)| digest(given.trim().as_bytes()) == digest(key.as_bytes()))
}
