//! HTTP as a requester speaks it, blocking.

use std::{
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use assay_client::{
    delivery::{self, Request},
    protocol::{Address, Digest},
};
use solana_signer::Signer;
use tokio::runtime::Runtime;

use super::PATIENCE;

/// One runtime for all tests of a process.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime can be made"))
}

/// What a worker answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A worker's HTTP service.
#[derive(Clone, Debug)]
pub struct Http {
    pub endpoint: String,
    /// The worker's key, for which requests are signed.
    pub operator: Address,
}

impl Http {
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, Vec::new(), Vec::new())
    }

    /// Hands over a file under a digest, which need not be its own.
    pub fn put_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<Answer> {
        self.send(
            "PUT",
            &delivery::blob_path(digest),
            bytes.to_vec(),
            Vec::new(),
        )
    }

    /// Sends a request signed by this wallet, now.
    pub fn signed(
        &self,
        wallet: &dyn Signer,
        method: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Answer> {
        self.signed_at(wallet, method, path, body, wall_clock()?)
    }

    /// Sends a request that claims to be signed at this moment.
    pub fn signed_at(
        &self,
        wallet: &dyn Signer,
        method: &str,
        path: &str,
        body: Vec<u8>,
        timestamp: i64,
    ) -> Result<Answer> {
        let request = Request {
            method,
            path,
            timestamp,
            body: &body,
            operator: &self.operator,
        };
        let headers = delivery::sign(wallet, &request)?.to_vec();
        self.send(method, path, body, headers)
    }

    /// Sends a request with these headers.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        body: Vec<u8>,
        headers: Vec<(&'static str, String)>,
    ) -> Result<Answer> {
        let url = format!("{}{path}", self.endpoint);
        let asked = async {
            let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
            let method = reqwest::Method::from_bytes(method.as_bytes())?;
            let mut request = client.request(method, &url).body(body);
            if path.ends_with("/acknowledge") {
                request = request.header("content-type", "application/json");
            }
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let response = request.send().await?;
            let status = response.status().as_u16();
            anyhow::Ok(Answer {
                status,
                body: response.bytes().await?.to_vec(),
            })
        };
        runtime()
            .block_on(asked)
            .with_context(|| format!("{method} {url} failed"))
    }
}

/// Unix seconds of the wall clock, by which signed requests are dated.
#[expect(
    clippy::disallowed_methods,
    reason = "signed requests carry the time of this machine"
)]
pub fn wall_clock() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_secs())?)
}
