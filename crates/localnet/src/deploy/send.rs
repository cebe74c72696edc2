//! Sends many transactions at once and waits until the cluster confirmed each.

use std::{collections::VecDeque, thread, time::Duration};

use assay_chain::fate::{self, Fate, Sent};
use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    rpc_client::RpcClient,
    rpc_config::RpcSendTransactionConfig,
    rpc_request::{RpcError, RpcResponseErrorData},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_sdk::{
    hash::Hash,
    transaction::{Transaction, TransactionError},
};
use solana_signer::Signer;

use super::DeployError;

/// Public endpoints limit requests a second; this many are in flight before the answers are looked at.
const MOST_IN_FLIGHT: usize = 96;
/// One `getSignatureStatuses` takes up to 256 signatures.
const _: () = assert!(MOST_IN_FLIGHT <= 256);
/// A blockhash lives for 150 blocks. So often may transactions expire without one landing in between.
const FRUITLESS_LIMIT: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What goes into one transaction.
pub(super) type Intent = Vec<Instruction>;

/// Signs with the same keys throughout, the first of which pays.
pub(super) struct Sender<'a> {
    pub rpc: &'a RpcClient,
    pub signers: Vec<&'a Keypair>,
}

struct InFlight {
    intent: Intent,
    sent: Sent,
}

impl Sender<'_> {
    /// Sends one transaction that the cluster checks first, and waits for it.
    pub fn send_one(
        &self,
        purpose: &'static str,
        instructions: Vec<Instruction>,
    ) -> Result<(), DeployError> {
        self.send(purpose, vec![instructions], false, &mut |_| ())
    }

    /// Sends all, in any order; `landed` hears how many more are done.
    pub fn send_all(
        &self,
        purpose: &'static str,
        intents: Vec<Intent>,
        landed: &mut dyn FnMut(usize),
    ) -> Result<(), DeployError> {
        self.send(purpose, intents, true, landed)
    }

    fn send(
        &self,
        purpose: &'static str,
        intents: Vec<Intent>,
        skip_preflight: bool,
        landed: &mut dyn FnMut(usize),
    ) -> Result<(), DeployError> {
        let mut waiting = VecDeque::from(intents);
        let mut in_flight: Vec<InFlight> = Vec::new();
        let mut window = MOST_IN_FLIGHT;
        let mut fruitless = 0;
        let mut pause = FIRST_PAUSE;
        while !(waiting.is_empty() && in_flight.is_empty()) {
            let room = window.saturating_sub(in_flight.len()).min(waiting.len());
            if room > 0 {
                let (hash, height) = self.blockhash()?;
                for intent in waiting.drain(..room) {
                    in_flight.push(self.submit(purpose, intent, hash, height, skip_preflight)?);
                }
            }
            let before = in_flight.len();
            let expired = self.settle(purpose, &mut in_flight)?;
            let done = before - in_flight.len() - expired.len();
            if done > 0 {
                landed(done);
                fruitless = 0;
                pause = FIRST_PAUSE;
            } else {
                wait(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            if !expired.is_empty() {
                // Fewer at a time reach the cluster before their blockhash is too old.
                window = (window / 2).max(1);
                fruitless += u32::from(done == 0);
                waiting.extend(expired);
            }
            if fruitless == FRUITLESS_LIMIT {
                return Err(DeployError::Expired {
                    purpose,
                    rounds: FRUITLESS_LIMIT,
                });
            }
        }
        Ok(())
    }

    fn blockhash(&self) -> Result<(Hash, u64), DeployError> {
        self.rpc
            .get_latest_blockhash_with_commitment(self.rpc.commitment())
            .map_err(|error| DeployError::rpc("getLatestBlockhash", error))
    }

    fn submit(
        &self,
        purpose: &'static str,
        intent: Intent,
        hash: Hash,
        last_height: u64,
        skip_preflight: bool,
    ) -> Result<InFlight, DeployError> {
        let payer = self.signers.first().map(|signer| signer.pubkey());
        let message = Message::new(&intent, payer.as_ref());
        let mut transaction = Transaction::new_unsigned(message);
        transaction
            .try_sign(&self.signers, hash)
            .map_err(|error| DeployError::Encode {
                purpose,
                reason: error.to_string(),
            })?;
        let config = RpcSendTransactionConfig {
            skip_preflight,
            preflight_commitment: Some(self.rpc.commitment().commitment),
            ..RpcSendTransactionConfig::default()
        };
        let signature = match self.rpc.send_transaction_with_config(&transaction, config) {
            // The bytes are on their way even if the answer says that they came twice.
            Ok(signature) => signature,
            Err(error) => match refusal(&error) {
                Some((TransactionError::AlreadyProcessed, _)) => {
                    transaction.signatures.first().copied().unwrap_or_default()
                }
                Some((source, logs)) => {
                    return Err(DeployError::Failed {
                        purpose,
                        source,
                        logs,
                    });
                }
                None => return Err(DeployError::rpc("sendTransaction", error)),
            },
        };
        let sent = Sent {
            signature,
            last_height,
        };
        Ok(InFlight { intent, sent })
    }

    /// Removes what is decided and returns the intents whose blockhash expired before they landed.
    fn settle(
        &self,
        purpose: &'static str,
        in_flight: &mut Vec<InFlight>,
    ) -> Result<Vec<Intent>, DeployError> {
        let sent: Vec<Sent> = in_flight.iter().map(|one| one.sent).collect();
        let asking = fate::of_all(self.rpc.get_inner_client(), &sent, true);
        // As the client does it for its own calls.
        let fates = tokio::task::block_in_place(|| self.rpc.runtime().block_on(asking))
            .map_err(|error| DeployError::rpc("getSignatureStatuses", error))?;
        let mut expired = Vec::new();
        let mut still = Vec::new();
        for (one, fate) in in_flight.drain(..).zip(fates) {
            match fate {
                Fate::Landed(_) => {}
                Fate::Failed(source) => {
                    return Err(DeployError::Failed {
                        purpose,
                        source,
                        logs: Vec::new(),
                    });
                }
                Fate::Expired => expired.push(one.intent),
                Fate::Open => still.push(one),
            }
        }
        *in_flight = still;
        Ok(expired)
    }
}

/// JSON-RPC offers no event for many transactions at once; the caller bounds how often it asks.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the pause between two looks at the condition"
)]
fn wait(pause: Duration) {
    thread::sleep(pause);
}

/// The transaction error and the log that a cluster gave with its refusal.
fn refusal(error: &ClientError) -> Option<(TransactionError, Vec<String>)> {
    let source = error.get_transaction_error()?;
    if let ClientErrorKind::RpcError(RpcError::RpcResponseError {
        data: RpcResponseErrorData::SendTransactionPreflightFailure(simulation),
        ..
    }) = error.kind()
    {
        return Some((source, simulation.logs.clone().unwrap_or_default()));
    }
    Some((source, Vec::new()))
}
