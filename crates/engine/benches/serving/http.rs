//! Models behind HTTP: ours on axum, the worker's server, and the load that is put on either.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use assay_engine::{EngineConfig, Host, HostConfig, Model};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    model,
    overhead::{LIMIT, elements},
    throughput::CALLERS,
};

struct Served {
    host: Host,
    model: Model,
    /// A safetensors file up to its elements; a request brings these.
    head: Vec<u8>,
}

/// Serves until it is killed. Says on which port.
pub async fn serve(file: &Path) -> Result<()> {
    let config = EngineConfig {
        concurrency: CALLERS,
        spare: false,
        ..EngineConfig::default()
    };
    let mut head = model::input_file()?;
    head.truncate(head.len() - model::little_endian(&model::input()).len());
    let served = Served {
        host: Host::new(HostConfig::new(config)?),
        model: Model::new(fs::read(file)?),
        head,
    };
    let app = Router::new()
        .route("/", post(respond))
        .with_state(Arc::new(served));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    Ok(axum::serve(listener, app).await?)
}

async fn respond(State(served): State<Arc<Served>>, body: Bytes) -> Result<Vec<u8>, StatusCode> {
    let input = [&served.head, &*body].concat();
    let outcome = served.host.run(&served.model, &input, LIMIT).await;
    let outcome = outcome.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    elements(outcome).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// What a client saw.
#[derive(Default)]
pub struct Load {
    pub per_second: f64,
    pub times: Vec<Duration>,
}

/// So many connections, each with one request after another, for so long. Every answer must be these bytes, or
/// any if there are none.
pub async fn load(
    at: SocketAddr,
    path: &'static str,
    connections: usize,
    length: Duration,
    expected: Option<&Bytes>,
) -> Result<Load> {
    let body = Bytes::from(model::little_endian(&model::input()));
    let mut connected = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        connected.push(sender);
    }
    let began = Instant::now();
    let callers: Vec<_> = connected
        .into_iter()
        .map(|mut sender| {
            let (body, expected) = (body.clone(), expected.cloned());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while began.elapsed() < length {
                    let sent = Instant::now();
                    let request = Request::post(path)
                        .header("host", "localhost")
                        .body(Full::new(body.clone()))?;
                    sender.ready().await?;
                    let response = sender.send_request(request).await?;
                    ensure!(response.status() == 200, "status {}", response.status());
                    let answer = response.into_body().collect().await?.to_bytes();
                    times.push(sent.elapsed());
                    if let Some(expected) = &expected {
                        ensure!(answer == *expected, "an answer is another than before");
                    }
                }
                Ok::<_, anyhow::Error>(times)
            })
        })
        .collect();
    let mut load = Load::default();
    for caller in callers {
        load.times.extend(caller.await??);
    }
    load.per_second = load.times.len() as f64 / began.elapsed().as_secs_f64();
    Ok(load)
}

/// One answer.
pub async fn ask(at: SocketAddr, path: &'static str) -> Result<Bytes> {
    let stream = TcpStream::connect(at).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let body = Bytes::from(model::little_endian(&model::input()));
    let request = Request::post(path)
        .header("host", "localhost")
        .body(Full::new(body))?;
    let response = sender.send_request(request).await?;
    ensure!(response.status() == 200, "status {}", response.status());
    let answer = response.into_body().collect().await;
    Ok(answer.context("the answer broke off")?.to_bytes())
}
