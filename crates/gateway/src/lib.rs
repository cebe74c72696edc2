//! The requester's side of sessions: finds providers, pays them by vouchers, and speaks the APIs that people already
//! use.
//!
//! This crate exists to forbid the worker and ONNX Runtime to what holds a requester's money.
//!
//! | module | does |
//! |---|---|
//! | `api` | the Open Inference Protocol, OpenAI's API and Ollama's |
//! | `upstream` | what the APIs ask for, whoever answers |

pub mod api;
pub mod upstream;

pub use upstream::{Listed, Ran, Upstream, UpstreamError};
