//! Who serves what for how much: providers from the chain, their offers over HTTP, and how they did so far.
//!
//! Read in the background; a request only looks at the last reading.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use assay_chain::endpoint;
use assay_client::{
    PROGRAM_ID,
    protocol::{Address, Digest, ProviderData, text},
    session::{Offer, OfferedModel, Price},
};

use crate::{
    chain::{Chain, ChainError},
    lane::wire::Wire,
    upstream::Listed,
};

mod description;
mod health;
mod reading;

use description::{Alike, believed};
pub use health::{Health, Outcome};
use reading::Snapshot;

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
    /// See [`OfferedModel::max_tokens`].
    pub max_tokens: u32,
}

impl Candidate {
    /// Whether a prompt and its answer may have so many tokens together.
    pub fn has_room(&self, tokens: u64) -> bool {
        self.max_tokens == 0 || tokens <= u64::from(self.max_tokens)
    }
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
}

fn candidate(provider: &Arc<Provider>, offer: &Offer, model: &OfferedModel) -> Candidate {
    Candidate {
        provider: Arc::clone(provider),
        price: model.price,
        min_grace_secs: offer.min_grace_secs,
        max_body_bytes: offer.max_body_bytes,
        generates: model.generates,
        max_tokens: model.max_tokens,
    }
}

#[cfg(test)]
mod tests;
