//! Signed transactions, read as they were sent.

use assay_client::protocol::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::Message;

/// A signed transaction as it was sent.
#[derive(Clone, Debug)]
pub struct Mail {
    pub signature: [u8; 64],
    pub blockhash: [u8; 32],
    pub payer: Address,
    pub instructions: Vec<Instruction>,
}

impl Mail {
    /// Reads one signature and a message; the worker's transactions have no other form.
    pub fn read(bytes: &[u8]) -> Self {
        assert_eq!(bytes[0], 1, "one signature");
        let message: Message =
            wincode::deserialize(&bytes[65..]).expect("the worker sends whole messages");
        let meta = |index: &u8| {
            let index = usize::from(*index);
            AccountMeta {
                pubkey: message.account_keys[index],
                is_signer: message.is_signer(index),
                is_writable: is_writable(&message, index),
            }
        };
        let instructions = message.instructions.iter().map(|compiled| Instruction {
            program_id: message.account_keys[usize::from(compiled.program_id_index)],
            accounts: compiled.accounts.iter().map(meta).collect(),
            data: compiled.data.clone(),
        });
        Self {
            signature: bytes[1..65].try_into().expect("64 bytes"),
            blockhash: message.recent_blockhash.to_bytes(),
            payer: message.account_keys[0],
            instructions: instructions.collect(),
        }
    }
}

fn is_writable(message: &Message, index: usize) -> bool {
    let header = &message.header;
    let signers = usize::from(header.num_required_signatures);
    if index < signers {
        index < signers - usize::from(header.num_readonly_signed_accounts)
    } else {
        let unsigned = usize::from(header.num_readonly_unsigned_accounts);
        index < message.account_keys.len() - unsigned
    }
}
