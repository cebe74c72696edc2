//! A generation, line by line as it comes to be.

use std::{convert::Infallible, sync::Arc, time::Duration};

use assay_client::{
    delivery::Refusal,
    protocol::Digest,
    session::{Finish, GenerateRequest, Line, Receipt, Token, Usage, code},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use super::{
    Failure, Head, again,
    run::{apart, ended_early, model_failed},
};
use crate::{
    chain::Chain,
    serving::{Piece, ServeError},
    sessions::{
        answers::Answer,
        core::Answered,
        offer::{self, is_forgotten},
        request::Request,
    },
};

/// Lines that may wait for a reader: each is charged for, read or not.
const LINES: usize = 1;
/// So long in all an answer waits for its reader, and holds its place meanwhile: then it is broken off, and found again by
/// whoever asks again.
const UNREAD: Duration = Duration::from_secs(60);

/// Stop tokens of a request.
const MOST_STOPS: usize = 1_024;

/// How an answer begins: its lines follow, or it is this.
type Start = Result<Option<Response>, Failure>;

pub async fn answer<C: Chain>(
    mut request: Request<C>,
    body: Bytes,
    head: &Head,
) -> Result<Response, Failure> {
    if !request.model.generates {
        return Err(Failure::mismatch("this model does not generate; use run"));
    }
    if is_forgotten(&request.model.price, offer::GENERATION) {
        let text = "this model has a price for runs alone; use run";
        return Err(Failure::mismatch(text));
    }
    let (mut asked, digest) = apart(body, read).await??;
    let prompt = count(&asked.tokens);
    let most = request.model.price.of(Usage {
        input_bytes: 0,
        input_tokens: prompt,
        output_tokens: asked.max_tokens.into(),
    });
    request.admit(digest, most, head.max_price).await?;
    if let Some((last, former)) = request.former() {
        match former.or_else(|| again::nothing(last)) {
            Some(former) => return again::given(last, &former),
            None => {
                request.repeat()?;
                // What was not charged for is not given; a model that failed before its first token is asked for one.
                let charged = u32::try_from(last.usage.output_tokens).unwrap_or(u32::MAX);
                asked.max_tokens = asked.max_tokens.min(charged.max(1));
            }
        }
    }
    let (lines, mut receiver) = mpsc::channel(LINES);
    let (start, started) = oneshot::channel();
    let tasks = request.sessions().tasks.clone();
    let production = Production {
        prompt,
        shown: Vec::new(),
        lines,
        start: Some(start),
        patience: UNREAD,
    };
    tasks.spawn(production.run(request, asked));
    let ended = || Failure::internal("a generation ended before it began");
    match started.await.map_err(|_| ended())?? {
        Some(response) => Ok(response),
        None => Ok(streamed(stream::poll_fn(move |context| {
            receiver.poll_recv(context)
        }))),
    }
}

fn read(body: &[u8]) -> Result<(GenerateRequest, Digest), Failure> {
    let asked: GenerateRequest = serde_json::from_slice(body)
        .map_err(|why| Failure::mismatch(format!("the body is no request to generate: {why}")))?;
    // A set is made of them.
    let stops = asked.stop_tokens.len();
    if stops > MOST_STOPS {
        return Err(Failure::mismatch(format!(
            "there are {stops} stop_tokens and at most {MOST_STOPS} are taken; leave some out"
        )));
    }
    Ok((asked, Receipt::request_digest("generate", body)))
}

/// The same lines as before.
pub fn lines(tokens: &[Token], finish: Finish, last: Answered) -> Result<Response, Failure> {
    let Answered { receipt, usage } = last;
    let done = Line::Done {
        finish,
        usage,
        receipt,
    };
    let lines = tokens.iter().cloned().map(Line::Token).chain([done]);
    let lines: Vec<Bytes> = lines.map(|one| line(&one)).collect::<Result<_, _>>()?;
    Ok(streamed(stream::iter(lines)))
}

/// A generation under way. Its reader may go at any time.
struct Production {
    /// Tokens.
    prompt: u64,
    shown: Vec<Token>,
    lines: mpsc::Sender<Bytes>,
    /// Until it has begun.
    start: Option<oneshot::Sender<Start>>,
    /// What is left of [`UNREAD`].
    patience: Duration,
}

/// How it ended.
enum End {
    Done(Finish),
    /// Nobody reads it any more.
    BrokenOff,
    Failed(ServeError),
}

impl Production {
    async fn run<C: Chain>(mut self, request: Request<C>, asked: GenerateRequest) {
        let serve = Arc::clone(&request.sessions().ground.serve);
        // Also when nobody waits any more: the first step is the prompt's, and whoever leaves within it pays for that.
        let end = match serve.generate(request.model.digest, asked).await {
            Ok(pieces) => self.show(pieces).await,
            Err(error) => End::Failed(error),
        };
        match end {
            End::Done(finish) => self.finish(request, finish).await,
            End::BrokenOff => self.charge(request).await,
            End::Failed(error) => self.fail(request, error).await,
        }
    }

    async fn show(
        &mut self,
        mut pieces: stream::BoxStream<'static, Result<Piece, ServeError>>,
    ) -> End {
        loop {
            let piece = tokio::select! {
                biased;
                () = self.lines.closed() => return End::BrokenOff,
                piece = pieces.next() => piece,
            };
            let token = match piece {
                Some(Ok(Piece::Token(token))) => token,
                Some(Ok(Piece::Done(finish))) => return End::Done(finish),
                Some(Err(error)) => return End::Failed(error),
                None => return End::Failed(ended_early()),
            };
            self.begin(Ok(None));
            let Ok(line) = line(&Line::Token(token.clone())) else {
                return End::Failed(ended_early());
            };
            if !self.is_taken(line).await {
                return End::BrokenOff;
            }
            self.shown.push(token);
        }
    }

    /// Whether there is a reader that takes the line before it has kept the answer waiting for too long.
    async fn is_taken(&mut self, line: Bytes) -> bool {
        let begun = Instant::now();
        let taken = timeout(self.patience, self.lines.send(line)).await;
        self.patience = self.patience.saturating_sub(begun.elapsed());
        matches!(taken, Ok(Ok(())))
    }

    async fn finish<C: Chain>(mut self, request: Request<C>, finish: Finish) {
        self.begin(Ok(None));
        let lines = self.lines.clone();
        let last = match self.complete(request, finish).await {
            Ok(Answered { receipt, usage }) => Line::Done {
                finish,
                usage,
                receipt,
            },
            Err(failure) => Line::Failed(failure.body()),
        };
        send(&lines, &last).await;
    }

    /// The prompt and what was shown; for what was shown before, it was charged then.
    async fn charge<C: Chain>(self, request: Request<C>) {
        if request.is_retry() {
            return;
        }
        if let Err(failure) = self.complete(request, Finish::Length).await {
            tracing::warn!(
                reason = failure.message,
                "a generation that was broken off is not charged"
            );
        }
    }

    async fn fail<C: Chain>(mut self, request: Request<C>, error: ServeError) {
        let failure = request.failed(error).await;
        if !self.shown.is_empty() {
            let refusal = failure.map_or_else(
                |message| Refusal {
                    error: code::MODEL_FAILED.to_owned(),
                    message,
                },
                |failure| failure.body(),
            );
            let lines = self.lines.clone();
            self.charge(request).await;
            return send(&lines, &Line::Failed(refusal)).await;
        }
        let start = match failure {
            Ok(failure) => {
                // Before anybody hears of it: the next request may follow at once.
                drop(request);
                Err(failure)
            }
            Err(text) => {
                let usage = self.usage();
                model_failed(request, usage, text).await.map(Some)
            }
        };
        self.begin(start);
    }

    async fn complete<C: Chain>(
        self,
        request: Request<C>,
        finish: Finish,
    ) -> Result<Answered, Failure> {
        let usage = self.usage();
        let response = response_digest(&self.shown);
        let tokens = self.shown.into();
        let answer = Answer::Tokens { tokens, finish };
        request.complete(response, usage, answer).await
    }

    fn usage(&self) -> Usage {
        Usage {
            input_bytes: 0,
            input_tokens: self.prompt,
            output_tokens: count(&self.shown),
        }
    }

    fn begin(&mut self, start: Start) {
        if let Some(begin) = self.start.take() {
            // Whoever asked may be gone.
            let _ = begin.send(start);
        }
    }
}

/// Of the tokens' numbers, one after the other.
pub fn response_digest(tokens: &[Token]) -> Digest {
    let ids = tokens.iter().flat_map(|token| token.id.to_le_bytes());
    Digest::of(&[&ids.collect::<Vec<u8>>()])
}

async fn send(lines: &mpsc::Sender<Bytes>, last: &Line) {
    if let Ok(line) = line(last) {
        let _ = timeout(UNREAD, lines.send(line)).await;
    }
}

fn line(line: &Line) -> Result<Bytes, Failure> {
    let mut text = serde_json::to_vec(line).map_err(Failure::internal)?;
    text.push(b'\n');
    Ok(text.into())
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

fn streamed(lines: impl stream::Stream<Item = Bytes> + Send + 'static) -> Response {
    let body = Body::from_stream(lines.map(Ok::<_, Infallible>));
    let mut response = body.into_response();
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answer_that_nobody_reads_is_broken_off() {
        let (lines, mut reader) = mpsc::channel(LINES);
        let mut production = Production {
            prompt: 1,
            shown: Vec::new(),
            lines,
            start: None,
            patience: UNREAD,
        };
        let token = |id| {
            Ok(Piece::Token(Token {
                id,
                logprob: None,
                likely: Vec::new(),
            }))
        };
        let begun = Instant::now();
        let pieces = stream::iter((0..9).map(token)).boxed();
        let end = production.show(pieces).await;
        assert!(matches!(end, End::BrokenOff));
        assert_eq!(begun.elapsed(), UNREAD);
        // What waits to be read was shown, and what found no place was not.
        assert_eq!(count(&production.shown), 1);
        assert!(reader.recv().await.is_some());
        // There is no more patience for this answer, however short the wait.
        assert!(production.is_taken(Bytes::new()).await);
        assert!(!production.is_taken(Bytes::new()).await);
    }

    #[test]
    fn request_with_more_stop_tokens_than_are_taken_is_refused() {
        let body = |stops: usize| {
            let stops = vec![7; stops];
            serde_json::to_vec(
                &serde_json::json!({ "tokens": [1], "max_tokens": 1, "stop_tokens": stops }),
            )
            .unwrap()
        };
        assert!(read(&body(MOST_STOPS)).is_ok());
        let refused = read(&body(MOST_STOPS + 1)).unwrap_err();
        assert_eq!(refused.code, code::INPUT_MISMATCH);
    }
}
