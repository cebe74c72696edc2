//! Generations: the numbers after the last token of the prompt.

use std::{io, sync::Arc};

use assay_client::{
    protocol::Address,
    session::{Finish, GenerateRequest, Likely, Line, SignedReceipt, Token, Usage, code},
};
use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};

use super::{Account, Asked, Deed, Provider, Shared, UnderWay, admit, refuse};

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
    /// Bytes of the tokens that were asked for.
    all: usize,
    deed: Deed,
    ended: bool,
    under_way: Option<UnderWay>,
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
        if !self.ended && self.deed == Deed::Unaware {
            let (provider, asked) = (Arc::clone(&self.provider), self.asked);
            let (tokens, under_way) = (self.tokens.clone(), self.under_way.take());
            let price = provider.price.of(self.usage()).unwrap();
            tokio::spawn(async move {
                provider.notices.notified().await;
                provider.charge(&asked, &tokens, price, Deed::Honest);
                drop(under_way);
                provider.dropped.notify_one();
            });
        } else if !self.ended {
            if self.deed == Deed::ChargeAll {
                self.tokens.resize(self.all, 0);
            } else if self.deed == Deed::ChargeMore {
                self.tokens.resize(40, 0);
            }
            self.end(Deed::Honest);
            self.provider.dropped.notify_one();
        }
    }
}

/// The same lines once more.
fn again(provider: &Provider, session: &Address, receipt: SignedReceipt) -> Response {
    let tokens = provider.answer(session);
    let ids = tokens
        .chunks(4)
        .map(|id| u32::from_le_bytes(id.try_into().unwrap()));
    let mut lines: Vec<u8> = ids.flat_map(|id| line(&token(id, 0))).collect();
    let usage = Usage {
        output_tokens: tokens.len() as u64 / 4,
        ..Usage::default()
    };
    lines.extend_from_slice(&line(&Line::Done {
        finish: Finish::Length,
        usage,
        receipt,
    }));
    lines.into_response()
}

/// Charges the session's first request once more, for all that it asked for.
fn charge_anew(provider: &Provider, asked: &Asked, request: &GenerateRequest) -> SignedReceipt {
    let usage = Usage {
        input_tokens: request.tokens.len() as u64,
        output_tokens: u64::from(request.max_tokens),
        ..Usage::default()
    };
    let tokens = vec![0; request.max_tokens as usize * 4];
    // With the answer, which `charge` notes.
    let account = Account::default();
    let mut accounts = provider.accounts.lock().unwrap();
    accounts.insert(asked.session, account);
    drop(accounts);
    let price = provider.price.of(usage).unwrap();
    provider.charge(asked, &tokens, price, Deed::ChargeMore)
}

fn token(id: u32, likely: usize) -> Line {
    Line::Token(Token {
        id,
        logprob: None,
        likely: vec![Likely { id, logprob: -1.0 }; likely],
    })
}

/// Counts upwards from the last token of the prompt. After two tokens it waits for the gate, if there is one: they are on
/// their way before the connection breaks.
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
    if deed == Deed::Unserved {
        return refuse(404, code::MODEL_NOT_SERVED, "not in the offer");
    }
    if asked.again.is_some() && deed == Deed::ChargeAndKeep {
        return refuse(409, code::SEQUENCE_MISMATCH, "it is not kept any more");
    }
    if let Some(mut receipt) = asked.again {
        if deed == Deed::ChargeMore {
            let request = serde_json::from_slice(&body).unwrap();
            receipt = charge_anew(&provider, &asked, &request);
        }
        return again(&provider, &asked.session, receipt);
    }
    let request: GenerateRequest = serde_json::from_slice(&body).unwrap();
    let shown = Shown {
        provider: Arc::clone(&provider),
        asked,
        prompt: request.tokens.len() as u64,
        tokens: Vec::new(),
        all: request.max_tokens as usize * 4,
        deed,
        ended: false,
        under_way: Some(under_way),
    };
    let lines = stream::unfold(Some(shown), move |shown| {
        let first = request.tokens.last().copied().unwrap();
        let most = request.max_tokens;
        async move {
            let mut shown = shown?;
            let count = u32::try_from(shown.tokens.len() / 4).unwrap();
            let gate = shown.provider.gate.lock().unwrap().clone();
            if let (2, Some(gate)) = (count, gate) {
                gate.notified().await;
            }
            if count == 2 && matches!(deed, Deed::Break | Deed::ChargeAndKeep) {
                shown.ended = true;
                if deed == Deed::ChargeAndKeep {
                    // For tokens that nobody was shown.
                    shown.tokens.extend_from_slice(&[0; 40]);
                    shown.end(deed);
                }
                return Some((Err(io::Error::other("lost")), None));
            }
            if count < most {
                let id = first + 1 + count;
                shown.tokens.extend_from_slice(&id.to_le_bytes());
                let likely = if deed == Deed::Talkative { 1_000 } else { 0 };
                return Some((Ok(line(&token(id, likely))), Some(shown)));
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
