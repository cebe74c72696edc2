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
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use url::Url;

use super::calls::Calls;
use fault::Answered;
pub(super) use fault::Fault;
pub(super) use health::Health;
pub use health::State;

mod fault;
mod health;

/// Largest answer: more jobs than anybody watches.
const LARGEST_ANSWER: usize = 256 << 20;
/// The one request whose time says nothing of the node, but of how much there is.
const LISTING: &str = "getProgramAccounts";

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
    pub async fn ask<T>(
        &self,
        method: &'static str,
        parameters: &Value,
        longest: Duration,
        read: impl Fn(Value) -> Result<T, String>,
    ) -> Result<T, Fault> {
        self.limit.until_ready().await;
        self.calls.count(method);
        let begun = Instant::now();
        let answered = timeout(longest, self.exchange(method, parameters)).await;
        let result = answered.unwrap_or(Err(Fault::Silent(longest)));
        let slot = result.as_ref().ok().and_then(slot);
        let result = result.and_then(|answer| read(answer).map_err(Fault::Garbage));
        let now = Instant::now();
        match &result {
            Ok(_) => {
                let took = (method != LISTING).then(|| now - begun);
                self.health().answered(now, took, slot);
            }
            Err(fault) => self.failed(method, fault),
        }
        result
    }

    /// Notes what is wrong with the node, if anything is.
    pub fn failed(&self, method: &'static str, fault: &Fault) {
        let now = Instant::now();
        if !fault.is_the_nodes() {
            // It answered, only not what was hoped for.
            self.health().answered(now, None, None);
            return;
        }
        tracing::debug!(endpoint = self.name, request = method, reason = %fault, "endpoint failed");
        self.rest(fault);
    }

    /// Leaves the node alone for a while.
    pub fn rest(&self, fault: &Fault) {
        let now = Instant::now();
        let mut health = self.health();
        if health.rests(now) {
            return;
        }
        let before = health.fails();
        let rest = health.failed(now, fault, jitter());
        drop(health);
        if !before {
            let (endpoint, seconds) = (&self.name, rest.as_secs_f64());
            tracing::warn!(endpoint, reason = %fault, seconds, "an RPC endpoint is left alone for a while");
        }
    }

    async fn exchange(&self, method: &'static str, parameters: &Value) -> Result<Value, Fault> {
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
            if bytes.len().saturating_add(part.len()) > LARGEST_ANSWER {
                return Err(Fault::Garbage("more than 256 MiB".into()));
            }
            bytes.extend_from_slice(&part);
        }
        // What is wrong with a request, some nodes say under that status.
        if !status.is_success() && status != StatusCode::BAD_REQUEST {
            return Err(Fault::Status(status.as_u16()));
        }
        let answer = serde_json::from_slice::<Answer>(&bytes);
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
struct Answer {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default)]
    error: Option<Answered>,
}

/// A result of null is one.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// The slot that an answer is of.
fn slot(answer: &Value) -> Option<u64> {
    answer.get("context")?.get("slot")?.as_u64()
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
