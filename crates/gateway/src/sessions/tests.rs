//! The sessions of a gateway against providers on loopback that sign, lie and fail.

pub(crate) mod chain;
mod claims;
mod deposits;
mod failures;
mod killed;
mod misfits;
mod money;
mod operators;
pub(crate) mod provider;
mod requests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use assay_client::session::{GenerateRequest, Price, Sampling};
use tempfile::TempDir;

use super::{Config, Sessions};
use crate::{
    books,
    lane::wire::Bounds,
    store::{SessionRow, Store},
};
use chain::{MemoryChain, WALLET};
use provider::Provider;

/// Each request 100 lamports, so that sums are easy to see.
pub(crate) const FLAT: Price = Price {
    request: 100,
    input_kib: 0,
    input_token: 0,
    output_token: 0,
};

/// A ledger, a chain, and what is served there.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) chain: Arc<MemoryChain>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            chain: Arc::default(),
        }
    }

    pub(crate) async fn provider(&self, key: u8, price: Price) -> Arc<Provider> {
        Provider::start(&self.chain, key, price).await
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.sqlite")
    }

    fn store(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }

    pub(crate) async fn sessions(&self, config: Config) -> Sessions {
        let lock = Store::lock(&self.path()).unwrap();
        let chain = Arc::clone(&self.chain);
        Sessions::start(config, chain, self.store(), lock)
            .await
            .unwrap()
    }

    fn rows(&self) -> Vec<SessionRow> {
        self.store().sessions(&[6; 32], &WALLET).unwrap()
    }

    /// The only session.
    fn row(&self) -> SessionRow {
        let rows = self.rows();
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows[0].clone()
    }

    /// Lamports by the receipts of a session, whose books must agree.
    fn charged(&self, row: &SessionRow) -> u64 {
        let receipts = self.store().receipts(&row.address).unwrap();
        let books = books::check(row, &receipts);
        assert_eq!(books.faults, Vec::<String>::new());
        books.charged
    }
}

/// More than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn config() -> Config {
    Config {
        bounds: Bounds {
            patience: PATIENCE,
            allow_private: true,
            ..Bounds::default()
        },
        queue_wait: Duration::from_secs(20),
        ..Config::new(1_000_000, 10_000, 10_000)
    }
}

/// One session, with so many lamports at a time.
fn one_lane(deposit: u64) -> Config {
    Config {
        deposit,
        lanes: 1,
        ..config()
    }
}

/// Waits until no request is under way or in doubt.
async fn settled(sessions: &Sessions) {
    let mut active = sessions.inner.active.subscribe();
    active.wait_for(|count| *count == 0).await.unwrap();
}

fn prompt(tokens: &[u32], max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        tokens: tokens.to_vec(),
        max_tokens,
        stop_tokens: Vec::new(),
        sampling: Sampling::default(),
        logprobs: 0,
    }
}
