//! Why there is no answer, before an API gives it its own shape.

use assay_package::TextError;
use axum::{
    Json,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{templates::RenderError, upstream::UpstreamError};

/// Kinds of failures that at least one API tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The request makes no sense; the text says where.
    Invalid,
    /// It makes sense and is not built.
    Unsupported,
    /// More tokens than the model has room for.
    TooLong,
    /// Nobody offers such a model.
    ModelUnknown,
    /// No such path.
    PathUnknown,
    /// The body is larger than is taken.
    TooLarge,
    /// The key is missing or another.
    Unauthorised,
    /// No money.
    Payment,
    /// Everybody is busy.
    Busy,
    /// Nobody could be reached.
    Unavailable,
    /// What came back makes no sense.
    Broken,
}

/// A failure, told to the person who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub why: Why,
    pub text: String,
    /// The field of the request that it is about.
    pub field: Option<String>,
    /// Seconds after which it is worth asking again.
    pub retry_after: Option<u64>,
}

impl Failure {
    pub fn new(why: Why, text: impl Into<String>) -> Self {
        Self {
            why,
            text: text.into(),
            field: None,
            retry_after: None,
        }
    }

    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(Why::Invalid, text)
    }

    pub fn unsupported(field: &str, text: impl Into<String>) -> Self {
        Self::new(Why::Unsupported, text).about(field)
    }

    pub fn broken(text: impl Into<String>) -> Self {
        Self::new(Why::Broken, text)
    }

    pub fn about(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// The usual HTTP status.
    pub const fn status(&self) -> StatusCode {
        match self.why {
            Why::Invalid | Why::Unsupported | Why::TooLong => StatusCode::BAD_REQUEST,
            Why::ModelUnknown | Why::PathUnknown => StatusCode::NOT_FOUND,
            Why::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Why::Unauthorised => StatusCode::UNAUTHORIZED,
            Why::Payment => StatusCode::PAYMENT_REQUIRED,
            Why::Busy | Why::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Why::Broken => StatusCode::BAD_GATEWAY,
        }
    }

    /// The response with this body, and when to ask again if that is known.
    pub fn response(&self, status: StatusCode, body: Value) -> Response {
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    /// The shape that Triton and Ollama have.
    pub fn plain_response(&self) -> Response {
        self.response(self.status(), json!({ "error": self.text }))
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::ModelUnknown(text) => Self::new(Why::ModelUnknown, text),
            UpstreamError::Unprocessable(text) => Self::invalid(text),
            UpstreamError::Payment(text) => Self::new(Why::Payment, text),
            UpstreamError::Busy {
                text,
                retry_after_secs,
            } => Self {
                retry_after: Some(retry_after_secs),
                ..Self::new(Why::Busy, text)
            },
            UpstreamError::Unavailable(text) => Self::new(Why::Unavailable, text),
        }
    }
}

impl From<TextError> for Failure {
    fn from(error: TextError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Text(error) => error.into(),
            RenderError::Excess => Self::invalid(error.to_string()),
            RenderError::Process(_) => Self::new(Why::Unavailable, error.to_string()),
        }
    }
}
