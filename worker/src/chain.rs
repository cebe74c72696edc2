//! The chain: the only part that talks to RPC nodes.
//!
//! [`Chain`] is what the rest asks for; [`RpcChain`] answers from the best of several endpoints,
//! `submitter` brings transactions to their end, `watcher` passes on what a websocket hints at.
//! Reading again is the truth, a notification only makes it come sooner.

use assay_client::{
    protocol::{Address, JobData, ModelData, PanelData, ProviderData, SessionData, UnixSeconds},
    slot_hashes::SlotHashes,
};
use serde::{Deserialize, Serialize};
use solana_message::Hash;
use solana_transaction_error::TransactionError;

mod agreement;
mod calls;
mod endpoint;
#[cfg(test)]
pub(crate) mod fake;
pub mod inspect;
pub mod instructions;
mod rpc;
pub mod submitter;
mod time;
pub mod watcher;

pub use assay_client::clock::Clock;
pub use calls::{CallCounts, Calls};
pub use endpoint::State as EndpointState;
pub use rpc::{Endpoints, EndpointsError, RpcChain};
pub use time::{Belief, ChainTime};

/// What one reading asks for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub provider: Address,
    pub operator: Address,
    pub jobs: Vec<Address>,
    pub panels: Vec<Address>,
    /// The time that it should be by what is believed; another one is asked after elsewhere.
    pub expected: Option<UnixSeconds>,
}

/// The chain at one moment: clock first, jobs before panels, and no page older than the one before.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub clock: Clock,
    /// Whether another endpoint shows about the same time.
    pub agreed: bool,
    pub provider: Option<ProviderData>,
    /// Lamports for fees.
    pub operator: u64,
    /// None for those that do not exist. One that cannot be read is left out.
    pub jobs: Vec<(Address, Option<JobData>)>,
    pub panels: Vec<(Address, Option<PanelData>)>,
}

/// How high the chain is, by which blockhashes expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Height {
    /// The lower one, where two endpoints were asked.
    pub height: u64,
    /// Whether two endpoints say that it is at least this.
    pub agreed: bool,
}

/// How a transaction would end.
#[derive(Clone, Debug)]
pub struct Simulation {
    pub error: Option<TransactionError>,
    pub units: u64,
    /// What it would cost as it was simulated, where the node says so.
    pub fee: Option<u64>,
}

/// How sending was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    Accepted,
    /// The node knows that it has landed; its signature's state tells how.
    AlreadyProcessed,
}

/// What the chain says of a signature.
#[derive(Clone, Debug)]
pub struct SignatureState {
    pub error: Option<TransactionError>,
    /// Voted for by two thirds of the stake.
    pub confirmed: bool,
}

/// What a transaction cost, as the chain keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// All of it, the priority fee included.
    pub fee: u64,
    pub compute_units: Option<u64>,
    /// Lamports that left the payer besides the fee: rent lent, or below zero given back.
    pub rent: i64,
}

/// How the endpoints stand.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Health {
    /// In the configured order; the first healthy one is asked.
    pub endpoints: Vec<EndpointHealth>,
    /// Likewise.
    pub websockets: Vec<watcher::StreamHealth>,
    /// Of the chain that they must serve; none until one has answered.
    pub genesis: Option<String>,
    /// Requests since the start.
    pub calls: CallCounts,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointHealth {
    /// Its host: paths and queries hold keys and are never shown.
    pub name: String,
    pub state: EndpointState,
    pub latency_ms: Option<u64>,
    pub slot: Option<u64>,
    /// In a row.
    pub failures: u32,
    /// Until it is asked again.
    pub rests_ms: Option<u64>,
    pub last_error: Option<String>,
}

/// Why the chain does not answer. Always worth another try.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error("{request} failed on every endpoint that was asked, last on {endpoint}: {reason}")]
    Rpc {
        request: &'static str,
        endpoint: String,
        reason: String,
        /// How a transaction would fail, where that is the reason.
        refused: Option<TransactionError>,
    },
    #[error("{request} on {endpoint} answered what cannot be read: {reason}")]
    Answer {
        request: &'static str,
        endpoint: String,
        reason: String,
    },
    #[error("{request} was asked of nobody, no RPC endpoint is usable now: {reasons}")]
    Nobody {
        request: &'static str,
        reasons: String,
    },
}

