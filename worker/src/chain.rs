//! The chain: the only part that talks to RPC nodes.
//!
//! [`Chain`] is what the rest asks for; [`RpcChain`] answers from one of several endpoints,
//! `submitter` brings transactions to their end, `watcher` passes on what a websocket hints at.
//! Reading again is the truth, a notification only makes it come sooner.

use assay_client::{
    protocol::{Address, JobData, ModelData, PanelData, ProviderData, UnixSeconds},
    slot_hashes::SlotHashes,
};
use solana_message::Hash;
use solana_transaction_error::TransactionError;

pub mod instructions;
mod rpc;
pub mod submitter;
pub mod watcher;

pub use rpc::{Endpoints, RpcChain};

/// The chain's own time, by which every deadline is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub slot: u64,
    pub time: UnixSeconds,
}

/// How a transaction would end.
#[derive(Clone, Debug)]
pub struct Simulation {
    pub error: Option<TransactionError>,
    pub units: u64,
}

/// What the chain says of a signature.
#[derive(Clone, Debug)]
pub struct SignatureState {
    pub error: Option<TransactionError>,
    /// Voted for by two thirds of the stake.
    pub confirmed: bool,
}

/// What a transaction cost, where the node keeps it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub fee: Option<u64>,
    pub compute_units: Option<u64>,
}

/// Why the chain does not answer. Always worth another try.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error("{request} failed on every endpoint, last on {endpoint}: {reason}")]
    Rpc {
        request: &'static str,
        endpoint: String,
        reason: String,
    },
    #[error("{request} on {endpoint} answered what cannot be read: {reason}")]
    Answer {
        request: &'static str,
        endpoint: String,
        reason: String,
    },
}

/// What the worker needs of the chain, all of it read at the `confirmed` commitment.
pub trait Chain: Send + Sync + 'static {
    fn clock(&self) -> impl Future<Output = Result<Clock, ChainError>> + Send;
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
    fn block_height(&self) -> impl Future<Output = Result<u64, ChainError>> + Send;
    fn simulate(
        &self,
        transaction: &[u8],
    ) -> impl Future<Output = Result<Simulation, ChainError>> + Send;
    fn send(&self, transaction: &[u8]) -> impl Future<Output = Result<(), ChainError>> + Send;
    /// None if the chain does not know the signature.
    fn signature(
        &self,
        signature: &[u8; 64],
    ) -> impl Future<Output = Result<Option<SignatureState>, ChainError>> + Send;
    fn cost(&self, signature: &[u8; 64]) -> impl Future<Output = Cost> + Send;
    /// Median of what was recently offered for writing these accounts, in micro-lamports a unit.
    fn recent_fee(&self, accounts: &[Address]) -> impl Future<Output = u64> + Send;
}
