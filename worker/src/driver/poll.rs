//! Reading the chain, again and again: the truth that everything else only hints at.

use std::sync::{Arc, atomic::Ordering};

use std::collections::{BTreeMap, BTreeSet};

use assay_client::protocol::{Address, JobData, PanelData, ProviderData, UnixSeconds};
use tokio::time::Instant;

use super::{Chain, ChainError, Driver, Effect};
use crate::{chain::Clock, metrics};

/// Lamports below which the operator should be given more: a thousand transactions.
const LOW_BALANCE: u64 = 5_000_000;
/// Polls between two looks at the operator's balance.
const BALANCE_EVERY: u64 = 30;

/// One reading of the chain.
pub struct Reading {
    pub clock: Clock,
    pub provider: Option<ProviderData>,
    pub live: Vec<(Address, Option<JobData>)>,
    /// Of audits that are ours.
    pub panels: Panels,
}

/// Panels of levels 1 and 2, by job; read after the job.
pub type Panels = BTreeMap<Address, [Option<PanelData>; 2]>;

/// What new work and fees ask for. It may fail or take long without keeping claimed jobs waiting.
pub struct Listing {
    pub open: Result<Vec<(Address, JobData)>, ChainError>,
    /// Jobs that are judged, and the panels among them that may have a seat for us.
    pub judged: Result<(Vec<(Address, JobData)>, Panels), ChainError>,
    pub balance: Option<Result<u64, ChainError>>,
}

impl<C: Chain> Driver<C> {
    /// Reads the chain in the background.
    pub(super) fn poll(&mut self) {
        self.polling = true;
        self.polls = self.polls.wrapping_add(1);
        let (chain, provider) = (Arc::clone(&self.parts.chain), self.parts.provider);
        let mut live: BTreeSet<Address> = self.core.live_jobs().into_iter().collect();
        let audits = self.audits.core.live_jobs();
        live.extend(&audits);
        let panels = self.audits.with_panels(audits);
        self.spawn(async move {
            let live = live.into_iter().collect();
            Effect::Polled(read(&*chain, provider, live, panels).await.map(Box::new))
        });
    }

    /// Lists open jobs, and at times the balance, unless that is still under way.
    fn list(&mut self) {
        if self.listing {
            return;
        }
        self.listing = true;
        let accepting = self.parts.shared.accepting.load(Ordering::Relaxed);
        let operator = (self.polls % BALANCE_EVERY == 1).then_some(self.parts.operator);
        let chain = Arc::clone(&self.parts.chain);
        let auditing = accepting && self.parts.audit.enabled;
        let candidates = self.audits.core.candidates();
        let panels = self.audits.with_panels(candidates);
        self.spawn(async move {
            Effect::Listed(list(&*chain, [accepting, auditing], operator, panels).await)
        });
    }

    pub(super) fn listed(&mut self, listing: Listing) {
        self.listing = false;
        match listing.open {
            Ok(open) => {
                for (address, job) in &open {
                    self.core.handle_job(*address, job, self.now);
                }
            }
            Err(error) => {
                metrics::poll_failure();
                tracing::warn!(%error, "open jobs cannot be listed; claimed jobs go on");
            }
        }
        match listing.judged {
            Ok((jobs, panels)) => {
                for (address, job) in &jobs {
                    self.audits.core.handle_job(*address, job, self.now);
                }
                self.see_panels(&panels);
                let judged = jobs.iter().map(|(address, _)| *address).collect();
                self.audits.core.handle_listed(&judged);
            }
            Err(error) => {
                metrics::poll_failure();
                tracing::warn!(%error, "judged jobs cannot be listed; our own go on");
            }
        }
        match listing.balance {
            Some(Ok(balance)) => {
                metrics::operator_balance(balance);
                self.operator_lamports = Some(balance);
                if balance < LOW_BALANCE {
                    tracing::warn!(operator = %self.parts.operator, lamports = balance, "the operator runs out of lamports for fees; send it some");
                }
            }
            Some(Err(error)) => tracing::debug!(%error, "the operator's balance cannot be read"),
            None => {}
        }
        self.core.handle_time(self.now);
    }

