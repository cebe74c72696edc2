//! What people ask of the chain: the market, models by digest, whether a websocket and a transaction
//! get through. The worker's own work needs none of it.

use std::time::{Duration, Instant};

use assay_client::{
    address,
    budget::Budget,
    filter,
    protocol::{Address, MarketData, ModelData},
};
use futures_util::StreamExt;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{Hash, Message};
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_signature::Signature;
use solana_signer::{Signer, SignerError};
use tokio::time::timeout;

use super::{Chain, ChainError, RpcChain};

/// Between two looks at a transaction.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Lamports for one signature, where the node does not say what it would cost.
const SIGNATURE: u64 = 5_000;
/// Its number in the system program's table.
const TRANSFER: u32 = 2;

/// Why a transaction of the operator's did not get through.
#[derive(Debug, thiserror::Error)]
pub enum LandingError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("the operator key could not sign: {0}")]
    Sign(#[from] SignerError),
    #[error("it would fail: {0}")]
    Refused(String),
    #[error("it did not land within {0:?}")]
    Late(Duration),
}

/// A transfer of nothing from the operator to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    pub units: u64,
    /// Lamports.
    pub fee: u64,
    /// From sending to the confirmation; none if it was simulated only.
    pub landed_in: Option<Duration>,
}

impl RpcChain {
    pub async fn market(&self) -> Result<Option<MarketData>, ChainError> {
        self.account(&address::market()).await
    }

    /// Every registered model with this file: anybody may register it again.
    pub async fn models_with(
        &self,
        digest: &[u8; 32],
    ) -> Result<Vec<(Address, ModelData)>, ChainError> {
        self.listed(vec![filter::model_digest(digest)]).await
    }

    /// Simulates a transfer of nothing, and with `send` lands it, which costs its fee.
    pub async fn land(
        &self,
        operator: &Keypair,
        send: bool,
        patience: Duration,
    ) -> Result<Landing, LandingError> {
        let (_, draft) = transfer(operator, Budget::generous(0), &Hash::default())?;
        let simulation = self.simulate(&draft).await?;
        if let Some(error) = simulation.error {
            return Err(LandingError::Refused(error.to_string()));
        }
        let budget = Budget::simulated(simulation.units, 0);
        let fee = simulation.fee.unwrap_or(SIGNATURE);
        let units = simulation.units;
        if !send {
            return Ok(Landing {
                units,
                fee,
                landed_in: None,
            });
        }
        let (hash, _) = self.blockhash().await?;
        let (signature, bytes) = transfer(operator, budget, &hash)?;
        let begun = Instant::now();
        let landing = self.until_landed(signature.into(), &bytes);
        match timeout(patience, landing).await {
            Ok(landed) => landed?,
            Err(_) => return Err(LandingError::Late(patience)),
        }
        Ok(Landing {
            units,
            fee,
            landed_in: Some(begun.elapsed()),
        })
    }

    /// Sends the same bytes again until they are confirmed.
    async fn until_landed(&self, signature: [u8; 64], bytes: &[u8]) -> Result<(), LandingError> {
        for again in 0.. {
            // A refusal here proves nothing: the signature's state does.
            let _ = self.send(bytes, again).await;
            let states = self.signatures(&[signature], false).await?;
            match states.into_iter().next().flatten() {
                Some(state) if state.confirmed => {
                    return match state.error {
                        None => Ok(()),
                        Some(error) => Err(LandingError::Refused(error.to_string())),
                    };
                }
                Some(_) | None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
        Ok(())
    }
}

fn transfer(
    operator: &Keypair,
    budget: Budget,
    hash: &Hash,
) -> Result<(Signature, Vec<u8>), SignerError> {
    let me = operator.pubkey();
    let data = [&TRANSFER.to_le_bytes()[..], &0_u64.to_le_bytes()].concat();
    let accounts = vec![AccountMeta::new(me, true), AccountMeta::new(me, false)];
    let mut instructions = budget.instructions();
    // The system program's address is all zeros.
    instructions.push(Instruction::new_with_bytes(
        Address::default(),
        &data,
        accounts,
    ));
    let message = Message::new_with_blockhash(&instructions, Some(&me), hash).serialize();
    let signature = operator.try_sign_message(&message)?;
    // A transaction is its signatures, counted in one byte, and the message.
    let bytes = [&[1], signature.as_ref(), message.as_slice()].concat();
    Ok((signature, bytes))
}

/// The first slot that a websocket tells of; why it tells of none, without the url, which may hold a
/// key.
pub async fn first_slot(url: &str, patience: Duration) -> Result<u64, String> {
    let hearing = async {
        let client = PubsubClient::new(url)
            .await
            .map_err(|error| error.to_string())?;
        let (mut slots, _) = client
            .slot_subscribe()
            .await
            .map_err(|error| error.to_string())?;
        let heard = slots.next().await.map(|slot| slot.slot);
        heard.ok_or_else(|| "it ended without a word".to_owned())
    };
    let heard = timeout(patience, hearing)
        .await
        .unwrap_or_else(|_| Err(format!("no slot within {} s", patience.as_secs())));
    heard.map_err(|reason| reason.replace(url, "the websocket"))
}
