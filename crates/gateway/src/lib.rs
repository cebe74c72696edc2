//! The requester's side of sessions: finds providers, pays them by vouchers, and speaks the APIs that people already
//! use.
//!
//! This crate exists to forbid the worker and ONNX Runtime to what holds a requester's money.
//!
//! | module | does |
//! |---|---|
//! | `api` | the Open Inference Protocol, OpenAI's API and Ollama's |
//! | `templates` | chat templates, rendered in processes of their own |
//! | `upstream` | what the APIs ask for, whoever answers |
//! | `sessions` | answers by way of sessions: picks a provider, takes a lane, pays |
//! | `lane` | one session: what is paid next, and which receipts are worth it |
//! | `providers` | who serves what for how much, and how they did |
//! | `funds` | the spending limit; opening, topping up, closing |
//! | `store` | the ledger: session keys, vouchers, receipts |
//! | `reconcile` | the ledger beside the chain |
//! | `books` | whether a session's receipts, vouchers and settlements agree |
//! | `front` | who may ask, and what was spent |
//! | `chain` | what is asked of the chain |

pub mod api;
pub mod books;
pub mod chain;
mod clock;
pub mod front;
pub mod funds;
pub mod lane;
pub mod providers;
pub mod reconcile;
pub mod sessions;
pub mod store;
pub mod templates;
pub mod upstream;

pub use sessions::{Config, Sessions};
pub use upstream::{Listed, Ran, Upstream, UpstreamError};
