//! Hints from websockets: jobs as they change, moments before the next reading would show it.
//!
//! A stream may die silently, repeat itself or miss accounts; nothing depends on it. While one is
//! alive, which the slots on it prove, the chain is read less often. Whenever one begins or ends, the
//! driver reads at once what it may have missed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use assay_client::{
    PROGRAM_ID, filter,
    protocol::{Address, JobData},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_client::{
    rpc_config::{RpcAccountInfoConfig, RpcProgramAccountsConfig},
    rpc_filter::{Memcmp, RpcFilterType},
    rpc_response::SlotInfo,
};
use solana_commitment_config::CommitmentConfig;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{agreement, endpoint, rpc::job_account};

/// Pauses between two tries to connect: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest wait for a connection or a subscription.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a websocket tells.
#[derive(Clone, Debug)]
pub enum Hint {
    Job(Address, Box<JobData>),
    /// From now on every change is told, or no more.
    Alive(bool),
}

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Streams {
    /// The preferred one first.
    pub urls: Vec<String>,
    /// Without a slot for so long, a stream is dead.
    pub silence: Duration,
}

/// How one websocket stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHealth {
    /// Its host, as for endpoints.
    pub name: String,
    pub alive: bool,
    pub slot: Option<u64>,
    /// How often it was opened.
    pub opened: u32,
    pub last_error: Option<String>,
}

/// What is known of every websocket; the watcher writes it.
#[derive(Default)]
pub struct Watching(Mutex<Vec<Seen>>);

struct Seen {
    health: StreamHealth,
    heard: Option<Instant>,
}

