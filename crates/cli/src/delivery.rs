//! The HTTP between a requester and a worker.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, anyhow, bail};
use assay_chain::endpoint;
use assay_client::{
    delivery::{
        Acknowledgement, Delivery, INFO_PATH, Info, Pending, Refusal, Request, acknowledge_path,
        audit_outputs_path, blob_path, hints_path, outputs_path, result_path, sign,
    },
    protocol::{Address, Digest, ProviderData, text},
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use solana_keypair::Keypair;

use crate::plain::plain;

/// Longest answer that is not a file.
const MAX_JSON_BYTES: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// For what a worker says of itself from memory.
pub const INFO_TIMEOUT: Duration = Duration::from_secs(5);

/// A provider's worker, as its provider account names it.
pub struct Worker {
    http: Client,
    endpoint: String,
    /// The same, fit to be shown.
    name: String,
    operator: Address,
}

/// What a worker has of a job.
pub enum Answer {
    /// No result yet; what it says about it.
    NotYet(String),
    Result(Box<Delivered>),
}

/// A result with its files.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub delivery: Delivery,
    pub outputs: Vec<u8>,
    pub hints: Vec<u8>,
}

impl Worker {
    /// The worker of a provider; none if the provider named no endpoint. A stranger chose the address: it must not have this
    /// machine ask for anything else, nor, unless that is allowed, anybody in its own network.
    pub fn of(provider: &ProviderData, allow_private: bool) -> Result<Option<Self>> {
        let endpoint = text::read(&provider.endpoint, provider.endpoint_len);
        if endpoint.is_empty() {
            return Ok(None);
        }
        let name = plain(endpoint);
        let Some(base) = endpoint::base(endpoint) else {
            bail!(
                "{name} is no endpoint: an http or https url without user, query and fragment is"
            );
        };
        if !allow_private && !endpoint::may_be_public(&base) {
            bail!("{name} is not a public address; --allow-private asks it all the same");
        }
        let http = endpoint::http(allow_private)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Some(Self {
            http,
            name: plain(&base),
            endpoint: base,
            operator: provider.operator,
        }))
    }

    /// The base URL, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the worker says about itself.
    pub async fn info(&self) -> Result<Info> {
        let request = self.http.get(self.url(INFO_PATH)).timeout(INFO_TIMEOUT);
        let response = self.send(request).await?;
        let body = self.success(response, MAX_JSON_BYTES).await?;
        serde_json::from_slice(&body)
            .with_context(|| format!("{} answered no worker's description", self.name))
    }

    /// Hands an input over.
    pub async fn put_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let request = self
            .http
            .put(self.url(&blob_path(digest)))
            .body(bytes.to_vec());
        let response = self.send(request).await?;
        self.success(response, MAX_JSON_BYTES).await?;
        Ok(())
    }

    /// Asks for a job's result and, if there is one, for its files; nothing longer than `limit` bytes is read.
    pub async fn result(&self, wallet: &Keypair, job: &Address, limit: u32) -> Result<Answer> {
        let limit = usize::try_from(limit)?;
        let response = self
            .signed(wallet, Method::GET, &result_path(job), Vec::new())
            .await?;
        let status = response.status();
        let body = self.success(response, MAX_JSON_BYTES).await?;
        if status == StatusCode::ACCEPTED {
            let pending: Pending = serde_json::from_slice(&body).unwrap_or(Pending {
                state: "working".into(),
            });
            return Ok(Answer::NotYet(plain(&pending.state)));
        }
        let delivery: Delivery = serde_json::from_slice(&body)
            .with_context(|| format!("{} answered no result that this client knows", self.name))?;
        let file = async |path: String, length: u64| {
            if length == 0 {
                return Ok(Vec::new());
            }
            let response = self.signed(wallet, Method::GET, &path, Vec::new()).await?;
            self.success(response, limit).await
        };
        let outputs = file(outputs_path(job), delivery.outputs_bytes).await?;
        let hints = file(hints_path(job), delivery.hints_bytes).await?;
        Ok(Answer::Result(Box::new(Delivered {
            delivery,
            outputs,
            hints,
        })))
    }

    /// What this worker computed for a seat of its own; none if it has not revealed that yet.
    pub async fn audit_outputs(
        &self,
        wallet: &Keypair,
        job: &Address,
        level: u8,
        limit: u32,
    ) -> Result<Option<Vec<u8>>> {
        let path = audit_outputs_path(job, level);
        let response = self.signed(wallet, Method::GET, &path, Vec::new()).await?;
        let status = response.status();
        let body = self.success(response, usize::try_from(limit)?).await?;
        Ok((status != StatusCode::ACCEPTED).then_some(body))
    }

    /// Tells the worker that its result was received and is what it committed to.
    pub async fn acknowledge(
        &self,
        wallet: &Keypair,
        job: &Address,
        requester_secret: [u8; 32],
    ) -> Result<()> {
        let body = serde_json::to_vec(&Acknowledgement { requester_secret })?;
        let response = self
            .signed(wallet, Method::POST, &acknowledge_path(job), body)
            .await?;
        self.success(response, MAX_JSON_BYTES).await?;
        Ok(())
    }

    async fn signed(
        &self,
        wallet: &Keypair,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Response> {
        let headers = sign(
            wallet,
            &Request {
                method: method.as_str(),
                path,
                timestamp: unix_seconds()?,
                body: &body,
                operator: &self.operator,
            },
        )?;
        let mut request = self.http.request(method, self.url(path));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        self.send(request).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        request
            .send()
            .await
            .map_err(|error| anyhow!("{} is not reachable: {}", self.name, innermost(&error)))
    }

    /// The body of a successful answer; the worker's own words otherwise.
    async fn success(&self, response: Response, limit: usize) -> Result<Vec<u8>> {
        let status = response.status();
        let body = self.body(response, limit).await?;
        if status.is_success() {
            return Ok(body);
        }
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => bail!(
                "{} refused ({}): {}",
                self.name,
                plain(&refusal.error),
                plain(&refusal.message)
            ),
            Err(_) => bail!("{} answered {status}", self.name),
        }
    }

    async fn body(&self, mut response: Response, limit: usize) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > limit {
                bail!("{} answered more than {limit} bytes", self.name);
            }
        }
        Ok(body)
    }
}

