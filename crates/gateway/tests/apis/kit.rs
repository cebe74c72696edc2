//! An upstream that is told what to say, and a gateway over it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use assay_client::{
    outputs::digest,
    protocol::Digest,
    session::{Finish, GenerateRequest, OfferedModel, Port, Price, Token, Usage},
};
use assay_gateway::{
    Listed, Ran, Upstream, UpstreamError,
    api::{Options, Packages, router},
    templates::{RenderError, Renderer},
    upstream::Piece,
};
use assay_package::{Package, Rendering};
use bytes::Bytes;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use serde_json::Value;
use tokio::net::TcpListener;

use super::exports;

pub type Runner = fn(&[u8]) -> Result<Vec<u8>, UpstreamError>;

/// What is said, and what was asked.
pub struct Scripted {
    pub models: Vec<Listed>,
    pub run: Runner,
    pub pieces: Vec<Result<Piece, UpstreamError>>,
    /// Whether generating goes on for ever after the pieces.
    pub endless: bool,
    pub asked: Mutex<Vec<GenerateRequest>>,
    pub runs: Mutex<Vec<Vec<u8>>>,
    /// How often something was missed.
    pub missed: AtomicUsize,
    /// Whether a stream was dropped before its end.
    pub dropped: Arc<AtomicBool>,
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            run: |_| Err(UpstreamError::Unavailable("nobody is there".to_owned())),
            pieces: Vec::new(),
            endless: false,
            asked: Mutex::default(),
            runs: Mutex::default(),
            missed: AtomicUsize::default(),
            dropped: Arc::default(),
        }
    }
}

impl Upstream for Scripted {
    fn models(&self) -> BoxFuture<'_, Result<Vec<Listed>, UpstreamError>> {
        async { Ok(self.models.clone()) }.boxed()
    }

    fn look_again(&self) {
        self.missed.fetch_add(1, Ordering::SeqCst);
    }

    fn run(&self, _: Digest, input: Bytes) -> BoxFuture<'_, Result<Ran, UpstreamError>> {
        self.runs.lock().unwrap().push(input.to_vec());
        let ran = (self.run)(&input).map(|outputs| Ran {
            outputs: outputs.into(),
            price: 1,
        });
        async { ran }.boxed()
    }

    fn generate(
        &self,
        _: Digest,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Piece, UpstreamError>>, UpstreamError>>
    {
        self.asked.lock().unwrap().push(request);
        let pieces = self.pieces.clone();
        if let [Err(error)] = pieces.as_slice() {
            let error = error.clone();
            return async { Err(error) }.boxed();
        }
        let mark = Mark(self.dropped.clone());
        let rest = if self.endless {
            stream::pending().boxed()
        } else {
            stream::empty().boxed()
        };
        let pieces = stream::iter(pieces).chain(rest).map(move |piece| {
            let _whole = &mark;
            piece
        });
        async { Ok(pieces.boxed()) }.boxed()
    }
}

struct Mark(Arc<AtomicBool>);

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Renders in this process: the templates here are our own.
struct Here;

impl Renderer for Here {
    fn render(&self, rendering: Rendering) -> BoxFuture<'_, Result<String, RenderError>> {
        async move { Ok(rendering.render()?) }.boxed()
    }
}

/// A port.
pub fn port(name: &str, dtype: &str, shape: &[i64]) -> Port {
    Port {
        name: name.to_owned(),
        dtype: dtype.to_owned(),
        shape: Some(shape.to_vec()),
    }
}

/// An offer of a model whose file is these bytes.
pub fn offer(name: &str, file: &[u8], inputs: Vec<Port>, outputs: Vec<Port>) -> Listed {
    Listed {
        providers: 2,
        model: OfferedModel {
            digest: digest(file),
            name: name.to_owned(),
            price: Price::default(),
            generates: outputs.iter().any(|port| port.name == "logits"),
            inputs,
            outputs,
            max_tokens: 0,
        },
    }
}

/// An offer of the package that [`decoder`] makes.
pub fn decoder_offer() -> Listed {
    let inputs = vec![port("input_ids", "I64", &[-1, -1])];
    offer(
        "theirs",
        b"decoder",
        inputs,
        vec![port("logits", "F32", &[-1, -1, 260])],
    )
}

/// The package `chat`, whose tokens are bytes.
pub fn decoder() -> Package {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("chat");
    exports::write_decoder(&folder, b"decoder");
    Package::open(&folder).unwrap()
}

/// A gateway over an upstream.
pub struct Gateway {
    pub address: String,
    pub upstream: Arc<Scripted>,
    client: reqwest::Client,
}

impl Gateway {
    pub async fn over(upstream: Scripted, packages: Vec<Package>) -> Self {
        Self::with(upstream, packages, Options::default()).await
    }

    pub async fn with(upstream: Scripted, packages: Vec<Package>, options: Options) -> Self {
        let upstream = Arc::new(upstream);
        let packages = Arc::new(Packages::new(packages).unwrap());
        let router = router(upstream.clone(), packages, Arc::new(Here), options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            upstream,
            client: reqwest::Client::new(),
        }
    }

    /// One whose decoder says these pieces.
    pub async fn saying(pieces: Vec<Result<Piece, UpstreamError>>) -> Self {
        let upstream = Scripted {
            models: vec![decoder_offer()],
            pieces,
            ..Scripted::default()
        };
        Self::over(upstream, vec![decoder()]).await
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.address))
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.address))
    }

    /// Sends JSON; gives the status and what came as text.
    pub async fn text(&self, path: &str, body: &Value) -> (u16, String) {
        let response = self.post(path).json(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Sends JSON; gives the status and the JSON that came.
    pub async fn json(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, text) = self.text(path, body).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// The last that was asked of the decoder.
    pub fn asked(&self) -> GenerateRequest {
        self.upstream.asked.lock().unwrap().last().unwrap().clone()
    }
}

/// A text's bytes as tokens, and an end.
pub fn said(text: &str, finish: Finish) -> Vec<Result<Piece, UpstreamError>> {
    let tokens = text.bytes().map(|byte| Ok(token(u32::from(byte))));
    let usage = Usage {
        input_bytes: 0,
        input_tokens: 0,
        output_tokens: u64::try_from(text.len()).unwrap(),
    };
    let done = Ok(Piece::Done {
        finish,
        usage,
        price: 5,
    });
    tokens.chain([done]).collect()
}

pub fn token(id: u32) -> Piece {
    Piece::Token(Token {
        id,
        logprob: Some(-0.5),
        likely: Vec::new(),
    })
}

pub fn busy() -> UpstreamError {
    UpstreamError::Busy {
        text: "everybody is busy".to_owned(),
        retry_after_secs: 3,
    }
}

/// The data of server-sent events.
pub fn events(text: &str) -> Vec<String> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(str::to_owned).collect()
}
