//! [`Chain`] over these nodes.

use assay_client::{
    PROGRAM_ID,
    account::Layout,
    filter::{self, Filter},
    program::{CLOCK_SYSVAR, SLOT_HASHES_SYSVAR},
    protocol::{Address, JobData, JobStatus, ModelData, PanelData, ProviderData},
    slot_hashes::SlotHashes,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccount;
use solana_client::rpc_response::{Response, RpcKeyedAccount, RpcSimulateTransactionResult};
use solana_message::Hash;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;

use super::{
    RpcChain,
    wire::{
        Status, accounts, asked, decode, encoding, filter_json, listed, parse, read_cost,
        read_snapshot,
    },
};
use crate::chain::{
    Chain, ChainError, Clock, Cost, Height, Sending, SignatureState, Simulation, Snapshot, Wanted,
};

/// Accounts in one request, as nodes allow.
const PAGE: usize = 100;
/// Signatures in one request, likewise.
const SIGNATURES: usize = 256;
/// Seconds by which clocks of nodes that are right differ at most.
const CLOCKS: i64 = 60;

impl RpcChain {
    pub(in crate::chain) async fn account<T: Layout>(
        &self,
        address: &Address,
    ) -> Result<Option<T>, ChainError> {
        let parameters = json!([address.to_string(), encoding()]);
        self.ask("getAccountInfo", parameters, |answer| {
            let answer: Response<Option<UiAccount>> = parse(answer)?;
            answer.value.map(|account| decode(&account)).transpose()
        })
        .await
    }

    /// Accounts of one type, filtered further by `only`.
    pub(in crate::chain) async fn listed<T: Layout>(
        &self,
        only: Vec<Filter>,
    ) -> Result<Vec<(Address, T)>, ChainError> {
        let filters: Vec<Value> = filter::accounts::<T>()
            .iter()
            .chain(&only)
            .map(filter_json)
            .collect();
        let mut config = encoding();
        if let Some(config) = config.as_object_mut() {
            config.insert("filters".into(), filters.into());
        }
        let parameters = json!([PROGRAM_ID.to_string(), config]);
        self.ask("getProgramAccounts", parameters, |answer| {
            let accounts: Vec<RpcKeyedAccount> = parse(answer)?;
            // An account of a later layout is not ours to judge; the others are no worse for it.
            Ok(accounts.iter().filter_map(listed).collect())
        })
        .await
    }

    /// Each of these accounts, none for those that do not exist.
    async fn asked<T: Layout>(
        &self,
        wanted: &[Address],
    ) -> Result<Vec<(Address, Option<T>)>, ChainError> {
        let (_, accounts) = self.accounts(&self.candidates().await, wanted).await?;
        // One account that anybody may have changed must not hide the others.
        Ok(wanted.iter().zip(accounts).filter_map(asked).collect())
    }

    /// As many answers as questions, in their order, and who answered first. No page is older than
    /// the one before.
    async fn accounts(
        &self,
        candidates: &[usize],
        wanted: &[Address],
    ) -> Result<(usize, Vec<Option<UiAccount>>), ChainError> {
        let mut all = Vec::with_capacity(wanted.len());
        let mut config = encoding();
        let mut first = None;
        for page in wanted.chunks(PAGE) {
            let addresses: Vec<String> = page.iter().map(ToString::to_string).collect();
            let parameters = json!([addresses, config]);
            let read = |answer| accounts(answer, page.len());
            let (position, (slot, read)) = self
                .ask_in_turn(candidates, "getMultipleAccounts", &parameters, read)
                .await?;
            first.get_or_insert(position);
            if let Some(config) = config.as_object_mut() {
                config.insert("minContextSlot".into(), slot.into());
            }
            all.extend(read);
        }
        Ok((first.unwrap_or_default(), all))
    }

    async fn snapshot_of(
        &self,
        candidates: &[usize],
        wanted: &Wanted,
    ) -> Result<(usize, Snapshot), ChainError> {
        let fixed = [CLOCK_SYSVAR, wanted.provider, wanted.operator];
        let all: Vec<Address> = fixed
            .iter()
            .chain(&wanted.jobs)
            .chain(&wanted.panels)
            .copied()
            .collect();
        let (position, accounts) = self.accounts(candidates, &all).await?;
        let snapshot = read_snapshot(wanted, accounts);
        let snapshot = snapshot.map_err(|reason| self.unreadable(position, reason))?;
        Ok((position, snapshot))
    }

    /// A clock that another endpoint shows.
    async fn other_clock(&self, candidates: &[usize]) -> Option<(usize, Clock)> {
        let parameters = json!([[CLOCK_SYSVAR.to_string()], encoding()]);
        let read = |answer| {
            let (_, accounts) = accounts(answer, 1)?;
            super::wire::first_clock(accounts.first())
        };
        let asked = self.ask_in_turn(candidates, "getMultipleAccounts", &parameters, read);
        asked.await.ok()
    }

    fn unreadable(&self, position: usize, reason: String) -> ChainError {
        let endpoint = self.0.endpoints.get(position);
        ChainError::Answer {
            request: "getMultipleAccounts",
            endpoint: endpoint.map(|one| one.name.clone()).unwrap_or_default(),
            reason,
        }
    }

    async fn heights(&self, candidates: &[usize]) -> Result<(usize, u64), ChainError> {
        let parameters = json!([{ "commitment": "confirmed" }]);
        self.ask_in_turn(candidates, "getBlockHeight", &parameters, parse)
            .await
    }

    async fn states(
        &self,
        candidates: &[usize],
        signatures: &[[u8; 64]],
        search: bool,
    ) -> Result<(usize, Vec<Option<SignatureState>>), ChainError> {
        let mut states = Vec::with_capacity(signatures.len());
        let mut last = 0;
        for page in signatures.chunks(SIGNATURES) {
            let texts: Vec<String> = page
                .iter()
                .map(|signature| Signature::from(*signature).to_string())
                .collect();
            let parameters = json!([texts, { "searchTransactionHistory": search }]);
            let read = |answer| {
                let answer: Response<Vec<Option<Status>>> = parse(answer)?;
                if answer.value.len() == page.len() {
                    Ok(answer.value)
                } else {
                    Err("another number of states than was asked for".into())
                }
            };
            let (position, read) = self
                .ask_in_turn(candidates, "getSignatureStatuses", &parameters, read)
                .await?;
            last = position;
            states.extend(read.into_iter().map(|status| status.map(Into::into)));
        }
        Ok((last, states))
    }
}

fn without(candidates: &[usize], one: usize) -> Vec<usize> {
    candidates
        .iter()
        .copied()
        .filter(|other| *other != one)
        .collect()
}

fn near(one: Clock, other: i64) -> bool {
    one.time.0.saturating_sub(other).saturating_abs() <= CLOCKS
}

impl Chain for RpcChain {
    async fn snapshot(&self, wanted: &Wanted) -> Result<Snapshot, ChainError> {
        let mut candidates = self.candidates().await;
        loop {
            let (position, mut snapshot) = self.snapshot_of(&candidates, wanted).await?;
            let expected = wanted.expected.map(|time| time.0);
            if expected.is_none_or(|expected| near(snapshot.clock, expected)) {
                return Ok(snapshot);
            }
            let others = without(&candidates, position);
            let Some((other, clock)) = self.other_clock(&others).await else {
                return Ok(snapshot);
            };
            if near(clock, snapshot.clock.time.0) {
                snapshot.agreed = true;
                return Ok(snapshot);
            }
            let reason = |of: Clock, by: Clock| {
                format!(
                    "its clock shows {}, another endpoint's {}",
                    of.time.0, by.time.0
                )
            };
            let name = "getMultipleAccounts";
            if expected.is_some_and(|expected| near(clock, expected)) {
                // The other one goes on where all left off.
                self.doubt(position, name, reason(snapshot.clock, clock));
                candidates = others;
            } else {
                // Three times that differ: a third endpoint may decide, else nobody is believed.
                let third = without(&others, other);
                match self.other_clock(&third).await {
                    Some((_, third)) if near(third, snapshot.clock.time.0) => {
                        self.doubt(other, name, reason(clock, third));
                        snapshot.agreed = true;
                        return Ok(snapshot);
                    }
                    Some((_, third)) if near(third, clock.time.0) => {
                        self.doubt(position, name, reason(snapshot.clock, third));
                        candidates = others;
                    }
                    Some(_) | None => return Ok(snapshot),
                }
            }
        }
    }

    async fn slot_hashes(&self) -> Result<SlotHashes, ChainError> {
        let parameters = json!([SLOT_HASHES_SYSVAR.to_string(), encoding()]);
        self.ask("getAccountInfo", parameters, |answer| {
            let answer: Response<Option<UiAccount>> = parse(answer)?;
            let data = answer.value.and_then(|account| account.data.decode());
            let data = data.ok_or("no SlotHashes sysvar")?;
            SlotHashes::decode(&data).map_err(|why| why.to_string())
        })
        .await
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
        let parameters = json!([address.to_string(), { "commitment": "confirmed" }]);
        self.ask("getBalance", parameters, |answer| {
            parse::<Response<u64>>(answer).map(|answer| answer.value)
        })
        .await
    }

    async fn blockhash(&self) -> Result<(Hash, u64), ChainError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Latest {
            blockhash: String,
            last_valid_block_height: u64,
        }
        let parameters = json!([{ "commitment": "confirmed" }]);
        self.ask("getLatestBlockhash", parameters, |answer| {
            let latest: Response<Latest> = parse(answer)?;
            let hash = latest.value.blockhash.parse::<Hash>();
            let hash = hash.map_err(|why| why.to_string())?;
            Ok((hash, latest.value.last_valid_block_height))
        })
        .await
    }

    async fn block_height(&self) -> Result<Height, ChainError> {
        let candidates = self.candidates().await;
        let (position, height) = self.heights(&candidates).await?;
        // The lower of two: one that runs ahead must not declare dead what still lands.
        let other = self.heights(&without(&candidates, position)).await;
        Ok(match other {
            Ok((_, other)) => Height {
                height: height.min(other),
                agreed: true,
            },
            Err(_) => Height {
                height,
                agreed: false,
            },
        })
    }

    async fn simulate(&self, transaction: &[u8]) -> Result<Simulation, ChainError> {
        let config = json!({
            "encoding": "base64", "commitment": "confirmed",
            "sigVerify": false, "replaceRecentBlockhash": true,
        });
        let parameters = json!([STANDARD.encode(transaction), config]);
        self.ask("simulateTransaction", parameters, |answer| {
            let result = parse::<Response<RpcSimulateTransactionResult>>(answer)?.value;
            Ok(Simulation {
                error: result.err.map(Into::into),
                units: result.units_consumed.unwrap_or(0),
                fee: result.fee,
            })
        })
        .await
    }

    async fn send(&self, transaction: &[u8], again: u32) -> Result<Sending, ChainError> {
        let mut candidates = self.candidates().await;
        let count = candidates.len().max(1);
        candidates.rotate_left(usize::try_from(again).unwrap_or(0) % count);
        let config = json!({ "encoding": "base64", "skipPreflight": true, "maxRetries": 0 });
        let parameters = json!([STANDARD.encode(transaction), config]);
        let sent = self
            .ask_in_turn(&candidates, "sendTransaction", &parameters, parse::<String>)
            .await;
        match sent {
            Ok(_) => Ok(Sending::Accepted),
            Err(ChainError::Rpc {
                refused: Some(TransactionError::AlreadyProcessed),
                ..
            }) => Ok(Sending::AlreadyProcessed),
            Err(error) => Err(error),
        }
    }

    async fn signatures(
        &self,
        signatures: &[[u8; 64]],
        search: bool,
    ) -> Result<Vec<Option<SignatureState>>, ChainError> {
        let candidates = self.candidates().await;
        let (position, states) = self.states(&candidates, signatures, search).await?;
        if !search || states.iter().all(Option::is_some) {
            return Ok(states);
        }
        let others = without(&candidates, position);
        let Ok((_, more)) = self.states(&others, signatures, search).await else {
            return Ok(states);
        };
        let both = states.into_iter().zip(more);
        Ok(both.map(|(one, other)| one.or(other)).collect())
    }

    async fn cost(&self, signature: &[u8; 64]) -> Result<Option<Cost>, ChainError> {
        let text = Signature::from(*signature).to_string();
        let config = json!({
            "encoding": "base64", "commitment": "confirmed", "maxSupportedTransactionVersion": 0,
        });
        self.ask("getTransaction", json!([text, config]), |answer| {
            Ok(answer.get("meta").and_then(read_cost))
        })
        .await
    }

    async fn recent_fees(&self, accounts: &[Address]) -> Result<Vec<u64>, ChainError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Fee {
            prioritization_fee: u64,
        }
        let addresses: Vec<String> = accounts.iter().map(ToString::to_string).collect();
        let name = "getRecentPrioritizationFees";
        self.ask(name, json!([addresses]), |answer| {
            let fees: Vec<Fee> = parse(answer)?;
            Ok(fees.into_iter().map(|fee| fee.prioritization_fee).collect())
        })
        .await
    }
}
