//! From a signed transaction to a confirmed one. The node may fail meanwhile; what was sent can land all the same.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use assay_client::Failure;
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    rpc_config::RpcSendTransactionConfig,
    rpc_request::RpcError,
};
use solana_commitment_config::CommitmentLevel;
use solana_sdk::transaction::TransactionError;
use solana_signature::Signature;
use solana_transaction::Transaction;

use super::{Sent, Signed};
use crate::{context::Context, patience::Patience};

const POLL: Duration = Duration::from_millis(300);
/// The same bytes are sent again until they land or expire: packets get lost.
const POLLS_BETWEEN_SENDS: u32 = 7;
/// A blockhash lives 150 blocks, a minute or two; after this long without an answer nobody can tell any more.
const SILENCE: Duration = Duration::from_mins(4);

/// Where a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    Unknown,
    /// In a block that is not confirmed yet.
    Seen,
    Confirmed(u64),
    Failed(TransactionError),
    /// Not in any block, and no block can take it any more.
    Expired,
}

impl Context {
    /// Sends the same bytes until they are confirmed or can no longer land.
    pub async fn land(&self, purpose: &str, signed: &Signed) -> Result<Sent> {
        let signature = signed.signature();
        let mut patience = Patience::new(SILENCE);
        let mut polls = 0_u32;
        loop {
            if polls.is_multiple_of(POLLS_BETWEEN_SENDS) {
                let sent = self.broadcast(&signed.transaction).await;
                // Later sends of what has landed are refused; only the first answer counts. A request that got no
                // answer may have arrived.
                if let (0, Err(error)) = (polls, sent)
                    && refused(&error)
                {
                    return Err(error).with_context(|| {
                        format!("the node refused to send {purpose} (signature {signature})")
                    });
                }
            }
            let ask_height = polls % POLLS_BETWEEN_SENDS == 1;
            match self
                .standing(&signature, signed.last_height, ask_height)
                .await
            {
                Ok(Standing::Confirmed(slot)) => {
                    return Ok(self.details(purpose, &signature, Some(slot)).await);
                }
                Ok(Standing::Failed(error)) => {
                    return Err(Failure::of(&error)).with_context(|| {
                        format!("{purpose} failed on the chain (signature {signature}); only its fee was paid")
                    });
                }
                Ok(Standing::Expired) => bail!(
                    "{purpose} did not land in time and can no longer land (signature {signature}); try again, \
                     perhaps with --priority-fee"
                ),
                Ok(Standing::Unknown | Standing::Seen) => patience.renew(),
                Err(error) if patience.lasts(Instant::now()) => {
                    if self.options.verbose {
                        self.say(format_args!("  {}: {error}", self.unreachable()));
                    }
                }
                Err(error) => {
                    return Err(error).with_context(|| self.unreachable()).with_context(|| {
                        format!("{purpose} was sent, but it is unknown whether it landed (signature {signature})")
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

    async fn standing(
        &self,
        signature: &Signature,
        last_height: u64,
        ask_height: bool,
    ) -> Result<Standing, ClientError> {
        let standing = self.status(signature).await?;
        if standing != Standing::Unknown || !ask_height {
            return Ok(standing);
        }
        if self.rpc.get_block_height().await? <= last_height {
            return Ok(standing);
        }
        // One more look: it may have landed between the two questions.
        let standing = self.status(signature).await?;
        Ok(if standing == Standing::Unknown {
            Standing::Expired
        } else {
            standing
        })
    }

    async fn status(&self, signature: &Signature) -> Result<Standing, ClientError> {
        let statuses = self.rpc.get_signature_statuses(&[*signature]).await?;
        let Some(Some(status)) = statuses.value.first() else {
            return Ok(Standing::Unknown);
        };
        if !status.satisfies_commitment(self.rpc.commitment()) {
            return Ok(Standing::Seen);
        }
        Ok(match &status.err {
            Some(error) => Standing::Failed(error.clone()),
            None => Standing::Confirmed(status.slot),
        })
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
