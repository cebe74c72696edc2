//! A request's way: who could answer it, a free lane, and on to the next provider if one fails.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_client::{protocol::Address, session::Usage};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{
    Inner,
    attempt::Attempt,
    pool::{LiveLane, Pick},
};
use crate::{
    lane::wire::{Kind, Request},
    providers::{Candidate, Outcome},
    store::State,
    upstream::{Piece, Ran, UpstreamError},
};

/// Providers or lanes that one request is tried with, at most.
const ATTEMPTS: u32 = 6;

/// An answer.
pub enum Reply {
    Ran(Ran),
    Pieces(BoxStream<'static, Result<Piece, UpstreamError>>),
}

/// Why an attempt gave none.
pub enum Failed {
    /// Asking again changes nothing.
    Final(UpstreamError),
    /// The input is at fault, as this provider says.
    Unfit(String),
    /// Another provider may do better.
    Elsewhere(UpstreamError),
    /// Another lane may, with the same provider too.
    Again(UpstreamError),
}

/// Who was asked for a request in vain.
#[derive(Default)]
struct Tried {
    providers: BTreeSet<Address>,
    /// What went wrong first: it says more than that nobody is left.
    error: Option<UpstreamError>,
    /// Who called the input unfit.
    refuser: Option<Address>,
}

impl Tried {
    /// Takes note of an attempt, unless none is worth making after it.
    fn note(&mut self, provider: Address, failed: Failed) -> Result<(), UpstreamError> {
        match failed {
            Failed::Final(error) => return Err(error),
            Failed::Unfit(text) => {
                let error = UpstreamError::Unprocessable(text);
                tracing::debug!(%provider, %error, "a provider calls the input unfit");
                if self.refuser.replace(provider).is_some() {
                    return Err(self.error.take().unwrap_or(error));
                }
                self.providers.insert(provider);
                // It says more than any failure before.
                self.error = Some(error);
            }
            Failed::Elsewhere(error) => {
                tracing::warn!(%provider, %error, "going on to the next provider");
                self.providers.insert(provider);
                self.error.get_or_insert(error);
            }
            Failed::Again(error) => {
                tracing::warn!(%provider, %error, "going on with another session");
                self.error.get_or_insert(error);
            }
        }
        Ok(())
    }
}

/// A lane with what it is to be used for.
pub struct Taken {
    pub lane: LiveLane,
    pub candidate: Candidate,
    /// Lamports that the request may cost.
    pub price: u64,
}

impl Inner {
    pub async fn serve(
        self: Arc<Self>,
        request: Request,
        worst: Usage,
        likely: usize,
    ) -> Result<Reply, UpstreamError> {
        if self.is_draining() {
            return Err(UpstreamError::Unavailable(
                "the gateway is about to stop".to_owned(),
            ));
        }
        let active = Arc::new(self.begin());
        let mut tried = Tried::default();
        for _ in 0..ATTEMPTS {
            let taken = async {
                let candidates = self.candidates(&request, worst, &tried.providers).await?;
                self.take(&candidates).await
            };
            let taken = match taken.await {
                Ok(taken) => taken,
                Err(error) => return Err(tried.error.unwrap_or(error)),
            };
            let provider = taken.candidate.provider.account;
            let hold = match self.limit.reserve(taken.price) {
                Ok(hold) => hold,
                Err(error) => {
                    self.pool.give_back(taken.lane);
                    return Err(UpstreamError::Payment(error.to_string()));
                }
            };
            let attempt = Attempt {
                inner: &self,
                taken,
                hold,
                request: &request,
                worst,
                likely,
                active: &active,
                recounted: false,
                interrupted: false,
            };
            match attempt.make().await {
                Ok(reply) => {
                    if let Some(refuser) = tried.refuser {
                        self.directory.note(&refuser, Outcome::Contradicted);
                    }
                    return Ok(reply);
                }
                Err(failed) => tried.note(provider, failed)?,
            }
        }
        Err(tried
            .error
            .unwrap_or_else(|| UpstreamError::Unavailable("no provider gave an answer".to_owned())))
    }

