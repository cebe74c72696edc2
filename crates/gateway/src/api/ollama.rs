//! Ollama's API: what its command line, its libraries and most programs for local models speak. Models are made with
//! `assay model create` and loaded by providers, so nothing is pulled, pushed, copied or deleted here.

mod chat;
mod embed;
mod generate;
mod models;
mod options;
mod stream;

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde_json::{Map, Value};

use super::{
    Api,
    ask::Habits,
    failure::{Failure, Why},
    models::Offered,
};

/// What Ollama does where nobody says anything.
const HABITS: Habits = Habits {
    temperature: 0.8,
    top_k: 40,
    top_p: 0.9,
    repeat_penalty: 1.1,
};

pub fn routes() -> Router<Api> {
    Router::new()
        .route("/api/version", get(models::version))
        .route("/api/tags", get(models::tags))
        .route("/api/ps", get(models::ps))
        .route("/api/show", post(models::show))
        .route("/api/generate", post(generate::generate))
        .route("/api/chat", post(chat::chat))
        .route("/api/embed", post(embed::embed))
        .route("/api/embeddings", post(embed::embed_one))
        .route("/api/{*path}", any(not_built))
}

async fn not_built(Path(path): Path<String>) -> Refused {
    let what = match path.split('/').next().unwrap_or_default() {
        "pull" | "push" | "create" | "copy" | "delete" | "blobs" => {
            "models are made with `assay model create` and loaded by their providers; this gateway changes none"
        }
        "web_search" | "web_fetch" => "this gateway does not search the web",
        _ => "there is no such path here",
    };
    Refused(Failure::new(
        Why::PathUnknown,
        format!("/api/{path}: {what}"),
    ))
}

/// A failure in Ollama's shape.
pub struct Refused(pub Failure);

impl<E: Into<Failure>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.plain_response()
    }
}

impl Api {
    /// A model by Ollama's kind of name, whose tag says nothing here.
    async fn tagged(&self, name: &str) -> Result<Offered, Failure> {
        self.model(name.strip_suffix(":latest").unwrap_or(name))
            .await
    }
}

/// Refuses fields that would change the answer and are not built.
fn refuse_others(others: &Map<String, Value>) -> Result<(), Failure> {
    for (field, value) in others {
        let nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Bool(true) | Value::Number(_) | Value::Object(_) => false,
        };
        // How long a model stays in memory is its provider's affair.
        if nothing || field == "keep_alive" {
            continue;
        }
        let reason = match field.as_str() {
            "tools" => "tools are not built",
            "images" => "only text is built",
            "format" => "no JSON modes or schemas are built",
            "think" => "no thinking apart from the answer is built",
            "suffix" => "filling in between two texts is not built",
            "dimensions" => "vectors are given as the model makes them, whole",
            _ => {
                return Err(
                    Failure::invalid(format!("there is no field {field:?} here")).about(field),
                );
            }
        };
        return Err(Failure::unsupported(field, format!("{field}: {reason}")));
    }
    Ok(())
}
