//! One run: its plan, its time, its chain and its log.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use assay_client::protocol::Address;
use assay_tests::{World, sim::Dice};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{
    calendar::SLOT_MS,
    log::Log,
    mishaps::Census,
    net::Net,
    plan::{Fork, Plan},
    seals::Seals,
    tabs::Tabs,
};

pub struct Sim {
    pub plan: Plan,
    pub log: Log,
    /// Deleted with the run.
    pub folder: TempDir,
    pub seals: Mutex<Seals>,
    tabs: Mutex<Tabs>,
    begun: Instant,
    net: Mutex<Net>,
    census: Mutex<Census>,
}

impl Sim {
    pub fn new(plan: Plan, world: World, operators: Vec<Address>, aloud: bool) -> Arc<Self> {
        let log = Log::new(aloud);
        let net = Net::new(world, operators, &plan, &log);
        Arc::new(Self {
            plan,
            log,
            folder: folder(),
            seals: Mutex::default(),
            tabs: Mutex::default(),
            begun: Instant::now(),
            net: Mutex::new(net),
            census: Mutex::default(),
        })
    }

    /// Milliseconds of virtual time since the beginning.
    pub fn ms(&self) -> u64 {
        let elapsed = self.begun.elapsed().as_millis();
        u64::try_from(elapsed).expect("runs are short")
    }

    pub fn at(&self, ms: u64) -> Instant {
        self.begun + std::time::Duration::from_millis(ms)
    }

    /// The chain, with everything done that is due. A broken invariant of the ledger, which panics in
    /// whoever's task found it, is passed on to all.
    pub fn net(&self) -> MutexGuard<'_, Net> {
        let mut net = self
            .net
            .lock()
            .expect("an invariant of the protocol is broken");
        net.advance(self.ms(), &self.log);
        net
    }

    /// What was paid in sessions.
    pub fn tabs(&self) -> MutexGuard<'_, Tabs> {
        self.tabs.lock().expect("held for moments")
    }

    /// Lets a party that is not under test act on the chain; whether it was accepted.
    pub fn act(&self, payer: Address, batch: impl assay_tests::Batch) -> bool {
        self.net().send_at_once(payer, batch, self.ms(), &self.log)
    }

    pub fn count(&self, what: impl Into<String>) {
        self.census.lock().expect("held for moments").count(what);
    }

    /// Everything that was counted.
    pub fn census(&self) -> Census {
        let mut census = self.census.lock().expect("held for moments").clone();
        let net = self.net();
        census.add(&net.census);
        census.add(&net.trail.census);
        drop(net);
        census
    }

    /// From when to when a fork disturbs whoever sends.
    pub fn fork_ms(&self, fork: &Fork) -> (u64, u64) {
        let net = self
            .net
            .lock()
            .expect("an invariant of the protocol is broken");
        let slot = net.calendar.first_slot + fork.slot;
        let from = net
            .calendar
            .made_at(slot.saturating_sub(fork.depth).max(net.calendar.first_slot));
        // What lands again lands within eight slots.
        (from, net.calendar.made_at(slot) + 8 * SLOT_MS)
    }

    /// Chance for one purpose.
    pub fn dice(&self, purpose: u64) -> Dice {
        Dice::new(self.plan.seed, purpose)
    }
}

/// Where syncing a file costs nothing, if there is such a place.
fn folder() -> TempDir {
    static MEMORY: OnceLock<bool> = OnceLock::new();
    let memory = std::path::Path::new("/dev/shm");
    let usable = *MEMORY.get_or_init(|| tempfile::tempdir_in(memory).is_ok());
    let folder = if usable {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a temporary folder can be made")
}
