//! The lanes: which are free, and where another may be opened. A lane is taken out while a request has it, so nobody
//! else can use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use assay_client::{
    protocol::{Address, Voucher},
    session::{Payment, ReceiptError, Standing},
};
use solana_keypair::Keypair;
use solana_signer::SignerError;
use tokio::sync::Notify;

use super::doubt::Unanswered;
use crate::{
    lane::{Asked, Claim, Lane, worth::Worth},
    providers::{Candidate, Provider},
    upstream::UpstreamError,
};

/// After a session could not be opened, none is opened with that provider for this long.
const PAUSE: Duration = Duration::from_secs(10);

/// A session's money, shared by the lane and whatever tops it up.
#[derive(Debug)]
pub struct Account {
    pub address: Address,
    pub provider: Address,
    /// The provider's registration when it was opened.
    pub generation: u64,
    /// Lamports on chain.
    pub deposit: AtomicU64,
    /// Of those, what this run has deposited and the spending limit counts.
    pub counted: AtomicU64,
    /// Held while a top-up is under way.
    pub topping_up: tokio::sync::Mutex<()>,
    /// No top-up ahead of need before this.
    pub pause: Mutex<Option<Instant>>,
}

impl Account {
    pub fn new(address: Address, provider: Address, generation: u64, deposit: u64) -> Arc<Self> {
        Arc::new(Self {
            address,
            provider,
            generation,
            deposit: AtomicU64::new(deposit),
            counted: AtomicU64::new(0),
            topping_up: tokio::sync::Mutex::default(),
            pause: Mutex::default(),
        })
    }

    pub fn deposit(&self) -> u64 {
        self.deposit.load(Ordering::Acquire)
    }

    /// What comes back of this run's deposits once the account is gone, of which `paid` was signed away: once.
    pub fn comes_back(&self, paid: u64) -> u64 {
        let left = self.deposit().saturating_sub(paid);
        self.counted.swap(0, Ordering::AcqRel).min(left)
    }
}

/// A lane with its key.
pub struct LiveLane {
    pub core: Lane,
    pub key: Keypair,
    pub account: Arc<Account>,
    /// Base url of the provider's worker, as last seen.
    pub endpoint: String,
    /// Requests that the core holds to be in doubt, or to be charged late.
    unanswered: Vec<Unanswered>,
    /// Receipts that it had when this run took it up from the ledger.
    adopted_at: Option<u64>,
    /// A request in doubt of a ledger that was written before ledgers knew what one is worth.
    unpriced: Option<Asked>,
}

impl LiveLane {
    pub const fn new(core: Lane, key: Keypair, account: Arc<Account>, endpoint: String) -> Self {
        Self {
            core,
            key,
            account,
            endpoint,
            unanswered: Vec::new(),
            adopted_at: None,
            unpriced: None,
        }
    }

    /// A lane of the ledger, whose last request may be one that this run knows little or nothing of. `worth` is that of the
    /// request in doubt, if there is one and the ledger says it.
    pub fn adopted(mut self, worth: Option<Worth>) -> Self {
        self.adopted_at = Some(self.core.sequence());
        match (self.core.doubt().copied(), worth) {
            (Some(doubt), Some(worth)) => self.keep(Unanswered::known(&doubt, worth)),
            (doubt, _) => self.unpriced = doubt.map(|doubt| doubt.asked),
        }
        self
    }

    /// Whether nobody knows more of this request than the most that it may cost.
    pub fn is_unpriced(&self, asked: &Asked) -> bool {
        self.unpriced.as_ref() == Some(asked)
    }

    /// Follows its provider's account.
    pub fn follow(&mut self, provider: &Provider) {
        self.core.set_operator(provider.operator);
        self.endpoint.clone_from(&provider.endpoint);
    }