    pub(super) fn polled(&mut self, reading: Result<Box<Reading>, ChainError>) {
        self.polling = false;
        self.next_poll = Instant::now() + self.parts.times.poll_every;
        let reachable = reading.is_ok();
        match reading {
            Ok(reading) => {
                if !self.reachable {
                    tracing::info!("the chain answers again");
                }
                self.observe(&reading);
                self.list();
            }
            Err(error) => {
                metrics::poll_failure();
                if self.reachable {
                    tracing::warn!(%error, "the chain does not answer; trying on");
                }
            }
        }
        self.reachable = reachable;
        self.set_reachable(reachable);
        self.parts.shared.ready.store(reachable, Ordering::Relaxed);
    }

    fn observe(&mut self, reading: &Reading) {
        // Nodes differ by moments; time does not go back for us.
        self.now = self.now.max(reading.clock.time);
        self.slot = self.slot.max(reading.clock.slot);
        metrics::chain_time(self.now.0);
        match &reading.provider {
            Some(provider) => {
                self.core.handle_provider(provider, self.now);
                self.audits.core.handle_provider(provider);
            }
            None => tracing::warn!("the provider's account is gone; nothing can be claimed"),
        }
        for (address, job) in &reading.live {
            match job {
                Some(job) => {
                    self.core.handle_job(*address, job, self.now);
                    self.audits.core.handle_job(*address, job, self.now);
                }
                None => {
                    let slot = reading.clock.slot;
                    self.core.handle_gone(*address, slot, self.now);
                    self.audits.core.handle_gone(*address, slot);
                }
            }
        }
        self.see_panels(&reading.panels);
        self.audits.core.handle_time(self.now);
        // Until they have ended, a restart or an auditor may ask for them.
        let mut inputs = self.core.live_inputs();
        inputs.extend(self.audits.core.live_inputs());
        self.parts.artifacts.blobs.hold(inputs);
        if self.polls % BALANCE_EVERY == 1 {
            self.drop_old_files();
        }
        self.core.handle_time(self.now);
    }

    fn see_panels(&mut self, panels: &Panels) {
        for (job, read) in panels {
            let panels = read.each_ref().map(Option::as_ref);
            self.audits.core.handle_panels(*job, panels, self.now);
        }
    }

    fn drop_old_files(&self) {
        let (store, retention) = (
            self.parts.store.clone(),
            self.parts.times.retention.as_secs(),
        );
        let before = self
            .now
            .0
            .saturating_sub(i64::try_from(retention).unwrap_or(i64::MAX));
        tokio::spawn(async move {
            match store
                .call(move |store| {
                    store.drop_audits(UnixSeconds(before))?;
                    store.drop_files(UnixSeconds(before))
                })
                .await
            {
                Ok(0) => {}
                Ok(count) => tracing::debug!(count, "outputs of old jobs dropped"),
                Err(error) => tracing::warn!(%error, "old outputs could not be dropped"),
            }
        });
    }
}

async fn read<C: Chain>(
    chain: &C,
    provider: Address,
    live: Vec<Address>,
    audits: Vec<(Address, [Address; 2])>,
) -> Result<Reading, ChainError> {
    // The clock first: a job read later is never older than the time it is judged by.
    let clock = chain.clock().await?;
    let account = chain.provider(&provider).await?;
    let jobs = if live.is_empty() {
        Vec::new()
    } else {
        chain.jobs(&live).await?
    };
    Ok(Reading {
        clock,
        provider: account,
        live: jobs,
        panels: panels(chain, audits).await?,
    })
}

