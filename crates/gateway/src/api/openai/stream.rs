//! Answers as server-sent events.

use std::convert::Infallible;

use axum::response::{
    IntoResponse, Response,
    sse::{self, Sse},
};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::Value;

use super::body;
use crate::api::{
    failure::Failure,
    text::{End, Event},
};

/// How pieces of an answer become chunks.
pub trait Chunks: Send + 'static {
    /// Before anything has come.
    fn first(&mut self) -> Option<Value>;
    /// A piece.
    fn piece(&mut self, text: String, tokens: &[assay_client::session::Token]) -> Value;
    /// The last ones.
    fn last(&mut self, end: End) -> Vec<Value>;
}

/// Sends the chunks as they come, and `[DONE]` after the last one. A failure on the way is the last event, in the
/// shape of an error.
pub fn response(
    events: BoxStream<'static, Result<Event, Failure>>,
    mut chunks: impl Chunks,
) -> Response {
    let first = stream::iter(chunks.first().map(|value| vec![value.to_string()]));
    let rest = events.map(move |event| match event {
        Ok(Event::Text { text, tokens }) => vec![chunks.piece(text, &tokens).to_string()],
        Ok(Event::End(end)) => {
            let last = chunks.last(end);
            let mut lines: Vec<String> = last.iter().map(Value::to_string).collect();
            lines.push("[DONE]".to_owned());
            lines
        }
        Err(failure) => vec![body(&failure).to_string()],
    });
    let lines = first.chain(rest).flat_map(stream::iter);
    Sse::new(lines.map(|line| Ok::<_, Infallible>(sse::Event::default().data(line))))
        .into_response()
}