    /// Whether a claim that is not believed can be about a request of before the start. Its provider may have had another
    /// operator then; or the ledger has nothing of it, for it was held to be free, and an honest provider knows more.
    pub fn may_be_older(&self, standing: &Standing, claim: &Claim) -> bool {
        let is_signed_otherwise = matches!(claim, Claim::Receipt(ReceiptError::Signature));
        let is_unknown = matches!(
            claim,
            Claim::Receipt(ReceiptError::Price { .. } | ReceiptError::Differs("request"))
        );
        let asked = standing.receipt.map(|signed| Asked::from(&signed.receipt));
        let is_free = asked.is_none_or(|asked| self.unanswered(&asked).is_none());
        self.adopted_at == Some(self.core.sequence())
            && (is_signed_otherwise || is_unknown && is_free)
    }

    /// The voucher for everything that was answered so far.
    pub fn payment(&self) -> Result<Payment, SignerError> {
        let voucher = Voucher {
            session: self.account.address,
            cumulative: self.core.due(),
            expires_at: i64::MAX,
        };
        Payment::sign(voucher, &self.key)
    }

    /// Keeps a request that gave no whole answer.
    pub fn keep(&mut self, unanswered: Unanswered) {
        self.forget_answered();
        let asked = unanswered.request.asked;
        self.unanswered.retain(|kept| kept.request.asked != asked);
        self.unanswered.push(unanswered);
    }

    /// This request, if it gave no whole answer.
    pub fn unanswered(&self, asked: &Asked) -> Option<&Unanswered> {
        let mut kept = self.unanswered.iter();
        kept.find(|kept| kept.request.asked == *asked)
    }

    /// Lets go of requests that are not charged any more.
    pub fn forget_answered(&mut self) {
        let core = &self.core;
        self.unanswered
            .retain(|kept| core.pending(&kept.request.asked).is_some());
    }

    /// Lamports that its deposit lacks for a request of this price.
    pub fn missing(&self, price: u64) -> u64 {
        self.core.missing(self.account.deposit(), price)
    }
}

/// What a request can do about a lane.
pub enum Pick {
    /// Take this one, with this candidate.
    Lane(Box<LiveLane>, usize),
    /// Open one with this candidate, then wait. The place is taken.
    Open(usize),
    /// Wait until one is free.
    Wait,
    /// There is none and none can be opened.
    Hopeless(UpstreamError),
}

#[derive(Default)]
struct Places {
    idle: Vec<LiveLane>,
    /// Lanes, idle or not.
    total: usize,
    opening: bool,
    trouble: Option<(Instant, UpstreamError)>,
}

/// All lanes.
pub struct Pool {
    places: Mutex<BTreeMap<Address, Places>>,
    accounts: Mutex<BTreeMap<Address, Arc<Account>>>,
    gone: Mutex<BTreeSet<Address>>,
    /// Told whenever there may be a lane.
    pub changed: Notify,
    lanes: usize,
    queue: usize,
    waiting: AtomicUsize,
}

/// A place in the queue.
pub struct Waiting<'a>(&'a Pool);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pool {
    pub fn new(lanes: usize, queue: usize) -> Self {
        Self {
            places: Mutex::default(),
            accounts: Mutex::default(),
            gone: Mutex::default(),
            changed: Notify::new(),
            lanes,
            queue,
            waiting: AtomicUsize::new(0),
        }
    }

