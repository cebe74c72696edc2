//! Completions of a text or of tokens.

use std::sync::Arc;

use assay_client::session::Token;
use assay_package::Tokens;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    HABITS, Refused,
    chat::finish,
    fields::{Choosing, StreamOptions, limit, refuse_others},
    id, logprobs, stream, usage,
};
use crate::api::{
    Api,
    ask::{Wish, decoder},
    body::Whole,
    failure::Failure,
    text::End,
};

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    prompt: Prompt,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<i64>,
    logprobs: Option<u8>,
    #[serde(flatten)]
    choosing: Choosing,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Prompt {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    Many(Vec<Vec<u32>>),
}

impl Prompt {
    fn tokens(self, tokens: &Tokens) -> Result<Vec<u32>, Failure> {
        let ids = match self {
            Self::Text(text) => return Ok(tokens.encode(&text, true)?),
            Self::Tokens(ids) => ids,
            Self::Texts(texts) => match <[String; 1]>::try_from(texts) {
                Ok([text]) => return Ok(tokens.encode(&text, true)?),
                Err(_) => return Err(several()),
            },
            Self::Many(many) => match <[Vec<u32>; 1]>::try_from(many) {
                Ok([ids]) => ids,
                Err(_) => return Err(several()),
            },
        };
        match ids.iter().find(|id| !tokens.knows(**id)) {
            None => Ok(ids),
            Some(unknown) => {
                let text = format!("there is no token {unknown} in this model's vocabulary");
                Err(Failure::invalid(text).about("prompt"))
            }
        }
    }
}

fn several() -> Failure {
    Failure::unsupported("prompt", "prompt: only one is built; ask once for each")
}

pub async fn complete(State(api): State<Api>, body: Whole) -> Result<Response, Refused> {
    let request: Request = body.json()?;
    refuse_others(&request.others)?;
    let offered = api.model(&request.model).await?;
    let package = decoder(&offered)?.clone();
    if request.logprobs.is_some_and(|top| top > 20) {
        return Err(Failure::invalid("logprobs must be from 0 to 20")
            .about("logprobs")
            .into());
    }
    let wish = Wish {
        // OpenAI's own default.
        max_tokens: limit("max_tokens", request.max_tokens)?
            .or(package.defaults.num_predict)
            .or(Some(16)),
        logprobs: request.logprobs.map_or(0, |top| top.max(1)),
        ..request.choosing.wish(&offered)?
    };
    let tokens = package.tokens()?.clone();
    let prompt = request.prompt.tokens(&tokens)?;
    let ask = api.ask(&offered, prompt, wish, HABITS)?;
    let mut writer = Writer {
        id: id("cmpl")?,
        created: chrono::Utc::now().timestamp(),
        model: request.model,
        tokens,
        top: request.logprobs,
        usage: request
            .stream_options
            .and_then(|options| options.include_usage)
            == Some(true),
        offset: 0,
    };
    if request.stream == Some(true) {
        return Ok(stream::response(api.answer(ask).await?, writer));
    }
    let answer = api.whole_answer(ask).await?;
    let reason = Some(finish(answer.end.finish));
    let choice = writer.choice(answer.text, &answer.tokens, reason);
    Ok(Json(writer.object(&json!([choice]), Some(usage(answer.end)))).into_response())
}

struct Writer {
    id: String,
    created: i64,
    model: String,
    tokens: Arc<Tokens>,
    top: Option<u8>,
    usage: bool,
    /// Letters that have been shown with logprobs.
    offset: usize,
}

impl Writer {
    fn choice(&mut self, text: String, tokens: &[Token], finish: Option<&str>) -> Value {
        let logprobs = self.top.map_or(Value::Null, |top| {
            logprobs::of_completion(&self.tokens, tokens, top, &mut self.offset)
        });
        json!({ "index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish })
    }

    fn object(&self, choices: &Value, usage: Option<Value>) -> Value {
        let mut object = json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "system_fingerprint": null,
        });
        if let (Some(usage), Value::Object(fields)) = (usage, &mut object) {
            fields.insert("usage".to_owned(), usage);
        }
        object
    }

    fn without_usage(&self) -> Option<Value> {
        self.usage.then_some(Value::Null)
    }
}

impl stream::Chunks for Writer {
    fn first(&mut self) -> Option<Value> {
        None
    }

    fn piece(&mut self, text: String, tokens: &[Token]) -> Value {
        let choice = self.choice(text, tokens, None);
        self.object(&json!([choice]), self.without_usage())
    }

    fn last(&mut self, end: End) -> Vec<Value> {
        let choice = json!({ "index": 0, "text": "", "logprobs": null, "finish_reason": finish(end.finish) });
        let mut chunks = vec![self.object(&json!([choice]), self.without_usage())];
        if self.usage {
            chunks.push(self.object(&json!([]), Some(usage(end))));
        }
        chunks
    }
}
