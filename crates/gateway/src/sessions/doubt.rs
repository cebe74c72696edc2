//! Requests that were sent and gave no whole answer: what their providers charge for them, and what of it is paid.
//!
//! A provider could take a voucher, break the connection and claim its price. So a claim is paid without more ado only up
//! to what came; beyond that the same number is asked again, which is free, and only an answer that fits the receipt is
//! paid. A provider that restarted computes it again. Of a request of before the gateway's start the ledger has the digest,
//! by which the provider gives the answer while it has it in memory.

use std::{sync::Arc, time::Duration};

use assay_client::{
    protocol::{Address, Digest},
    session::{ReceiptError, SignedReceipt},
};
use reqwest::{Response, StatusCode};

use super::{
    Active, Inner,
    attempt::{After, Attempt, unavailable},
    generation::Lines,
    pool::LiveLane,
    receipts::Given,
    serve::Failed,
};
use crate::{
    funds::Hold,
    lane::{
        Asked, Claim, Doubt, Resolved,
        wire::{self, Kind, Request, Verdict},
        worth::Worth,
    },
    providers::Outcome,
    store::{State, StoreError},
};

/// Before a provider is asked what became of a request: first soon, for it may just have noticed the end.
const FIRST_ASK: Duration = Duration::from_millis(20);
/// Each further time after five times as long, up to this.
const LAST_ASK: Duration = Duration::from_mins(1);
/// Once it is asked more seldom than this, nobody waits for its answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request without a whole answer.
#[derive(Clone, Debug)]
pub struct Unanswered {
    pub request: Request,
    pub worth: Worth,
}

impl Unanswered {
    /// One of before the start, as the ledger has it.
    pub const fn known(doubt: &Doubt, worth: Worth) -> Self {
        Self {
            request: Request::known(worth.kind, doubt),
            worth,
        }
    }

    /// Whether it is one of before the start: its provider is asked by the digest, and may honestly not have the answer any
    /// more.
    const fn is_old(&self) -> bool {
        self.request.body.is_none()
    }
}

/// What a look at a lane's provider told.
pub enum Learnt {
    /// It does not charge the request.
    Free,
    /// It does, and gave what this receipt is for.
    Charged(Box<SignedReceipt>),
    /// It was not reached.
    Nothing(String),
    /// It charges, and gives no answer at present.
    Withheld(String),
    /// It charges, and asks to be asked later.
    PutOff(String),
    /// Nothing more is paid in this session, though the provider may have kept to the rules.
    Over(String),
    /// It broke the rules: nothing more is paid in this session.
    Lied(String),
}

impl Inner {
    /// Finds out in the background whether the lane's request is charged. Until then the lane rests.
    pub(super) fn settle_doubt(self: &Arc<Self>, lane: LiveLane, hold: Hold) {
        let (inner, active) = (Arc::clone(self), self.begin());
        tokio::spawn(async move {
            inner.find_out(lane, hold, active).await;
        });
    }

    async fn find_out(self: &Arc<Self>, mut lane: LiveLane, hold: Hold, active: Active) {
        let session = lane.account.address;
        if let Err(error) = self.note_seen(&lane).await {
            return self.unwritten(&lane, &error);
        }
        let most = self.config.bounds.asks;
        let (mut wait, mut asks) = (FIRST_ASK, 0_u32);
        let mut active = Some(active);
        let why = loop {
            tokio::time::sleep(wait).await;
            if self.has_ended(session).await {
                return self.pool.retire(&lane.account);
            }
            match self.learn(&mut lane).await {
                Learnt::Free => return self.free(lane).await,
                Learnt::Charged(signed) => {
                    // An error is told by the ledger itself; nobody waits for this answer any more.
                    let _ = self.charged(lane, &signed, hold).await;
                    return;
                }
                Learnt::Lied(why) => break why,
                Learnt::Over(why) => return self.retire(&lane, State::Broken, &why).await,
                Learnt::Withheld(why) if asks >= most => break withheld_for_good(&why),
                Learnt::PutOff(why) if asks >= most => {
                    let why = withheld_for_good(&why);
                    return self.retire(&lane, State::Broken, &why).await;
                }
                Learnt::Withheld(why) | Learnt::PutOff(why) => {
                    asks = asks.saturating_add(1);
                    tracing::debug!(%session, why, "a request is charged, and its answer does not come");
                }
                Learnt::Nothing(error) => {
                    tracing::debug!(%session, error, "a request stays in doubt");
                }
            }
            wait = wait.saturating_mul(5).min(LAST_ASK);
            if wait > PATIENCE {
                // The end of the gateway does not wait for a provider that is gone: the ledger keeps the doubt.
                active = None;
            }
        };
        self.lied(&lane, &why).await;
        drop(active);
    }

