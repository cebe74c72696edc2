//! A requester's acknowledgement: checked, written, then acted on.

use std::sync::Arc;

use assay_client::protocol::Address;
use tokio::sync::oneshot;

use super::{AcknowledgeError, Chain, Driver, Effect, HaltPoint, StoreError, reread};
use crate::core::Acknowledgement;

#[derive(Debug, thiserror::Error)]
pub enum AcknowledgeFailure {
    #[error(transparent)]
    Invalid(#[from] AcknowledgeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<C: Chain> Driver<C> {
    /// `may_reread`: the requester may have seen the commitment before we did.
    pub(super) async fn acknowledge(
        &mut self,
        job: Address,
        secret: [u8; 32],
        reply: oneshot::Sender<Result<(), AcknowledgeFailure>>,
        may_reread: bool,
    ) {
        let checked = self.core.check_acknowledgement(&job, &secret);
        if may_reread && checked == Err(AcknowledgeError::NotCommitted) {
            let chain = Arc::clone(&self.parts.chain);
            self.spawn(async move {
                let reading = reread(&*chain, job).await;
                Effect::Reread {
                    job,
                    reading,
                    secret,
                    reply,
                }
            });
            return;
        }
        let result = match checked {
            Ok(Acknowledgement::New { attempt }) => {
                self.save_acknowledgement(job, attempt, secret).await
            }
            Ok(Acknowledgement::Known) => Ok(()),
            Err(error) => Err(error.into()),
        };
        // A requester that hung up asks again, and is told that it is known.
        let _ = reply.send(result);
    }

    async fn save_acknowledgement(
        &mut self,
        job: Address,
        attempt: u8,
        secret: [u8; 32],
    ) -> Result<(), AcknowledgeFailure> {
        let now = self.now;
        let saving = move |store: &crate::store::Store| {
            store.save_acknowledgement(&job, attempt, &secret, now)
        };
        self.make_ready();
        self.parts.store.call(saving).await?;
        self.parts.halt.at(HaltPoint::AckSaved);
        tracing::info!(%job, attempt, "acknowledged by its requester");
        self.core.handle_acknowledged(job, secret, self.now);
        Ok(())
    }
}
