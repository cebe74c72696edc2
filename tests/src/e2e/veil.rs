//! Stands before a worker's service and withholds what it is told to: a provider that will not serve.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{free_place, http::runtime};

/// Longest head of a request.
const HEAD: usize = 16 << 10;
const REFUSAL: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Passes connections on to a worker. Dropping it ends it.
#[derive(Debug)]
pub struct Veil {
    pub place: SocketAddr,
    hidden: Arc<Mutex<Option<String>>>,
    server: JoinHandle<()>,
}

impl Veil {
    /// Stands before this service, which need not run yet, and hides nothing.
    pub fn before(service: SocketAddr) -> Result<Self> {
        let place = free_place()?;
        let listener = runtime()
            .block_on(TcpListener::bind(place))
            .with_context(|| format!("{place} is taken"))?;
        let hidden = Arc::<Mutex<Option<String>>>::default();
        let seen = Arc::clone(&hidden);
        let server = runtime().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let hidden = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // A connection that breaks is its client's affair.
                runtime().spawn(async move { drop(pass(client, service, hidden).await) });
            }
        });
        Ok(Self {
            place,
            hidden,
            server,
        })
    }

    /// From now on requests for this path find nothing; none for nothing hidden.
    pub fn hide(&self, path: Option<String>) {
        *self.hidden.lock().unwrap_or_else(PoisonError::into_inner) = path;
    }
}

impl Drop for Veil {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(mut client: TcpStream, service: SocketAddr, hidden: Option<String>) -> Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            break end;
        }
        let read = client.read_buf(&mut bytes).await?;
        if read == 0 || bytes.len() > HEAD {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if hidden.is_some_and(|path| head.split(' ').nth(1) == Some(path.as_str())) {
        client.write_all(REFUSAL).await?;
        return Ok(client.shutdown().await?);
    }
    let mut service = TcpStream::connect(service).await?;
    // One request a connection, so that no later one passes unseen.
    service.write_all(head.as_bytes()).await?;
    service.write_all(b"\r\nconnection: close").await?;
    service.write_all(&bytes[end..]).await?;
    tokio::io::copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}
