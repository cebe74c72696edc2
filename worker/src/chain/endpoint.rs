//! One RPC node: requests over HTTP, at the rate that is allowed, and what they tell of its health.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::{StatusCode, header::RETRY_AFTER};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_client::rpc_response::RpcKeyedAccount;
use tokio::time::{Instant, timeout};
use url::Url;

use super::calls::Calls;
pub(super) use fault::Fault;
pub(super) use health::Health;
pub use health::State;

mod fault;
mod health;

/// Largest list: more jobs than anybody watches.
const LARGEST_LIST: usize = 64 << 20;
/// Any other largest answer: a hundred accounts. As JSON values it may take sixteen times as much.
const LARGEST_ANSWER: usize = 4 << 20;
/// What failures of checks count as: a node that passes them may fail at the same method otherwise.
const CHECK: &str = "check";
/// The one request whose time says nothing of the node, but of how much there is.
const LISTING: &str = "getProgramAccounts";

/// A result as it is parsed.
pub(super) trait Answer: DeserializeOwned {
    /// The slot that it is of, where it says so.
    fn slot(&self) -> Option<u64>;
}

impl Answer for Value {
    fn slot(&self) -> Option<u64> {
        self.get("context")?.get("slot")?.as_u64()
    }
}

/// Parsed at once: a list made up of anything else ends at its first entry.
impl Answer for Vec<RpcKeyedAccount> {
    fn slot(&self) -> Option<u64> {
        None
    }
}

pub(super) struct Endpoint {
    url: Url,
    /// Without path or query, where providers put keys.
    pub name: String,
    client: reqwest::Client,
    limit: DefaultDirectRateLimiter,
    health: Mutex<Health>,
    calls: Arc<Calls>,
    requests: AtomicU64,
}

impl Endpoint {
    pub fn new(
        url: Url,
        name: String,
        client: reqwest::Client,
        per_second: NonZeroU32,
        calls: Arc<Calls>,
    ) -> Self {
        Self {
            url,
            name,
            client,
            limit: RateLimiter::direct(Quota::per_second(per_second)),
            health: Mutex::default(),
            calls,
            requests: AtomicU64::new(1),
        }
    }

    pub fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request, and what `read` makes of its answer. An answer that cannot be read is the node's
    /// fault: another may do better.
    pub async fn ask<A: Answer, T>(
        &self,
        method: &'static str,
        parameters: &Value,
        longest: Duration,
        read: impl Fn(A) -> Result<T, String>,
    ) -> Result<T, Fault> {
        self.ask_as(method, method, parameters, longest, read).await
    }

    /// A question of a check, which shows nothing of the same question otherwise.
    pub async fn check<A: Answer, T>(
        &self,
        method: &'static str,
        parameters: &Value,
        longest: Duration,
        read: impl Fn(A) -> Result<T, String>,
    ) -> Result<T, Fault> {
        self.ask_as(CHECK, method, parameters, longest, read).await
    }

    async fn ask_as<A: Answer, T>(
        &self,
        kind: &'static str,
        method: &'static str,
        parameters: &Value,
        longest: Duration,
        read: impl Fn(A) -> Result<T, String>,
    ) -> Result<T, Fault> {
        self.limit.until_ready().await;
        self.calls.count(method);
        let begun = Instant::now();
        let answered = timeout(longest, self.exchange(method, parameters)).await;
        let result = answered.unwrap_or(Err(Fault::Silent(longest)));
        let slot = result.as_ref().ok().and_then(A::slot);
        let result = result.and_then(|answer| read(answer).map_err(Fault::Garbage));
        let now = Instant::now();
        match &result {
            Ok(_) => {
                let took = (method != LISTING).then(|| now - begun);
                self.health().answered(kind, now, took, slot);
            }
            Err(fault) => self.failed(kind, fault),
        }
        result
    }

    /// Notes what is wrong with the node, if anything is.
    pub fn failed(&self, kind: &'static str, fault: &Fault) {
        let now = Instant::now();
        tracing::debug!(endpoint = self.name, request = kind, reason = %fault, "endpoint failed");
        if fault.is_the_nodes() {
            self.rest(kind, fault);
        } else if fault.may_be_answered_elsewhere() {
            self.health().count(kind, now);
        } else {
            // It answered, only not what was hoped for.
            self.health().answered(kind, now, None, None);
        }
    }

    /// Leaves the node alone after a check that failed, whatever it failed with.
    pub fn fail_check(&self, fault: &Fault) {
        self.rest(CHECK, fault);
    }

    /// Leaves the node alone for a while.
    fn rest(&self, kind: &'static str, fault: &Fault) {
        let now = Instant::now();
        let mut health = self.health();
        if health.rests(now) {
            return;
        }
        let before = health.fails();
        let rest = health.failed(kind, now, fault, jitter());
        drop(health);
        if !before {
            let (endpoint, seconds) = (&self.name, rest.as_secs_f64());
            tracing::warn!(endpoint, reason = %fault, seconds, "an RPC endpoint is left alone for a while");
        }
    }

    async fn exchange<A: Answer>(
        &self,
        method: &'static str,
        parameters: &Value,
    ) -> Result<A, Fault> {
        let largest = if method == LISTING {
            LARGEST_LIST
        } else {
            LARGEST_ANSWER
        };
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters });
        let request = self.client.post(self.url.clone()).json(&body).send();
        // Whatever a client says of a request may name the url.
        let mut response = request.await.map_err(|error| Fault::unreached(&error))?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        if status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some()
        {
            return Err(Fault::Limited { retry_after });
        }
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|_| Fault::Broken)? {
            if bytes.len().saturating_add(part.len()) > largest {
                return Err(Fault::Garbage(format!("more than {largest} bytes")));
            }
            bytes.extend_from_slice(&part);
        }
        // What is wrong with a request, some nodes say under that status.
        if !status.is_success() && status != StatusCode::BAD_REQUEST {
            return Err(Fault::Status(status.as_u16()));
        }
        let answer = serde_json::from_slice::<Answered<A>>(&bytes);
        let answer = answer.map_err(|error| Fault::Garbage(error.to_string()))?;
        if answer.id.is_some_and(|answered| answered != id) {
            return Err(Fault::Garbage("an answer to another request".into()));
        }
        match (answer.error, answer.result) {
            (Some(error), _) => Err(Fault::answered(error)),
            (None, Some(result)) => Ok(result),
            (None, None) => Err(Fault::Garbage("neither result nor error".into())),
        }
    }
}

#[derive(Deserialize)]
#[serde(bound = "A: DeserializeOwned")]
struct Answered<A> {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default = "Option::default", deserialize_with = "present")]
    result: Option<A>,
    #[serde(default)]
    error: Option<fault::Error>,
}

/// A result of null is one.
fn present<'de, D: Deserializer<'de>, A: Deserialize<'de>>(from: D) -> Result<Option<A>, D::Error> {
    A::deserialize(from).map(Some)
}

/// Thousandths, so that workers do not come back all at once.
fn jitter() -> u32 {
    getrandom::u32().map_or(500, |random| random % 1_000)
}

/// What to call an endpoint: its host, and its port where it names one.
pub(super) fn name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
