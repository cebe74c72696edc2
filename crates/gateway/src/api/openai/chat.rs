//! Chats.

use std::sync::Arc;

use assay_client::session::{Finish, Token};
use assay_package::{Message, Tokens};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    HABITS, Refused,
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
    messages: Vec<Said>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    logprobs: Option<bool>,
    top_logprobs: Option<u8>,
    #[serde(flatten)]
    choosing: Choosing,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Said {
    role: String,
    content: Option<Content>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

impl Said {
    fn message(self, at: usize) -> Result<Message, Failure> {
        let field = format!("messages[{at}]");
        let role = match self.role.as_str() {
            "system" | "developer" => "system",
            "user" => "user",
            "assistant" => "assistant",
            "tool" | "function" => {
                return Err(Failure::unsupported(
                    &field,
                    format!("{field}: tools are not built"),
                ));
            }
            other => {
                let text = format!("{field}: there is no role {other:?}");
                return Err(Failure::invalid(text).about(&field));
            }
        };
        let harmless = |(key, value): (&String, &Value)| {
            key == "name" || value.is_null() || value.as_array().is_some_and(Vec::is_empty)
        };
        if let Some((key, _)) = self.others.iter().find(|entry| !harmless(*entry)) {
            return Err(Failure::unsupported(
                &field,
                format!("{field}: {key} is not built"),
            ));
        }
        let content = match self.content {
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => parts
                .into_iter()
                .map(|part| {
                    let text = part.text.filter(|_| part.kind == "text");
                    text.ok_or_else(|| {
                        let text = format!("{field}: only text is built, no {}", part.kind);
                        Failure::unsupported(&field, text)
                    })
                })
                .collect::<Result<_, _>>()?,
            None => {
                return Err(Failure::invalid(format!("{field} has no content")).about(&field));
            }
        };
        Ok(Message {
            role: role.to_owned(),
            content,
        })
    }
}

pub async fn complete(State(api): State<Api>, body: Whole) -> Result<Response, Refused> {
    let request: Request = body.json()?;
    refuse_others(&request.others)?;
    let offered = api.model(&request.model).await?;
    let package = decoder(&offered)?.clone();
    let messages = request.messages.into_iter().enumerate();
    let messages: Vec<Message> = messages
        .map(|(at, said)| said.message(at))
        .collect::<Result<_, _>>()?;
    if messages.is_empty() {
        return Err(Failure::invalid("there are no messages")
            .about("messages")
            .into());
    }
    let top = top(request.logprobs.unwrap_or(false), request.top_logprobs)?;
    let max_tokens = match limit("max_completion_tokens", request.max_completion_tokens)? {
        Some(number) => Some(number),
        None => limit("max_tokens", request.max_tokens)?,
    };
    let wish = Wish {
        max_tokens,
        logprobs: top.map_or(0, |top| top.max(1)),
        ..request.choosing.wish(&offered)?
    };
    let tokens = package.tokens()?.clone();
    let prompt = api.renderer.render(package.prompt(&messages)?).await?;
    let prompt = tokens.encode(&prompt, false)?;
    let ask = api.ask(&offered, prompt, wish, HABITS)?;
    let writer = Writer {
        id: id("chatcmpl")?,
        created: chrono::Utc::now().timestamp(),
        model: request.model,
        tokens,
        top,
        usage: request
            .stream_options
            .and_then(|options| options.include_usage)
            == Some(true),
    };
    if request.stream == Some(true) {
        return Ok(stream::response(api.answer(ask).await?, writer));
    }
    let answer = api.whole_answer(ask).await?;
    let message = json!({ "role": "assistant", "content": answer.text, "refusal": null });
    let choice = json!({
        "index": 0,
        "message": message,
        "logprobs": writer.logprobs(&answer.tokens),
        "finish_reason": finish(answer.end.finish),
    });
    Ok(Json(json!({
        "id": writer.id,
        "object": "chat.completion",
        "created": writer.created,
        "model": writer.model,
        "choices": [choice],
        "usage": usage(answer.end),
        "system_fingerprint": null,
    }))
    .into_response())
}

/// How many likely tokens to show beside each one; none for no logprobs at all.
fn top(wanted: bool, top: Option<u8>) -> Result<Option<u8>, Failure> {
    let wrong = |text: &str| Err(Failure::invalid(text).about("top_logprobs"));
    match (wanted, top) {
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => wrong("top_logprobs needs logprobs to be true"),
        (true, Some(number)) if number > 20 => wrong("top_logprobs must be from 0 to 20"),
        (true, top) => Ok(Some(top.unwrap_or(0))),
    }
}

pub const fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

struct Writer {
    id: String,
    created: i64,
    model: String,
    tokens: Arc<Tokens>,
    top: Option<u8>,
    usage: bool,
}

impl Writer {
    fn logprobs(&self, shown: &[Token]) -> Value {
        self.top.map_or(Value::Null, |top| {
            logprobs::of_chat(&self.tokens, shown, top)
        })
    }

    fn chunk(&self, choices: &Value, usage: Option<Value>) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "system_fingerprint": null,
        });
        if let (true, Value::Object(fields)) = (self.usage, &mut chunk) {
            fields.insert("usage".to_owned(), usage.unwrap_or(Value::Null));
        }
        chunk
    }

    fn delta(&self, delta: &Value, logprobs: &Value, finish: Option<&str>) -> Value {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish });
        self.chunk(&json!([choice]), None)
    }
}

impl stream::Chunks for Writer {
    fn first(&mut self) -> Option<Value> {
        let delta = json!({ "role": "assistant", "content": "", "refusal": null });
        Some(self.delta(&delta, &Value::Null, None))
    }

    fn piece(&mut self, text: String, tokens: &[Token]) -> Value {
        self.delta(&json!({ "content": text }), &self.logprobs(tokens), None)
    }

    fn last(&mut self, end: End) -> Vec<Value> {
        let mut chunks = vec![self.delta(&json!({}), &Value::Null, Some(finish(end.finish)))];
        if self.usage {
            chunks.push(self.chunk(&json!([]), Some(usage(end))));
        }
        chunks
    }
}