    /// A place in the queue, unless it is full.
    pub fn wait(&self) -> Option<Waiting<'_>> {
        let place = Waiting(self);
        (self.waiting.fetch_add(1, Ordering::AcqRel) < self.queue).then_some(place)
    }

    /// What to do for a request with these candidates, the best first, each with the request's price there.
    pub fn pick(&self, candidates: &[(Candidate, u64)], now: Instant) -> Pick {
        let mut places = self.places();
        // A lane with money, then one that needs more, then a new one.
        for poor in [false, true] {
            for (index, (candidate, price)) in candidates.iter().enumerate() {
                let Some(place) = places.get_mut(&candidate.provider.account) else {
                    continue;
                };
                // The last one used: the others may rest and be closed.
                let found = place
                    .idle
                    .iter()
                    .rposition(|lane| poor || lane.missing(*price) == 0);
                if let Some(found) = found {
                    return Pick::Lane(Box::new(place.idle.remove(found)), index);
                }
            }
        }
        let mut trouble = None;
        let mut coming = false;
        for (index, (candidate, _)) in candidates.iter().enumerate() {
            let place = places.entry(candidate.provider.account).or_default();
            coming |= place.opening || place.total > 0;
            let paused = place
                .trouble
                .as_ref()
                .filter(|(until, _)| *until > now)
                .map(|(_, error)| error.clone());
            match paused {
                Some(error) => trouble = trouble.or(Some(error)),
                None if !place.opening && place.total < self.lanes => {
                    place.opening = true;
                    return Pick::Open(index);
                }
                None => {}
            }
        }
        match trouble {
            Some(error) if !coming => Pick::Hopeless(error),
            Some(_) | None => Pick::Wait,
        }
    }

    /// A lane; dropped if its session has one, for opening and tending can both come upon a session.
    pub fn add(&self, lane: LiveLane) {
        if self.enter(&lane.account) {
            self.give_back(lane);
        }
    }

    /// A lane that is taken from the start. Whether its session had none.
    pub fn enter(&self, account: &Arc<Account>) -> bool {
        {
            let mut accounts = self.accounts();
            if accounts.contains_key(&account.address) {
                return false;
            }
            accounts.insert(account.address, Arc::clone(account));
        }
        let mut places = self.places();
        let place = places.entry(account.provider).or_default();
        place.total = place.total.saturating_add(1);
        true
    }

    /// Opening came to an end, well or not.
    pub fn opened(
        &self,
        provider: &Address,
        result: Result<LiveLane, UpstreamError>,
        now: Instant,
    ) {
        {
            let mut places = self.places();
            let place = places.entry(*provider).or_default();
            place.opening = false;
            place.trouble = match &result {
                Ok(_) => None,
                Err(error) => now.checked_add(PAUSE).map(|until| (until, error.clone())),
            };
        }
        if let Ok(lane) = result {
            self.add(lane);
        }
        self.changed.notify_waiters();
    }

    /// A lane is free again.
    pub fn give_back(&self, lane: LiveLane) {
        let gone = self.gone().contains(&lane.account.address);
        if gone {
            self.retire(&lane.account);
            return;
        }
        self.places()
            .entry(lane.account.provider)
            .or_default()
            .idle
            .push(lane);
        self.changed.notify_waiters();
    }

    /// A lane that was taken does not come back.
    pub fn retire(&self, account: &Account) {
        {
            let mut places = self.places();
            let place = places.entry(account.provider).or_default();
            place.total = place.total.saturating_sub(1);
        }
        self.changed.notify_waiters();
    }

    /// A session that ended on chain: its lane leaves now, or when its request ends.
    pub fn end(&self, account: &Account) {
        if !self.gone().insert(account.address) {
            return;
        }
        let mut places = self.places();
        let place = places.entry(account.provider).or_default();
        let before = place.idle.len();
        place
            .idle
            .retain(|lane| lane.account.address != account.address);
        let left = before.saturating_sub(place.idle.len());
        place.total = place.total.saturating_sub(left);
    }

    /// A session's money, for those that have or had a lane.
    pub fn account(&self, session: &Address) -> Option<Arc<Account>> {
        self.accounts().get(session).cloned()
    }

    /// Whether a session ended on chain, or is about to.
    pub fn has_ended(&self, session: &Address) -> bool {
        self.gone().contains(session)
    }

    fn accounts(&self) -> std::sync::MutexGuard<'_, BTreeMap<Address, Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> std::sync::MutexGuard<'_, BTreeSet<Address>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> std::sync::MutexGuard<'_, BTreeMap<Address, Places>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
