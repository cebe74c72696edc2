//! From instructions to a signed transaction.

use assay_client::{
    Failure,
    budget::{Budget, LAMPORTS_PER_SIGNATURE, PACKET_BYTES},
    protocol::Address,
};
use solana_client::rpc_config::RpcSimulateTransactionConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signature::Signature;
use solana_transaction::Transaction;

use crate::{Cluster, Error, Sent};

/// What goes into one transaction, and what is offered for it.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// What it is for, in errors.
    pub purpose: &'static str,
    pub instructions: &'a [Instruction],
    /// Who signs and pays.
    pub payer: Address,
    /// Priority fee in micro-lamports a compute unit.
    pub unit_price: u64,
}

/// What a transaction would do.
#[derive(Clone, Copy, Debug)]
pub struct Simulated {
    /// Compute units.
    pub units: u64,
    /// Network fee in lamports.
    pub fee: u64,
}

/// A transaction that lacks its signatures.
#[derive(Clone, Debug)]
pub struct Draft {
    purpose: &'static str,
    transaction: Transaction,
    last_height: u64,
}

/// A transaction that can be sent.
#[derive(Clone, Debug)]
pub struct Signed {
    pub(crate) purpose: &'static str,
    pub(crate) transaction: Transaction,
    /// Last block height that can take it.
    pub(crate) last_height: u64,
}

impl Cluster {
    /// Runs the transaction on the node without sending it.
    ///
    /// # Errors
    /// [`Error::Refused`] when it would fail, [`Error::TooLarge`], [`Error::Unreachable`].
    pub async fn simulate(&self, offer: &Offer<'_>) -> Result<Simulated, Error> {
        let purpose = offer.purpose;
        let budget = Budget::generous(offer.unit_price);
        let transaction = Transaction::new_unsigned(offer.message(&budget));
        let bytes = wire(&transaction).len();
        if bytes > PACKET_BYTES {
            return Err(Error::TooLarge { purpose, bytes });
        }
        let config = RpcSimulateTransactionConfig {
            replace_recent_blockhash: true,
            commitment: Some(self.rpc.commitment()),
            ..RpcSimulateTransactionConfig::default()
        };
        let result = self
            .rpc
            .simulate_transaction_with_config(&transaction, config)
            .await
            .map_err(|error| self.unreachable(&error))?
            .value;
        if let Some(error) = result.err {
            return Err(Error::Refused {
                purpose,
                failure: Failure::of(&error.into()),
                logs: result.logs.unwrap_or_default(),
            });
        }
        let units = result
            .units_consumed
            .unwrap_or_else(|| u64::from(budget.compute_units));
        let signatures = u64::from(transaction.message.header.num_required_signatures);
        // The node's own figure is for the generous limit, so its priority part is replaced.
        let base = result.fee.map_or_else(
            || signatures.saturating_mul(LAMPORTS_PER_SIGNATURE),
            |fee| fee.saturating_sub(budget.priority_fee()),
        );
        let priority = Budget::simulated(units, offer.unit_price).priority_fee();
        Ok(Simulated {
            units,
            fee: base.saturating_add(priority),
        })
    }

    /// Simulates, and makes the transaction that uses no more than that. Sends nothing.
    ///
    /// # Errors
    /// As [`Cluster::simulate`].
    pub async fn draft(&self, offer: &Offer<'_>) -> Result<Draft, Error> {
        let simulated = self.simulate(offer).await?;
        let budget = Budget::simulated(simulated.units, offer.unit_price);
        let (hash, last_height) = self
            .rpc
            .get_latest_blockhash_with_commitment(self.rpc.commitment())
            .await
            .map_err(|error| self.unreachable(&error))?;
        let mut message = offer.message(&budget);
        message.recent_blockhash = hash;
        Ok(Draft {
            purpose: offer.purpose,
            transaction: Transaction::new_unsigned(message),
            last_height,
        })
    }
}

impl Offer<'_> {
    fn message(&self, budget: &Budget) -> Message {
        let all = [&budget.instructions(), self.instructions].concat();
        Message::new(&all, Some(&self.payer))
    }
}

impl Draft {
    /// The message that is to be signed.
    pub const fn message(&self) -> &Message {
        &self.transaction.message
    }

    /// The bytes that the network carries, with zeros for signatures.
    pub fn bytes(&self) -> Vec<u8> {
        wire(&self.transaction)
    }

    /// Last block height that can take it.
    pub const fn last_height(&self) -> u64 {
        self.last_height
    }

    /// Signs it.
    ///
    /// # Errors
    /// [`Error::Sign`] when it needs another's signature too.
    pub fn sign(mut self, wallet: &Keypair) -> Result<Signed, Error> {
        let hash = self.transaction.message.recent_blockhash;
        match self.transaction.try_sign(&[wallet], hash) {
            Ok(()) => Ok(Signed {
                purpose: self.purpose,
                transaction: self.transaction,
                last_height: self.last_height,
            }),
            Err(source) => Err(Error::Sign {
                purpose: self.purpose,
                source,
            }),
        }
    }
}

impl Signed {
    /// By which the chain knows it.
    pub fn signature(&self) -> Signature {
        self.transaction
            .signatures
            .first()
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn sent(&self) -> Sent {
        Sent {
            signature: self.signature(),
            last_height: self.last_height,
        }
    }
}

/// The bytes that the network carries: signatures, then the message.
fn wire(transaction: &Transaction) -> Vec<u8> {
    // One byte counts up to 127 signatures; a transaction of this size holds at most 12.
    let count = u8::try_from(transaction.signatures.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![count];
    for signature in &transaction.signatures {
        bytes.extend_from_slice(signature.as_ref());
    }
    bytes.extend_from_slice(&transaction.message.serialize());
    bytes
}

#[cfg(test)]
mod tests {
    use solana_signer::Signer;

    use super::*;

    #[test]
    fn unsigned_bytes_are_those_of_the_network() {
        let wallet = Keypair::new_from_array([3; 32]);
        let offer = Offer {
            purpose: "nothing",
            instructions: &[],
            payer: wallet.pubkey(),
            unit_price: 7,
        };
        let draft = Draft {
            purpose: offer.purpose,
            transaction: Transaction::new_unsigned(offer.message(&Budget::generous(7))),
            last_height: 1,
        };
        let blank = draft.bytes();
        assert_eq!(blank[..65], [&[1][..], &[0; 64]].concat());
        let signed = draft.sign(&wallet).unwrap();
        let bytes = wire(&signed.transaction);
        assert_eq!(bytes[65..], blank[65..]);
        assert_eq!(&bytes[1..65], signed.signature().as_ref());
    }
}
