//! [`Chain`] over JSON-RPC, with failover.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use assay_client::{
    PROGRAM_ID,
    account::Layout,
    filter::{self, Filter},
    program::{CLOCK_SYSVAR, SLOT_HASHES_SYSVAR},
    protocol::{Address, JobData, JobStatus, ModelData, PanelData, ProviderData},
    slot_hashes::SlotHashes,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccount;
use solana_client::{
    nonblocking::rpc_client::RpcClient,
    rpc_request::RpcRequest,
    rpc_response::{Response, RpcKeyedAccount, RpcSimulateTransactionResult},
};
use solana_commitment_config::CommitmentConfig;
use solana_message::Hash;
use solana_signature::Signature;

use super::{
    Chain, ChainError, Cost, Height, Sending, SignatureState, Simulation, Snapshot, Wanted,
};
use wire::{
    Status, asked, decode, encoding, filter_json, host, is_the_nodes_fault, listed, read_clock,
    read_cost, text,
};

mod wire;

#[cfg(test)]
mod tests;

pub(super) use wire::job_account;

/// Where to ask.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// HTTP urls, the preferred one first.
    pub urls: Vec<String>,
    pub timeout: Duration,
}

/// Several RPC nodes, of which one is asked until it fails.
pub struct RpcChain {
    nodes: Vec<RpcClient>,
    current: AtomicUsize,
}

impl RpcChain {
    pub fn new(endpoints: &Endpoints) -> Self {
        let node = |url: &String| {
            let commitment = CommitmentConfig::confirmed();
            RpcClient::new_with_timeout_and_commitment(url.clone(), endpoints.timeout, commitment)
        };
        Self {
            nodes: endpoints.urls.iter().map(node).collect(),
            current: AtomicUsize::new(0),
        }
    }