/// Panels of these jobs at these addresses.
async fn panels<C: Chain>(
    chain: &C,
    jobs: Vec<(Address, [Address; 2])>,
) -> Result<Panels, ChainError> {
    if jobs.is_empty() {
        return Ok(Panels::new());
    }
    let wanted: Vec<Address> = jobs.iter().flat_map(|(_, panels)| *panels).collect();
    let read: BTreeMap<Address, Option<PanelData>> =
        chain.panels(&wanted).await?.into_iter().collect();
    // One that cannot be read says nothing of its job.
    let found = jobs.into_iter().filter_map(|(job, [first, second])| {
        Some((job, [*read.get(&first)?, *read.get(&second)?]))
    });
    Ok(found.collect())
}

async fn judged<C: Chain>(
    chain: &C,
    candidates: Vec<(Address, [Address; 2])>,
) -> Result<(Vec<(Address, JobData)>, Panels), ChainError> {
    let jobs = chain.judged_jobs().await?;
    Ok((jobs, panels(chain, candidates).await?))
}

async fn list<C: Chain>(
    chain: &C,
    [accepting, auditing]: [bool; 2],
    operator: Option<Address>,
    candidates: Vec<(Address, [Address; 2])>,
) -> Listing {
    let open = if accepting {
        chain.open_jobs().await
    } else {
        Ok(Vec::new())
    };
    let judged = if auditing {
        judged(chain, candidates).await
    } else {
        Ok(Default::default())
    };
    let balance = match operator {
        Some(operator) => Some(chain.balance(&operator).await),
        None => None,
    };
    Listing {
        open,
        judged,
        balance,
    }
}

#[cfg(test)]
mod tests {
    use assay_client::{
        PROGRAM_ID, account::encode, program::CLOCK_SYSVAR, protocol::LAYOUT_VERSION,
    };
    use axum::{Json, Router, routing::post};
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use bytemuck::Zeroable;
    use serde_json::{Value, json};

    use super::*;
    use crate::chain::{Endpoints, RpcChain};

    fn account(data: &[u8]) -> Value {
        json!({
            "lamports": 1, "owner": PROGRAM_ID.to_string(), "data": [STANDARD.encode(data), "base64"],
            "executable": false, "rentEpoch": 0, "space": data.len(),
        })
    }

    /// A node that knows the clock and one job, and lists nothing.
    async fn answer(Json(request): Json<Value>) -> Json<Value> {
        let job = JobData {
            version: LAYOUT_VERSION,
            sequence: 7,
            ..JobData::zeroed()
        };
        let asked = request["params"][0].as_str() == Some(&CLOCK_SYSVAR.to_string());
        let value = match request["method"].as_str() {
            Some("getAccountInfo") if asked => account(&[1; 40]),
            Some("getAccountInfo") => Value::Null,
            Some("getMultipleAccounts") => json!([account(&encode(&job))]),
            _ => {
                let error =
                    json!({ "code": -32_010, "message": "excluded from secondary indexes" });
                return Json(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }));
            }
        };
        let result = json!({ "context": { "slot": 1 }, "value": value });
        Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
    }

    #[tokio::test]
    async fn live_jobs_are_read_while_nothing_can_be_listed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let chain = RpcChain::new(&Endpoints {
            urls: vec![format!("http://{}", listener.local_addr().unwrap())],
            timeout: std::time::Duration::from_secs(10),
        });
        let app = Router::new().route("/", post(answer));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (me, job) = (Address::default(), Address::new_from_array([1; 32]));
        let listing = list(&chain, [true; 2], Some(me), Vec::new()).await;
        assert!(listing.open.is_err() && listing.judged.is_err());
        assert!(listing.balance.unwrap().is_err());
        let reading = read(&chain, me, vec![job], Vec::new()).await.unwrap();
        assert_eq!(reading.clock.slot, u64::from_le_bytes([1; 8]));
        let (found, data) = reading.live[0];
        assert_eq!((found, data.unwrap().sequence), (job, 7));
    }
}
