//! Waiting for an account to become what somebody waits for.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use assay_client::protocol::Address;
use futures_util::StreamExt as _;
use solana_client::rpc_config::RpcAccountInfoConfig;
use solana_commitment_config::CommitmentConfig;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use tokio::task::JoinHandle;

use super::{PATIENCE, http::runtime};

/// A notification may get lost, so the account is looked at after this long even if nothing was heard of it.
const SILENCE: Duration = Duration::from_millis(500);

/// Hears of every change of an account.
#[derive(Debug)]
pub struct Watch {
    changes: Receiver<()>,
    listener: JoinHandle<()>,
}

impl Watch {
    /// Subscribes; from when this returns on, changes are heard.
    pub fn start(websocket: &str, address: &Address) -> Result<Self> {
        let (tell, changes) = channel();
        let listener = runtime().spawn(listen(websocket.to_owned(), *address, tell));
        // The first word says that the subscription stands.
        changes.recv_timeout(PATIENCE).with_context(|| {
            format!("the chain's websocket at {websocket} takes no subscription")
        })?;
        Ok(Self { changes, listener })
    }

    /// Looks until `look` finds something: at once, after each change, and after silence.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!("{what} did not happen within {} s", PATIENCE.as_secs());
            }
            self.pause(SILENCE)?;
        }
    }

    /// Waits for the next change, at most this long.
    pub fn pause(&self, longest: Duration) -> Result<()> {
        match self.changes.recv_timeout(longest) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => bail!("the chain's websocket was closed"),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(url: String, address: Address, tell: Sender<()>) {
    let Ok(client) = PubsubClient::new(url.as_str()).await else {
        return;
    };
    let config = RpcAccountInfoConfig {
        commitment: Some(CommitmentConfig::confirmed()),
        ..RpcAccountInfoConfig::default()
    };
    let Ok((mut stream, _)) = client.account_subscribe(&address, Some(config)).await else {
        return;
    };
    while tell.send(()).is_ok() {
        if stream.next().await.is_none() {
            return;
        }
    }
}
