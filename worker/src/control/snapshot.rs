//! What the worker shows of itself to its owner: one structure for the page, `ps` and scripts.
//!
//! Amounts are lamports, times unix seconds, sizes bytes; what is not known is `null`. Deadlines
//! are of the chain's clock, everything else of this machine's. Names of models and texts of errors
//! come from strangers: whoever shows them must treat them as text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::sessions::Left as SessionsLeft;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub version: String,
    /// This machine's clock when the snapshot was made.
    pub at: i64,
    /// The same when the worker was started.
    pub started_at: i64,
    /// The chain's clock at its last reading.
    pub chain_time: Option<i64>,
    pub identity: Identity,
    pub standing: Standing,
    /// Jobs that are ours and have not ended, then open ones that may be claimed.
    pub jobs: Vec<Job>,
    /// Open jobs that may be claimed; those that are prepared are in `jobs`.
    pub watched: u64,
    /// Audits that have not ended: of our jobs and of our seats.
    pub audits: Vec<Audit>,
    /// What sessions have not brought to an end; none where none are served.
    pub sessions: Option<SessionsLeft>,
    pub earnings: Earnings,
    pub funds: Funds,
    pub engines: Vec<Engine>,
    pub machine: Machine,
    pub chain: ChainHealth,
    /// The newest first.
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub authority: String,
    pub provider: String,
    pub operator: String,
    /// Where requesters reach the worker.
    pub public_url: String,
}

/// Whether new work is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub state: State,
    /// Why no new work is taken; empty while it is.
    pub reasons: Vec<Reason>,
    /// Whether the operator asked for no new work.
    pub draining: bool,
    /// Nothing is claimed, no seat is held, and sessions have nothing left: the worker may be stopped at no risk.
    pub idle: bool,
}

/// One thing that stands against new work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, as in `assay_worker::core::Pause`.
    pub name: String,
    /// By the chain's clock.
    pub since: i64,
    /// For people: the figures, and what would end it.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Journal and chain are being brought together.
    #[default]
    Starting,
    Accepting,
    /// No new work for now; it goes on by itself.
    Paused,
    /// No new work until it is resumed.
    Draining,
    Stopping,
    /// The chain does not answer.
    Offline,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Accepting => "accepting",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Offline => "offline",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub job: String,
    pub attempt: u8,
    pub phase: String,
    /// Ours on chain; the others are only candidates.
    pub ours: bool,
    /// What it pays; of an open job, the ceiling.
    pub price: u64,
    pub collateral: u64,
    pub requester: String,
    /// Digest of the model's file.
    pub model: String,
    /// As its author calls it, where that is known.
    pub model_name: Option<String>,
    /// By the chain's clock: what must be done until when.
    pub deadline: Option<i64>,
    pub deadline_for: Option<String>,
    /// What a run is expected to take.
    pub estimate_ms: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    pub job: String,
    /// `primary` of an own job, `auditor`, or `lender` of a panel's rent.
    pub role: String,
    pub level: u8,
    /// Of our seat.
    pub seat: Option<String>,
    /// The seat's bond; the primary's collateral.
    pub at_stake: u64,
    /// Of the panel's present phase, by the chain's clock.
    pub phase: Option<String>,
    pub deadline: Option<i64>,
}

/// From the journal. A day is one of UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earnings {
    pub today: Sum,
    /// Today and the six days before it.
    pub week: Sum,
    pub total: Sum,
    /// The same seven days, the oldest first.
    pub days: Vec<Day>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// What jobs and seats brought to the earnings.
    pub earned: i64,
    /// What was slashed of the stake, bonds included.
    pub slashed: i64,
    /// Paid for transactions.
    pub fees: u64,
    /// All of it, rent that is lent included: what stake, earnings and the operator's balance changed.
    pub net: i64,
    /// Own jobs that were paid.
    pub settled: u64,
    /// Own jobs that were lost or faulted.
    pub failed: u64,
    /// Jobs of others that were audited.
    pub audits: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    pub begins: i64,
    pub earned: i64,
    pub settled: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funds {
    /// The operator's, for fees.
    pub operator: Option<u64>,
    pub stake: Option<u64>,
    pub free_stake: Option<u64>,
    pub reserved: Option<u64>,
    pub unbonding: Option<u64>,
    /// Earned and not yet withdrawn by the authority.
    pub withdrawable: Option<u64>,
}

/// A process that runs a model, or waits for one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    /// Digest of the model's file.
    pub model: Option<String>,
    pub model_name: Option<String>,
    /// Kept for requests of sessions, apart from jobs.
    pub sessions: bool,
    /// As in `assay_engine::EngineState`.
    pub state: String,
    pub pid: Option<u32>,
    /// Nodes of the graph by the execution provider that runs them, as the engine says.
    pub placement: Vec<Placed>,
    pub memory: Option<u64>,
    /// Of this process.
    pub runs: u64,
    /// Of the model's last runs in any process.
    pub median_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub idle_secs: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// `CPU`, `CUDA`, as ONNX Runtime names them.
    pub provider: String,
    pub nodes: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu_percent: Option<f64>,
    pub cpus: Option<u64>,
    pub memory: Option<Level>,
    /// Of the disk that `data_dir` is on.
    pub disk: Option<Level>,
    pub gpus: Vec<Gpu>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    pub used: u64,
    pub total: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    pub name: String,
    pub percent: Option<f64>,
    pub memory: Option<Level>,
    pub celsius: Option<f64>,
    pub watts: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHealth {
    /// The last reading succeeded.
    pub reachable: bool,
    /// The newest that any endpoint has shown.
    pub slot: Option<u64>,
    /// In the configured order.
    pub endpoints: Vec<Endpoint>,
    /// They only make things quicker.
    pub websockets: Vec<Endpoint>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host and port alone: a url's path may hold a key.
    pub host: String,
    /// As in `assay_worker::chain::EndpointState`: `healthy`, `slow`, `behind`, `failing` ...; of a
    /// websocket `alive` or `silent`.
    pub state: String,
    /// Asked before the others.
    pub in_use: bool,
    pub latency_ms: Option<u64>,
    /// Slots behind the newest that any endpoint has shown.
    pub behind: Option<u64>,
    pub problem: Option<String>,
}

/// A line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up from the worker's start.
    pub number: u64,
    pub at: i64,
    /// `info`, `warn` or `error`.
    pub level: String,
    pub text: String,
    pub fields: BTreeMap<String, String>,
}