/// A session to be read, and its account as it was last known.
pub type KnownSession = (Address, Option<SessionData>);

/// Sessions as they were at a slot.
pub type SessionsRead = (u64, Vec<(Address, Option<SessionData>)>);

/// What the worker needs of the chain, all of it read at the `confirmed` commitment.
pub trait Chain: Send + Sync + 'static {
    /// Everything that a poll needs, with as few requests as possible.
    fn snapshot(
        &self,
        wanted: &Wanted,
    ) -> impl Future<Output = Result<Snapshot, ChainError>> + Send;
    /// Every open job.
    fn open_jobs(&self)
    -> impl Future<Output = Result<Vec<(Address, JobData)>, ChainError>> + Send;
    /// Every job that is audited or appealed.
    fn judged_jobs(
        &self,
    ) -> impl Future<Output = Result<Vec<(Address, JobData)>, ChainError>> + Send;
    /// Every job that this provider works on or has worked on last.
    fn provider_jobs(
        &self,
        provider: &Address,
    ) -> impl Future<Output = Result<Vec<(Address, JobData)>, ChainError>> + Send;
    /// These jobs, none for those that do not exist. One that cannot be read is left out.
    fn jobs(
        &self,
        jobs: &[Address],
    ) -> impl Future<Output = Result<Vec<(Address, Option<JobData>)>, ChainError>> + Send;
    /// These panels, likewise.
    fn panels(
        &self,
        panels: &[Address],
    ) -> impl Future<Output = Result<Vec<(Address, Option<PanelData>)>, ChainError>> + Send;
    /// These sessions, likewise, and the slot of the reading. One that an endpoint does not have, or shows with another
    /// status or other sums than are known, is asked for on another, where there is one. To have it on one is enough to know
    /// it; the further status and the lower sums of the two are shown.
    fn sessions(
        &self,
        sessions: &[KnownSession],
    ) -> impl Future<Output = Result<SessionsRead, ChainError>> + Send;
    /// Every provider.
    fn providers(
        &self,
    ) -> impl Future<Output = Result<Vec<(Address, ProviderData)>, ChainError>> + Send;
    fn slot_hashes(&self) -> impl Future<Output = Result<SlotHashes, ChainError>> + Send;
    fn provider(
        &self,
        address: &Address,
    ) -> impl Future<Output = Result<Option<ProviderData>, ChainError>> + Send;
    fn model(
        &self,
        address: &Address,
    ) -> impl Future<Output = Result<Option<ModelData>, ChainError>> + Send;
    fn balance(&self, address: &Address) -> impl Future<Output = Result<u64, ChainError>> + Send;
    /// A recent blockhash and the last block height at which it is good.
    fn blockhash(&self) -> impl Future<Output = Result<(Hash, u64), ChainError>> + Send;
    /// Asks two endpoints, where there are two.
    fn block_height(&self) -> impl Future<Output = Result<Height, ChainError>> + Send;
    fn simulate(
        &self,
        transaction: &[u8],
    ) -> impl Future<Output = Result<Simulation, ChainError>> + Send;
    /// What another endpoint than [`Chain::simulate`]'s says of it; none where no other one answers.
    fn simulate_elsewhere(
        &self,
        _transaction: &[u8],
    ) -> impl Future<Output = Option<Simulation>> + Send {
        async { None }
    }
    /// `again`: how often these bytes were sent before. Each time another endpoint may be taken: one
    /// that swallows transactions must not be the only one to get them.
    fn send(
        &self,
        transaction: &[u8],
        again: u32,
    ) -> impl Future<Output = Result<Sending, ChainError>> + Send;
    /// In the same order; none for those that the chain does not know. `search`: also in old blocks, and
    /// on two endpoints where there are two, one of which is enough to know it; confirmed is what either says is.
    fn signatures(
        &self,
        signatures: &[[u8; 64]],
        search: bool,
    ) -> impl Future<Output = Result<Vec<Option<SignatureState>>, ChainError>> + Send;
    /// None if the node does not keep it, or not yet.
    fn cost(
        &self,
        signature: &[u8; 64],
    ) -> impl Future<Output = Result<Option<Cost>, ChainError>> + Send;
    /// What was offered of late for writing these accounts, in micro-lamports a unit.
    fn recent_fees(
        &self,
        accounts: &[Address],
    ) -> impl Future<Output = Result<Vec<u64>, ChainError>> + Send;
}