    /// Asks the current node; if it cannot be reached, the others in turn.
    async fn ask<T: DeserializeOwned>(
        &self,
        name: &'static str,
        request: RpcRequest,
        parameters: Value,
    ) -> Result<T, ChainError> {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = None;
        for offset in 0..self.nodes.len() {
            let position = first.wrapping_add(offset) % self.nodes.len().max(1);
            let Some(node) = self.nodes.get(position) else {
                break;
            };
            match node.send(request, parameters.clone()).await {
                Ok(answer) => {
                    self.current.store(position, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => {
                    let elsewhere = is_the_nodes_fault(&error);
                    last = Some(ChainError::Rpc {
                        request: name,
                        endpoint: host(&node.url()),
                        reason: text(&error),
                    });
                    if !elsewhere {
                        break;
                    }
                    tracing::debug!(
                        request = name,
                        endpoint = host(&node.url()),
                        error = text(&error),
                        "endpoint failed"
                    );
                }
            }
        }
        Err(last.unwrap_or_else(|| ChainError::Rpc {
            request: name,
            endpoint: String::new(),
            reason: "no endpoint is configured".into(),
        }))
    }

    fn unreadable(&self, request: &'static str, reason: impl ToString) -> ChainError {
        let position = self.current.load(Ordering::Relaxed);
        let endpoint = self
            .nodes
            .get(position)
            .map(|node| host(&node.url()))
            .unwrap_or_default();
        ChainError::Answer {
            request,
            endpoint,
            reason: reason.to_string(),
        }
    }

    async fn account<T: Layout>(&self, address: &Address) -> Result<Option<T>, ChainError> {
        let name = "getAccountInfo";
        let answer: Response<Option<UiAccount>> = self
            .ask(
                name,
                RpcRequest::GetAccountInfo,
                json!([address.to_string(), encoding()]),
            )
            .await?;
        answer
            .value
            .map(|account| decode(&account))
            .transpose()
            .map_err(|why| self.unreadable(name, why))
    }

    /// Accounts of one type, filtered further by `only`.
    async fn listed<T: Layout>(&self, only: Vec<Filter>) -> Result<Vec<(Address, T)>, ChainError> {
        let filters: Vec<Value> = filter::accounts::<T>()
            .iter()
            .chain(&only)
            .map(filter_json)
            .collect();
        let mut config = encoding();
        if let Some(config) = config.as_object_mut() {
            config.insert("filters".into(), filters.into());
        }
        let name = "getProgramAccounts";
        let accounts: Vec<RpcKeyedAccount> = self
            .ask(
                name,
                RpcRequest::GetProgramAccounts,
                json!([PROGRAM_ID.to_string(), config]),
            )
            .await?;
        // An account of a later layout is not ours to judge; the others are no worse for it.
        Ok(accounts.iter().filter_map(listed).collect())
    }

    /// Each of these accounts, none for those that do not exist.
    async fn asked<T: Layout>(
        &self,
        wanted: &[Address],
    ) -> Result<Vec<(Address, Option<T>)>, ChainError> {
        let accounts = self.accounts(wanted).await?;
        // One account that anybody may have changed must not hide the others.
        Ok(wanted.iter().zip(accounts).filter_map(asked).collect())
    }

    /// As many answers as questions, in their order; no page is older than the one before.
    async fn accounts(&self, wanted: &[Address]) -> Result<Vec<Option<UiAccount>>, ChainError> {
        let name = "getMultipleAccounts";
        let mut all = Vec::with_capacity(wanted.len());
        let mut config = encoding();
        for page in wanted.chunks(100) {
            let addresses: Vec<String> = page.iter().map(ToString::to_string).collect();
            let answer: Response<Vec<Option<UiAccount>>> = self
                .ask(
                    name,
                    RpcRequest::GetMultipleAccounts,
                    json!([addresses, config]),
                )
                .await?;
            if answer.value.len() != page.len() {
                return Err(self.unreadable(name, "another number of accounts than was asked for"));
            }
            if let Some(config) = config.as_object_mut() {
                config.insert("minContextSlot".into(), answer.context.slot.into());
            }
            all.extend(answer.value);
        }
        Ok(all)
    }

    /// A sysvar's data.
    async fn sysvar(&self, address: Address) -> Result<Vec<u8>, ChainError> {
        let name = "getAccountInfo";
        let parameters = json!([address.to_string(), encoding()]);
        let answer: Response<Option<UiAccount>> = self
            .ask(name, RpcRequest::GetAccountInfo, parameters)
            .await?;
        let data = answer.value.and_then(|account| account.data.decode());
        data.ok_or_else(|| self.unreadable(name, format!("no sysvar {address}")))
    }
}

impl Chain for RpcChain {
    async fn snapshot(&self, wanted: &Wanted) -> Result<Snapshot, ChainError> {
        let name = "getMultipleAccounts";
        let fixed = [CLOCK_SYSVAR, wanted.provider, wanted.operator];
        let all: Vec<Address> = fixed
            .iter()
            .chain(&wanted.jobs)
            .chain(&wanted.panels)
            .copied()
            .collect();
        let mut accounts = self.accounts(&all).await?.into_iter();
        let mut next = || accounts.next().flatten();
        let clock = next().and_then(|account| read_clock(&account.data.decode()?));
        let clock = clock.ok_or_else(|| self.unreadable(name, "no Clock sysvar"))?;
        let provider = next().map(|account| decode(&account)).transpose();
        let provider = provider.map_err(|why| self.unreadable(name, why))?;
        let operator = next().map_or(0, |account| account.lamports);
        let jobs = wanted.jobs.iter().zip(accounts.by_ref());
        let jobs = jobs.filter_map(asked).collect();
        let panels = wanted.panels.iter().zip(accounts);
        Ok(Snapshot {
            clock,
            agreed: false,
            provider,
            operator,
            jobs,
            panels: panels.filter_map(asked).collect(),
        })
    }

    async fn slot_hashes(&self) -> Result<SlotHashes, ChainError> {
        let data = self.sysvar(SLOT_HASHES_SYSVAR).await?;
        SlotHashes::decode(&data).map_err(|why| self.unreadable("getAccountInfo", why))
    }

    async fn open_jobs(&self) -> Result<Vec<(Address, JobData)>, ChainError> {
        self.listed(vec![filter::job_status(JobStatus::Open)]).await
    }

    async fn judged_jobs(&self) -> Result<Vec<(Address, JobData)>, ChainError> {
        let status = |status| vec![filter::job_status(status)];
        let mut jobs = self.listed(status(JobStatus::Auditing)).await?;
        // In this order: what changes between the two is in the second.
        jobs.extend(self.listed(status(JobStatus::Appealing)).await?);
        Ok(jobs)
    }

    async fn provider_jobs(
        &self,
        provider: &Address,
    ) -> Result<Vec<(Address, JobData)>, ChainError> {
        self.listed(vec![filter::job_provider(provider)]).await
    }

    async fn jobs(&self, jobs: &[Address]) -> Result<Vec<(Address, Option<JobData>)>, ChainError> {
        self.asked(jobs).await
    }

    async fn panels(
        &self,
        panels: &[Address],
    ) -> Result<Vec<(Address, Option<PanelData>)>, ChainError> {
        self.asked(panels).await
    }

    async fn providers(&self) -> Result<Vec<(Address, ProviderData)>, ChainError> {
        self.listed(Vec::new()).await
    }

    async fn provider(&self, address: &Address) -> Result<Option<ProviderData>, ChainError> {
        self.account(address).await
    }

    async fn model(&self, address: &Address) -> Result<Option<ModelData>, ChainError> {
        self.account(address).await
    }

    async fn balance(&self, address: &Address) -> Result<u64, ChainError> {
        let parameters = json!([address.to_string(), CommitmentConfig::confirmed()]);
        let answer: Response<u64> = self
            .ask("getBalance", RpcRequest::GetBalance, parameters)
            .await?;
        Ok(answer.value)
    }

    async fn blockhash(&self) -> Result<(Hash, u64), ChainError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Latest {
            blockhash: String,
            last_valid_block_height: u64,
        }
        let name = "getLatestBlockhash";
        let parameters = json!([CommitmentConfig::confirmed()]);
        let answer: Response<Latest> = self
            .ask(name, RpcRequest::GetLatestBlockhash, parameters)
            .await?;
        let hash = answer
            .value
            .blockhash
            .parse::<Hash>()
            .map_err(|why| self.unreadable(name, why))?;
        Ok((hash, answer.value.last_valid_block_height))
    }

    async fn block_height(&self) -> Result<Height, ChainError> {
        let parameters = json!([CommitmentConfig::confirmed()]);
        let height = self
            .ask("getBlockHeight", RpcRequest::GetBlockHeight, parameters)
            .await?;
        Ok(Height {
            height,
            agreed: false,
        })
    }

    async fn simulate(&self, transaction: &[u8]) -> Result<Simulation, ChainError> {
        let config = json!({
            "encoding": "base64", "commitment": "confirmed",
            "sigVerify": false, "replaceRecentBlockhash": true,
        });
        let parameters = json!([STANDARD.encode(transaction), config]);
        let answer: Response<RpcSimulateTransactionResult> = self
            .ask(
                "simulateTransaction",
                RpcRequest::SimulateTransaction,
                parameters,
            )
            .await?;
        Ok(Simulation {
            error: answer.value.err.map(Into::into),
            units: answer.value.units_consumed.unwrap_or(0),
            fee: answer.value.fee,
        })
    }

    async fn send(&self, transaction: &[u8], _again: u32) -> Result<Sending, ChainError> {
        let config = json!({ "encoding": "base64", "skipPreflight": true, "maxRetries": 0 });
        let parameters = json!([STANDARD.encode(transaction), config]);
        let _: String = self
            .ask("sendTransaction", RpcRequest::SendTransaction, parameters)
            .await?;
        Ok(Sending::Accepted)
    }

    async fn signatures(
        &self,
        signatures: &[[u8; 64]],
        search: bool,
    ) -> Result<Vec<Option<SignatureState>>, ChainError> {
        let name = "getSignatureStatuses";
        let mut states = Vec::with_capacity(signatures.len());
        for page in signatures.chunks(256) {
            let texts: Vec<String> = page
                .iter()
                .map(|signature| Signature::from(*signature).to_string())
                .collect();
            let parameters = json!([texts, { "searchTransactionHistory": search }]);
            let answer: Response<Vec<Option<Status>>> = self
                .ask(name, RpcRequest::GetSignatureStatuses, parameters)
                .await?;
            if answer.value.len() != page.len() {
                return Err(self.unreadable(name, "another number of states than was asked for"));
            }
            states.extend(
                answer
                    .value
                    .into_iter()
                    .map(|status| status.map(Into::into)),
            );
        }
        Ok(states)
    }

    async fn cost(&self, signature: &[u8; 64]) -> Result<Option<Cost>, ChainError> {
        let text = Signature::from(*signature).to_string();
        let config = json!({
            "encoding": "base64", "commitment": "confirmed", "maxSupportedTransactionVersion": 0,
        });
        let answer: Option<Value> = self
            .ask(
                "getTransaction",
                RpcRequest::GetTransaction,
                json!([text, config]),
            )
            .await?;
        Ok(answer.and_then(|answer| read_cost(answer.get("meta")?)))
    }

    async fn recent_fees(&self, accounts: &[Address]) -> Result<Vec<u64>, ChainError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Fee {
            prioritization_fee: u64,
        }
        let addresses: Vec<String> = accounts.iter().map(ToString::to_string).collect();
        let request = RpcRequest::GetRecentPrioritizationFees;
        let fees: Vec<Fee> = self
            .ask("getRecentPrioritizationFees", request, json!([addresses]))
            .await?;
        Ok(fees.into_iter().map(|fee| fee.prioritization_fee).collect())
    }
}
