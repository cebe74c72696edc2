//! [`Chain`] over these nodes.

use std::collections::BTreeMap;

use assay_client::{
    filter,
    program::SLOT_HASHES_SYSVAR,
    protocol::{Address, JobData, JobStatus, ModelData, PanelData, ProviderData, SessionData},
    slot_hashes::SlotHashes,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccount;
use solana_client::rpc_response::Response;
use solana_message::Hash;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;

use super::{
    RpcChain,
    ask::SIMULATE,
    wire::{asked, encoding, parse, read_cost},
};
use crate::chain::{
    Chain, ChainError, Clock, Cost, Height, KnownSession, Sending, SessionsRead, SignatureState,
    Simulation, Snapshot, Wanted,
};

/// Seconds by which clocks of nodes that are right differ at most.
const CLOCKS: i64 = 60;

fn without(candidates: &[usize], one: usize) -> Vec<usize> {
    candidates
        .iter()
        .copied()
        .filter(|other| *other != one)
        .collect()
}

fn is_confirmed(state: &Option<SignatureState>) -> bool {
    state.as_ref().is_some_and(|state| state.confirmed)
}

fn near(one: Clock, other: i64) -> bool {
    one.time.0.saturating_sub(other).saturating_abs() <= CLOCKS
}

/// What one endpoint alone is not believed.
fn is_news(known: Option<&SessionData>, shown: Option<&SessionData>) -> bool {
    let sums = |data: &SessionData| (data.status, data.settled, data.deposit);
    match (known, shown) {
        (_, None) => true,
        (Some(known), Some(shown)) => sums(known) != sums(shown),
        (None, Some(_)) => false,
    }
}

/// What does no harm whichever of two endpoints is right: a close that is asked for is not missed, and what is not settled, or
/// not deposited, is neither given up nor served for.
fn both(one: SessionData, other: &SessionData) -> SessionData {
    SessionData {
        status: one.status.max(other.status),
        settled: one.settled.min(other.settled),
        deposit: one.deposit.min(other.deposit),
        ..one
    }
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
            let Ok((other, clock)) = self.clock_of(&others).await else {
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
                match self.clock_of(&third).await {
                    Ok((_, third)) if near(third, snapshot.clock.time.0) => {
                        self.doubt(other, name, reason(clock, third));
                        snapshot.agreed = true;
                        return Ok(snapshot);
                    }
                    Ok((_, third)) if near(third, clock.time.0) => {
                        self.doubt(position, name, reason(snapshot.clock, third));
                        candidates = others;
                    }
                    Ok(_) | Err(_) => return Ok(snapshot),
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

    async fn sessions(&self, sessions: &[KnownSession]) -> Result<SessionsRead, ChainError> {
        let candidates = self.candidates().await;
        let addresses: Vec<Address> = sessions.iter().map(|(session, _)| *session).collect();
        let (position, slot, accounts) = self.accounts(&candidates, &addresses).await?;
        let read = addresses.iter().zip(accounts).filter_map(asked);
        let mut read: BTreeMap<Address, Option<SessionData>> = read.collect();
        let others = without(&candidates, position);
        let news = |(session, known): &KnownSession| {
            let shown = read.get(session)?;
            is_news(known.as_ref(), shown.as_ref()).then_some(*session)
        };
        let news: Vec<Address> = sessions.iter().filter_map(news).collect();
        if news.is_empty() || others.is_empty() {
            return Ok((slot, read.into_iter().collect()));
        }
        let second = self.accounts(&others, &news).await;
        let second = second.map_or_else(|_| Vec::new(), |(_, _, accounts)| accounts);
        let second = news.iter().zip(second).filter_map(asked);
        let mut second: BTreeMap<Address, Option<SessionData>> = second.collect();
        for session in news {
            let one = read.remove(&session).flatten();
            let both = match (one, second.remove(&session)) {
                (Some(one), Some(Some(other))) => Some(both(one, &other)),
                (Some(one), _) => Some(one),
                (None, Some(other)) => other,
                // Where the other one does not answer, nothing is known of it.
                (None, None) => continue,
            };
            read.insert(session, both);
        }
        Ok((slot, read.into_iter().collect()))
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
        self.simulated(&self.candidates().await, transaction).await
    }

    async fn simulate_elsewhere(&self, transaction: &[u8]) -> Option<Simulation> {
        let candidates = self.candidates().await;
        let candidates = self.in_order(&candidates, SIMULATE);
        let others = candidates.get(1..)?;
        self.simulated(others, transaction).await.ok()
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
        if !search || states.iter().all(is_confirmed) {
            return Ok(states);
        }
        let others = without(&candidates, position);
        let Ok((_, more)) = self.states(&others, signatures, search).await else {
            return Ok(states);
        };
        let both = states.into_iter().zip(more);
        let known = |(one, other): (Option<SignatureState>, _)| {
            if is_confirmed(&other) {
                other
            } else {
                one.or(other)
            }
        };
        Ok(both.map(known).collect())
    }

    async fn cost(&self, signature: &[u8; 64]) -> Result<Option<Cost>, ChainError> {
        let text = Signature::from(*signature).to_string();
        let config = json!({
            "encoding": "base64", "commitment": "confirmed", "maxSupportedTransactionVersion": 0,
        });
        self.ask("getTransaction", json!([text, config]), |answer: Value| {
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
