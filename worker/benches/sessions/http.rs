//! Requests over connections that stay open, and the load of many of them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use axum::http::{HeaderMap, request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One connection, for one request after another. A server closes it when it rests; then another is opened.
pub struct Connection {
    at: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub async fn open(at: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { at, sender })
    }

    pub async fn get(&mut self, path: &str) -> Result<(HeaderMap, Bytes)> {
        self.send(Request::get(path), Bytes::new()).await
    }

    /// Headers and body of an answer; anything but 200 is an error.
    pub async fn send(
        &mut self,
        request: request::Builder,
        body: Bytes,
    ) -> Result<(HeaderMap, Bytes)> {
        let request = request.header("host", "localhost").body(Full::new(body))?;
        if self.sender.is_closed() {
            *self = Self::open(self.at).await?;
        }
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = body.collect().await.context("the answer broke off")?;
        let body = body.to_bytes();
        let text = || String::from_utf8_lossy(&body).into_owned();
        ensure!(head.status == 200, "status {}: {}", head.status, text());
        Ok((head.headers, body))
    }
}

/// What clients saw.
#[derive(Default)]
pub struct Load {
    pub per_second: f64,
    pub times: Vec<Duration>,
}

impl Load {
    /// Gathers what callers measured since then.
    pub async fn of(
        callers: Vec<tokio::task::JoinHandle<Result<Vec<Duration>>>>,
        began: Instant,
    ) -> Result<Self> {
        let mut load = Self::default();
        for caller in callers {
            load.times.extend(caller.await??);
        }
        load.per_second = load.times.len() as f64 / began.elapsed().as_secs_f64();
        Ok(load)
    }
}

/// So many connections, each with this body again and again for so long.
pub async fn load(
    at: SocketAddr,
    path: &'static str,
    body: &Bytes,
    connections: usize,
    length: Duration,
) -> Result<Load> {
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(at).await?);
    }
    let began = Instant::now();
    let callers = opened.into_iter().map(|mut connection| {
        let body = body.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < length {
                let sent = Instant::now();
                connection.send(Request::post(path), body.clone()).await?;
                times.push(sent.elapsed());
            }
            Ok(times)
        })
    });
    Load::of(callers.collect(), began).await
}
