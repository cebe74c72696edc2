//! A connection that can be cut: to a chain that is out of reach, or a service that takes and does not give.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::{PATIENCE, free_place, http::runtime};

/// What passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Both,
    /// Connections are closed as they come, and those that were there break.
    Nothing,
    /// What clients send arrives; of what the service answers nothing more comes back.
    ToService,
}

/// Passes connections on to a service. Dropping it ends it.
#[derive(Debug)]
pub struct Cable {
    pub place: SocketAddr,
    flow: watch::Sender<Flow>,
    swallowed: Arc<watch::Sender<u64>>,
    server: JoinHandle<()>,
}

impl Cable {
    /// Leads to this service, which need not run yet, and lets everything pass.
    pub fn to(service: SocketAddr) -> Result<Self> {
        let place = free_place()?;
        let listener = runtime()
            .block_on(TcpListener::bind(place))
            .with_context(|| format!("{place} is taken"))?;
        let (flow, seen) = watch::channel(Flow::Both);
        let swallowed = Arc::new(watch::Sender::new(0));
        let counter = Arc::clone(&swallowed);
        let server = runtime().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (seen, counter) = (seen.clone(), Arc::clone(&counter));
                // A connection that breaks is its client's affair.
                runtime().spawn(async move { drop(pass(client, service, seen, counter).await) });
            }
        });
        Ok(Self {
            place,
            flow,
            swallowed,
            server,
        })
    }

    pub fn set(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }

    /// Waits until the service has answered something that was not passed on.
    pub fn wait_swallowed(&self) -> Result<()> {
        let mut swallowed = self.swallowed.subscribe();
        let answered = async { swallowed.wait_for(|bytes| *bytes > 0).await.map(drop) };
        runtime()
            .block_on(async { tokio::time::timeout(PATIENCE, answered).await })
            .context("the service answered nothing")??;
        Ok(())
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(
    client: TcpStream,
    service: SocketAddr,
    mut flow: watch::Receiver<Flow>,
    swallowed: Arc<watch::Sender<u64>>,
) -> Result<()> {
    let seen = flow.clone();
    let both = async move {
        let service = TcpStream::connect(service).await?;
        client.set_nodelay(true)?;
        service.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_service, to_service) = service.into_split();
        let there = copy(from_client, to_service, |_| true);
        let back = copy(from_service, to_client, |bytes| {
            let passes = *seen.borrow() == Flow::Both;
            if !passes {
                swallowed.send_modify(|sum| *sum += bytes);
            }
            passes
        });
        tokio::try_join!(there, back)?;
        Ok(())
    };
    tokio::select! {
        ended = both => ended,
        _ = flow.wait_for(|flow| *flow == Flow::Nothing) => Ok(()),
    }
}

/// Copies what `passes`, until the end.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passes: impl Fn(u64) -> bool,
) -> Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(to.shutdown().await?);
        }
        if passes(u64::try_from(read)?) {
            to.write_all(&buffer[..read]).await?;
        }
    }
}
