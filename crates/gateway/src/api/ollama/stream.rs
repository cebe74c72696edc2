//! Answers as lines of JSON, or as one when the client wants no stream.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_client::session::{Finish, Token};
use assay_package::Tokens;
use axum::{
    Json,
    body::Body,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt as _, stream::BoxStream};
use serde_json::{Map, Value, json};

use crate::api::{
    Api,
    ask::Ask,
    failure::Failure,
    text::{End, Event},
};

/// Where a line has its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `response`, of a generation.
    Response,
    /// `message.content`, of a chat.
    Message,
}

/// What an answer is written with.
pub struct Writer {
    /// As the client called it.
    pub model: String,
    pub place: Place,
    pub tokens: Arc<Tokens>,
    /// How many likely tokens to show beside each one; none for no logprobs at all.
    pub top: Option<u8>,
    /// The prompt's tokens, when the last line tells them with the answer's for the next request.
    pub context: Option<Vec<u32>>,
    pub began: Instant,
    /// When the first piece came.
    first: Option<Instant>,
    /// The answer's tokens.
    answered: Vec<u32>,
}

impl Writer {
    pub const fn new(
        model: String,
        place: Place,
        tokens: Arc<Tokens>,
        top: Option<u8>,
        began: Instant,
    ) -> Self {
        Self {
            model,
            place,
            tokens,
            top,
            context: None,
            began,
            first: None,
            answered: Vec::new(),
        }
    }

    /// Asks, and answers as the client wants it.
    pub async fn answer(mut self, api: &Api, ask: Ask, stream: bool) -> Result<Response, Failure> {
        let mut events = api.answer(ask).await?;
        if stream {
            return Ok(self.lines(events));
        }
        let (mut text, mut shown) = (String::new(), Vec::new());
        let mut ended = None;
        while let Some(event) = events.next().await {
            match event? {
                Event::Text { text: more, tokens } => {
                    self.note(&tokens);
                    text.push_str(&more);
                    shown.extend(tokens);
                }
                Event::End(end) => ended = Some(end),
            }
        }
        let end = ended.ok_or_else(|| Failure::broken("the answer has no end; ask again"))?;
        let mut line = self.line(&text, &shown);
        line.extend(self.last(end));
        Ok(Json(line).into_response())
    }

    fn lines(mut self, events: BoxStream<'static, Result<Event, Failure>>) -> Response {
        let lines = events.map(move |event| {
            let line = match event {
                Ok(Event::Text { text, tokens }) => {
                    self.note(&tokens);
                    let mut line = self.line(&text, &tokens);
                    line.insert("done".to_owned(), false.into());
                    line
                }
                Ok(Event::End(end)) => {
                    let mut line = self.line("", &[]);
                    line.extend(self.last(end));
                    line
                }
                Err(failure) => Map::from_iter([("error".to_owned(), failure.text.into())]),
            };
            let mut line = Value::Object(line).to_string();
            line.push('\n');
            Ok::<_, Infallible>(line)
        });
        let headers = [(CONTENT_TYPE, "application/x-ndjson")];
        (headers, Body::from_stream(lines)).into_response()
    }

    fn note(&mut self, tokens: &[Token]) {
        self.first.get_or_insert_with(Instant::now);
        if self.context.is_some() {
            self.answered.extend(tokens.iter().map(|token| token.id));
        }
    }

    fn line(&self, text: &str, shown: &[Token]) -> Map<String, Value> {
        let mut line = start(&self.model);
        let (key, value) = match self.place {
            Place::Response => ("response", text.into()),
            Place::Message => ("message", json!({ "role": "assistant", "content": text })),
        };
        line.insert(key.to_owned(), value);
        if let Some(top) = self.top.filter(|_| !shown.is_empty()) {
            line.insert("logprobs".to_owned(), self.logprobs(shown, top));
        }
        line
    }

    fn logprobs(&self, shown: &[Token], top: u8) -> Value {
        let one = |id: u32, logprob: Option<f32>| {
            let bytes = self.tokens.bytes(id);
            json!({ "token": String::from_utf8_lossy(&bytes), "logprob": logprob, "bytes": bytes })
        };
        let entry = |token: &Token| {
            let likely = token.likely.iter().take(usize::from(top));
            let likely: Vec<Value> = likely
                .map(|likely| one(likely.id, Some(likely.logprob)))
                .collect();
            let mut entry = one(token.id, token.logprob);
            if let (Value::Object(fields), false) = (&mut entry, likely.is_empty()) {
                fields.insert("top_logprobs".to_owned(), likely.into());
            }
            entry
        };
        shown.iter().map(entry).collect()
    }

    /// What the last line says. All times are measured here, so the network and waiting are in them.
    fn last(&mut self, end: End) -> Map<String, Value> {
        let now = Instant::now();
        let first = self.first.unwrap_or(now);
        let reason = match end.finish {
            Finish::Stop => "stop",
            Finish::Length => "length",
        };
        let mut last = Map::from_iter([
            ("done".to_owned(), true.into()),
            ("done_reason".to_owned(), reason.into()),
            ("total_duration".to_owned(), nanos(now - self.began)),
            ("prompt_eval_count".to_owned(), end.prompt_tokens.into()),
            ("prompt_eval_duration".to_owned(), nanos(first - self.began)),
            ("eval_count".to_owned(), end.answer_tokens.into()),
            ("eval_duration".to_owned(), nanos(now - first)),
        ]);
        if let Some(mut context) = self.context.take() {
            context.append(&mut self.answered);
            last.insert("context".to_owned(), context.into());
        }
        last
    }
}

/// What every line begins with.
pub fn start(model: &str) -> Map<String, Value> {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
    Map::from_iter([
        ("model".to_owned(), model.into()),
        ("created_at".to_owned(), now.into()),
    ])
}

pub fn nanos(time: Duration) -> Value {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).into()
}

/// How many likely tokens to show; none for no logprobs at all.
pub fn top(wanted: bool, top: Option<u8>) -> Result<Option<u8>, Failure> {
    match top {
        Some(number) if number > 20 => {
            Err(Failure::invalid("top_logprobs must be from 0 to 20").about("top_logprobs"))
        }
        top => Ok((wanted || top.is_some_and(|top| top > 0)).then_some(top.unwrap_or(0))),
    }
}