impl Watching {
    pub fn health(&self) -> Vec<StreamHealth> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|seen| seen.health.clone()).collect()
    }

    /// The newest slot that a living stream has told in this time.
    pub(super) fn tip(&self, within: Duration) -> Option<u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = all.iter().filter(|seen| {
            seen.health.alive && seen.heard.is_some_and(|heard| heard.elapsed() < within)
        });
        fresh.filter_map(|seen| seen.health.slot).max()
    }

    fn start(&self, names: Vec<String>) {
        let seen = names.into_iter().map(|name| Seen {
            health: StreamHealth {
                name,
                alive: false,
                slot: None,
                opened: 0,
                last_error: None,
            },
            heard: None,
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen.collect();
    }

    fn note(&self, position: usize, change: impl FnOnce(&mut Seen)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = all.get_mut(position) {
            change(seen);
        }
    }
}

/// Passes on what is told until cancelled. `newest`: the slot that endpoints show; a stream far from
/// it is of another chain, or late.
pub async fn watch(
    streams: Streams,
    watching: Arc<Watching>,
    newest: impl Fn() -> Option<u64>,
    hints: mpsc::Sender<Hint>,
    stop: CancellationToken,
) {
    let name = |url: &String| {
        let url = Url::parse(url);
        url.map_or_else(|_| "?".to_owned(), |url| endpoint::name(&url))
    };
    watching.start(streams.urls.iter().map(name).collect());
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        for (position, url) in streams.urls.iter().enumerate() {
            let listener = Listener {
                position,
                silence: streams.silence,
                watching: &watching,
                newest: &newest,
                hints: &hints,
            };
            let ended = stop.run_until_cancelled(listener.listen(url)).await;
            let was_alive = listener.close(ended.as_ref());
            if was_alive && hints.send(Hint::Alive(false)).await.is_err() {
                return;
            }
            match ended {
                None | Some(Ended::NobodyListens) => return,
                Some(Ended::Failed(reason)) => {
                    let endpoint = listener.name();
                    crate::metrics::websocket_failure();
                    tracing::debug!(endpoint, reason, "a websocket is not available");
                }
            }
            if was_alive {
                // The preferred one first again.
                pause = FIRST_PAUSE;
                break;
            }
        }
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

enum Ended {
    NobodyListens,
    Failed(String),
}

struct Listener<'a, N> {
    position: usize,
    silence: Duration,
    watching: &'a Watching,
    newest: &'a N,
    hints: &'a mpsc::Sender<Hint>,
}

impl<N: Fn() -> Option<u64>> Listener<'_, N> {
    fn name(&self) -> String {
        let all = self.watching.health();
        let seen = all.into_iter().nth(self.position);
        seen.map(|health| health.name).unwrap_or_default()
    }

    async fn listen(&self, url: &str) -> Ended {
        let failed = |reason: &str| Ended::Failed(reason.to_owned());
        // The library's errors may quote the url: only their kind is told.
        let client = match timeout(PATIENCE, PubsubClient::new(url)).await {
            Ok(Ok(client)) => client,
            Ok(Err(_)) => return failed("no connection"),
            Err(_) => return failed("no connection in time"),
        };
        // Slots first: they show which chain this is before anything of it is believed.
        let Ok(Ok((mut slots, _))) = timeout(PATIENCE, client.slot_subscribe()).await else {
            return failed("slots cannot be subscribed to");
        };
        if let Err(reason) = self.slot(timeout(self.silence, slots.next()).await.ok().flatten()) {
            return Ended::Failed(reason);
        }
        let subscribing = client.program_subscribe(&PROGRAM_ID, Some(config()));
        let Ok(Ok((mut jobs, _))) = timeout(PATIENCE, subscribing).await else {
            return failed("jobs cannot be subscribed to");
        };
        self.watching.note(self.position, |seen| {
            seen.health.alive = true;
            seen.health.opened = seen.health.opened.saturating_add(1);
            seen.health.last_error = None;
        });
        if self.hints.send(Hint::Alive(true)).await.is_err() {
            return Ended::NobodyListens;
        }
        let mut silent_at = Instant::now() + self.silence;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(silent_at) => return failed("no slot for too long"),
                slot = slots.next() => {
                    if let Err(reason) = self.slot(slot) {
                        return Ended::Failed(reason);
                    }
                    silent_at = Instant::now() + self.silence;
                }
                job = jobs.next() => {
                    let Some(notification) = job else {
                        return failed("the stream of jobs ended");
                    };
                    if let Some((address, job)) = job_account(&notification.value)
                        && self.hints.send(Hint::Job(address, Box::new(job))).await.is_err()
                    {
                        return Ended::NobodyListens;
                    }
                }
            }
        }
    }

    /// A slot must be near what the endpoints show.
    fn slot(&self, slot: Option<SlotInfo>) -> Result<(), String> {
        let slot = slot.ok_or("no slot came")?.slot;
        let newest = (self.newest)().ok_or("there is no endpoint to compare its slots with")?;
        if !agreement::are_near(slot, newest) {
            return Err(format!(
                "its slot {slot} is not of the chain whose slot is {newest}, or it is late"
            ));
        }
        self.watching.note(self.position, |seen| {
            seen.health.slot = Some(slot);
            seen.heard = Some(Instant::now());
        });
        Ok(())
    }

    /// Notes the end; whether it had been alive.
    fn close(&self, ended: Option<&Ended>) -> bool {
        let mut was_alive = false;
        self.watching.note(self.position, |seen| {
            was_alive = std::mem::take(&mut seen.health.alive);
            if let Some(Ended::Failed(reason)) = ended {
                seen.health.last_error = Some(reason.clone());
            }
        });
        was_alive
    }
}

fn config() -> RpcProgramAccountsConfig {
    let filters = filter::accounts::<JobData>()
        .into_iter()
        .map(|filter| match filter {
            filter::Filter::Size(size) => RpcFilterType::DataSize(size),
            filter::Filter::Bytes { offset, bytes } => {
                RpcFilterType::Memcmp(Memcmp::new_base58_encoded(offset, &bytes))
            }
        })
        .collect();
    RpcProgramAccountsConfig {
        filters: Some(filters),
        account_config: RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            ..RpcAccountInfoConfig::default()
        },
        ..RpcProgramAccountsConfig::default()
    }
}

#[cfg(test)]
mod tests;
