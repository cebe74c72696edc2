//! One request on one lane, up to its receipt or to the point where another provider is asked.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use assay_client::{
    protocol::Digest,
    session::{Payment, ReceiptError, SignedReceipt, Usage},
};
use bytes::Bytes;
use reqwest::{Response, StatusCode};

use super::{
    Active, Inner,
    doubt::Unanswered,
    generation::Lines,
    receipts::Given,
    serve::{Failed, Reply, Taken},
};
use crate::{
    funds::Hold,
    lane::{
        Cannot,
        wire::{self, Deadline, Kind, Request, Verdict, WireError},
        worth::{Agreed, Worth},
    },
    providers::Outcome,
    store::{State, StoreError},
    upstream::{Ran, UpstreamError},
};

/// Times that a request is sent on one lane, at most.
const ROUNDS: u32 = 6;
/// Before a request is sent again that the worker was not ready for; twice as long each further time.
const PAUSE: Duration = Duration::from_millis(100);
/// A worker that sees less than the chain says, or a lane whose end it has not seen, is left alone for this long.
pub(super) const LAGGING: Duration = Duration::from_secs(2);

/// What becomes of the lane after an attempt without an answer.
pub(super) enum After {
    /// It is free again.
    Free(Failed),
    /// It is free again, but not at once.
    Rest(Failed),
    /// It is free again, with this receipt.
    Charged(Box<SignedReceipt>, Failed),
    /// It is used no more.
    Retire(State, String, Failed),
    /// Nor is it, and its provider broke the rules.
    Lied(String, Failed),
    /// Whether the request is charged must be found out first.
    Doubt(Failed),
    /// The ledger could not be written.
    Unwritten(StoreError),
}

/// A request on its lane.
pub(super) struct Attempt<'a> {
    pub inner: &'a Arc<Inner>,
    pub taken: Taken,
    pub hold: Hold,
    pub request: &'a Request,
    pub worst: Usage,
    /// Likely tokens beside each one of a generation, at most.
    pub likely: usize,
    pub active: &'a Arc<Active>,
    /// Whether the provider was asked where it stands.
    pub recounted: bool,
    /// Whether the connection broke, or the provider charges without an answer: whatever it says afterwards, it may have
    /// answered then.
    pub interrupted: bool,
}

