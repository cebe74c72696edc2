//! Reading the chain, again and again: the truth that everything else only hints at.

use std::sync::{Arc, atomic::Ordering};

use std::collections::{BTreeMap, BTreeSet};

use assay_client::protocol::{Address, JobData, Lamports, PanelData, UnixSeconds};
use tokio::time::Instant;

use super::{Chain, ChainError, Driver, Effect};
use crate::{
    chain::{Snapshot, Wanted},
    metrics,
};

/// Lamports below which the operator should be given more: a thousand transactions.
const LOW_BALANCE: u64 = 5_000_000;
/// Polls between two warnings of a low balance, and between two removals of old files.
const BALANCE_EVERY: u64 = 30;

const UNREACHABLE: &str = "no RPC endpoint answers; see chain.rpc";
const CLOCK_DOUBTED: &str = "the chain's clock jumped and is not believed; see chain.jump_secs";

/// One reading of the chain.
pub struct Reading {
    pub snapshot: Snapshot,
    /// Of audits that are ours.
    pub panels: Panels,
}

/// Panels of levels 1 and 2, by job; read after the job.
pub type Panels = BTreeMap<Address, [Option<PanelData>; 2]>;

/// What new work and fees ask for. It may fail or take long without keeping claimed jobs waiting.
pub struct Listing {
    pub open: Result<Vec<(Address, JobData)>, ChainError>,
    /// Jobs that are judged, and the panels among them that may have a seat for us.
    pub judged: Result<(Vec<(Address, JobData)>, Panels), ChainError>,
}

impl<C: Chain> Driver<C> {
    /// Reads the chain in the background.
    pub(super) fn poll(&mut self) {
        self.polling = true;
        self.urgent = None;
        self.polls = self.polls.wrapping_add(1);
        let chain = Arc::clone(&self.parts.chain);
        let mut live: BTreeSet<Address> = self.core.live_jobs().into_iter().collect();
        let audits = self.audits.core.live_jobs();
        live.extend(&audits);
        let panels = self.audits.with_panels(audits);
        let wanted = Wanted {
            provider: self.parts.provider,
            operator: self.parts.operator,
            jobs: live.into_iter().collect(),
            panels: panels.iter().flat_map(|(_, panels)| *panels).collect(),
            expected: Some(self.expected()),
        };
        self.spawn(
            async move { Effect::Polled(read(&*chain, &wanted, panels).await.map(Box::new)) },
        );
    }

    /// Lists open and judged jobs, unless that is still under way.
    fn list(&mut self) {
        if self.listing || !self.is_list_due() {
            return;
        }
        self.listing = true;
        self.last_list = Some(Instant::now());
        let accepting = self.parts.shared.accepting.load(Ordering::Relaxed);
        let chain = Arc::clone(&self.parts.chain);
        let auditing = accepting && self.parts.audit.enabled;
        let candidates = self.audits.core.candidates();
        let panels = self.audits.with_panels(candidates);
        self.spawn(
            async move { Effect::Listed(list(&*chain, [accepting, auditing], panels).await) },
        );
    }

    pub(super) fn listed(&mut self, listing: Listing) {
        self.listing = false;
        match listing.open {
            Ok(open) => {
                self.core.handle_jobs(&open, self.now);
            }
            Err(error) => {
                metrics::poll_failure();
                tracing::warn!(%error, "open jobs cannot be listed; claimed jobs go on");
            }
        }
        self.exchange();
        match listing.judged {
            Ok((jobs, panels)) => {
                for (address, job) in &jobs {
                    self.audits.core.handle_job(*address, job, self.now);
                }
                self.see_panels(&panels);
                let judged = jobs.iter().map(|(address, _)| *address).collect();
                self.audits.core.handle_listed(&judged);
            }
            Err(error) => {
                metrics::poll_failure();
                tracing::warn!(%error, "judged jobs cannot be listed; our own go on");
            }
        }
        self.core.handle_time(self.now);
    }

