//! Which files are on their way, for people who wait for them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use assay_protocol::Digest;
use serde::Serialize;
use tokio::sync::OwnedMutexGuard;
use url::Url;

/// A file that is being fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// "model", "input" or "hints".
    pub what: &'static str,
    /// Sha256 in hex.
    pub digest: String,
    /// Bytes in all, and of these here.
    pub size: u64,
    pub received: u64,
    /// Host of the source that is asked now; empty for a local file.
    pub source: String,
}

#[derive(Default)]
pub(super) struct Transfers(Arc<Mutex<BTreeMap<[u8; 32], Entry>>>);

struct Entry {
    transfer: Transfer,
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Who fetches it or waits for that.
    holders: usize,
}

/// One who wants a file; the file is no longer on its way when the last one is dropped.
pub(super) struct Ticket {
    transfers: Arc<Mutex<BTreeMap<[u8; 32], Entry>>>,
    digest: [u8; 32],
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Transfers {
    pub fn begin(&self, what: &'static str, digest: Digest, size: u64) -> Ticket {
        let mut transfers = lock(&self.0);
        let entry = transfers.entry(digest.0).or_insert_with(|| Entry {
            transfer: Transfer {
                what,
                digest: hex::encode(digest.0),
                size,
                received: 0,
                source: String::new(),
            },
            turn: Arc::default(),
            holders: 0,
        });
        entry.holders += 1;
        Ticket {
            transfers: Arc::clone(&self.0),
            digest: digest.0,
            turn: Arc::clone(&entry.turn),
        }
    }

    pub fn list(&self) -> Vec<Transfer> {
        let transfers = lock(&self.0);
        transfers
            .values()
            .map(|entry| entry.transfer.clone())
            .collect()
    }
}

impl Ticket {
    /// Waits until nobody else fetches the file.
    pub async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    pub fn comes_from(&self, source: &Url) {
        let host = source.host_str().unwrap_or_default().to_owned();
        self.change(|transfer| transfer.source = host);
    }

    pub fn has(&self, received: u64) {
        self.change(|transfer| transfer.received = received);
    }

    pub fn got(&self, more: u64) {
        self.change(|transfer| transfer.received = transfer.received.saturating_add(more));
    }

    fn change(&self, change: impl FnOnce(&mut Transfer)) {
        if let Some(entry) = lock(&self.transfers).get_mut(&self.digest) {
            change(&mut entry.transfer);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut transfers = lock(&self.transfers);
        let Some(entry) = transfers.get_mut(&self.digest) else {
            return;
        };
        entry.holders -= 1;
        if entry.holders == 0 {
            transfers.remove(&self.digest);
        }
    }
}

fn lock(transfers: &Mutex<BTreeMap<[u8; 32], Entry>>) -> MutexGuard<'_, BTreeMap<[u8; 32], Entry>> {
    // Numbers for people: none of them is worse for a panic elsewhere.
    transfers.lock().unwrap_or_else(PoisonError::into_inner)
}
