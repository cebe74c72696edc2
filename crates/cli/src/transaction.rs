//! From instructions to a confirmed transaction, or to an unsigned one for a key that is elsewhere.

mod land;

use anyhow::{Context as _, Result, bail};
use assay_client::{Event, Failure, budget::Budget, event, protocol::Address};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, json};
use solana_client::{rpc_config::RpcSimulateTransactionConfig, rpc_request::RpcRequest};
use solana_instruction::Instruction;
use solana_message::Message;
use solana_sdk::hash::Hash;
use solana_signature::Signature;
use solana_transaction::Transaction;

use crate::{
    amount::{Amount, grouped},
    context::Context,
    output,
    plain::plain,
};

/// Bytes of a transaction that the network carries.
const PACKET: usize = 1_232;
/// Fee of one signature, where the cluster does not say.
const SIGNATURE_FEE: u64 = 5_000;

/// What a transaction would do.
#[derive(Clone, Copy, Debug)]
pub struct Simulated {
    pub units: u64,
    /// Network fee in lamports.
    pub fee: u64,
}

/// A transaction that can be sent.
#[derive(Clone, Debug)]
pub struct Signed {
    transaction: Transaction,
    /// Last block height that can take it.
    last_height: u64,
}

impl Signed {
    pub fn signature(&self) -> Signature {
        self.transaction
            .signatures
            .first()
            .copied()
            .unwrap_or_default()
    }
}

/// A transaction that is on the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    pub purpose: String,
    pub signature: String,
    /// Slot it landed in; absent if the node keeps no history and did not say it at once.
    pub slot: Option<u64>,
    /// Compute units used; absent if the node keeps no history.
    pub compute_units: Option<u64>,
    /// Network fee in lamports, likewise.
    pub fee_lamports: Option<u64>,
    /// Names of the events that the program reported.
    pub events: Vec<&'static str>,
}

impl Context {
    /// Simulates, sends and confirms; or prints the transaction unsigned and returns none.
    pub async fn send(&self, purpose: &str, instructions: &[Instruction]) -> Result<Option<Sent>> {
        let Some(signed) = self.sign(purpose, instructions).await? else {
            return Ok(None);
        };
        Ok(Some(self.land(purpose, &signed).await?))
    }

    /// Simulates and signs; or prints the transaction unsigned and returns none. Sends nothing.
    pub async fn sign(
        &self,
        purpose: &str,
        instructions: &[Instruction],
    ) -> Result<Option<Signed>> {
        let payer = self.signer()?;
        let simulated = self.simulate(purpose, instructions, &payer).await?;
        let budget = Budget::simulated(simulated.units, self.options.priority_fee);
        let all = [&budget.instructions(), instructions].concat();
        let (hash, last_height) = self
            .rpc
            .get_latest_blockhash_with_commitment(self.rpc.commitment())
            .await
            .with_context(|| self.unreachable())?;
        let message = Message::new_with_blockhash(&all, Some(&payer), &hash);
        if self.options.unsigned {
            self.print_unsigned(purpose, &Transaction::new_unsigned(message), last_height)?;
            return Ok(None);
        }
        let wallet = self.wallet()?;
        let mut transaction = Transaction::new_unsigned(message);
        transaction.try_sign(&[&wallet], hash).context(
            "the wallet cannot sign this transaction alone; use --unsigned to have it signed elsewhere",
        )?;
        Ok(Some(Signed {
            transaction,
            last_height,
        }))
    }

    /// Sends, and reports as JSON where that is wanted. Says whether it was sent, not only printed unsigned.
    pub async fn submit(
        &self,
        purpose: &str,
        subject: &Address,
        instructions: &[Instruction],
    ) -> Result<bool> {
        let Some(sent) = self.send(purpose, instructions).await? else {
            return Ok(false);
        };
        if self.options.json {
            output::json(&json!({ "address": subject.to_string(), "transaction": sent }))?;
        }
        Ok(true)
    }

    /// Reports that the account is as it should be and no transaction was needed.
    pub fn nothing_to_do(&self, subject: &Address) -> Result<()> {
        if self.options.json {
            output::json(&json!({ "address": subject.to_string(), "transaction": null }))?;
        }
        Ok(())
    }

    /// The address of what was made, for people and for `$(..)`; JSON has it already.
    pub fn name(&self, subject: &Address) -> Result<()> {
        if self.options.json {
            return Ok(());
        }
        output::line(subject)
    }

