//! Sessions: what a requester and a provider send, and the proof that goes before a settlement.

use assay_protocol::{Address, Voucher, args::SessionOpenArgs};
use solana_instruction::Instruction;

use super::instruction;
use crate::{
    address,
    program::{ED25519_PROGRAM, INSTRUCTIONS_SYSVAR, SYSTEM_PROGRAM},
};

instruction! {
    /// Opens a payment channel and locks its first deposit.
    SessionOpen = "session_open" {
        requester: Address,
        /// The provider's account.
        provider: Address,
        args: SessionOpenArgs,
    }
    accounts |this| {
        requester: WritableSigner = this.requester,
        market: Readonly = address::market(),
        provider: Readonly = this.provider,
        session: Writable = address::session(&this.requester, &this.provider, this.args.open_slot, this.args.index),
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { args }
}

instruction! {
    /// Adds to the deposit; refused once a close was requested.
    SessionTopUp = "session_top_up" {
        requester: Address,
        session: Address,
        /// Lamports.
        amount: u64,
    }
    accounts |this| {
        requester: WritableSigner = this.requester,
        market: Readonly = address::market(),
        session: Writable = this.session,
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { amount }
}

instruction! {
    /// Pays the provider what a voucher says beyond what was settled; whoever has the voucher may send it. The
    /// instruction directly before it in the transaction must be the voucher's [`proof`].
    SessionSettle = "session_settle" {
        provider: Address,
        session: Address,
    }
    accounts |this| {
        provider: Writable = this.provider,
        session: Writable = this.session,
        instructions: Readonly = INSTRUCTIONS_SYSVAR,
    }
    data { }
}

instruction! {
    /// Starts the grace time after which anybody may close.
    SessionCloseRequest = "session_close_request" {
        requester: Address,
        session: Address,
    }
    accounts |this| {
        requester: Signer = this.requester,
        session: Writable = this.session,
    }
    data { }
}

instruction! {
    /// Closes a session; the rest of the deposit and the rent go to its requester. The provider's authority or operator
    /// names the provider and may do it at once; anybody else names none and waits for the grace time.
    SessionClose = "session_close" {
        closer: Address,
        session: Address,
        provider: Option<Address>,
        requester: Address,
    }
    accounts |this| {
        closer: Signer = this.closer,
        session: Writable = this.session,
        provider: OptionalReadonly = this.provider,
        requester: Writable = this.requester,
    }
    data { }
}

/// The Ed25519 program's instruction that proves a voucher's signature.
pub fn proof(voucher: &Voucher, session_key: &Address, signature: &[u8; 64]) -> Instruction {
    Instruction {
        program_id: ED25519_PROGRAM,
        accounts: Vec::new(),
        data: voucher.proof(session_key, signature).to_vec(),
    }
}
