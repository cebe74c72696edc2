//! Models served to sessions: apart from jobs, with engines in fast mode and queues of their own.
//!
//! | module | does |
//! |---|---|
//! | `settings` | what serving is set to, and what it leaves to jobs |
//! | `service`, `stream` | [`Serve`] on real engines; a generation as a stream |
//! | `models` | a model that is loaded, and whether its requests may share runs |
//! | `queue` | who runs next, and with whom; knows no engine |
//! | `runner` | does what the queue decides |
//! | `apart` | what would keep others waiting for a thread |
//! | `generation`, `decoder`, `sampling` | an answer token by token: the steps, their tensors and what stays in the engine, the choice |

use std::sync::Arc;

use assay_client::{
    protocol::Digest,
    session::{Finish, GenerateRequest, Token},
};
use assay_engine::ModelInfo;
use bytes::Bytes;
use futures_util::{future::BoxFuture, stream::BoxStream};

mod apart;
mod decoder;
mod generation;
mod models;
mod queue;
mod runner;
mod sampling;
mod service;
mod settings;
mod stream;

pub use apart::apart;
pub use service::Serving;
pub use settings::{ServingConfig, Shares};

/// Why a request of a session is not answered. Texts are for the requester.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// The model is not served here.
    #[error("{0}")]
    Unknown(String),
    /// The input does not fit the model.
    #[error("{0}")]
    InputMismatch(String),
    /// The model failed on an input that fits, which is work like any other.
    #[error("{0}")]
    ModelFailed(String),
    /// So too, and the run used up its time, or its engine is lost with it: dearer than an answer ever is.
    #[error("{0}")]
    RunLost(String),
    /// The queue is full; worth asking again after so many seconds.
    #[error("{text}")]
    Busy { text: String, retry_after_secs: u64 },
    /// The worker could not do it.
    #[error("{0}")]
    Unavailable(String),
}

/// What a generation gives, piece by piece.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Token(Token),
    Done(Finish),
}

/// What runs models for sessions.
pub trait Serve: Send + Sync + 'static {
    /// What a model takes and gives; loads it, if it is not yet.
    fn info(&self, model: Digest) -> BoxFuture<'_, Result<Arc<ModelInfo>, ServeError>>;

    /// Whether it can be asked to generate. Never loads.
    fn generates(&self, info: &ModelInfo) -> bool;

    /// Tokens of a prompt and its answer together, where the model's file says so.
    fn room(&self, info: &ModelInfo) -> Option<usize>;

    /// Runs a model once on a safetensors file; gives one.
    fn run(&self, model: Digest, input: Bytes) -> BoxFuture<'_, Result<Bytes, ServeError>>;

    /// Goes on from a prompt. Dropping the stream ends it.
    fn generate(
        &self,
        model: Digest,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Piece, ServeError>>, ServeError>>;
}
