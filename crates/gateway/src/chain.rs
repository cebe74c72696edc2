//! What this crate asks of the chain. Never on the way of a request.

use assay_client::{
    account::DecodeError,
    protocol::{Address, ProviderData, SessionData},
};
use futures_util::future::BoxFuture;
use solana_instruction::Instruction;
use solana_signature::Signature;

mod land;
mod rpc;

pub use rpc::RpcChain;

/// Why the chain did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Nothing was sent.
    #[error("the cluster at {url} does not answer: {text}; check --url, and whether it is up")]
    Unreachable { url: String, text: String },
    /// It is certain that nothing happened but perhaps a fee.
    #[error("{purpose} was refused: {text}")]
    Refused { purpose: &'static str, text: String },
    /// It was sent and can no longer land.
    #[error(
        "{purpose} did not land in time (signature {signature}); try again, perhaps with --priority-fee"
    )]
    Expired {
        purpose: &'static str,
        signature: Signature,
    },
    /// It was sent, and whether it landed is open.
    #[error(
        "{purpose} was sent, and it is unknown whether it landed (signature {signature}): {text}"
    )]
    Unknown {
        purpose: &'static str,
        signature: Signature,
        text: String,
    },
    #[error("account {address}: {source}")]
    Decode {
        address: Address,
        source: DecodeError,
    },
}

impl ChainError {
    /// Whether it is certain that the transaction changed nothing and will not.
    pub const fn is_certain(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Expired { .. }
            | Self::Decode { .. } => true,
            Self::Unknown { .. } => false,
        }
    }
}

/// A cluster, with a wallet that pays.
pub trait Chain: Send + Sync + 'static {
    /// The wallet's address.
    fn payer(&self) -> Address;

    /// The genesis hash, which tells clusters apart.
    fn cluster(&self) -> BoxFuture<'_, Result<[u8; 32], ChainError>>;

    /// The present slot.
    fn slot(&self) -> BoxFuture<'_, Result<u64, ChainError>>;

    /// Every provider.
    fn providers(&self) -> BoxFuture<'_, Result<Vec<(Address, ProviderData)>, ChainError>>;

    /// The sessions at these addresses, in their order; none where there is no account.
    fn sessions<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<SessionData>>, ChainError>>;

    /// Sends a transaction and waits until it is confirmed or can no longer land.
    fn submit(
        &self,
        purpose: &'static str,
        instructions: Vec<Instruction>,
    ) -> BoxFuture<'_, Result<Signature, ChainError>>;
}
