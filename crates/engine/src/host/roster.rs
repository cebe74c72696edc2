//! Which engines there are, for [`Ps`](super::ps::Ps).

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_protocol::Digest;
use tokio::time::Instant;

use super::{
    memory,
    ps::{EngineState, EngineStatus},
};
use crate::{config::Provider, placement::Placement, settings::Mode};

/// What is known of one engine.
#[derive(Clone, Debug)]
pub struct Entry {
    pub model: Option<Digest>,
    pub pid: Option<u32>,
    pub state: EngineState,
    pub started: Instant,
    pub loaded: Option<Instant>,
    /// The end of the last load or run.
    pub used: Instant,
    pub runs: u64,
    pub placement: Placement,
    /// Whether the model was loaded as it was optimised before.
    pub optimised: bool,
}

/// All engines of a host by number; one is on it exactly as long as its process is held.
#[derive(Debug, Default)]
pub struct Roster {
    entries: Mutex<(u64, BTreeMap<u64, Entry>)>,
}

impl Roster {
    pub fn add(&self, pid: Option<u32>) -> u64 {
        let mut entries = self.entries();
        let (last, entries) = &mut *entries;
        *last = last.saturating_add(1);
        let now = Instant::now();
        let entry = Entry {
            model: None,
            pid,
            state: EngineState::Loading,
            started: now,
            loaded: None,
            used: now,
            runs: 0,
            placement: Placement::default(),
            optimised: false,
        };
        entries.insert(*last, entry);
        *last
    }

    pub fn change(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries().1.get_mut(&number) {
            change(entry);
        }
    }

    pub fn remove(&self, number: u64) {
        self.entries().1.remove(&number);
    }

    pub fn status(&self, provider: Provider, mode: Mode) -> Vec<EngineStatus> {
        let entries: Vec<Entry> = self.entries().1.values().cloned().collect();
        let status = |entry: &Entry| EngineStatus {
            model: entry.model,
            pid: entry.pid,
            state: entry.state,
            memory_bytes: entry.pid.and_then(memory::of),
            started_for: entry.started.elapsed(),
            loaded_for: entry.loaded.map(|loaded| loaded.elapsed()),
            idle_for: (entry.state == EngineState::Idle).then(|| entry.used.elapsed()),
            runs: entry.runs,
            provider,
            mode,
            placement: entry.placement.clone(),
            optimised: entry.optimised,
        };
        entries.iter().map(status).collect()
    }

    fn entries(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Entry>)> {
        // The map is whole after every statement, so a panic elsewhere does not spoil it.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
