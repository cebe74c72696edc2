//! Vectors of texts.

use std::time::Instant;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Refused, options, refuse_others, stream::nanos};
use crate::api::{Api, body::Whole, embed, failure::Failure};

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    input: Input,
    /// Whether what is too long may be cut.
    truncate: Option<bool>,
    options: Option<Map<String, Value>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

/// Written without a detour over doubles, which would double its digits.
#[derive(Serialize)]
pub struct Answer {
    model: String,
    embeddings: Vec<Vec<f32>>,
    /// Nanoseconds.
    total_duration: Value,
    prompt_eval_count: usize,
}

pub async fn embed(State(api): State<Api>, body: Whole) -> Result<Json<Answer>, Refused> {
    let began = Instant::now();
    let request: Request = body.json()?;
    refuse_others(&request.others)?;
    options::wish(request.options)?;
    let inputs: Vec<embed::Input> = match request.input {
        Input::One(text) => vec![embed::Input::Text(text)],
        Input::Many(texts) => texts.into_iter().map(embed::Input::Text).collect(),
    };
    let offered = api.tagged(&request.model).await?;
    let embedded = api
        .embed(&offered, &inputs, request.truncate.unwrap_or(true))
        .await?;
    Ok(Json(Answer {
        model: request.model,
        embeddings: embedded.vectors,
        total_duration: nanos(began.elapsed()),
        prompt_eval_count: embedded.tokens,
    }))
}

/// The older form.
#[derive(Debug, Deserialize)]
struct One {
    model: String,
    prompt: String,
    options: Option<Map<String, Value>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Serialize)]
pub struct Vector {
    embedding: Vec<f32>,
}

pub async fn embed_one(State(api): State<Api>, body: Whole) -> Result<Json<Vector>, Refused> {
    let request: One = body.json()?;
    refuse_others(&request.others)?;
    options::wish(request.options)?;
    let offered = api.tagged(&request.model).await?;
    let inputs = [embed::Input::Text(request.prompt)];
    let embedded = api.embed(&offered, &inputs, true).await?;
    let vector = embedded.vectors.into_iter().next();
    let embedding = vector.ok_or_else(|| Failure::broken("the model gave no vector"))?;
    Ok(Json(Vector { embedding }))
}
