//! From instructions to a confirmed transaction, or to an unsigned one for a key that is elsewhere.

use anyhow::Result;
use assay_chain::{Draft, Error, Offer, Signed, Simulated};
use assay_client::{Event, protocol::Address};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::json;
use solana_instruction::Instruction;
use solana_signature::Signature;

use crate::{
    amount::{Amount, grouped},
    context::Context,
    output,
    plain::plain,
};

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
    pub async fn send(
        &self,
        purpose: &'static str,
        instructions: &[Instruction],
    ) -> Result<Option<Sent>> {
        let Some(signed) = self.sign(purpose, instructions).await? else {
            return Ok(None);
        };
        Ok(Some(self.land(purpose, &signed).await?))
    }

    /// Simulates and signs; or prints the transaction unsigned and returns none. Sends nothing.
    pub async fn sign(
        &self,
        purpose: &'static str,
        instructions: &[Instruction],
    ) -> Result<Option<Signed>> {
        let offer = self.offer(purpose, instructions, self.signer()?);
        let draft = self.cluster.draft(&offer).await;
        let draft = draft.inspect_err(|error| self.show_logs(error))?;
        if self.options.unsigned {
            self.print_unsigned(purpose, &draft)?;
            return Ok(None);
        }
        Ok(Some(draft.sign(&self.wallet()?)?))
    }

    /// Runs the transaction on the node without sending it.
    pub async fn simulate(
        &self,
        purpose: &'static str,
        instructions: &[Instruction],
        payer: &Address,
    ) -> Result<Simulated> {
        let offer = self.offer(purpose, instructions, *payer);
        let simulated = self.cluster.simulate(&offer).await;
        Ok(simulated.inspect_err(|error| self.show_logs(error))?)
    }

    /// Sends until it is confirmed or can no longer land.
    pub async fn land(&self, purpose: &'static str, signed: &Signed) -> Result<Sent> {
        let trouble = |error: &Error| {
            if self.options.verbose {
                self.say(format_args!("  {error}"));
            }
        };
        let slot = self.cluster.land(signed, trouble).await?;
        Ok(self.details(purpose, &signed.signature(), Some(slot)).await)
    }

    const fn offer<'a>(
        &self,
        purpose: &'static str,
        instructions: &'a [Instruction],
        payer: Address,
    ) -> Offer<'a> {
        Offer {
            purpose,
            instructions,
            payer,
            unit_price: self.options.priority_fee,
        }
    }

    fn show_logs(&self, error: &Error) {
        if let (true, Error::Refused { logs, .. }) = (self.options.verbose, error) {
            logs.iter().for_each(|line| self.say(plain(line)));
        }
    }

    /// Sends, and reports as JSON where that is wanted. Says whether it was sent, not only printed unsigned.
    pub async fn submit(
        &self,
        purpose: &'static str,
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

    /// A transaction that landed, with what the node keeps of it.
    pub async fn details(&self, purpose: &str, signature: &Signature, slot: Option<u64>) -> Sent {
        let signature = signature.to_string();
        let record = self.cluster.record(&signature).await.unwrap_or_default();
        let sent = Sent {
            purpose: purpose.to_owned(),
            signature,
            slot: slot.or(record.slot),
            compute_units: record.compute_units,
            fee_lamports: record.fee,
            events: record.events.iter().map(Event::name).collect(),
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

    fn print_unsigned(&self, purpose: &str, draft: &Draft) -> Result<()> {
        let (message, last_height) = (draft.message(), draft.last_height());
        let encoded = STANDARD.encode(draft.bytes());
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
