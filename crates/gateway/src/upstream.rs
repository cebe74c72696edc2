//! What the APIs ask for, whoever answers: the sessions with providers, or an engine of this machine in tests.

use assay_client::{
    protocol::Digest,
    session::{Finish, GenerateRequest, OfferedModel, Token, Usage},
};
use bytes::Bytes;
use futures_util::{future::BoxFuture, stream::BoxStream};

/// A model that can be asked for now.
#[derive(Clone, Debug)]
pub struct Listed {
    /// As most providers describe it, by the cheapest of their offers, with the largest of their limits on tokens.
    pub model: OfferedModel,
    /// Providers that offer it.
    pub providers: usize,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Ran {
    /// A safetensors file.
    pub outputs: Bytes,
    /// Lamports.
    pub price: u64,
}

/// What a generation gives, piece by piece.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Token(Token),
    /// The last one of an answer that is whole.
    Done {
        finish: Finish,
        usage: Usage,
        /// Lamports.
        price: u64,
    },
}

/// Why there is no answer. Texts are for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Nobody offers it.
    #[error("{0}")]
    ModelUnknown(String),
    /// The input does not fit the model, or the model fails on it; asking again changes nothing.
    #[error("{0}")]
    Unprocessable(String),
    /// The spending limit or the wallet is exhausted.
    #[error("{0}")]
    Payment(String),
    /// Everybody is busy; worth asking again after so many seconds.
    #[error("{text}")]
    Busy { text: String, retry_after_secs: u64 },
    /// Nobody could be reached, or all that were failed.
    #[error("{0}")]
    Unavailable(String),
}

/// Who answers.
pub trait Upstream: Send + Sync + 'static {
    /// What can be asked for, by digest.
    fn models(&self) -> BoxFuture<'_, Result<Vec<Listed>, UpstreamError>>;

    /// Something was asked for that nobody offers. Where providers come and go, those are looked for that have just come.
    fn look_again(&self) {}

    /// Runs a model once on a safetensors file.
    fn run(&self, model: Digest, input: Bytes) -> BoxFuture<'_, Result<Ran, UpstreamError>>;

    /// Has a decoder go on from a prompt. Dropping the stream ends it, and what came is paid for.
    fn generate(
        &self,
        model: Digest,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Piece, UpstreamError>>, UpstreamError>>;
}
