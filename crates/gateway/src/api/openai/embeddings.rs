//! Vectors of texts.

use axum::{Json, extract::State};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Refused, fields::refuse_others};
use crate::api::{Api, body::Whole, embed, failure::Failure};

/// OpenAI's own limit.
const MAX_INPUTS: usize = 2_048;

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    input: Input,
    encoding_format: Option<Format>,
    dimensions: Option<u64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    Many(Vec<Vec<u32>>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Float,
    Base64,
}

/// Written without a detour over doubles, which would double its digits.
#[derive(Serialize)]
pub struct Answer {
    object: &'static str,
    data: Vec<Entry>,
    model: String,
    usage: Usage,
}

#[derive(Serialize)]
struct Entry {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

impl Input {
    fn all(self) -> Vec<embed::Input> {
        match self {
            Self::Text(text) => vec![embed::Input::Text(text)],
            // An empty array could be either.
            Self::Tokens(ids) if ids.is_empty() => Vec::new(),
            Self::Tokens(ids) => vec![embed::Input::Tokens(ids)],
            Self::Texts(texts) => texts.into_iter().map(embed::Input::Text).collect(),
            Self::Many(many) => many.into_iter().map(embed::Input::Tokens).collect(),
        }
    }
}

pub async fn embed(State(api): State<Api>, body: Whole) -> Result<Json<Answer>, Refused> {
    let request: Request = body.json()?;
    refuse_others(&request.others)?;
    if request.dimensions.is_some() {
        let text = "dimensions: vectors are given as the model makes them, whole";
        return Err(Failure::unsupported("dimensions", text).into());
    }
    let inputs = request.input.all();
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        let text = format!("input must hold 1 to {MAX_INPUTS} texts");
        return Err(Failure::invalid(text).about("input").into());
    }
    let offered = api.model(&request.model).await?;
    let embedded = api.embed(&offered, &inputs, false).await?;
    let vectors = embedded.vectors.into_iter().enumerate();
    let data = vectors.map(|(index, vector)| Entry {
        object: "embedding",
        index,
        embedding: match request.encoding_format.unwrap_or(Format::Float) {
            Format::Float => Vector::Float(vector),
            Format::Base64 => {
                let bytes: Vec<u8> = vector
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                Vector::Base64(BASE64_STANDARD.encode(bytes))
            }
        },
    });
    Ok(Json(Answer {
        object: "list",
        data: data.collect(),
        model: request.model,
        usage: Usage {
            prompt_tokens: embedded.tokens,
            total_tokens: embedded.tokens,
        },
    }))
}