    pub(super) fn polled(&mut self, reading: Result<Box<Reading>, ChainError>) {
        self.polling = false;
        self.last_poll = Instant::now();
        self.see_disk();
        let (reachable, why) = match reading {
            Ok(reading) => {
                let believed = self.set_clock(&reading.snapshot);
                if !self.reachable && believed {
                    tracing::info!("the chain answers again");
                }
                self.observe(&reading, believed);
                self.list();
                (believed, CLOCK_DOUBTED)
            }
            Err(error) => {
                metrics::poll_failure();
                if self.reachable {
                    tracing::warn!(%error, "the chain does not answer; trying on");
                }
                (false, UNREACHABLE)
            }
        };
        self.reachable = reachable;
        self.set_reachable(reachable, why);
        self.parts.shared.ready.store(reachable, Ordering::Relaxed);
    }

    /// With a clock that is not believed, what is there still counts, and what is not there does not.
    fn observe(&mut self, reading: &Reading, believed: bool) {
        let snapshot = &reading.snapshot;
        self.see_balance(snapshot.operator);
        match &snapshot.provider {
            Some(provider) => {
                // Before anything is claimed with it.
                self.see_class(&provider.runtime_class);
                self.core.handle_provider(provider, self.now);
                self.audits.core.handle_provider(provider);
            }
            None => tracing::warn!("the provider's account is gone; nothing can be claimed"),
        }
        for (address, job) in &snapshot.jobs {
            match job {
                Some(job) => {
                    self.parts.submitter.see(*address, job);
                    self.core.handle_job(*address, job, self.now);
                    self.audits.core.handle_job(*address, job, self.now);
                }
                None if believed => {
                    let slot = snapshot.clock.slot;
                    self.core.handle_gone(*address, slot, self.now);
                    self.audits.core.handle_gone(*address, slot);
                }
                None => {}
            }
        }
        self.see_panels(&reading.panels);
        self.exchange();
        self.audits.core.handle_time(self.now);
        self.exchange();
        // Until they have ended, a restart or an auditor may ask for them.
        let live = |of: fn(&JobData) -> [u8; 32]| {
            let mut digests = self.core.live_digests(of);
            digests.extend(self.audits.core.live_digests(of));
            digests
        };
        self.parts
            .artifacts
            .blobs
            .hold(live(|job| job.input_digest));
        self.parts
            .artifacts
            .models
            .hold(live(|job| job.model_digest));
        if self.polls % BALANCE_EVERY == 1 {
            self.prune();
            let (submitter, now) = (Arc::clone(&self.parts.submitter), self.now);
            tokio::spawn(async move { submitter.ask_for_costs(now).await });
        }
        self.core.handle_time(self.now);
    }

    /// Before it is full: what is live has to be written, too.
    fn see_disk(&mut self) {
        let Some(free) = (self.parts.free_disk)(self.parts.artifacts.blobs.folder()) else {
            return;
        };
        metrics::disk_free(free);
        match self.core.handle_free_disk(free, self.now) {
            Some(true) => tracing::error!(free, "no new work: the disk is nearly full; make room"),
            Some(false) => tracing::info!(free, "the disk has room again"),
            None => {}
        }
    }

    fn see_balance(&mut self, lamports: u64) {
        metrics::operator_balance(lamports);
        self.core.handle_balance(Lamports(lamports), self.now);
        if lamports < LOW_BALANCE && self.polls % BALANCE_EVERY == 1 {
            tracing::warn!(operator = %self.parts.operator, lamports, "the operator runs out of lamports for fees; send it some");
        }
    }

    fn see_panels(&mut self, panels: &Panels) {
        for (job, read) in panels {
            let panels = read.each_ref().map(Option::as_ref);
            self.audits.core.handle_panels(*job, panels, self.now);
        }
    }

