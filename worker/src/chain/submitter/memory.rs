//! What a submitter remembers to ask less: a blockhash, recent fees, compute units, and the states of
//! everything that is under way, read together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use assay_client::protocol::{Address, UnixSeconds};
use solana_message::Hash;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    chain::{Chain, ChainError, SignatureState},
    core::Action,
};

/// How long a blockhash is signed with: it is good for about a minute.
const HASH_FOR: Duration = Duration::from_secs(20);
/// How long recent fees are advice.
const FEES_FOR: Duration = Duration::from_secs(60);
/// How long it is waited for: what is owed must not be late for want of it.
const ADVICE_WITHIN: Duration = Duration::from_secs(1);
/// The least that is offered once something has expired, in micro-lamports a unit.
const LEAST_AFTER_EXPIRY: u64 = 1_000;
/// So many are remembered to go alone; one that is forgotten costs a simulation.
const APART: usize = 1_024;
/// Of so many costs that are computed, one is compared with the chain's record.
const SAMPLE: u64 = 64;

/// A job, and what is done for it.
pub type Key = (Address, &'static str);

/// Starts empty.
#[derive(Default)]
pub struct Memory {
    /// A websocket tells of changes at once.
    pub hinted: AtomicBool,
    hash: tokio::sync::Mutex<Option<(Hash, u64, Instant)>>,
    fees: tokio::sync::Mutex<Option<(Vec<u64>, Instant)>>,
    /// Compute units of the last simulation, by what was done.
    units: Mutex<BTreeMap<&'static str, u64>>,
    /// Transactions in a row that expired.
    expired: Mutex<BTreeMap<Key, u32>>,
    /// What did not land together with others.
    apart: Mutex<BTreeSet<Key>>,
    under_way: Mutex<BTreeSet<[u8; 64]>>,
    /// Sent without being in the journal, and when.
    unsaved: Mutex<BTreeMap<[u8; 64], UnixSeconds>>,
    states: tokio::sync::Mutex<States>,
    /// Told when the chain shows what was wanted.
    shown: Mutex<BTreeMap<Key, Arc<Notify>>>,
    costs: AtomicU64,
    /// The chain has charged something else than was computed.
    pub distrusts_quotes: AtomicBool,
}

#[derive(Default)]
struct States {
    read: Option<Instant>,
    known: BTreeMap<[u8; 64], Option<SignatureState>>,
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// The journal did not take it before it was sent.
    pub(super) fn note_unsaved(&self, signature: [u8; 64], at: UnixSeconds) {
        open(&self.unsaved).insert(signature, at);
    }

    /// Whether that is so; then it is forgotten.
    pub(super) fn take_unsaved(&self, signature: &[u8; 64]) -> Option<UnixSeconds> {
        open(&self.unsaved).remove(signature)
    }

    /// A blockhash that is young enough to sign with. Whoever comes while it is asked for waits for the
    /// same answer.
    pub async fn blockhash<C: Chain>(&self, chain: &C) -> Result<(Hash, u64), ChainError> {
        let mut kept = self.hash.lock().await;
        if let Some((hash, last, at)) = *kept
            && at.elapsed() < HASH_FOR
        {
            return Ok((hash, last));
        }
        let (hash, last) = chain.blockhash().await?;
        *kept = Some((hash, last, Instant::now()));
        Ok((hash, last))
    }

    /// The next transaction is signed with a new one.
    pub async fn forget_blockhash(&self) {
        *self.hash.lock().await = None;
    }

    /// What to offer for a unit: of recent offers the one at this percentage, doubled for each time
    /// that the same thing expired, and never more than `most`.
    pub async fn unit_price<C: Chain>(
        &self,
        chain: &C,
        provider: Address,
        key: Key,
        percentile: u8,
        most: u64,
    ) -> u64 {
        if most == 0 {
            return 0;
        }
        let mut kept = self.fees.lock().await;
        if kept.as_ref().is_none_or(|(_, at)| at.elapsed() >= FEES_FOR) {
            // Advice only: without it there is the last one, or nothing is offered.
            let advice = timeout(ADVICE_WITHIN, chain.recent_fees(&[provider])).await;
            let before = kept.take().map(|(fees, _)| fees);
            let mut fees = match advice {
                Ok(Ok(fees)) => fees,
                Ok(Err(_)) | Err(_) => before.unwrap_or_default(),
            };
            fees.sort_unstable();
            *kept = Some((fees, Instant::now()));
        }
        let fees = kept.as_ref().map_or(&[][..], |(fees, _)| fees);
        let last = fees.len().saturating_sub(1);
        let at = last.saturating_mul(usize::from(percentile.min(100))) / 100;
        let recent = fees.get(at).copied().unwrap_or(0);
        let times = open(&self.expired).get(&key).copied().unwrap_or(0);
        let wanted = if times == 0 {
            recent
        } else {
            let least = recent.max(LEAST_AFTER_EXPIRY);
            least.saturating_mul(1 << times.min(20))
        };
        wanted.min(most)
    }

    pub fn note_expiry(&self, key: Key) {
        let mut expired = open(&self.expired);
        let times = expired.entry(key).or_default();
        *times = times.saturating_add(1);
    }

    /// It has landed: what failed before is no advice for the next time.
    pub fn forget_failures(&self, key: Key) {
        open(&self.expired).remove(&key);
        open(&self.apart).remove(&key);
    }

    /// From now on these go alone, until they have landed.
    pub fn set_apart(&self, keys: impl Iterator<Item = Key>) {
        let mut apart = open(&self.apart);
        for key in keys {
            if apart.len() >= APART {
                apart.pop_first();
            }
            apart.insert(key);
        }
    }

    pub fn is_apart(&self, key: &Key) -> bool {
        open(&self.apart).contains(key)
    }

    pub fn units(&self, action: Action) -> Option<u64> {
        open(&self.units).get(action.name()).copied()
    }

    pub fn keep_units(&self, action: Action, units: u64) {
        open(&self.units).insert(action.name(), units);
    }

    pub fn forget_units(&self, action: Action) {
        open(&self.units).remove(action.name());
    }

    /// Notes that a transaction is under way, so that its state is read with the others'.
    pub fn begin(&self, signature: [u8; 64]) {
        open(&self.under_way).insert(signature);
    }

    pub fn end(&self, signature: &[u8; 64]) {
        open(&self.under_way).remove(signature);
    }

    /// The state of a transaction under way, not older than `fresh`. One request reads all of them.
    pub async fn state<C: Chain>(
        &self,
        chain: &C,
        signature: &[u8; 64],
        fresh: Duration,
    ) -> Result<Option<SignatureState>, ChainError> {
        let mut states = self.states.lock().await;
        let young = states.read.is_some_and(|read| read.elapsed() < fresh);
        if young && let Some(state) = states.known.get(signature) {
            return Ok(state.clone());
        }
        let all: Vec<[u8; 64]> = open(&self.under_way).iter().copied().collect();
        let read = chain.signatures(&all, false).await?;
        states.known = all.into_iter().zip(read).collect();
        states.read = Some(Instant::now());
        Ok(states.known.get(signature).cloned().flatten())
    }

    /// What is told when the chain shows the effect of this.
    pub fn wait_for(&self, key: Key) -> Arc<Notify> {
        Arc::clone(open(&self.shown).entry(key).or_default())
    }

    pub fn wait_no_more(&self, key: Key) {
        open(&self.shown).remove(&key);
    }

    pub fn show(&self, key: Key) {
        if let Some(waiting) = open(&self.shown).get(&key) {
            waiting.notify_one();
        }
    }

    /// Whether a computed cost is to be compared with the chain's record.
    pub fn is_sample(&self) -> bool {
        let count = self.costs.fetch_add(1, Ordering::Relaxed);
        count.is_multiple_of(SAMPLE) || self.distrusts_quotes.load(Ordering::Relaxed)
    }
}
