//! What every instruction of the market's authority checks.

use anchor_lang::{address_eq, prelude::*};
use assay_protocol::error::Error as Fact;

use crate::state::Market;

/// First four bytes of the system program's AdvanceNonceAccount.
const ADVANCE_NONCE: [u8; 4] = 4_u32.to_le_bytes();

/// The signer is the market's authority, and the transaction is no pre-signed durable-nonce one:
/// such a transaction stays valid for as long as its nonce, so an authority that was tricked into
/// signing it once could be robbed at any later time.
pub fn check(
    market: &Market,
    authority: &Signer,
    instructions: &Sysvar<SysvarInstructions>,
) -> Result<()> {
    require!(
        address_eq(authority.address(), &market.authority),
        Fact::MarketAuthorityMismatch
    );
    refuse_durable_nonce(instructions)
}

/// Refuses a transaction whose first instruction is AdvanceNonceAccount.
pub fn refuse_durable_nonce(instructions: &Sysvar<SysvarInstructions>) -> Result<()> {
    let first = instructions.load_instruction_at(0)?;
    let nonce = address_eq(first.get_program_id(), &system_program::ID)
        && first.get_instruction_data().starts_with(&ADVANCE_NONCE);
    require!(!nonce, Fact::DurableNonceRefused);
    Ok(())
}
