//! Who serves what for how much: providers from the chain, their offers over HTTP, and how they did so far.
//!
//! Read in the background; a request only looks at the last reading.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use assay_client::{
    PROGRAM_ID,
    protocol::{Address, Digest, ProviderData, text},
    session::{OFFER_PATH, Offer, OfferedModel, Price},
};
use futures_util::{StreamExt, stream};

use crate::{
    chain::{Chain, ChainError},
    lane::wire::Wire,
    upstream::Listed,
};

mod description;
mod endpoint;
mod health;

use description::{Alike, believed};
pub use health::{Health, Outcome};

/// Offers older than this are asked for again.
const OFFERS_LIVE: Duration = Duration::from_secs(15);
/// The list of providers is read again after this.
const LIST_LIVES: Duration = Duration::from_mins(1);
/// After an offer turned out to be another, it is asked for again, but not more often than this.
const HASTE: Duration = Duration::from_secs(1);
/// Offers that are fetched at the same time.
const PARALLEL: usize = 32;

/// A provider, as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub account: Address,
    /// Slot of its registration: tells it from a later account of its address.
    pub generation: u64,
    /// Signs receipts.
    pub operator: Address,
    /// Base url of its worker.
    pub endpoint: String,
}

impl Provider {
    /// None for one that has no endpoint.
    pub fn of(account: Address, data: &ProviderData) -> Option<Self> {
        Some(Self {
            account,
            generation: data.generation,
            operator: data.operator,
            endpoint: endpoint::base(text::read(&data.endpoint, data.endpoint_len))?,
        })
    }

    /// Whether an offer is this provider's; otherwise why not.
    fn check(&self, offer: &Offer) -> Result<(), &'static str> {
        if offer.program_id != PROGRAM_ID {
            Err("its offer is for another program")
        } else if offer.provider != self.account {
            Err("its offer is another provider's")
        } else if offer.operator != self.operator {
            Err("its worker has another operator than its account")
        } else {
            Ok(())
        }
    }
}

/// A provider with its offer for one model.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub provider: Arc<Provider>,
    pub price: Price,
    pub min_grace_secs: u32,
    pub max_body_bytes: u64,
    pub generates: bool,
}

/// One reading.
#[derive(Clone, Debug, Default)]
struct Snapshot {
    providers: Vec<Arc<Provider>>,
    listed_at: Option<Instant>,
    offers: Vec<(Arc<Provider>, Offer)>,
    /// Those without an offer, and why.
    silent: Vec<(Address, String)>,
    read_at: Option<Instant>,
}

/// The providers of a cluster.
pub struct Directory {
    chain: Arc<dyn Chain>,
    wire: Wire,
    /// If not empty, nobody else.
    only: BTreeSet<Address>,
    snapshot: RwLock<Arc<Snapshot>>,
    reading: tokio::sync::Mutex<()>,
    health: Mutex<BTreeMap<Address, Health>>,
    /// Not asked any more.
    banned: Mutex<BTreeSet<Address>>,
}

impl Directory {
    /// Of these providers alone, if any are named.
    pub fn new(chain: Arc<dyn Chain>, wire: Wire, only: BTreeSet<Address>) -> Arc<Self> {
        Arc::new(Self {
            chain,
            wire,
            only,
            snapshot: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
            health: Mutex::default(),
            banned: Mutex::default(),
        })
    }

    /// Everything on offer, by digest.
    ///
    /// # Errors
    /// When there is no list of providers yet and the chain gives none.
    pub async fn listed(self: &Arc<Self>) -> Result<Vec<Listed>, ChainError> {
        let snapshot = self.fresh().await?;
        let mut models: BTreeMap<[u8; 32], Vec<Alike<'_>>> = BTreeMap::new();
        for (_, offer) in &snapshot.offers {
            // Each provider has one word on each model.
            let mut told = BTreeSet::new();
            for model in &offer.models {
                if told.insert(model.digest.0) {
                    description::add(models.entry(model.digest.0).or_default(), model);
                }
            }
        }
        let listed = models.values();
        Ok(listed.filter_map(|alike| believed(alike)).collect())
    }

