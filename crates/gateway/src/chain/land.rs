//! From instructions to a confirmed transaction.

use std::time::{Duration, Instant};

use assay_client::{Failure, budget::Budget};
use solana_client::{
    client_error::ClientError,
    rpc_config::{RpcSendTransactionConfig, RpcSimulateTransactionConfig},
};
use solana_instruction::Instruction;
use solana_message::Message;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::Transaction;

use super::{ChainError, RpcChain};

const POLL: Duration = Duration::from_millis(300);
/// The same bytes are sent again until they land or expire: packets get lost.
const POLLS_BETWEEN_SENDS: u32 = 7;
/// A blockhash lives 150 blocks, a minute or two; after this long without an answer nobody can tell any more.
const SILENCE: Duration = Duration::from_mins(3);

enum Standing {
    Unknown,
    Confirmed,
    Failed(String),
    Expired,
}

impl RpcChain {
    pub(super) async fn land(
        &self,
        purpose: &'static str,
        instructions: &[Instruction],
    ) -> Result<Signature, ChainError> {
        let units = self.simulate(purpose, instructions).await?;
        let budget = Budget::simulated(units, self.priority_fee);
        let all = [&budget.instructions(), instructions].concat();
        let (hash, last_height) = self
            .rpc
            .get_latest_blockhash_with_commitment(self.rpc.commitment())
            .await
            .map_err(|error| self.unreachable(&error))?;
        let message = Message::new_with_blockhash(&all, Some(&self.wallet.pubkey()), &hash);
        let mut transaction = Transaction::new_unsigned(message);
        transaction
            .try_sign(&[&self.wallet], hash)
            .map_err(|error| refused(purpose, &error))?;
        let signature = transaction.signatures.first().copied().unwrap_or_default();
        let mut heard = Instant::now();
        let mut polls = 0_u32;
        loop {
            if polls.is_multiple_of(POLLS_BETWEEN_SENDS) {
                // Whether a send arrived, and whether what it says of a repetition matters, the status tells.
                if let Err(error) = self.broadcast(&transaction).await {
                    tracing::debug!(%signature, %error, "sending failed");
                }
            }
            let ask_height = polls % POLLS_BETWEEN_SENDS == 1;
            match self.standing(&signature, last_height, ask_height).await {
                Ok(Standing::Confirmed) => return Ok(signature),
                Ok(Standing::Failed(text)) => return Err(ChainError::Refused { purpose, text }),
                Ok(Standing::Expired) => return Err(ChainError::Expired { purpose, signature }),
                Ok(Standing::Unknown) => heard = Instant::now(),
                Err(error) if heard.elapsed() > SILENCE => {
                    let text = error.to_string();
                    return Err(ChainError::Unknown {
                        purpose,
                        signature,
                        text,
                    });
                }
                Err(_) => {}
            }
            polls = polls.wrapping_add(1);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Compute units that the instructions use.
    async fn simulate(
        &self,
        purpose: &'static str,
        instructions: &[Instruction],
    ) -> Result<u64, ChainError> {
        let budget = Budget::generous(self.priority_fee);
        let all = [&budget.instructions(), instructions].concat();
        let message = Message::new(&all, Some(&self.wallet.pubkey()));
        let config = RpcSimulateTransactionConfig {
            replace_recent_blockhash: true,
            commitment: Some(self.rpc.commitment()),
            ..RpcSimulateTransactionConfig::default()
        };
        let result = self
            .rpc
            .simulate_transaction_with_config(&Transaction::new_unsigned(message), config)
            .await
            .map_err(|error| self.unreachable(&error))?
            .value;
        match result.err {
            Some(error) => Err(refused(purpose, &Failure::of(&error.into()))),
            None => Ok(result
                .units_consumed
                .unwrap_or_else(|| u64::from(budget.compute_units))),
        }
    }

    async fn broadcast(&self, transaction: &Transaction) -> Result<(), ClientError> {
        let config = RpcSendTransactionConfig {
            // It has been simulated already.
            skip_preflight: true,
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
        // The height first: what is not seen after it was passed cannot land any more.
        let expired = ask_height && self.rpc.get_block_height().await? > last_height;
        let statuses = self.rpc.get_signature_statuses(&[*signature]).await?;
        Ok(match statuses.value.first() {
            Some(Some(status)) if status.satisfies_commitment(self.rpc.commitment()) => {
                match &status.err {
                    Some(error) => Standing::Failed(Failure::of(error).to_string()),
                    None => Standing::Confirmed,
                }
            }
            Some(None) | None if expired => Standing::Expired,
            Some(_) | None => Standing::Unknown,
        })
    }
}

fn refused(purpose: &'static str, text: &dyn std::fmt::Display) -> ChainError {
    ChainError::Refused {
        purpose,
        text: text.to_string(),
    }
}
