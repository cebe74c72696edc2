//! Several things of one kind in one transaction: one signature's fee for all of them.
//!
//! On chain it is all or nothing. So a batch is simulated first; who would fail goes alone, the
//! others go together. What did not land together goes alone from then on, until it has landed.

use std::sync::Arc;

use assay_client::budget::Budget;
use futures_util::future::join_all;
use solana_message::Hash;
use tokio::sync::oneshot;

use super::{PACKET_BYTES, Purpose, Started, Submitter, unsent};
use crate::{
    chain::Chain,
    core::{Action, Submitted},
    metrics,
    store::SentTransaction,
};

/// Most members of a batch. Fewer fit if they name many accounts; with more, the fee that is saved is
/// less than a seventieth of a signature's for each, and more would wait for one that expires.
const MOST: usize = 8;
/// A transaction's bytes before its message: one signature, and their count.
const SIGNATURE_BYTES: usize = 65;

/// What is wanted, and who waits for its end.
pub struct Asked {
    pub purpose: Purpose,
    pub answer: oneshot::Sender<Submitted>,
}

impl Asked {
    fn answer(self, outcome: Submitted) {
        // Nobody waits any more if the worker ends.
        let _ = self.answer.send(outcome);
    }
}

impl<C: Chain> Submitter<C> {
    /// Brings each of these to its end, in as few transactions as hold them. Each is answered when its
    /// own end is known.
    pub async fn submit_together(self: &Arc<Self>, asked: Vec<Asked>) {
        let batches = self.batches(asked).into_iter();
        join_all(batches.map(|batch| self.submit_batch(batch))).await;
    }

    /// Of one kind each, in the given order, and each fits a packet.
    pub(super) fn batches(&self, asked: Vec<Asked>) -> Vec<Vec<Asked>> {
        let mut full: Vec<Vec<Asked>> = Vec::new();
        let mut open: Vec<(Action, Vec<Asked>)> = Vec::new();
        for one in asked {
            let action = one.purpose.action;
            if self.memory.is_apart(&one.purpose.member().key()) {
                full.push(vec![one]);
                continue;
            }
            match open.iter_mut().find(|(of, _)| *of == action) {
                Some((_, batch)) if self.fits(batch, &one) => batch.push(one),
                Some((_, batch)) => full.push(std::mem::replace(batch, vec![one])),
                None => open.push((action, vec![one])),
            }
        }
        full.extend(open.into_iter().map(|(_, batch)| batch));
        full
    }

    fn fits(&self, batch: &[Asked], more: &Asked) -> bool {
        let all = batch.iter().chain([more]);
        let instructions = all.flat_map(|asked| asked.purpose.instructions());
        // With a price, so that its instruction is counted.
        let message = self.message(Budget::generous(1), instructions, &Hash::default());
        batch.len() < MOST && message.len().saturating_add(SIGNATURE_BYTES) <= PACKET_BYTES
    }

    async fn submit_batch(self: &Arc<Self>, batch: Vec<Asked>) {
        let (together, alone) = self.start_batch(batch).await;
        let following = async {
            if let Some((sent, batch)) = together {
                self.end_batch(sent, batch).await;
            }
        };
        let alone = join_all(alone.into_iter().map(|one| self.submit_alone(one)));
        tokio::join!(following, alone);
    }

    /// What goes together is in the journal; the others are to go alone.
    async fn start_batch(
        &self,
        mut batch: Vec<Asked>,
    ) -> (Option<(SentTransaction, Vec<Asked>)>, Vec<Asked>) {
        let mut alone = Vec::new();
        while batch.len() > 1 {
            let purposes: Vec<Purpose> = batch.iter().map(|one| one.purpose.clone()).collect();
            match self.start(&purposes, false).await {
                Ok(Started::Sent(sent)) => return (Some((sent, batch)), alone),
                Ok(Started::Refused { failure, member }) => match member {
                    Some(member) if member < batch.len() => {
                        let one = batch.remove(member);
                        let (job, step) = (one.purpose.job, one.purpose.action.name());
                        tracing::info!(%job, step, reason = %failure, "goes alone: with others it would fail");
                        alone.push(self.apart(one));
                    }
                    Some(_) | None => alone.extend(batch.drain(..).map(|one| self.apart(one))),
                },
                Err(error) => {
                    // The chain cannot be asked, most likely: not a moment for asking more often.
                    for one in batch.drain(..).map(|one| self.apart(one)) {
                        unsent(&one.purpose, &error);
                        one.answer(Submitted::Expired);
                    }
                }
            }
        }
        alone.append(&mut batch);
        (None, alone)
    }

    async fn end_batch(self: &Arc<Self>, sent: SentTransaction, batch: Vec<Asked>) {
        match self.follow_new(sent).await {
            Submitted::Refused(_) => {
                let alone = batch.into_iter().map(|one| self.apart(one));
                join_all(alone.map(|one| self.submit_alone(one))).await;
            }
            outcome @ (Submitted::Landed | Submitted::Expired) => {
                for one in batch {
                    one.answer(outcome);
                }
            }
        }
    }

    async fn submit_alone(self: &Arc<Self>, asked: Asked) {
        let outcome = self.submit(asked.purpose.clone()).await;
        asked.answer(outcome);
    }

    /// It goes alone from now on, and how it ends is asked before.
    fn apart(&self, mut asked: Asked) -> Asked {
        self.memory
            .set_apart([asked.purpose.member().key()].into_iter());
        metrics::transaction(asked.purpose.action, "apart");
        asked.purpose.steady = false;
        asked
    }
}
