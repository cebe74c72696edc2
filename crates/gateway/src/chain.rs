//! What this crate asks of the chain. Never on the way of a request.

use std::time::Duration;

use assay_chain::{Cluster, Found, Offer};
use assay_client::protocol::{Address, ProviderData, SessionData};
use futures_util::future::BoxFuture;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signature::Signature;
use solana_signer::Signer;

pub use assay_chain::{Error as ChainError, Fate, Sent};

/// Longest wait for one answer.
const WAIT: Duration = Duration::from_secs(15);

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

    /// The provider at this address; none where there is no account.
    fn provider<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Option<ProviderData>, ChainError>>;

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

    /// What became of a transaction that was sent and lost sight of.
    fn fate(&self, sent: Sent) -> BoxFuture<'_, Result<Fate, ChainError>>;
}

/// A node, and the wallet that signs.
pub struct RpcChain {
    cluster: Cluster,
    wallet: Keypair,
    /// Micro-lamports a compute unit.
    unit_price: u64,
}

impl RpcChain {
    /// The price is the priority fee in micro-lamports a compute unit.
    pub fn new(url: String, wallet: Keypair, unit_price: u64) -> Self {
        Self {
            cluster: Cluster::new(url, WAIT),
            wallet,
            unit_price,
        }
    }

    async fn list_providers(&self) -> Result<Vec<(Address, ProviderData)>, ChainError> {
        let listed = self.cluster.list_each(&[]).await?;
        let readable = listed.into_iter().filter_map(|found| match found {
            Ok(Found { address, data }) => Some((address, data)),
            // One account of a later layout must not hide all the others.
            Err(error) => {
                tracing::warn!(%error, "a provider is left out");
                None
            }
        });
        Ok(readable.collect())
    }

    async fn land(
        &self,
        purpose: &'static str,
        instructions: &[Instruction],
    ) -> Result<Signature, ChainError> {
        let offer = Offer {
            purpose,
            instructions,
            payer: self.wallet.pubkey(),
            unit_price: self.unit_price,
        };
        let signed = self.cluster.draft(&offer).await?.sign(&self.wallet)?;
        let signature = signed.signature();
        let trouble = |error: &ChainError| {
            tracing::debug!(%signature, %error, "the transaction cannot be seen for now");
        };
        self.cluster.land(&signed, trouble).await?;
        Ok(signature)
    }
}

impl Chain for RpcChain {
    fn payer(&self) -> Address {
        self.wallet.pubkey()
    }

    fn cluster(&self) -> BoxFuture<'_, Result<[u8; 32], ChainError>> {
        Box::pin(self.cluster.genesis())
    }

    fn slot(&self) -> BoxFuture<'_, Result<u64, ChainError>> {
        Box::pin(self.cluster.slot())
    }

    fn providers(&self) -> BoxFuture<'_, Result<Vec<(Address, ProviderData)>, ChainError>> {
        Box::pin(self.list_providers())
    }

    fn provider<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Option<ProviderData>, ChainError>> {
        Box::pin(self.cluster.find(address))
    }

    fn sessions<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<SessionData>>, ChainError>> {
        Box::pin(self.cluster.find_all(addresses))
    }

    fn submit(
        &self,
        purpose: &'static str,
        instructions: Vec<Instruction>,
    ) -> BoxFuture<'_, Result<Signature, ChainError>> {
        Box::pin(async move { self.land(purpose, &instructions).await })
    }

    fn fate(&self, sent: Sent) -> BoxFuture<'_, Result<Fate, ChainError>> {
        Box::pin(self.cluster.fate(sent))
    }
}