    /// Runs the transaction on the node without sending it.
    pub async fn simulate(
        &self,
        purpose: &str,
        instructions: &[Instruction],
        payer: &Address,
    ) -> Result<Simulated> {
        let budget = Budget::generous(self.options.priority_fee);
        let all = [&budget.instructions(), instructions].concat();
        let message = Message::new_with_blockhash(&all, Some(payer), &Hash::default());
        let signatures = u64::from(message.header.num_required_signatures);
        let transaction = Transaction::new_unsigned(message);
        check_size(purpose, &transaction)?;
        let config = RpcSimulateTransactionConfig {
            replace_recent_blockhash: true,
            commitment: Some(self.rpc.commitment()),
            ..RpcSimulateTransactionConfig::default()
        };
        let result = self
            .rpc
            .simulate_transaction_with_config(&transaction, config)
            .await
            .with_context(|| self.unreachable())?
            .value;
        if let Some(error) = result.err {
            let failure = Failure::of(&error.into());
            if self.options.verbose {
                result
                    .logs
                    .unwrap_or_default()
                    .into_iter()
                    .for_each(|line| self.say(plain(&line)));
            }
            return Err(failure)
                .with_context(|| format!("{purpose} would be refused; nothing was sent"));
        }
        let units = result
            .units_consumed
            .unwrap_or_else(|| u64::from(budget.compute_units));
        let priority = Budget::simulated(units, self.options.priority_fee).priority_fee();
        let base = signatures.saturating_mul(SIGNATURE_FEE);
        // The node's own figure is for the generous limit, so its priority part is replaced.
        let base = result
            .fee
            .map_or(base, |fee| fee.saturating_sub(budget.priority_fee()));
        Ok(Simulated {
            units,
            fee: base.saturating_add(priority),
        })
    }

    /// A transaction of the past; null if the node does not have it.
    pub async fn transaction(&self, signature: &str) -> Result<Value> {
        let params = json!([signature, {
            "encoding": "base64",
            "commitment": "confirmed",
            "maxSupportedTransactionVersion": 0,
        }]);
        self.rpc
            .send(RpcRequest::GetTransaction, params)
            .await
            .with_context(|| self.unreachable())
    }

    /// Compute units, fee and events; a node without history leaves them out.
    pub async fn details(&self, purpose: &str, signature: &Signature, slot: Option<u64>) -> Sent {
        let found = self
            .transaction(&signature.to_string())
            .await
            .unwrap_or(Value::Null);
        let number = |field: &str| {
            found
                .pointer(&format!("/meta/{field}"))
                .and_then(Value::as_u64)
        };
        let sent = Sent {
            purpose: purpose.to_owned(),
            signature: signature.to_string(),
            slot: slot.or_else(|| found.get("slot").and_then(Value::as_u64)),
            compute_units: number("computeUnitsConsumed"),
            fee_lamports: number("fee"),
            events: event::of_logs(logs(&found))
                .iter()
                .map(Event::name)
                .collect(),
        };
        self.show(&sent);
        sent
    }

    fn show(&self, sent: &Sent) {
        if !self.options.verbose {
            return;
        }
        let units = sent.compute_units.map_or_else(|| "?".to_owned(), grouped);
        let fee = sent
            .fee_lamports
            .map_or_else(|| "?".to_owned(), |fee| Amount(fee).to_string());
        let events = sent.events.join(", ");
        self.say(format_args!(
            "  {}: {units} CU, fee {fee}, {} [{events}]",
            sent.purpose, sent.signature
        ));
    }

    fn print_unsigned(
        &self,
        purpose: &str,
        transaction: &Transaction,
        last_height: u64,
    ) -> Result<()> {
        check_size(purpose, transaction)?;
        let message = &transaction.message;
        let encoded = STANDARD.encode(wire(transaction));
        let signers: Vec<String> = message
            .account_keys
            .iter()
            .take(usize::from(message.header.num_required_signatures))
            .map(ToString::to_string)
            .collect();
        if self.options.json {
            return output::json(&json!({
                "purpose": purpose,
                "transaction_base64": encoded,
                "message_base58": bs58::encode(message.serialize()).into_string(),
                "signers": signers,
                "blockhash": message.recent_blockhash.to_string(),
                "last_valid_block_height": last_height,
            }));
        }
        self.say(format_args!(
            "{purpose}, unsigned; to be signed by {} and sent before block height {last_height} (about a minute):",
            signers.join(", ")
        ));
        output::line(encoded)
    }
}

/// The lines that a transaction's programs logged.
pub fn logs(transaction: &Value) -> Vec<&str> {
    transaction
        .pointer("/meta/logMessages")
        .and_then(Value::as_array)
        .map(|lines| lines.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
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

fn check_size(purpose: &str, transaction: &Transaction) -> Result<()> {
    let size = wire(transaction).len();
    if size > PACKET {
        bail!(
            "{purpose} needs {size} bytes, a transaction has at most {PACKET}; shorten uris and names"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use solana_keypair::Keypair;
    use solana_sdk::signer::Signer;

    use super::*;

    #[test]
    fn unsigned_bytes_are_those_of_the_network() {
        let wallet = Keypair::new_from_array([3; 32]);
        let budget = Budget::generous(7).instructions();
        let message =
            Message::new_with_blockhash(&budget, Some(&wallet.pubkey()), &Hash::default());
        let mut transaction = Transaction::new_unsigned(message);
        let blank = wire(&transaction);
        assert_eq!(blank[..65], [&[1][..], &[0; 64]].concat());
        transaction.sign(&[&wallet], Hash::default());
        let signed = wire(&transaction);
        assert_eq!(signed[65..], blank[65..]);
        assert_eq!(&signed[1..65], transaction.signatures[0].as_ref());
    }
}
