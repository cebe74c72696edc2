//! The kit that the tests of the program share.
//!
//! A [`World`] is a chain with the real program on it. Instructions come in pairs: `job_claim` builds the valid
//! [`Call`], which a test may spoil account by account before it sends it; `do_job_claim` sends it and expects it to
//! be accepted. Whatever is sent, accepted or refused, passes through the [`Ledger`], which holds the protocol's
//! invariants against it and fails the test where one is broken.

mod audit;
pub mod bench;
mod call;
pub mod chain;
pub mod e2e;
mod job;
pub mod ledger;
mod market;
mod model;
mod nonce;
mod outcome;
pub mod panel;
mod provider;
pub mod proxy;
pub mod session;
pub mod sim;
mod slots;
mod world;

pub use assay_client::budget::PACKET_BYTES;
pub use audit::Court;
pub use call::{Batch, Call};
pub use job::{Job, WORKER_SECRET};
pub use ledger::Ledger;
pub use model::Model;
pub use nonce::Nonce;
pub use outcome::{Outcome, Refusal};
pub use panel::{OTHER_ROOT, ROOT};
pub use provider::Provider;
pub use session::Session;
pub use world::{SOL, World, transaction_bytes};
