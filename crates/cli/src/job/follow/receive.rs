//! The requester's part: fetching the result, verifying it, acknowledging it.

use anyhow::Result;
use assay_chain::Found;
use assay_client::clock::Clock;
use assay_client::{
    delivery::{MismatchError, Received, verify},
    protocol::{Address, JobData, JobStatus, ProviderData},
    secret,
};
use solana_keypair::Keypair;

use super::Follower;
use crate::{
    amount::bytes,
    delivery::{Answer, Delivered, Worker},
    job::receipt::Receipt,
    view::JobView,
};

impl Follower<'_> {
    /// Asks the worker for the result, verifies and keeps it, and acknowledges it. The inner error is a result that
    /// does not verify.
    pub(super) async fn receive(
        &mut self,
        status: JobStatus,
        job: &JobData,
        clock: Clock,
    ) -> Result<Result<(), MismatchError>> {
        let Some(wallet) = self.wallet.as_ref().map(Keypair::insecure_clone) else {
            return Ok(Ok(()));
        };
        let Some(provider) = self.provider(&job.provider).await else {
            return Ok(Ok(()));
        };
        let worker = match Worker::of(&provider, self.context.allow_private()) {
            Ok(Some(worker)) => worker,
            Ok(None) => {
                self.trouble(
                    "the provider names no endpoint, so its result cannot be fetched".to_owned(),
                );
                return Ok(Ok(()));
            }
            Err(error) => {
                self.trouble(format!("its result cannot be fetched: {error:#}"));
                return Ok(Ok(()));
            }
        };
        if self.result.is_none() {
            match worker.result(&wallet, &self.job, job.output_limit).await {
                Err(error) => self.trouble(format!("{error:#}")),
                Ok(Answer::NotYet(state)) => {
                    self.trouble(format!("the worker has no result yet ({state})"))
                }
                Ok(Answer::Result(delivered)) => {
                    if let Err(mismatch) = self.take(job, clock, *delivered)? {
                        return Ok(Err(mismatch));
                    }
                }
            }
        }
        let acknowledges = !self.hold && !self.acknowledged && status == JobStatus::Committed;
        if self.result.is_some() && acknowledges {
            let secret = secret::for_job(&wallet, &self.job)?;
            match worker.acknowledge(&wallet, &self.job, secret).await {
                Ok(()) => {
                    self.acknowledged = true;
                    self.say("acknowledged".to_owned());
                }
                Err(error) => self.trouble(format!("{error:#}")),
            }
        }
        Ok(Ok(()))
    }

    /// Verifies what was delivered and writes it down, all before it is acknowledged: afterwards the provider owes
    /// nothing, and the account that opens the commitment may be closed.
    fn take(
        &mut self,
        job: &JobData,
        clock: Clock,
        delivered: Delivered,
    ) -> Result<Result<(), MismatchError>> {
        let received = Received {
            delivery: &delivered.delivery,
            outputs: &delivered.outputs,
            hints: &delivered.hints,
        };
        let verified = match verify(&self.job, job, &received) {
            Ok(verified) => verified,
            Err(mismatch) => return Ok(Err(mismatch)),
        };
        self.keep.write_outputs(&delivered)?;
        let found = Found {
            address: self.job,
            data: *job,
        };
        Receipt::new(
            self.context.cluster.url(),
            (job, &JobView::new(&found, clock.time)),
            (&delivered.delivery, &verified),
            self.acknowledged,
            None,
            &self.sent,
        )
        .write(&self.keep)?;
        self.say(format!(
            "verified   {} of outputs give the root {:.16}.., which opens the commitment on chain",
            bytes(delivered.delivery.outputs_bytes),
            hex::encode(verified.root.0)
        ));
        self.result = Some((delivered, verified));
        self.trouble = None;
        Ok(Ok(()))
    }

    /// The provider's account. It is read again after trouble, for a provider can move; what was read before serves
    /// while the node fails.
    async fn provider(&mut self, address: &Address) -> Option<ProviderData> {
        let known = self.provider.filter(|(known, _)| known == address);
        if known.is_none() || self.trouble.is_some() {
            match self.context.cluster.get(address).await {
                Ok(provider) => self.provider = Some((*address, provider)),
                Err(error) if known.is_none() => {
                    self.trouble(format!("{error:#}"));
                    return None;
                }
                Err(_) => {}
            }
        }
        self.provider.map(|(_, provider)| provider)
    }
}