    /// Whether the chain has no account of the session any more: its provider may never answer for it again.
    async fn has_ended(&self, session: Address) -> bool {
        self.pool.has_ended(&session)
            && match self.store.call(move |store| store.session(&session)).await {
                Ok(row) => row.is_some_and(|row| row.state == State::Closed),
                Err(_) => false,
            }
    }

    /// The next start of the gateway then pays for what came without asking again.
    async fn note_seen(&self, lane: &LiveLane) -> Result<(), StoreError> {
        let doubt = lane.core.doubt();
        let Some(seen) = doubt.and_then(|doubt| lane.unanswered(&doubt.asked)) else {
            return Ok(());
        };
        let (session, worth) = (lane.account.address, seen.worth);
        self.store
            .call(move |store| store.set_worth(&session, &worth))
            .await
    }

    /// Learns from the provider where it stands, and whether that is to be paid.
    async fn learn(&self, lane: &mut LiveLane) -> Learnt {
        match self.stand(lane).await {
            Ok(Resolved::Free) => Learnt::Free,
            Ok(Resolved::Claimed(signed)) => self.judge(lane, signed).await,
            Err(learnt) => learnt,
        }
    }

    /// Where the provider says that it stands, if that can be so.
    async fn stand(&self, lane: &mut LiveLane) -> Result<Resolved, Learnt> {
        let session = lane.account.address;
        let nothing = |error: &dyn std::fmt::Display| Learnt::Nothing(error.to_string());
        let standing = match self.wire.standing(&lane.endpoint, &session).await {
            Ok(standing) => standing,
            Err(error) => {
                if let Ok(Some(provider)) = self.provider_now(lane).await {
                    // It may have moved.
                    lane.endpoint = provider.endpoint;
                }
                return Err(nothing(&error));
            }
        };
        let mut resolved = lane.core.resolve(&standing);
        if resolved == Err(Claim::Receipt(ReceiptError::Signature))
            && self.follow(lane).await.map_err(|error| nothing(&error))?
        {
            resolved = lane.core.resolve(&standing);
        }
        resolved.map_err(|claim| {
            if lane.may_be_older(&standing, &claim) {
                Learnt::Over(claim.to_string())
            } else {
                Learnt::Lied(claim.to_string())
            }
        })
    }

    async fn judge(&self, lane: &mut LiveLane, claim: Box<SignedReceipt>) -> Learnt {
        let asked = Asked::from(&claim.receipt);
        match lane.unanswered(&asked).cloned() {
            Some(Unanswered { worth, .. })
                if worth.most.is_some_and(|most| claim.receipt.price > most) =>
            {
                Learnt::Lied("it charges for what it made after its reader had left".to_owned())
            }
            Some(asked) if claim.receipt.price > asked.worth.seen => {
                let learnt = self.ask_again(lane, &asked, claim.receipt.price).await;
                if asked.is_old()
                    && let Learnt::Withheld(why) = learnt
                {
                    Learnt::PutOff(why)
                } else {
                    learnt
                }
            }
            None if !lane.is_unpriced(&asked) => {
                Learnt::Over("it charges for a request of which nothing is kept".to_owned())
            }
            // What came is worth it; or an older ledger knows no more of it than the most that it may cost.
            Some(_) | None => {
                lane.core.take(&claim);
                Learnt::Charged(claim)
            }
        }
    }

    /// Asks for the answer that the provider charges `claimed` lamports for. It costs no more, whatever comes with it.
    async fn ask_again(&self, lane: &mut LiveLane, asked: &Unanswered, claimed: u64) -> Learnt {
        let request = &asked.request;
        let Some(doubt) = lane.core.pending(&request.asked).copied() else {
            return Learnt::Nothing("nothing was asked".to_owned());
        };
        let payment = match lane.payment() {
            Ok(payment) => payment,
            Err(error) => return Learnt::Nothing(error.to_string()),
        };
        let (endpoint, session) = (&lane.endpoint, &lane.account.address);
        let sending = self.wire.send(endpoint, session, request, &doubt, &payment);
        let given = match sending.await {
            Ok(response) => self.given(response, asked).await,
            Err(error) => Err(Learnt::Withheld(error.to_string())),
        };
        let mut given = match given {
            Ok(given) => given,
            Err(learnt) => return learnt,
        };
        given.limit = given.limit.min(claimed);
        match self.accept(lane, &request.asked, &given).await {
            Ok(price) => {
                if !asked.is_old() && asked.worth.most.is_none() && price > asked.worth.seen {
                    // Another may have been paid for one meanwhile.
                    self.directory.note(&lane.account.provider, Outcome::Late);
                }
                Learnt::Charged(Box::new(given.receipt))
            }
            Err(error) => Learnt::Lied(error.to_string()),
        }
    }

