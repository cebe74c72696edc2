//! Answers that are not what was asked for. All of them are free but a model's own failure.

use std::time::Duration;

use assay_client::{delivery::Refusal, session::code};
use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

use crate::{
    api::refuse,
    serving::ServeError,
    sessions::{SessionStoreError, core::Refused},
};

/// A request's early end.
#[derive(Clone, Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    /// Seconds.
    pub retry_after: Option<u64>,
}

impl Failure {
    pub fn new(status: StatusCode, code: &'static str, message: impl ToString) -> Self {
        Self {
            status,
            code,
            message: message.to_string(),
            retry_after: None,
        }
    }

    pub fn malformed(message: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    pub fn model_not_served() -> Self {
        let message = "the model is not in this worker's offer";
        Self::new(StatusCode::NOT_FOUND, code::MODEL_NOT_SERVED, message)
    }

    pub fn mismatch(message: impl ToString) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, code::INPUT_MISMATCH, message)
    }

    pub fn too_large(most: u64) -> Self {
        let message =
            format!("the body has more than {most} bytes, which is the most here; send less");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code::INPUT_MISMATCH, message)
    }

    pub fn cut_off() -> Self {
        Self::malformed("the body ended early, or is longer than its content-length; send it again")
    }

    pub fn too_slow(patience: Duration) -> Self {
        let message = format!(
            "the body did not come within {} s; send it again",
            patience.as_secs()
        );
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
    }

    /// `status` is 429 for too much of one's own and of everybody's, else 503.
    pub fn busy(status: u16, message: impl ToString, retry_after: u64) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Self {
            retry_after: Some(retry_after),
            ..Self::new(status, code::BUSY, message)
        }
    }

    pub fn draining() -> Self {
        let message = "this worker takes no requests at present; use another provider";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::DRAINING, message)
    }

    /// What would be answered could not be charged for.
    pub fn unwritten() -> Self {
        let message = "this worker cannot write its books at present; use another provider";
        Self::busy(503, message, 30)
    }

    /// Ours to mend; the details stay in the log.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request of a session failed");
        let message = "the worker could not answer; its operator finds the reason in the log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// What a model makes of an input.
    ///
    /// # Errors
    /// The text of a failure that is an answer, and to be paid for.
    pub fn of(error: ServeError) -> Result<Self, String> {
        Ok(match error {
            ServeError::ModelFailed(text) | ServeError::RunLost(text) => return Err(text),
            ServeError::Unknown(text) => {
                Self::new(StatusCode::NOT_FOUND, code::MODEL_NOT_SERVED, text)
            }
            ServeError::InputMismatch(text) => Self::mismatch(text),
            ServeError::Busy {
                text,
                retry_after_secs,
            } => Self::busy(503, text, retry_after_secs),
            ServeError::Unavailable(text) => Self::busy(503, text, 5),
        })
    }

    pub fn body(&self) -> Refusal {
        Refusal {
            error: self.code.to_owned(),
            message: self.message.clone(),
        }
    }
}

impl From<Refused> for Failure {
    fn from(why: Refused) -> Self {
        let status = StatusCode::from_u16(why.status()).unwrap_or(StatusCode::CONFLICT);
        Self {
            retry_after: why.retry_after(),
            ..Self::new(status, why.code(), why)
        }
    }
}

impl From<SessionStoreError> for Failure {
    fn from(error: SessionStoreError) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = refuse(self.status, self.code, &self.message);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