    /// Who offers a model.
    ///
    /// # Errors
    /// As [`Self::listed`].
    pub async fn offering(self: &Arc<Self>, model: &Digest) -> Result<Vec<Candidate>, ChainError> {
        let snapshot = self.fresh().await?;
        Ok(snapshot
            .offers
            .iter()
            .filter_map(|(provider, offer)| {
                let offered = offer
                    .models
                    .iter()
                    .find(|offered| offered.digest == *model)?;
                Some(candidate(provider, offer, offered))
            })
            .collect())
    }

    /// Whoever serves this account, and its offer if it makes one, else why not.
    ///
    /// # Errors
    /// As [`Self::listed`].
    pub async fn provider(
        self: &Arc<Self>,
        account: &Address,
    ) -> Result<Option<(Arc<Provider>, Result<Offer, String>)>, ChainError> {
        let snapshot = self.fresh().await?;
        let Some(provider) = snapshot
            .providers
            .iter()
            .find(|provider| provider.account == *account)
        else {
            return Ok(None);
        };
        let offer = snapshot
            .offers
            .iter()
            .find(|(provider, _)| provider.account == *account)
            .map(|(_, offer)| offer.clone())
            .ok_or_else(|| {
                let why = snapshot.silent.iter().find(|(silent, _)| silent == account);
                why.map_or_else(String::new, |(_, why)| why.clone())
            });
        Ok(Some((Arc::clone(provider), offer)))
    }

    /// Providers that are listed, and those among them that make no offer, with the reason.
    pub fn census(&self) -> (usize, Vec<(Address, String)>) {
        let snapshot = self.last();
        (snapshot.providers.len(), snapshot.silent.clone())
    }

    /// The providers whose account changed hands or who are gone are not this one any more.
    pub fn is_current(&self, account: &Address, generation: u64) -> bool {
        let snapshot = self.last();
        snapshot
            .providers
            .iter()
            .any(|provider| provider.account == *account && provider.generation == generation)
    }

    /// Offers turned out to be others: they are asked for again with the next request.
    pub fn doubt_offers(&self) {
        let mut place = self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if place.read_at.is_some_and(|at| at.elapsed() > HASTE) {
            let mut older = Snapshot::clone(&place);
            older.read_at = None;
            *place = Arc::new(older);
        }
    }

    /// Notes how a provider did.
    pub fn note(&self, account: &Address, outcome: Outcome) {
        self.health(|health| {
            health
                .entry(*account)
                .or_default()
                .note(outcome, Instant::now());
        });
    }

    /// Notes that a provider broke the rules; returns whether it counts, for sessions can break for one cause.
    pub fn broke_rules(&self, account: &Address) -> bool {
        let now = Instant::now();
        self.health(|health| health.entry(*account).or_default().broke_rules(now))
    }

    /// These providers, and no others, are not asked any more.
    pub fn ban(&self, banned: BTreeSet<Address>) {
        let mut place = self.banned.lock().unwrap_or_else(PoisonError::into_inner);
        for provider in banned.difference(&place) {
            tracing::warn!(
                %provider,
                "the provider broke the rules too often and is not asked any more; `assay session trust` lifts that"
            );
        }
        *place = banned;
    }

    /// Those that may be asked.
    pub fn without_banned(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        let banned = self.banned.lock().unwrap_or_else(PoisonError::into_inner);
        candidates.retain(|candidate| !banned.contains(&candidate.provider.account));
        candidates
    }

    /// Those that are not set aside, the cheapest first by `price`, and among equals the quickest.
    pub fn rank(&self, candidates: &mut Vec<(Candidate, u64)>) {
        let now = Instant::now();
        self.health(|health| {
            let of = |candidate: &Candidate| health.get(&candidate.provider.account);
            candidates.retain(|(candidate, _)| of(candidate).is_none_or(|h| h.is_usable(now)));
            candidates.sort_by_key(|(candidate, price)| {
                (*price, of(candidate).map_or(0, Health::micros))
            });
        });
    }