    async fn given(&self, response: Response, asked: &Unanswered) -> Result<Given, Learnt> {
        let withheld = |error: wire::WireError| Learnt::Withheld(error.to_string());
        let (status, headers) = (response.status(), response.headers().clone());
        if status == StatusCode::OK && asked.request.kind == Kind::Generate {
            let most = asked.worth.agreed.tokens;
            let lines = Lines::begin(response, self.wire.deadline(most)).await;
            let lines = lines.map_err(withheld)?;
            let (answer, tokens, receipt) = lines.all(most).await.map_err(withheld)?;
            return Ok(Given {
                receipt,
                response: Digest::of(&[&answer]),
                limit: asked.worth.agreed.of(tokens),
            });
        }
        let receipt = wire::receipt(&headers);
        let body = self.wire.whole(response).await.map_err(withheld)?;
        match receipt {
            Some(Ok(receipt)) => Ok(Given {
                receipt,
                response: Digest::of(&[&body]),
                limit: asked.worth.agreed.of(0),
            }),
            Some(Err(error)) => Err(Learnt::Lied(error.to_string())),
            None => Err(match wire::verdict(status, &headers, &body) {
                // Perhaps it serves the model again.
                Verdict::Busy(_, text) | Verdict::OfferChanged(text) => Learnt::PutOff(text),
                Verdict::Closing(text) => Learnt::Over(withheld_for_good(&text)),
                Verdict::Deposit(text)
                | Verdict::Unknown(text)
                | Verdict::UnderWay(text)
                | Verdict::Doubtful(text) => Learnt::Withheld(text),
                Verdict::Unfit(text) | Verdict::Count(text) | Verdict::Invalid(text) => {
                    let why = withheld_for_good(&text);
                    if asked.is_old() {
                        Learnt::Over(why)
                    } else {
                        Learnt::Lied(why)
                    }
                }
            }),
        }
    }

    /// The provider broke the rules: nothing more is paid in this session, and few more are opened with it.
    pub(super) async fn lied(&self, lane: &LiveLane, why: &str) {
        let provider = lane.account.provider;
        if self.directory.broke_rules(&provider) {
            let reason = why.to_owned();
            let noted = self
                .store
                .call(move |store| {
                    store.add_breach(&provider, &reason)?;
                    store.banned()
                })
                .await;
            match noted {
                Ok(banned) => self.directory.ban(banned),
                Err(error) => {
                    tracing::error!(%provider, %error, "the ledger does not say that a provider broke the rules");
                }
            }
        }
        self.retire(lane, State::Broken, why).await;
    }
}

impl Attempt<'_> {
    /// Learns where the provider stands, and begins again from there if that can be so.
    pub async fn recount(&mut self) -> Result<Duration, After> {
        self.recounted = true;
        let inner = self.inner;
        let lane = &mut self.taken.lane;
        let (learnt, room) = match inner.stand(lane).await {
            Ok(Resolved::Free) => (Learnt::Free, None),
            // This very request: the same number again gives its answer to whoever waits for it, and costs nothing.
            Ok(Resolved::Claimed(signed)) if Asked::from(&signed.receipt) == self.request.asked => {
                self.interrupted = true;
                return Ok(Duration::ZERO);
            }
            // One that was held to be free, and has no room in the limit any more.
            Ok(Resolved::Claimed(signed)) => match inner.limit.reserve(signed.receipt.price) {
                Ok(room) => (inner.judge(lane, signed).await, Some(room)),
                Err(error) => (Learnt::Over(error.to_string()), None),
            },
            Err(learnt) => (learnt, None),
        };
        match learnt {
            Learnt::Free => {
                // It may be charged with the next request all the same.
                let unanswered = self.unanswered();
                self.taken.lane.keep(unanswered);
                Ok(Duration::ZERO)
            }
            // The one before was broken off, and charged after all; this one has not begun.
            Learnt::Charged(signed) => match inner.keep(lane, &signed).await {
                Ok(()) => {
                    if let Some(room) = room {
                        room.spend(signed.receipt.price);
                    }
                    Ok(Duration::ZERO)
                }
                Err(error) => Err(After::Unwritten(error)),
            },
            Learnt::Nothing(error) | Learnt::Withheld(error) | Learnt::PutOff(error) => {
                self.note(Outcome::Failed);
                Err(After::Doubt(Failed::Elsewhere(unavailable(&error))))
            }
            Learnt::Over(why) => {
                let failed = Failed::Elsewhere(unavailable(&why));
                Err(After::Retire(State::Broken, why, failed))
            }
            Learnt::Lied(why) => Err(self.lied(&why)),
        }
    }
}

fn withheld_for_good(why: &str) -> String {
    format!("it charges for an answer that it does not give: {why}")
}
