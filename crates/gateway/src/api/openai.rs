//! OpenAI's API: models, chat, completions and embeddings. What is not built is refused by name, never passed over.

mod chat;
mod completions;
mod embeddings;
mod fields;
mod logprobs;
mod models;
mod stream;

use axum::{
    Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde_json::{Value, json};

use super::{
    Api,
    ask::Habits,
    failure::{Failure, Why},
    text::End,
};

/// What OpenAI's API does where nobody says anything.
const HABITS: Habits = Habits {
    temperature: 1.0,
    top_k: 0,
    top_p: 1.0,
    repeat_penalty: 1.0,
};

pub fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::show))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/completions", post(completions::complete))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/{*path}", any(not_built))
}

async fn not_built(Path(path): Path<String>) -> Refused {
    Refused(Failure::new(
        Why::PathUnknown,
        format!(
            "/v1/{path} is not served; this gateway has models, chat/completions, completions and embeddings"
        ),
    ))
}

/// A failure in OpenAI's shape.
pub struct Refused(pub Failure);

impl<E: Into<Failure>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        // The stock client waits and asks again after 429, as is right for those who are busy.
        let status = match self.0.why {
            Why::Busy => StatusCode::TOO_MANY_REQUESTS,
            Why::Invalid
            | Why::Unsupported
            | Why::TooLong
            | Why::ModelUnknown
            | Why::PathUnknown
            | Why::TooLarge
            | Why::Unauthorised
            | Why::Payment
            | Why::Unavailable
            | Why::Broken => self.0.status(),
        };
        self.0.response(status, body(&self.0))
    }
}

/// A failure as JSON, also within a stream.
fn body(failure: &Failure) -> Value {
    let (kind, code) = match failure.why {
        Why::Invalid | Why::TooLarge => ("invalid_request_error", None),
        Why::Unsupported => ("invalid_request_error", Some("unsupported_parameter")),
        Why::TooLong => ("invalid_request_error", Some("context_length_exceeded")),
        Why::ModelUnknown => ("invalid_request_error", Some("model_not_found")),
        Why::PathUnknown => ("invalid_request_error", Some("unknown_url")),
        Why::Unauthorised => ("invalid_request_error", Some("invalid_api_key")),
        Why::Payment => ("insufficient_quota", Some("insufficient_quota")),
        Why::Busy => ("rate_limit_error", Some("rate_limit_exceeded")),
        Why::Unavailable | Why::Broken => ("server_error", None),
    };
    let Failure { text, field, .. } = failure;
    json!({ "error": { "message": text, "type": kind, "param": field, "code": code } })
}

fn usage(end: End) -> Value {
    json!({
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.answer_tokens,
        "total_tokens": end.prompt_tokens + end.answer_tokens,
    })
}

/// A name for an answer: nobody else's, and nothing can be asked by it.
fn id(kind: &str) -> Result<String, Failure> {
    let random = getrandom::u64()
        .map_err(|error| Failure::new(Why::Unavailable, format!("no randomness: {error}")))?;
    Ok(format!("{kind}-{random:016x}"))
}
