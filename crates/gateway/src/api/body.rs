//! Bodies of requests.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::StatusCode,
    response::IntoResponse,
};
use serde::de::DeserializeOwned;

use super::failure::{Failure, Why};

/// A whole body, or why there is none.
pub struct Whole(pub Result<Bytes, Failure>);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(
            Bytes::from_request(request, state).await.map_err(unread),
        ))
    }
}

impl Whole {
    /// Reads the body as JSON, whatever its content type: some clients send none.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Failure> {
        serde_json::from_slice(&self.0?)
            .map_err(|error| Failure::invalid(format!("the body cannot be understood: {error}")))
    }
}

fn unread(rejection: BytesRejection) -> Failure {
    let text = rejection.body_text();
    if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure::new(
            Why::TooLarge,
            "the body is larger than this gateway takes; send less at once",
        );
    }
    Failure::invalid(text)
}
