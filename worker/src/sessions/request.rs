//! A request from its headers to its receipt.

use std::sync::Arc;

use assay_client::{
    protocol::{Address, Digest},
    session::{OfferedModel, Usage},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Sessions,
    answers::Answer,
    api::Failure,
    core::{Answered, Ask, Begun, Proof, Refused},
    store::Write,
};
use crate::{chain::Chain, metrics, serving::ServeError};

/// A request under way: the only one of its session, with a place among all. Dropped, it was not answered and costs
/// nothing.
pub struct Request<C: Chain> {
    sessions: Arc<Sessions<C>>,
    pub session: Address,
    pub model: Arc<OfferedModel>,
    begun: Begun,
    /// The answer that was given before, if it is in memory.
    kept: Option<Answer>,
    /// Of the path's last word and the body.
    digest: Digest,
    /// Lamports, at most.
    most: u64,
    pub places: Vec<OwnedSemaphorePermit>,
}

impl<C: Chain> Request<C> {
    /// Checks the voucher and takes the session.
    pub async fn begin(
        sessions: &Arc<Sessions<C>>,
        session: Address,
        ask: Ask,
        model: Arc<OfferedModel>,
    ) -> Result<Self, Failure> {
        let now = sessions.now();
        let key = sessions.with(&session, |channel| channel.session_key());
        let key = key.ok_or(Refused::Unknown)?;
        // Outside of the lock: it is what costs time.
        let checked = sessions.terms.check(&ask.payment, &session, &key, now);
        checked.map_err(Refused::from)?;
        let begin = || {
            let begun = sessions.with(&session, |channel| {
                let kept = sessions.answers.get(&session, ask.sequence);
                let begun = if kept.is_some() && channel.sequence() == ask.sequence {
                    channel.take(&ask, now)
                } else {
                    let payer = channel.account().requester;
                    let lost_runs = sessions.lost_runs();
                    let able = lost_runs.check(&payer, now);
                    able.and_then(|()| channel.begin(&ask, now, &sessions.policy))
                };
                begun.map(|begun| (begun, kept))
            });
            begun.unwrap_or(Err(Refused::Closing))
        };
        let mut begun = begin();
        if let Err(Refused::Deposit { .. }) = begun
            && sessions.read_for_deposit(session).await?
        {
            begun = begin();
        }
        let (begun, kept) = begun?;
        Ok(Self {
            sessions: Arc::clone(sessions),
            session,
            model,
            begun,
            kept,
            digest: Digest([0; 32]),
            most: 0,
            places: Vec::new(),
        })
    }

    pub fn sessions(&self) -> &Arc<Sessions<C>> {
        &self.sessions
    }

    /// Judges the body and keeps the voucher: from here on, an answer is paid for.
    pub async fn admit(
        &mut self,
        digest: Digest,
        most: Option<u64>,
        limit: Option<u64>,
    ) -> Result<(), Failure> {
        let admit = || {
            let judge = |channel: &mut super::Channel| {
                let account = Box::new(*channel.account());
                let admitted = channel.admit(&self.begun, &digest, most, limit);
                admitted.map(|better| better.map(|payment| Write::Payment { account, payment }))
            };
            let admitted = self.sessions.with(&self.session, judge);
            admitted.unwrap_or(Err(Refused::Closing))
        };
        let mut admitted = admit();
        if let Err(Refused::Deposit { .. }) = admitted
            && self.sessions.read_for_deposit(self.session).await?
        {
            admitted = admit();
        }
        if let Some(write) = admitted? {
            let payment = self.begun.ask.payment;
            self.sessions.store.write(write).await?;
            let (now, policy) = (self.sessions.now(), &self.sessions.policy);
            let due = self.sessions.with(&self.session, |channel| {
                channel.pay(payment);
                channel.chore(now, policy, false).is_some()
            });
            if due == Some(true) {
                self.sessions.wake.notify_one();
            }
        }
        if !self.begun.is_retry {
            self.sessions.answers.forget(&self.session);
        }
        (self.digest, self.most) = (digest, most.unwrap_or(u64::MAX));
        Ok(())
    }

    /// The answer that was given before, if this is a retry and it is still there.
    pub fn former(&self) -> Option<(Answered, Option<Answer>)> {
        if !self.begun.is_retry {
            return None;
        }
        let last = self
            .sessions
            .with(&self.session, |channel| channel.last().copied());
        last.flatten().map(|last| (last, self.kept.clone()))
    }

    /// Whether it was answered before: then what was charged stays as it is unless the answer is whole again.
    pub fn is_retry(&self) -> bool {
        self.begun.is_retry
    }

    /// Takes leave to compute the answer again that was given before.
    pub fn repeat(&self) -> Result<(), Failure> {
        let leave = self.sessions.with(&self.session, super::Channel::repeat);
        Ok(leave.unwrap_or(Err(Refused::Closing))?)
    }

    /// Why there is no answer; a run that is lost counts against who pays.
    ///
    /// # Errors
    /// As [`Failure::of`].
    pub async fn failed(&self, error: ServeError) -> Result<Failure, String> {
        if matches!(error, ServeError::RunLost(_)) {
            self.sessions.lose_a_run(&self.session).await;
        }
        Failure::of(error)
    }

    /// Signs and keeps the receipt of an answer, which may be given then; the request is over.
    pub async fn complete(
        self,
        response: Digest,
        usage: Usage,
        answer: Answer,
    ) -> Result<Answered, Failure> {
        let price = self
            .model
            .price
            .of(usage)
            .unwrap_or(u64::MAX)
            .min(self.most);
        let sessions = &self.sessions;
        let proof = sessions.with(&self.session, |channel| {
            channel.answer(&self.begun, self.digest, response, price)
        });
        let answered = match proof {
            Some(Proof::New(receipt)) => {
                let receipt = receipt.sign(sessions.operator());
                let receipt = receipt.map_err(Failure::internal)?;
                let answered = Answered { receipt, usage };
                sessions.store.write(Write::Answer(answered)).await?;
                let now = sessions.now();
                sessions.with(&self.session, |channel| channel.finish(answered, now));
                if !self.begun.is_retry {
                    metrics::sessions_earned(price);
                }
                answered
            }
            Some(Proof::Known(receipt)) => Answered { receipt, usage },
            None => return Err(Refused::Closing.into()),
        };
        let sequence = self.begun.ask.sequence;
        sessions.answers.keep(self.session, sequence, answer);
        Ok(answered)
    }
}

impl<C: Chain> Drop for Request<C> {
    fn drop(&mut self) {
        self.sessions
            .with(&self.session, |channel| channel.release());
    }
}