/// What went wrong at the bottom: "connection refused" says more than "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[expect(
    clippy::disallowed_methods,
    reason = "signed requests carry the time of this machine; the only clock here"
)]
fn unix_seconds() -> Result<i64> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .context("the clock is before 1970; set it")?;
    Ok(i64::try_from(since.as_secs())?)
}

/// Workers by endpoint, with what kept each from taking an input.
pub type Refusals = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider at this endpoint.
    fn at(endpoint: &str) -> ProviderData {
        let mut data: ProviderData = bytemuck::Zeroable::zeroed();
        data.endpoint[..endpoint.len()].copy_from_slice(endpoint.as_bytes());
        data.endpoint_len = endpoint.len().try_into().unwrap();
        data
    }

    #[test]
    fn endpoint_that_leads_elsewhere_is_refused() {
        for odd in [
            "http://192.168.1.1/apply.cgi?reboot=1&x=",
            "https://worker.example/?x=",
            "https://worker.example/#",
            "https://user:password@worker.example",
            "ftp://worker.example",
        ] {
            for allow_private in [false, true] {
                assert!(Worker::of(&at(odd), allow_private).is_err(), "{odd}");
            }
        }
        assert!(Worker::of(&at(""), false).unwrap().is_none());
        let public = at("https://worker.example/behind/a/proxy/");
        let worker = Worker::of(&public, false).unwrap().unwrap();
        assert_eq!(worker.url("/x"), "https://worker.example/behind/a/proxy/x");
    }

    #[tokio::test]
    async fn worker_in_a_private_network_is_not_asked_unless_that_is_allowed() {
        for private in ["http://10.0.0.1", "http://127.0.0.1:9", "http://[::1]:9"] {
            assert!(Worker::of(&at(private), false).is_err(), "{private}");
            assert!(Worker::of(&at(private), true).unwrap().is_some());
        }
        // A name is public as far as anybody can see, until it is resolved.
        let named = Worker::of(&at("http://localhost:9"), false).unwrap();
        let refused = named.unwrap().info().await.unwrap_err().to_string();
        assert!(refused.contains("no public address"), "{refused}");
    }
}
