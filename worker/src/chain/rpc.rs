//! Several RPC nodes as one: which of them is asked, and which is believed.
//!
//! The first of the configured order that is healthy is asked, the next when it fails. A node that
//! failed comes back only after it has shown that it serves this chain, and takes its place again.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::{
    ChainError, EndpointHealth, Health, agreement,
    calls::{CallCounts, Calls},
    endpoint::{self, Answer, Endpoint, Fault, State},
    watcher::Watching,
};

mod ask;
mod check;
mod read;
mod wire;

#[cfg(test)]
mod tests;

pub(super) use wire::job_account;

/// Longest check of a node.
const CHECK: Duration = Duration::from_secs(5);
/// Longest wait for an answer while another node could be asked; lists of accounts may take longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A node that was passed over is looked at again so often.
const RECHECK: Duration = Duration::from_secs(30);

/// Where to ask, and how.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// HTTP urls, the preferred one first.
    pub urls: Vec<String>,
    pub timeout: Duration,
    /// The chain's genesis hash; empty for that of the first endpoint that answers.
    pub genesis: String,
    /// Most requests to one endpoint in a second.
    pub per_second: u32,
}

/// Why there is nothing to ask. Never names a url, which may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum EndpointsError {
    #[error("no HTTP client for the RPC endpoints: {0}; check the system's TLS settings")]
    Client(#[source] reqwest::Error),
    #[error("chain.rpc holds what is no url: {0}")]
    Url(#[source] url::ParseError),
}

/// Several RPC nodes, of which the best is asked.
#[derive(Clone)]
pub struct RpcChain(Arc<Nodes>);

struct Nodes {
    endpoints: Vec<Endpoint>,
    genesis: Mutex<Option<String>>,
    timeout: Duration,
    calls: Arc<Calls>,
    watching: Arc<Watching>,
    /// Of checks that somebody waits for.
    checks: tokio::sync::Mutex<()>,
}

impl RpcChain {
    pub fn new(settings: &Endpoints) -> Result<Self, EndpointsError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| EndpointsError::Client(error.without_url()))?;
        let calls = Arc::new(Calls::default());
        let per_second = NonZeroU32::new(settings.per_second).unwrap_or(NonZeroU32::MAX);
        let mut endpoints: Vec<Endpoint> = Vec::with_capacity(settings.urls.len());
        for url in &settings.urls {
            let url: Url = url.parse().map_err(EndpointsError::Url)?;
            let mut name = endpoint::name(&url);
            if endpoints.iter().any(|other| other.name == name) {
                name = format!("{name}#{}", endpoints.len() + 1);
            }
            let (client, calls) = (client.clone(), Arc::clone(&calls));
            endpoints.push(Endpoint::new(url, name, client, per_second, calls));
        }
        let genesis = Some(settings.genesis.clone()).filter(|genesis| !genesis.is_empty());
        Ok(Self(Arc::new(Nodes {
            endpoints,
            genesis: Mutex::new(genesis),
            timeout: settings.timeout,
            calls,
            watching: Arc::default(),
            checks: tokio::sync::Mutex::default(),
        })))
    }

    /// Every request made since the start, by method.
    pub fn calls(&self) -> CallCounts {
        self.0.calls.counts()
    }

    /// How each endpoint stands, in the configured order.
    pub fn health(&self) -> Health {
        let now = Instant::now();
        let newest = self.newest(now);
        let endpoints = self.0.endpoints.iter().map(|endpoint| {
            let health = endpoint.health();
            let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            EndpointHealth {
                name: endpoint.name.clone(),
                state: health.state(now, newest),
                latency_ms: health.latency().map(millis),
                slot: health.slot(),
                failures: health.failures(),
                rests_ms: health.rest_left(now).map(millis),
                last_error: health.last_error.clone(),
            }
        });
        Health {
            endpoints: endpoints.collect(),
            websockets: self.0.watching.health(),
            genesis: self.genesis(),
            calls: self.calls(),
        }
    }

    /// Asks every endpoint which chain it serves, also those that are not needed now.
    pub async fn check(&self) {
        self.check_all(&(0..self.0.endpoints.len()).collect::<Vec<_>>())
            .await;
    }

    /// Asks the best endpoint, and the others in turn if it fails.
    async fn ask<A: Answer, T>(
        &self,
        method: &'static str,
        parameters: Value,
        read: impl Fn(A) -> Result<T, String>,
    ) -> Result<T, ChainError> {
        let candidates = self.candidates().await;
        self.ask_in_turn(&candidates, method, &parameters, read)
            .await
            .map(|(_, answer)| answer)
    }

    /// The same with these; which of them answered.
    async fn ask_in_turn<A: Answer, T>(
        &self,
        candidates: &[usize],
        method: &'static str,
        parameters: &Value,
        read: impl Fn(A) -> Result<T, String>,
    ) -> Result<(usize, T), ChainError> {
        let candidates = self.in_order(candidates, method);
        let mut last = None;
        for (tried, position) in candidates.iter().enumerate() {
            let Some(endpoint) = self.0.endpoints.get(*position) else {
                continue;
            };
            let others = tried + 1 < candidates.len();
            let longest = self.longest(method, others);
            match endpoint.ask(method, parameters, longest, &read).await {
                Ok(answer) => return Ok((*position, answer)),
                Err(fault) => {
                    let elsewhere = fault.may_be_answered_elsewhere();
                    last = Some(ChainError::Rpc {
                        request: method,
                        endpoint: endpoint.name.clone(),
                        refused: fault.refusal(),
                        reason: fault.to_string(),
                    });
                    if !elsewhere {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| self.nobody(method)))
    }

    /// Those that have failed at this lately come last.
    fn in_order(&self, candidates: &[usize], method: &str) -> Vec<usize> {
        let now = Instant::now();
        let mut ordered = candidates.to_vec();
        ordered.sort_by_key(|position| {
            let endpoint = self.0.endpoints.get(*position);
            endpoint.is_some_and(|endpoint| endpoint.health().avoids(method, now))
        });
        ordered
    }

    fn longest(&self, method: &str, others: bool) -> Duration {
        if others && method != "getProgramAccounts" {
            self.0.timeout.min(PATIENCE)
        } else {
            self.0.timeout
        }
    }

    /// Why nobody is asked.
    fn nobody(&self, request: &'static str) -> ChainError {
        let health = self.health();
        let reasons = health.endpoints.into_iter().map(|endpoint| {
            let why = endpoint
                .last_error
                .unwrap_or_else(|| "not checked yet".into());
            format!("{}: {why}", endpoint.name)
        });
        ChainError::Nobody {
            request,
            reasons: reasons.collect::<Vec<_>>().join("; "),
        }
    }

    /// Endpoints that may be asked, the best first. Those that are passed over are checked meanwhile;
    /// if none is known to be good, the checks are waited for.
    async fn candidates(&self) -> Vec<usize> {
        let ranked = self.ranked();
        if !ranked.is_empty() {
            self.look_after_the_others(&ranked);
            return ranked;
        }
        let _one = self.0.checks.lock().await;
        let ranked = self.ranked();
        if !ranked.is_empty() {
            return ranked;
        }
        let now = Instant::now();
        let endpoints = self.0.endpoints.iter().enumerate();
        let unchecked: Vec<usize> = endpoints
            .filter(|(_, endpoint)| !endpoint.health().rests(now))
            .map(|(position, _)| position)
            .collect();
        self.check_all(&unchecked).await;
        self.ranked()
    }

    fn ranked(&self) -> Vec<usize> {
        let now = Instant::now();
        let newest = self.newest(now);
        let mut ranked: Vec<(State, usize)> = self
            .0
            .endpoints
            .iter()
            .enumerate()
            .map(|(position, endpoint)| (endpoint.health().state(now, newest), position))
            .filter(|(state, _)| *state <= State::Behind)
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, position)| position).collect()
    }

    /// The newest slot that is believed.
    fn newest(&self, now: Instant) -> Option<u64> {
        let endpoints = self.0.endpoints.iter();
        let tips = endpoints.filter_map(|one| one.health().tip(now));
        agreement::newest(tips.chain(self.0.watching.tip(RECHECK)).collect())
    }

    /// The newest slot that endpoints show.
    pub fn slot(&self) -> Option<u64> {
        let now = Instant::now();
        let endpoints = self.0.endpoints.iter();
        agreement::newest(endpoints.filter_map(|one| one.health().tip(now)).collect())
    }

    /// Where the watcher of this chain's websockets notes what it hears.
    pub fn watching(&self) -> Arc<Watching> {
        Arc::clone(&self.0.watching)
    }

    /// Checks in the background what could be better than it is known to be.
    fn look_after_the_others(&self, ranked: &[usize]) {
        let now = Instant::now();
        let newest = self.newest(now);
        for (position, endpoint) in self.0.endpoints.iter().enumerate() {
            if ranked.first() == Some(&position) {
                continue;
            }
            let due = {
                let mut health = endpoint.health();
                let old = health.seen().is_none_or(|seen| now - seen >= RECHECK);
                let due = match health.state(now, newest) {
                    State::Unchecked => true,
                    State::Foreign => !health.rests(now),
                    State::Slow | State::Behind => old,
                    State::Healthy | State::Limited | State::Failing => false,
                };
                let due = due && !health.checking;
                health.checking |= due;
                due
            };
            if due {
                let chain = self.clone();
                tokio::spawn(async move {
                    let result = chain.check_one(position).await;
                    chain.settle(position, result);
                });
            }
        }
    }

    fn genesis(&self) -> Option<String> {
        let genesis = self.0.genesis.lock();
        genesis.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an endpoint said is not believed: it is left alone for a while.
    fn doubt(&self, position: usize, method: &'static str, reason: String) {
        if let Some(endpoint) = self.0.endpoints.get(position) {
            endpoint.failed(method, &Fault::Doubted(reason));
        }
    }
}