    /// How long until the first of these providers is used again; none if one is now.
    pub fn back_in(&self, candidates: &[Candidate]) -> Option<Duration> {
        let now = Instant::now();
        self.health(|health| {
            let wait = |candidate: &Candidate| {
                health
                    .get(&candidate.provider.account)
                    .map_or(Duration::ZERO, |h| h.aside_for(now))
            };
            candidates
                .iter()
                .map(wait)
                .min()
                .filter(|wait| !wait.is_zero())
        })
    }

    fn health<T>(&self, work: impl FnOnce(&mut BTreeMap<Address, Health>) -> T) -> T {
        work(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn last(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last reading; a new one is begun in the background if it is old, and waited for if there is none.
    async fn fresh(self: &Arc<Self>) -> Result<Arc<Snapshot>, ChainError> {
        let last = self.last();
        match last.read_at {
            Some(at) if at.elapsed() < OFFERS_LIVE => Ok(last),
            Some(_) => {
                let directory = Arc::clone(self);
                tokio::spawn(async move {
                    // Whoever comes first reads; the others would read the same.
                    if let Ok(_reading) = directory.reading.try_lock()
                        && let Err(error) = directory.read().await
                    {
                        tracing::warn!(%error, "the list of providers could not be read again");
                    }
                });
                Ok(last)
            }
            None => {
                let _reading = self.reading.lock().await;
                let last = self.last();
                if last.read_at.is_some() {
                    return Ok(last);
                }
                self.read().await?;
                Ok(self.last())
            }
        }
    }

    async fn read(&self) -> Result<(), ChainError> {
        let last = self.last();
        let mut next = Snapshot {
            providers: last.providers.clone(),
            listed_at: last.listed_at,
            ..Snapshot::default()
        };
        if last.listed_at.is_none_or(|at| at.elapsed() > LIST_LIVES) {
            match self.chain.providers().await {
                Ok(found) => {
                    next.providers = self.chosen(found);
                    next.listed_at = Some(Instant::now());
                }
                // What was known keeps serving while the chain is away.
                Err(error) if last.listed_at.is_some() => {
                    tracing::warn!(%error, "going on with the providers known so far");
                }
                Err(error) => return Err(error),
            }
        }
        let asked: Vec<(Arc<Provider>, Result<Offer, String>)> =
            stream::iter(next.providers.clone())
                .map(|provider| async {
                    let offer = self.offer(&provider).await;
                    (provider, offer)
                })
                .buffer_unordered(PARALLEL)
                .collect()
                .await;
        for (provider, offer) in asked {
            match offer {
                Ok(offer) => next.offers.push((provider, offer)),
                Err(why) => next.silent.push((provider.account, why)),
            }
        }
        next.offers.sort_by_key(|(provider, _)| provider.account);
        next.read_at = Some(Instant::now());
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    async fn offer(&self, provider: &Provider) -> Result<Offer, String> {
        let offer: Offer = self
            .wire
            .json(&provider.endpoint, OFFER_PATH)
            .await
            .map_err(|error| error.to_string())?;
        provider.check(&offer)?;
        if offer.accepting {
            Ok(offer)
        } else {
            Err("it takes no requests at present".to_owned())
        }
    }

    fn chosen(&self, found: Vec<(Address, ProviderData)>) -> Vec<Arc<Provider>> {
        found
            .into_iter()
            .filter(|(account, _)| self.only.is_empty() || self.only.contains(account))
            .filter_map(|(account, data)| Provider::of(account, &data).map(Arc::new))
            .collect()
    }
}

fn candidate(provider: &Arc<Provider>, offer: &Offer, model: &OfferedModel) -> Candidate {
    Candidate {
        provider: Arc::clone(provider),
        price: model.price,
        min_grace_secs: offer.min_grace_secs,
        max_body_bytes: offer.max_body_bytes,
        generates: model.generates,
    }
}
