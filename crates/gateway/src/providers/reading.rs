//! Readings of the list of providers and of their offers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use assay_client::{
    protocol::{Address, ProviderData},
    session::{OFFER_PATH, Offer},
};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{Directory, Provider};
use crate::chain::ChainError;

/// Offers older than this are asked for again.
const OFFERS_LIVE: Duration = Duration::from_secs(15);
/// The list of providers is read again after this.
const LIST_LIVES: Duration = Duration::from_mins(1);
/// While a model is asked for that nobody offers, the list is read again after this: somebody may just have registered.
const LIST_MISSED: Duration = Duration::from_secs(2);
/// After an offer turned out to be another, it is asked for again, but not more often than this.
const HASTE: Duration = Duration::from_secs(1);
/// Offers that are fetched at the same time.
const PARALLEL: usize = 32;

/// What was read last.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub providers: Vec<Arc<Provider>>,
    /// When the chain last gave the list.
    listed_at: Option<Instant>,
    /// When the chain was last asked for it.
    asked_at: Option<Instant>,
    pub offers: Vec<(Arc<Provider>, Offer)>,
    /// Those without an offer, and why.
    pub silent: Vec<(Address, String)>,
    /// When everybody was last asked for an offer.
    read_at: Option<Instant>,
}

impl Snapshot {
    fn is_stale(&self) -> bool {
        self.read_at.is_none_or(|at| at.elapsed() >= OFFERS_LIVE)
    }

    fn may_miss_somebody(&self) -> bool {
        self.asked_at.is_none_or(|at| at.elapsed() >= LIST_MISSED)
    }
}

/// Who is asked for an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Everybody.
    All,
    /// Those that a new list has and the last one had not.
    New,
}

impl Directory {
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

    /// A model was asked for that nobody offers: the list is read again in the background, and whoever is new on it is
    /// asked for an offer. At most once in two seconds, whatever is asked for.
    pub fn look_again(self: &Arc<Self>) {
        if !self.last().may_miss_somebody() {
            return;
        }
        let directory = Arc::clone(self);
        tokio::spawn(async move {
            // A reading that has just ended or still goes on has found what this one would.
            if let Ok(_reading) = directory.reading.try_lock()
                && directory.last().may_miss_somebody()
                && let Err(error) = directory.read(Asked::New).await
            {
                tracing::warn!(%error, "nobody new could be looked for");
            }
        });
    }

    pub(super) fn last(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last reading; a new one is begun in the background if it is old, and waited for if there is none.
    pub(super) async fn fresh(self: &Arc<Self>) -> Result<Arc<Snapshot>, ChainError> {
        let last = self.last();
        if last.read_at.is_none() {
            let _reading = self.reading.lock().await;
            if self.last().read_at.is_none() {
                self.read(Asked::All).await?;
            }
            return Ok(self.last());
        }
        if last.is_stale() {
            let directory = Arc::clone(self);
            tokio::spawn(async move {
                // Whoever comes first reads; the others would read the same.
                if let Ok(_reading) = directory.reading.try_lock()
                    && let Err(error) = directory.read(Asked::All).await
                {
                    tracing::warn!(%error, "the list of providers could not be read again");
                }
            });
        }
        Ok(last)
    }

    async fn read(&self, asked: Asked) -> Result<(), ChainError> {
        let last = self.last();
        let mut next = Snapshot::clone(&last);
        let lives = match asked {
            Asked::All => LIST_LIVES,
            Asked::New => LIST_MISSED,
        };
        if last.listed_at.is_none_or(|at| at.elapsed() >= lives) {
            next.asked_at = Some(Instant::now());
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
        let known: BTreeMap<Address, &Arc<Provider>> = last
            .providers
            .iter()
            .map(|provider| (provider.account, provider))
            .collect();
        let (kept, asking): (Vec<_>, Vec<_>) =
            next.providers.iter().cloned().partition(|provider| {
                asked == Asked::New && known.get(&provider.account) == Some(&provider)
            });
        let kept: BTreeSet<Address> = kept.iter().map(|provider| provider.account).collect();
        next.offers
            .retain(|(provider, _)| kept.contains(&provider.account));
        next.silent.retain(|(account, _)| kept.contains(account));
        self.ask(&mut next, asking).await;
        next.read_at = match asked {
            Asked::All => Some(Instant::now()),
            // Offers may have been doubted meanwhile.
            Asked::New => self.last().read_at,
        };
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    async fn ask(&self, next: &mut Snapshot, providers: Vec<Arc<Provider>>) {
        let answers: Vec<(Arc<Provider>, Result<Offer, String>)> = stream::iter(providers)
            .map(|provider| async {
                let offer = self.offer(&provider).await;
                (provider, offer)
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        for (provider, offer) in answers {
            match offer {
                Ok(offer) => next.offers.push((provider, offer)),
                Err(why) => next.silent.push((provider.account, why)),
            }
        }
        next.offers.sort_by_key(|(provider, _)| provider.account);
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
