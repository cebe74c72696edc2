//! A cluster over JSON-RPC.

use std::time::Duration;

use assay_client::{
    PROGRAM_ID,
    account::{self, DecodeError},
    filter::{self, Filter},
    protocol::{Address, ProviderData, SessionData},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use solana_client::{
    client_error::ClientError, nonblocking::rpc_client::RpcClient, rpc_request::RpcRequest,
};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signature::Signature;
use solana_signer::Signer;

use super::{Chain, ChainError};

const TIMEOUT: Duration = Duration::from_secs(15);
/// Most accounts of one question.
const ACCOUNTS: usize = 100;

/// A node, and the wallet that signs.
pub struct RpcChain {
    pub(super) rpc: RpcClient,
    pub(super) wallet: Keypair,
    /// Micro-lamports a compute unit.
    pub(super) priority_fee: u64,
}

#[derive(Deserialize)]
struct Keyed {
    pubkey: String,
    account: Encoded,
}

#[derive(Deserialize)]
struct Encoded {
    data: (String, String),
}

impl RpcChain {
    /// Everything is read at `confirmed`. The priority fee is in micro-lamports a compute unit.
    pub fn new(url: String, wallet: Keypair, priority_fee: u64) -> Self {
        let commitment = CommitmentConfig::confirmed();
        Self {
            rpc: RpcClient::new_with_timeout_and_commitment(url, TIMEOUT, commitment),
            wallet,
            priority_fee,
        }
    }

    pub(super) fn unreachable(&self, error: &ClientError) -> ChainError {
        self.garbled(error)
    }

    fn garbled(&self, error: &dyn std::fmt::Display) -> ChainError {
        ChainError::Unreachable {
            url: self.rpc.url(),
            text: error.to_string(),
        }
    }

    async fn list_providers(&self) -> Result<Vec<(Address, ProviderData)>, ChainError> {
        let filters: Vec<Value> = filter::accounts::<ProviderData>()
            .iter()
            .map(rpc_filter)
            .collect();
        let params = json!([PROGRAM_ID.to_string(), {
            "encoding": "base64",
            "commitment": "confirmed",
            "filters": filters,
        }]);
        let accounts: Vec<Keyed> = self
            .rpc
            .send(RpcRequest::GetProgramAccounts, params)
            .await
            .map_err(|error| self.unreachable(&error))?;
        let mut providers = Vec::with_capacity(accounts.len());
        for keyed in accounts {
            let address: Address = keyed.pubkey.parse().map_err(|error| self.garbled(&error))?;
            let (data, _encoding) = keyed.account.data;
            let data = STANDARD
                .decode(data)
                .map_err(|error| self.garbled(&error))?;
            match account::decode(&data) {
                Ok(data) => providers.push((address, data)),
                // One account of a later layout must not hide all the others.
                Err(error) => tracing::warn!(%address, %error, "a provider is left out"),
            }
        }
        Ok(providers)
    }

    async fn read_sessions(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<Option<SessionData>>, ChainError> {
        let mut sessions = Vec::with_capacity(addresses.len());
        for addresses in addresses.chunks(ACCOUNTS) {
            let accounts = self
                .rpc
                .get_multiple_accounts(addresses)
                .await
                .map_err(|error| self.unreachable(&error))?;
            if accounts.len() != addresses.len() {
                return Err(self.garbled(&"it answered too few accounts"));
            }
            for (address, account) in addresses.iter().zip(accounts) {
                // Lamports sent to a free address make it a wallet, without data: that is no session.
                let account = account.filter(|account| !account.data.is_empty());
                let decoded = account
                    .map(|account| account::decode_owned(&account.owner, &account.data))
                    .transpose();
                sessions.push(decoded.map_err(|source: DecodeError| ChainError::Decode {
                    address: *address,
                    source,
                })?);
            }
        }
        Ok(sessions)
    }
}

impl Chain for RpcChain {
    fn payer(&self) -> Address {
        self.wallet.pubkey()
    }

    fn cluster(&self) -> BoxFuture<'_, Result<[u8; 32], ChainError>> {
        Box::pin(async {
            let hash = self.rpc.get_genesis_hash().await;
            Ok(hash.map_err(|error| self.unreachable(&error))?.to_bytes())
        })
    }

    fn slot(&self) -> BoxFuture<'_, Result<u64, ChainError>> {
        Box::pin(async {
            let slot = self.rpc.get_slot().await;
            slot.map_err(|error| self.unreachable(&error))
        })
    }

    fn providers(&self) -> BoxFuture<'_, Result<Vec<(Address, ProviderData)>, ChainError>> {
        Box::pin(self.list_providers())
    }

    fn sessions<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<SessionData>>, ChainError>> {
        Box::pin(self.read_sessions(addresses))
    }

    fn submit(
        &self,
        purpose: &'static str,
        instructions: Vec<Instruction>,
    ) -> BoxFuture<'_, Result<Signature, ChainError>> {
        Box::pin(async move { self.land(purpose, &instructions).await })
    }
}

fn rpc_filter(filter: &Filter) -> Value {
    match filter {
        Filter::Size(size) => json!({ "dataSize": size }),
        Filter::Bytes { offset, bytes } => json!({ "memcmp": {
            "offset": offset,
            "bytes": STANDARD.encode(bytes),
            "encoding": "base64",
        }}),
    }
}