    fn prune(&self) {
        let (store, times) = (self.parts.store.clone(), self.parts.times);
        let (retention, most) = (times.retention.as_secs(), times.kept_bytes);
        let before = self
            .now
            .0
            .saturating_sub(i64::try_from(retention).unwrap_or(i64::MAX));
        tokio::spawn(async move {
            match store
                .call(move |store| store.prune(UnixSeconds(before), most))
                .await
            {
                Ok(pruned) if pruned.is_nothing() => {}
                Ok(pruned) => tracing::debug!(?pruned, "what is old was dropped from the journal"),
                Err(error) => tracing::warn!(%error, "the journal could not be pruned"),
            }
        });
    }
}

async fn read<C: Chain>(
    chain: &C,
    wanted: &Wanted,
    audits: Vec<(Address, [Address; 2])>,
) -> Result<Reading, ChainError> {
    let snapshot = chain.snapshot(wanted).await?;
    let panels = by_job(audits, &snapshot.panels);
    Ok(Reading { snapshot, panels })
}

/// Panels of these jobs at these addresses.
fn by_job(jobs: Vec<(Address, [Address; 2])>, read: &[(Address, Option<PanelData>)]) -> Panels {
    let read: BTreeMap<Address, Option<PanelData>> = read.iter().copied().collect();
    // One that cannot be read says nothing of its job.
    let found = jobs.into_iter().filter_map(|(job, [first, second])| {
        Some((job, [*read.get(&first)?, *read.get(&second)?]))
    });
    found.collect()
}

async fn panels<C: Chain>(
    chain: &C,
    jobs: Vec<(Address, [Address; 2])>,
) -> Result<Panels, ChainError> {
    if jobs.is_empty() {
        return Ok(Panels::new());
    }
    let wanted: Vec<Address> = jobs.iter().flat_map(|(_, panels)| *panels).collect();
    Ok(by_job(jobs, &chain.panels(&wanted).await?))
}

async fn judged<C: Chain>(
    chain: &C,
    candidates: Vec<(Address, [Address; 2])>,
) -> Result<(Vec<(Address, JobData)>, Panels), ChainError> {
    let jobs = chain.judged_jobs().await?;
    Ok((jobs, panels(chain, candidates).await?))
}

async fn list<C: Chain>(
    chain: &C,
    [accepting, auditing]: [bool; 2],
    candidates: Vec<(Address, [Address; 2])>,
) -> Listing {
    let open = if accepting {
        chain.open_jobs().await
    } else {
        Ok(Vec::new())
    };
    let judged = if auditing {
        judged(chain, candidates).await
    } else {
        Ok(Default::default())
    };
    Listing { open, judged }
}

#[cfg(test)]
mod tests {
    use assay_client::{PROGRAM_ID, account::encode, protocol::LAYOUT_VERSION};
    use bytemuck::Zeroable;
    use serde_json::Value;

    use super::*;
    use crate::chain::fake::{Account, Node, Trouble, chain};

    #[tokio::test]
    async fn live_jobs_are_read_while_nothing_can_be_listed() {
        let node = Node::start().await;
        node.trouble("getProgramAccounts", Trouble::Error(-32_010, Value::Null));
        let job = Address::new_from_array([1; 32]);
        let data = JobData {
            version: LAYOUT_VERSION,
            sequence: 7,
            ..JobData::zeroed()
        };
        let account = Account {
            owner: PROGRAM_ID,
            lamports: 1,
            data: encode(&data),
            executable: false,
        };
        node.world().accounts.insert(job, account);
        let chain = chain(&[&node]);
        let listing = list(&chain, [true; 2], Vec::new()).await;
        assert!(listing.open.is_err() && listing.judged.is_err());
        let wanted = Wanted {
            provider: Address::new_from_array([9; 32]),
            jobs: vec![job],
            ..Wanted::default()
        };
        let reading = read(&chain, &wanted, Vec::new()).await.unwrap();
        let (found, data) = reading.snapshot.jobs[0];
        assert_eq!((found, data.unwrap().sequence), (job, 7));
    }
}
