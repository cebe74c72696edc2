//! Durable nonces: transactions signed today and sent any time later.

use assay_client::protocol::Address;
use solana_instruction::Instruction;
use solana_system_interface::instruction::{advance_nonce_account, create_nonce_account};

use crate::{SOL, World};

/// A nonce account and who may advance it.
#[derive(Clone, Copy, Debug)]
pub struct Nonce {
    pub account: Address,
    pub authority: Address,
}

impl World {
    /// A nonce account that holds a blockhash of the past, so that it can be advanced.
    #[track_caller]
    pub fn do_nonce(&mut self, authority: Address) -> Nonce {
        let account = self.key();
        let create = create_nonce_account(&authority, &account, &authority, SOL);
        self.send(create).accepted();
        self.expire_blockhash();
        Nonce { account, authority }
    }

    /// The instruction that makes a transaction a durable-nonce one when it comes first.
    pub fn nonce_advance(&self, nonce: &Nonce) -> Instruction {
        advance_nonce_account(&nonce.account, &nonce.authority)
    }
}
