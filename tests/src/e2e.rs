//! What the end-to-end tests and the demo share: a local chain with the market on it, wallets, providers with a real
//! worker process each, requesters, and ways to wait for what happens.
//!
//! Nothing here sleeps: a wait ends with a line of a process, a change of an account or an overall deadline, whose
//! error shows what there was instead.

pub mod binaries;
mod books;
mod cable;
pub mod cheap;
mod court;
pub mod digits;
pub mod gateway;
mod http;
mod model;
mod order;
mod process;
mod provider;
mod requester;
mod stage;
mod veil;
mod watch;
mod worker;

use std::{path::PathBuf, time::Duration};

pub use books::Books;
pub use cable::{Cable, Flow};
pub use court::Court;
pub use http::{Answer, Http, wall_clock};
pub use model::Model;
pub use order::{Audit, Order};
pub use process::{Exit, Process};
pub use provider::{Provider, free_place};
pub use requester::{Delivered, Placed, Requester};
pub use stage::{Landed, SOL, Stage, UNHURRIED};
pub use veil::Veil;
pub use watch::Watch;
pub use worker::{Settings, Worker};

/// How long any single wait may take. Warm, none takes more than a few seconds; a loaded machine is given far more.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The checkout.
pub fn root() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map(PathBuf::from).unwrap_or(tests)
}

/// What the protocol's rules refused, in words.
fn broken(rule: assay_client::protocol::Error) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", rule.name(), rule.message())
}
