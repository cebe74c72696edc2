//! Answers that are errors.

use assay_client::delivery::Refusal;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{artifacts::CacheError, store::StoreError};

/// An answer with a stable code and a sentence for people.
pub fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let body = Refusal {
        error: code.to_owned(),
        message: message.to_owned(),
    };
    (status, Json(body)).into_response()
}

/// A handler's early end.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl ToString) -> Self {
        Self {
            status,
            code,
            message: message.to_string(),
        }
    }

    /// Ours to mend; the details stay in the log.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        let message = "the worker could not answer; its operator finds the reason in the log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        refuse(self.status, self.code, &self.message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::internal(error)
    }
}

impl From<CacheError> for ApiError {
    fn from(error: CacheError) -> Self {
        let (status, code) = match &error {
            CacheError::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, "cache_full"),
            CacheError::TooLong { .. } => (StatusCode::BAD_REQUEST, "too_long"),
            CacheError::Digest { .. } => (StatusCode::BAD_REQUEST, "digest_mismatch"),
            CacheError::Io { .. } | CacheError::Vanished { .. } => return Self::internal(error),
        };
        Self::new(status, code, error)
    }
}
