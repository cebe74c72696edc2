//! A generation's lines as they come, passed on one by one.

use std::{sync::Arc, time::Duration};

use assay_client::{
    protocol::Digest,
    session::{Finish, Line, SignedReceipt, Usage},
};
use bytes::{Buf, BytesMut};
use futures_util::{StreamExt, stream};
use reqwest::Response;
use tokio::sync::mpsc;

use super::{
    attempt::{Attempt, unavailable},
    doubt::Unanswered,
    receipts::Given,
    serve::Reply,
};
use crate::{
    lane::{
        wire::{Deadline, WireError, cut},
        worth::Worth,
    },
    providers::Outcome,
    upstream::{Piece, UpstreamError},
};

/// Bytes of a line, at most. A token with the twenty likeliest beside it has under two thousand, and so has a receipt.
const LINE: usize = 64 << 10;
/// Pieces that wait for a slow reader, at most; the provider is held up then. More than most answers have: what is on
/// its way when the reader leaves is then what the network holds, which [`IN_FLIGHT`] allows for.
const AHEAD: usize = 4_096;
/// Tokens that a provider may have shown, beyond those that came, before it sees that the reader left: what a quick model
/// makes in the time that the news takes to get there.
const IN_FLIGHT: u64 = 256;

type Sender = mpsc::Sender<Result<Piece, UpstreamError>>;

/// The lines of an answer, of which the first has come.
pub struct Lines {
    response: Response,
    rest: BytesMut,
    first: Option<Line>,
    deadline: Deadline,
}

/// How a generation ended, for its lane.
enum End {
    Whole(Finish, Box<SignedReceipt>),
    /// Whether it is charged, and for how many tokens, is open. Without an error where the reader left.
    Broken(Option<UpstreamError>),
    Lied(String),
}

impl Lines {
    /// Waits for the first line: until then another provider can be asked.
    pub async fn begin(response: Response, deadline: Deadline) -> Result<Self, WireError> {
        let mut lines = Self {
            response,
            rest: BytesMut::new(),
            first: None,
            deadline,
        };
        match lines.next().await? {
            Some(Line::Failed(refusal)) => Err(WireError::Garbled(cut(&refusal.message))),
            None => Err(WireError::Garbled("it has no lines".to_owned())),
            Some(first) => {
                lines.first = Some(first);
                Ok(lines)
            }
        }
    }

    /// The tokens as bytes, their number, and the receipt of an answer that comes whole, of so many tokens at most.
    pub async fn all(mut self, most: u64) -> Result<(Vec<u8>, u64, SignedReceipt), WireError> {
        let mut answer = Vec::new();
        loop {
            match self.next().await? {
                Some(Line::Token(token)) if count(&answer) < most => {
                    answer.extend_from_slice(&token.id.to_le_bytes());
                }
                Some(Line::Token(_)) => {
                    let why = "it gave more tokens than were asked for";
                    return Err(WireError::Garbled(why.to_owned()));
                }
                Some(Line::Done { receipt, .. }) => {
                    let tokens = count(&answer);
                    return Ok((answer, tokens, receipt));
                }
                Some(Line::Failed(refusal)) => {
                    return Err(WireError::Garbled(cut(&refusal.message)));
                }
                None => return Err(WireError::Garbled("it breaks off".to_owned())),
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Line>, WireError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let mut searched = 0;
        loop {
            let fresh = self.rest.get(searched..).unwrap_or_default();
            if let Some(found) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(searched.saturating_add(found));
                self.rest.advance(1);
                if line.trim_ascii().is_empty() {
                    searched = 0;
                    continue;
                }
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| WireError::Garbled(error.to_string()));
            }
            searched = self.rest.len();
            if searched > LINE {
                return Err(WireError::TooLong(LINE));
            }
            match self.deadline.hold(self.response.chunk()).await? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None if self.rest.trim_ascii().is_empty() => return Ok(None),
                // The last line may lack its end.
                None => self.rest.extend_from_slice(b"\n"),
            }
        }
    }
}

