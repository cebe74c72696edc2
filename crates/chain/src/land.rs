//! From a signed transaction to a confirmed one. The node may fail meanwhile; what was sent can land all the same.

use std::time::{Duration, Instant};

use assay_client::Failure;
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    rpc_config::RpcSendTransactionConfig,
    rpc_request::RpcError,
};
use solana_commitment_config::CommitmentLevel;
use solana_transaction::Transaction;

use crate::{
    Cluster, Error, Patience, Signed,
    fate::{self, Fate},
};

const POLL: Duration = Duration::from_millis(300);
/// The same bytes are sent again until they land or expire: packets get lost.
const POLLS_BETWEEN_SENDS: u32 = 7;
/// A blockhash lives 150 blocks, a minute or two; after this long without an answer nobody can tell any more.
const SILENCE: Duration = Duration::from_mins(4);

impl Cluster {
    /// Sends the same bytes until they are confirmed or can no longer land; returns the slot. What fails meanwhile and is
    /// tried again is told to `trouble`.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Expired`], [`Error::Unsent`], [`Error::Unknown`].
    pub async fn land(
        &self,
        signed: &Signed,
        trouble: impl Fn(&Error) + Send + Sync,
    ) -> Result<u64, Error> {
        let (purpose, sent) = (signed.purpose, signed.sent());
        let mut patience = Patience::new(SILENCE);
        let mut polls = 0_u32;
        loop {
            if polls.is_multiple_of(POLLS_BETWEEN_SENDS) {
                let answer = self.broadcast(&signed.transaction).await;
                // Later sends of what has landed are refused; only the first answer counts. A request that got no
                // answer may have arrived.
                if let (0, Err(error)) = (polls, answer)
                    && refused(&error)
                {
                    return Err(Error::Unsent {
                        purpose,
                        sent,
                        text: error.to_string(),
                    });
                }
            }
            let ask_height = polls % POLLS_BETWEEN_SENDS == 1;
            match fate::of_one(&self.rpc, sent, ask_height).await {
                Ok(Fate::Landed(slot)) => return Ok(slot),
                Ok(Fate::Failed(error)) => {
                    return Err(Error::Failed {
                        purpose,
                        signature: Box::new(sent.signature),
                        failure: Failure::of(&error),
                    });
                }
                Ok(Fate::Expired) => return Err(Error::Expired { purpose, sent }),
                Ok(Fate::Open) => patience.renew(),
                Err(error) if patience.lasts(Instant::now()) => {
                    trouble(&self.unreachable(&error));
                }
                Err(error) => {
                    return Err(Error::Unknown {
                        purpose,
                        sent,
                        text: self.unreachable(&error).to_string(),
                    });
                }
            }
            polls = polls.wrapping_add(1);
            tokio::time::sleep(POLL).await;
        }
    }

    async fn broadcast(&self, transaction: &Transaction) -> Result<(), ClientError> {
        let config = RpcSendTransactionConfig {
            // It has been simulated already.
            skip_preflight: true,
            preflight_commitment: Some(CommitmentLevel::Confirmed),
            max_retries: Some(0),
            ..RpcSendTransactionConfig::default()
        };
        self.rpc
            .send_transaction_with_config(transaction, config)
            .await?;
        Ok(())
    }
}

/// Whether the node itself said no; any other failure leaves open whether the request arrived.
fn refused(error: &ClientError) -> bool {
    matches!(
        error.kind(),
        ClientErrorKind::RpcError(RpcError::RpcResponseError { .. })
    )
}

#[cfg(test)]
mod tests;
