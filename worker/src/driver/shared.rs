//! What others may see of the driver.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use assay_client::protocol::Digest;
use tokio::sync::watch;

use super::prepare::Prepared;
use crate::core::Snapshot;

/// Names that are remembered.
const NAMES: usize = 256;

/// What others may see of the driver's state.
#[derive(Default)]
pub struct Shared {
    /// Takes new jobs.
    pub accepting: AtomicBool,
    /// Journal and chain agree, and the chain answers.
    pub ready: AtomicBool,
    /// How everything stands; `subscribe` to hear of changes.
    pub snapshot: watch::Sender<Arc<Snapshot>>,
    pub names: Names,
}

/// What authors call their models, by the digest of the file: of models that were prepared since the
/// start. Texts of strangers.
#[derive(Debug, Default)]
pub struct Names(Mutex<BTreeMap<Digest, String>>);

impl Names {
    pub fn get(&self, model: &Digest) -> Option<String> {
        self.lock().get(model).cloned()
    }

    pub(super) fn note(&self, prepared: &Prepared) {
        let mut names = self.lock();
        if names.len() >= NAMES {
            names.pop_first();
        }
        names.insert(prepared.model.digest(), prepared.name.clone());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, String>> {
        // A name is inserted whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