    /// Who could answer, the best first, with the price there.
    async fn candidates(
        &self,
        request: &Request,
        worst: Usage,
        tried: &BTreeSet<Address>,
    ) -> Result<Vec<(Candidate, u64)>, UpstreamError> {
        let offering = self
            .directory
            .offering(&request.asked.model)
            .await
            .map_err(|error| UpstreamError::Unavailable(error.to_string()))?;
        if offering.is_empty() {
            self.directory.look_again();
            return Err(self.nobody(request));
        }
        let bytes = request.body.as_ref().map_or(0, Bytes::len);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let able: Vec<Candidate> = offering
            .into_iter()
            .filter(|candidate| {
                bytes <= candidate.max_body_bytes
                    && candidate.min_grace_secs <= self.config.max_grace_secs
                    && (request.kind == Kind::Run || candidate.generates)
                    // A prompt without room for an answer is refused.
                    && candidate.has_room(worst.input_tokens.saturating_add(1))
            })
            .collect();
        if able.is_empty() {
            return Err(UpstreamError::Unprocessable(format!(
                "providers offer this model, but none of them takes such a request of {bytes} bytes and {} tokens",
                worst.input_tokens
            )));
        }
        let able = self.directory.without_banned(able);
        if able.is_empty() {
            return Err(UpstreamError::Unavailable(
                "every provider of this model broke the rules too often and is not asked any more; `assay session list` \
                 says why, and `assay session trust PROVIDER` asks one again"
                    .to_owned(),
            ));
        }
        let priced = |candidate: Candidate| {
            let price = candidate.price.of(worst).unwrap_or(u64::MAX);
            (candidate, price)
        };
        let mut ranked: Vec<_> = able.iter().cloned().map(priced).collect();
        let cheapest = ranked.iter().map(|(_, price)| *price).min().unwrap_or(0);
        ranked.retain(|(_, price)| *price <= self.config.max_price);
        if ranked.is_empty() {
            return Err(UpstreamError::Payment(format!(
                "this request may cost {cheapest} lamports with the cheapest provider, and --max-price allows {}",
                self.config.max_price
            )));
        }
        ranked.retain(|(candidate, _)| !tried.contains(&candidate.provider.account));
        self.directory.rank(&mut ranked);
        let whole = worst.input_tokens.saturating_add(worst.output_tokens);
        let has_room = |(candidate, _): &(Candidate, u64)| candidate.has_room(whole);
        if ranked.iter().any(has_room) {
            // The others would cut the answer short.
            ranked.retain(has_room);
        }
        if ranked.is_empty() {
            let wait = self
                .directory
                .back_in(&able)
                .unwrap_or(Duration::from_secs(1));
            return Err(UpstreamError::Busy {
                text: "every provider of this model failed or is busy at present".to_owned(),
                retry_after_secs: wait.as_secs().max(1),
            });
        }
        Ok(ranked)
    }

    fn nobody(&self, request: &Request) -> UpstreamError {
        let model = hex::encode(request.asked.model.0);
        let (providers, silent) = self.directory.census();
        UpstreamError::ModelUnknown(format!(
            "no provider offers the model {model} in sessions ({providers} known, {} of them without an offer)",
            silent.len()
        ))
    }

    /// A free lane with one of these; waits for one, and opens one where there may be more.
    async fn take(
        self: &Arc<Self>,
        candidates: &[(Candidate, u64)],
    ) -> Result<Taken, UpstreamError> {
        let deadline = tokio::time::Instant::now() + self.config.queue_wait;
        let busy = |text: &str| UpstreamError::Busy {
            text: text.to_owned(),
            retry_after_secs: 5,
        };
        let mut place = None;
        loop {
            let changed = self.pool.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.pool.pick(candidates, Instant::now()) {
                Pick::Lane(lane, index) => {
                    if let Some(taken) = self.fit(*lane, candidates.get(index)).await {
                        return Ok(taken);
                    }
                    continue;
                }
                Pick::Open(index) => {
                    if let Some((candidate, price)) = candidates.get(index) {
                        let inner = Arc::clone(self);
                        tokio::spawn(inner.open(candidate.clone(), *price));
                    }
                }
                Pick::Wait => {}
                Pick::Hopeless(error) => return Err(error),
            }
            if place.is_none() {
                place = Some(self.pool.wait().ok_or_else(|| {
                    busy("too many requests wait for a session; ask again later, or start the gateway with more --lanes")
                })?);
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Err(busy(
                    "every session is busy; ask again later, or start the gateway with more --lanes",
                ));
            }
        }
    }

    /// The lane, brought up to the provider of now; none if the session is with an account that is no more.
    async fn fit(&self, mut lane: LiveLane, with: Option<&(Candidate, u64)>) -> Option<Taken> {
        let (candidate, price) = with?.clone();
        if lane.account.generation != candidate.provider.generation {
            let reason = "its provider has registered anew and cannot settle it any more";
            self.retire(&lane, State::Broken, reason).await;
            return None;
        }
        lane.follow(&candidate.provider);
        Some(Taken {
            lane,
            candidate,
            price,
        })
    }

    /// Takes a lane out of use, and says why in the ledger.
    pub async fn retire(&self, lane: &LiveLane, state: State, reason: &str) {
        let session = lane.account.address;
        tracing::warn!(%session, reason, state = state.name(), "a session is not used any more");
        let text = reason.to_owned();
        let noted = self
            .store
            .call(move |store| store.set_state(&session, state, &text))
            .await;
        if let Err(error) = noted {
            tracing::error!(%session, %error, "the ledger does not say that a session is not used any more");
        }
        self.pool.retire(&lane.account);
    }
}
