//! Generations: the numbers after the last token of the prompt.

use std::{io, sync::Arc};

use assay_client::session::{Finish, GenerateRequest, Line, SignedReceipt, Token, Usage, code};
use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};

use super::{Asked, Deed, Provider, Shared, UnderWay, admit, refuse};

fn line(line: &Line) -> Bytes {
    let mut text = serde_json::to_vec(line).unwrap();
    text.push(b'\n');
    text.into()
}

/// A generation that is dropped charges the tokens that it has shown.
struct Shown {
    provider: Arc<Provider>,
    asked: Asked,
    prompt: u64,
    tokens: Vec<u8>,
    ended: bool,
    _under_way: UnderWay,
}

impl Shown {
    fn usage(&self) -> Usage {
        Usage {
            input_tokens: self.prompt,
            output_tokens: self.tokens.len() as u64 / 4,
            ..Usage::default()
        }
    }

    fn end(&mut self, deed: Deed) -> SignedReceipt {
        self.ended = true;
        let price = self.provider.price.of(self.usage()).unwrap();
        self.provider.charge(&self.asked, &self.tokens, price, deed)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Deed::Honest);
            self.provider.dropped.notify_one();
        }
    }
}

/// Counts upwards from the last token of the prompt.
pub async fn generate(
    State(provider): Shared,
    Path(session): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (asked, under_way) = match admit(&provider, &session, "generate", &headers, &body) {
        Ok(admitted) => admitted,
        Err(refused) => return *refused,
    };
    let deed = provider.deed();
    if deed == Deed::Busy {
        return refuse(503, code::BUSY, "the queue is full");
    }
    let request: GenerateRequest = serde_json::from_slice(&body).unwrap();
    let shown = Shown {
        provider: Arc::clone(&provider),
        asked,
        prompt: request.tokens.len() as u64,
        tokens: Vec::new(),
        ended: false,
        _under_way: under_way,
    };
    let lines = stream::unfold(Some(shown), move |shown| {
        let first = request.tokens.last().copied().unwrap();
        let most = request.max_tokens;
        async move {
            let mut shown = shown?;
            let count = u32::try_from(shown.tokens.len() / 4).unwrap();
            if count == 2 && deed == Deed::Break {
                // What was shown is on its way before the connection breaks.
                let gate = shown.provider.gate.lock().unwrap().clone();
                gate.unwrap().notified().await;
                shown.ended = true;
                return Some((Err(io::Error::other("lost")), None));
            }
            if count < most {
                let id = first + 1 + count;
                shown.tokens.extend_from_slice(&id.to_le_bytes());
                let token = Token {
                    id,
                    logprob: None,
                    likely: Vec::new(),
                };
                return Some((Ok(line(&Line::Token(token))), Some(shown)));
            }
            let receipt = shown.end(deed);
            let done = Line::Done {
                finish: Finish::Length,
                usage: shown.usage(),
                receipt,
            };
            Some((Ok::<_, io::Error>(line(&done)), None))
        }
    });
    Body::from_stream(lines.boxed()).into_response()
}