impl Attempt<'_> {
    /// Sends the request until there is an answer or nothing more to gain from this lane.
    pub async fn make(mut self) -> Result<Reply, Failed> {
        if let Err(error) = self.afford().await {
            self.inner.pool.give_back(self.taken.lane);
            return Err(Failed::Elsewhere(error));
        }
        for round in 0..ROUNDS {
            let payment = match self.pay().await {
                Ok(payment) => payment,
                Err(after) => return Err(self.end(after).await),
            };
            let began = Instant::now();
            let broken = match self.send(&payment).await {
                Ok(response) if response.status() == StatusCode::OK => match self.request.kind {
                    Kind::Run => match self.whole(response).await {
                        Ok((body, receipt)) => return self.ran(body, receipt, began).await,
                        Err(broken) => broken,
                    },
                    Kind::Generate => match Lines::begin(response, self.deadline()).await {
                        Ok(lines) => return Ok(self.forward(lines, began.elapsed())),
                        Err(broken) => broken,
                    },
                },
                Ok(response) => match self.refused(response, round).await {
                    Ok(wait) => {
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    Err(after) => return Err(self.end(after).await),
                },
                Err(broken) => broken,
            };
            self.interrupted = true;
            // The same number again is not charged twice, but of a generation it gives no more than was charged. Whoever
            // was silent is not waited for again.
            let again = self.request.kind == Kind::Run && broken.is_connection();
            if round > 0 || !again {
                self.note(Outcome::Failed);
                let failed = Failed::Elsewhere(unavailable(&format!(
                    "the provider {} failed: {broken}",
                    self.taken.candidate.provider.account
                )));
                return Err(self.end(After::Doubt(failed)).await);
            }
        }
        self.note(Outcome::Failed);
        let failed = Failed::Elsewhere(unavailable(&"the provider was not ready in time"));
        Err(self.end(After::Doubt(failed)).await)
    }

    /// Tops the session up if it cannot pay for this request.
    async fn afford(&self) -> Result<(), UpstreamError> {
        let Taken { lane, price, .. } = &self.taken;
        if lane.missing(*price) == 0 {
            return Ok(());
        }
        let needed = lane.core.due().saturating_add(*price);
        self.inner.top_up(&lane.account, needed).await
    }

    /// The voucher for this request. The request is written down before it is sent.
    async fn pay(&mut self) -> Result<Payment, After> {
        let agreed = self.agreed();
        let Taken { lane, price, .. } = &mut self.taken;
        let session = lane.account.address;
        let due = lane.core.due();
        if lane.core.doubt().is_none() {
            let deposit = lane.account.deposit();
            let Request { kind, asked, .. } = *self.request;
            let doubt = lane
                .core
                .ask(asked, *price, deposit)
                .map_err(|error: Cannot| After::Free(Failed::Again(unavailable(&error))))?;
            let worth = Worth::unseen(kind, agreed);
            self.inner
                .store
                .call(move |store| store.set_doubt(&session, &doubt, &worth, due))
                .await
                .map_err(After::Unwritten)?;
        }
        lane.payment().map_err(|error| {
            After::Retire(
                State::Broken,
                format!("its key does not sign: {error}"),
                Failed::Again(unavailable(&error)),
            )
        })
    }

    async fn send(&self, payment: &Payment) -> Result<Response, WireError> {
        let lane = &self.taken.lane;
        let Some(doubt) = lane.core.doubt() else {
            return Err(WireError::Garbled("nothing was asked".to_owned()));
        };
        let (endpoint, session) = (&lane.endpoint, &lane.account.address);
        self.inner
            .wire
            .send(endpoint, session, self.request, doubt, payment)
            .await
    }

    fn deadline(&self) -> Deadline {
        self.inner.wire.deadline(self.worst.output_tokens)
    }

    async fn whole(&self, response: Response) -> Result<(Bytes, Receipt), WireError> {
        let receipt = wire::receipt(response.headers());
        let body = self.inner.wire.whole(response).await?;
        Ok((body, receipt))
    }

    async fn ran(
        mut self,
        outputs: Bytes,
        receipt: Receipt,
        began: Instant,
    ) -> Result<Reply, Failed> {
        let price = self.taken.price;
        let signed = match self.accept(receipt, &outputs, price).await {
            Ok(signed) => signed,
            Err(after) => return Err(self.end(after).await),
        };
        self.note(Outcome::Answered(began.elapsed()));
        let Self {
            inner, taken, hold, ..
        } = self;
        match inner.charged(taken.lane, &signed, hold).await {
            Ok(()) => Ok(Reply::Ran(Ran {
                outputs,
                price: signed.receipt.price,
            })),
            Err(error) => Err(Failed::Final(error)),
        }
    }

    /// Checks the receipt of a body.
    async fn accept(
        &mut self,
        receipt: Receipt,
        body: &[u8],
        limit: u64,
    ) -> Result<Box<SignedReceipt>, After> {
        let accepted = match receipt {
            None => Err("the answer has no receipt".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(receipt)) => {
                let response = Digest::of(&[body]);
                let given = Given {
                    receipt,
                    response,
                    limit,
                };
                let lane = &mut self.taken.lane;
                let accepting = self.inner.accept(lane, &self.request.asked, &given);
                let accepted = accepting.await.map(|_| Box::new(receipt));
                accepted.map_err(|error| error.to_string())
            }
        };
        accepted.map_err(|why| self.lied(&why))
    }

    /// Nothing is paid for this request, and the session is used no more.
    pub fn lied(&self, why: &str) -> After {
        let provider = self.taken.candidate.provider.account;
        let error = unavailable(&format!(
            "the provider {provider} was not paid and is not used in this session any more: {why}"
        ));
        After::Lied(why.to_owned(), Failed::Elsewhere(error))
    }

    /// What an answer that is no 200 means for the lane; or when the same request goes out again.
    async fn refused(&mut self, response: Response, round: u32) -> Result<Duration, After> {
        let (status, headers) = (response.status(), response.headers().clone());
        let receipt = wire::receipt(&headers);
        let body = match self.inner.wire.whole(response).await {
            Ok(body) => body,
            Err(error) => {
                self.note(Outcome::Failed);
                return Err(After::Doubt(Failed::Elsewhere(unavailable(&error))));
            }
        };
        if receipt.is_some() {
            // The model failed on this input, which is work like any other.
            let limit = self.agreed().of(0);
            let signed = self.accept(receipt, &body, limit).await?;
            self.note(Outcome::ChargedFailure);
            let error = UpstreamError::Unprocessable(wire::refusal_text(status, &body));
            return Err(After::Charged(signed, Failed::Final(error)));
        }
        let may_repeat = round.saturating_add(1) < ROUNDS;
        let pause = PAUSE.saturating_mul(1 << round.min(8));
        Err(match wire::verdict(status, &headers, &body) {
            // It may not have seen a new session or deposit yet, or the end of what was broken off.
            Verdict::Deposit(_) | Verdict::Unknown(_) | Verdict::UnderWay(_) if may_repeat => {
                return Ok(pause);
            }
            Verdict::Count(_) if !self.recounted => return self.recount().await,
            Verdict::Unfit(text) => After::Free(Failed::Unfit(text)),
            Verdict::Busy(wait, text) => {
                self.note(Outcome::Busy(wait));
                After::Free(Failed::Elsewhere(UpstreamError::Busy {
                    text,
                    retry_after_secs: wait.as_secs().max(1),
                }))
            }
            Verdict::OfferChanged(text) => {
                self.inner.directory.doubt_offers();
                After::Free(Failed::Elsewhere(unavailable(&text)))
            }
            Verdict::Deposit(text) => {
                self.note(Outcome::Busy(LAGGING));
                self.inner.count_again(&self.taken.lane.account);
                After::Free(Failed::Elsewhere(unavailable(&text)))
            }
            Verdict::Unknown(text) => {
                self.note(Outcome::Busy(LAGGING));
                After::Free(Failed::Elsewhere(unavailable(&text)))
            }
            Verdict::Closing(text) => {
                // Each further session with it would lock a deposit.
                self.note(Outcome::Failed);
                let reason = "its provider says that it is closing".to_owned();
                After::Retire(
                    State::Closing,
                    reason,
                    Failed::Elsewhere(unavailable(&text)),
                )
            }
            // This one has not begun; the one under way may still be charged.
            Verdict::UnderWay(text) => {
                self.note(Outcome::Failed);
                After::Rest(Failed::Elsewhere(unavailable(&text)))
            }
            Verdict::Count(text) | Verdict::Doubtful(text) => {
                self.note(Outcome::Failed);
                After::Doubt(Failed::Elsewhere(unavailable(&text)))
            }
            Verdict::Invalid(text) => self.lied(&format!("it does not take vouchers: {text}")),
        })
    }

    pub fn unanswered(&self) -> Unanswered {
        Unanswered {
            request: self.request.clone(),
            worth: Worth::unseen(self.request.kind, self.agreed()),
        }
    }

    pub fn agreed(&self) -> Agreed {
        let Taken {
            candidate, price, ..
        } = &self.taken;
        Agreed::new(&candidate.price, self.worst, *price)
    }

    pub fn note(&self, outcome: Outcome) {
        let provider = &self.taken.candidate.provider.account;
        self.inner.directory.note(provider, outcome);
    }

    async fn end(self, after: After) -> Failed {
        let unanswered = self.unanswered();
        let Self {
            inner,
            taken,
            hold,
            interrupted,
            ..
        } = self;
        let mut lane = taken.lane;
        match after {
            After::Free(failed) if !interrupted => {
                inner.free(lane).await;
                failed
            }
            After::Rest(failed) if !interrupted => {
                inner.rest(lane).await;
                failed
            }
            After::Charged(signed, failed) => match inner.charged(lane, &signed, hold).await {
                Ok(()) => failed,
                Err(error) => Failed::Final(error),
            },
            After::Retire(state, reason, failed) => {
                inner.retire(&lane, state, &reason).await;
                failed
            }
            After::Lied(why, failed) => {
                inner.lied(&lane, &why).await;
                failed
            }
            After::Free(failed) | After::Rest(failed) | After::Doubt(failed) => {
                lane.keep(unanswered);
                inner.settle_doubt(lane, hold);
                failed
            }
            After::Unwritten(error) => {
                inner.unwritten(&lane, &error);
                Failed::Final(unavailable(&error))
            }
        }
    }
}

/// What an answer's header says of its receipt.
type Receipt = Option<Result<SignedReceipt, ReceiptError>>;

pub(super) fn unavailable(why: &dyn std::fmt::Display) -> UpstreamError {
    UpstreamError::Unavailable(why.to_string())
}
