//! A model that adds up bytes, counts on from a prompt, fails where it is told to, and can be held.

use std::sync::atomic::{AtomicUsize, Ordering};

use assay_client::{
    protocol::Digest,
    session::{Finish, GenerateRequest, Token},
};
use assay_engine::{DType, Dimension, ModelInfo, TensorInfo};
use bytes::Bytes;
use futures_util::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::sync::{Notify, Semaphore};

use crate::serving::{Piece, Serve, ServeError};
use std::sync::Arc;

/// Tokens of a sequence.
pub const ROOM: usize = 2_000;
pub const BAD: &[u8] = b"bad";
pub const FAILS: &[u8] = b"fai";
pub const BUSY: &[u8] = b"bus";
/// Uses up the time of its run.
pub const LOST: &[u8] = b"los";
pub const HOLD: &[u8] = b"hol";
/// A prompt's first token that makes the third token of the answer fail.
pub const FAILS_AT_THIRD: u32 = 666;
/// One that makes it fail before the first.
pub const FAILS_AT_ONCE: u32 = 777;
/// One that uses up the time of its third step.
pub const LOST_AT_THIRD: u32 = 999;

/// One whose first step is held.
pub const HOLD_FIRST: u32 = 888;

pub struct Model {
    runs: AtomicUsize,
    holding: AtomicUsize,
    came: Notify,
    gate: Semaphore,
    /// Tokens that may come.
    pub tokens: Arc<Semaphore>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            runs: AtomicUsize::new(0),
            holding: AtomicUsize::new(0),
            came: Notify::new(),
            gate: Semaphore::new(0),
            tokens: Arc::new(Semaphore::new(1_000)),
        }
    }
}

impl Model {
    /// Runs so far.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// Until so many runs are held.
    pub async fn held(&self, count: usize) {
        loop {
            let came = self.came.notified();
            if self.holding.load(Ordering::SeqCst) >= count {
                return;
            }
            came.await;
        }
    }

    async fn hold(&self) {
        self.holding.fetch_add(1, Ordering::SeqCst);
        self.came.notify_waiters();
        self.gate.acquire().await.unwrap().forget();
    }

    /// Holds nothing any more.
    pub fn release(&self) {
        self.gate.add_permits(1_000);
    }
}

impl Serve for Model {
    fn info(&self, _: Digest) -> BoxFuture<'_, Result<Arc<ModelInfo>, ServeError>> {
        let input = TensorInfo {
            name: "x".into(),
            dtype: DType::F32,
            shape: Some(vec![Dimension::Named("n".into()), Dimension::Fixed(4)]),
        };
        let info = ModelInfo {
            inputs: vec![input],
            ..ModelInfo::default()
        };
        async move { Ok(Arc::new(info)) }.boxed()
    }

    fn generates(&self, _: &ModelInfo) -> bool {
        true
    }

    fn room(&self, _: &ModelInfo) -> Option<usize> {
        Some(ROOM)
    }

    fn run(&self, _: Digest, input: Bytes) -> BoxFuture<'_, Result<Bytes, ServeError>> {
        async move {
            self.runs.fetch_add(1, Ordering::SeqCst);
            if input == HOLD {
                self.hold().await;
            }
            let text = || "as told".to_owned();
            match &*input {
                BAD => Err(ServeError::InputMismatch(text())),
                FAILS => Err(ServeError::ModelFailed(text())),
                LOST => Err(ServeError::RunLost(text())),
                BUSY => Err(ServeError::Busy {
                    text: text(),
                    retry_after_secs: 7,
                }),
                _ => {
                    let sum: u64 = input.iter().map(|byte| u64::from(*byte)).sum();
                    Ok(sum.to_le_bytes().to_vec().into())
                }
            }
        }
        .boxed()
    }

    fn generate(
        &self,
        _: Digest,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Piece, ServeError>>, ServeError>> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let (first, last) = (request.tokens[0], *request.tokens.last().unwrap());
        let tokens = Arc::clone(&self.tokens);
        let pieces = stream::unfold(0, move |count| {
            let (tokens, request) = (Arc::clone(&tokens), request.clone());
            async move {
                tokens.acquire().await.unwrap().forget();
                let id = last + count + 1;
                let failed = || Err(ServeError::ModelFailed("as told".into()));
                let piece = match (first, count) {
                    (FAILS_AT_ONCE, 0) | (FAILS_AT_THIRD, 2) => failed(),
                    (LOST_AT_THIRD, 2) => Err(ServeError::RunLost("as told".into())),
                    _ if request.stop_tokens.contains(&id) => Ok(Piece::Done(Finish::Stop)),
                    _ if count == request.max_tokens => Ok(Piece::Done(Finish::Length)),
                    _ => Ok(Piece::Token(Token {
                        id,
                        logprob: None,
                        likely: Vec::new(),
                    })),
                };
                Some((piece, count + 1))
            }
        });
        async move {
            if first == HOLD_FIRST {
                self.hold().await;
            }
            Ok(pieces.boxed())
        }
        .boxed()
    }
}