impl Attempt<'_> {
    /// Passes the lines on in a task of their own, which sees to the receipt whoever goes away. The first came after
    /// `first`.
    pub fn forward(self, mut lines: Lines, first: Duration) -> Reply {
        let (pieces, coming) = mpsc::channel(AHEAD);
        let (inner, active) = (Arc::clone(self.inner), Arc::clone(self.active));
        let (most, prompt) = (self.worst.output_tokens, self.worst.input_tokens);
        let (agreed, request, likely) = (self.agreed(), self.request.clone(), self.likely);
        let (mut lane, hold) = (self.taken.lane, self.hold);
        tokio::spawn(async move {
            let mut answer = Vec::new();
            let end = pass_on(&mut lines, &pieces, &mut answer, (most, likely)).await;
            // The connection ends here, so that a provider stops whose answer nobody wants.
            drop(lines);
            let tokens = count(&answer);
            match end {
                End::Whole(finish, signed) => {
                    let given = Given {
                        receipt: *signed,
                        response: Digest::of(&[&answer]),
                        limit: agreed.of(tokens),
                    };
                    match inner.accept(&mut lane, &request.asked, &given).await {
                        Ok(price) => {
                            // Not before: one that breaks off each time would seem to answer each time.
                            let outcome = Outcome::Answered(first);
                            inner.directory.note(&lane.account.provider, outcome);
                            let usage = Usage {
                                input_tokens: prompt,
                                output_tokens: tokens,
                                ..Usage::default()
                            };
                            let kept = inner.charged(lane, &signed, hold).await;
                            let done = kept.map(|()| Piece::Done {
                                finish,
                                usage,
                                price,
                            });
                            let _ = pieces.send(done).await;
                        }
                        Err(error) => {
                            inner.lied(&lane, &error.to_string()).await;
                            let _ = pieces.send(Err(unavailable(&error))).await;
                        }
                    }
                }
                End::Broken(error) => {
                    let left = error.is_none();
                    if let Some(error) = error {
                        inner
                            .directory
                            .note(&lane.account.provider, Outcome::Failed);
                        let _ = pieces.send(Err(error)).await;
                    }
                    let seen = agreed.of(tokens);
                    lane.keep(Unanswered {
                        worth: Worth {
                            seen,
                            most: left.then(|| agreed.of(tokens.saturating_add(IN_FLIGHT))),
                            ..Worth::unseen(request.kind, agreed)
                        },
                        request,
                    });
                    inner.settle_doubt(lane, hold);
                }
                End::Lied(why) => {
                    inner.lied(&lane, &why).await;
                    let _ = pieces.send(Err(unavailable(&why))).await;
                }
            }
            drop(active);
        });
        Reply::Pieces(
            stream::unfold(coming, |mut coming| async {
                coming.recv().await.map(|piece| (piece, coming))
            })
            .boxed(),
        )
    }
}

/// Of `most` tokens at most, with `likely` ones beside each.
async fn pass_on(
    lines: &mut Lines,
    pieces: &Sender,
    answer: &mut Vec<u8>,
    (most, likely): (u64, usize),
) -> End {
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            () = pieces.closed() => return End::Broken(None),
        };
        match line {
            Ok(Some(Line::Token(token))) => {
                answer.extend_from_slice(&token.id.to_le_bytes());
                if count(answer) > most {
                    return End::Lied("it gave more tokens than were asked for".to_owned());
                }
                if token.likely.len() > likely {
                    return End::Lied("it told more likely tokens than were asked for".to_owned());
                }
                if pieces.send(Ok(Piece::Token(token))).await.is_err() {
                    return End::Broken(None);
                }
            }
            Ok(Some(Line::Done {
                finish, receipt, ..
            })) => return End::Whole(finish, Box::new(receipt)),
            Ok(Some(Line::Failed(refusal))) => {
                return End::Broken(Some(unavailable(&cut(&refusal.message))));
            }
            Ok(None) => {
                let text = "the provider broke off in the middle of its answer";
                return End::Broken(Some(unavailable(&text)));
            }
            Err(error) => return End::Broken(Some(unavailable(&error))),
        }
    }
}

fn count(answer: &[u8]) -> u64 {
    u64::try_from(answer.len() / 4).unwrap_or(u64::MAX)
}
