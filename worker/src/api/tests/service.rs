//! The service on a free port, with what it stands on.

use std::time::Duration;

use assay_client::{
    delivery::{self, Models},
    protocol::{Digest, JobData, UnixSeconds},
};
use bytemuck::Zeroable;
use reqwest::{Method, Response};
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::task::JoinHandle;

use super::super::*;
use crate::{
    artifacts::{Cache, FetchSettings, NetworkPolicy},
    chain::{Endpoints, RpcChain},
    core::{AcknowledgeError, Body, Report, SavedResult},
    driver::AcknowledgeFailure,
    wall_clock,
};

pub const NOW: UnixSeconds = UnixSeconds(1_000);

pub fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

pub struct Service {
    pub url: String,
    pub store: Store,
    pub artifacts: Arc<Artifacts>,
    pub shared: Arc<Shared>,
    pub requester: Keypair,
    pub client: reqwest::Client,
    pub driver: JoinHandle<Vec<&'static str>>,
    pub stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Service {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = |name, limit| Cache::open(name, &folder.path().join(name), limit).unwrap();
        let timeout = Duration::from_secs(5);
        let fetch = FetchSettings {
            network: NetworkPolicy::default(),
            gateways: vec![],
            timeout,
            connections: 1,
        };
        let artifacts = Artifacts::new(
            cache("models", 1_000_000),
            cache("blobs", 1_000),
            vec![],
            fetch,
        );
        let artifacts = Arc::new(artifacts.unwrap());
        let store = Store::open(&folder.path().join("journal.sqlite")).unwrap();
        let endpoints = Endpoints {
            urls: vec!["http://127.0.0.1:9".into()],
            timeout,
            genesis: String::new(),
            per_second: 10,
        };
        let (driver, inputs) = mpsc::channel(8);
        let shared = Arc::new(Shared::default());
        let api = Arc::new(Api {
            chain: Arc::new(RpcChain::new(&endpoints).unwrap()),
            store: store.clone(),
            artifacts: Arc::clone(&artifacts),
            driver,
            shared: Arc::clone(&shared),
            provider: key(7),
            operator: key(8),
            runtime_class: [0; 32],
            clock: wall_clock,
            policy: Policy {
                min_price_lamports: 5,
                models: Models::Any,
                max_input_bytes: 600,
                max_model_bytes: 1_000,
            },
            limits: ApiLimits {
                timeout,
                concurrent_requests: 4,
                connections: 64,
                connections_per_client: 8,
                requests_per_minute: 2,
                client_header: Some(HeaderName::from_static("x-forwarded-for")),
                blob_bytes: 600,
            },
            answers: Answers::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, api, None, stop.clone()));
        let driver = tokio::spawn(answer(inputs));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let requester = Keypair::new();
        Self {
            url,
            store,
            artifacts,
            shared,
            requester,
            client,
            driver,
            stop,
            _folder: folder,
        }
    }

    /// A committed job of this requester.
    pub fn job(&self, number: u8, body: &Body, report: Report) -> Address {
        let job = key(number);
        let data = JobData {
            requester: self.requester.pubkey(),
            price: 500,
            ..JobData::zeroed()
        };
        self.store.report(&job, 1, &data, report, NOW).unwrap();
        let result = SavedResult {
            attempt: 1,
            generation: 3,
            salt: [1; 32],
            worker_secret: [2; 32],
            root: Digest([3; 32]),
            hints_digest: Digest([4; 32]),
            commitment: Digest([5; 32]),
            runtime_class: [6; 32],
        };
        self.store.save_result(&job, &result, body, NOW).unwrap();
        job
    }

    pub async fn plain(&self, method: Method, path: &str, body: &[u8]) -> Response {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.body(body.to_vec()).send().await.unwrap()
    }

    pub async fn signed(&self, by: &Keypair, method: Method, path: &str, body: &[u8]) -> Response {
        self.signed_at(by, method, path, body, wall_clock()).await
    }

    pub async fn signed_at(
        &self,
        by: &Keypair,
        method: Method,
        path: &str,
        body: &[u8],
        timestamp: i64,
    ) -> Response {
        let operator = key(8);
        let request = delivery::Request {
            method: method.as_str(),
            path,
            timestamp,
            body,
            operator: &operator,
        };
        let headers = delivery::sign(by, &request).unwrap();
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(body.to_vec()).send().await.unwrap()
    }
}

/// Answers acknowledgements as the core would and remembers what arrived.
async fn answer(mut inputs: mpsc::Receiver<Input>) -> Vec<&'static str> {
    let mut seen = Vec::new();
    while let Some(input) = inputs.recv().await {
        match input {
            Input::Acknowledge { secret, reply, .. } => {
                seen.push("acknowledge");
                let wrong = AcknowledgeFailure::Invalid(AcknowledgeError::SecretMismatch);
                let _ = reply.send(if secret == [9; 32] {
                    Ok(())
                } else {
                    Err(wrong)
                });
            }
            Input::Blob(_) => seen.push("blob"),
            Input::Job(..)
            | Input::Hints(_)
            | Input::Sensed(_)
            | Input::Drain(_)
            | Input::Resume(_)
            | Input::Effect(_) => {
                seen.push("other");
            }
        }
    }
    seen
}

impl Service {
    pub async fn signed_owned(&self, path: String, body: Vec<u8>) -> Response {
        self.signed(&self.requester, Method::POST, &path, &body)
            .await
    }
}
