//! What the upgrade authority and the market's authority send.

use assay_protocol::{Address, market::MarketParams};

use super::instruction;
use crate::{
    address,
    program::{INSTRUCTIONS_SYSVAR, SYSTEM_PROGRAM},
};

instruction! {
    /// Creates market and treasury; the upgrade authority becomes the market's authority.
    MarketInit = "market_init" {
        payer: Address,
        upgrade_authority: Address,
        params: MarketParams,
    }
    accounts |this| {
        payer: WritableSigner = this.payer,
        upgrade_authority: Signer = this.upgrade_authority,
        market: Writable = address::market(),
        treasury: Writable = address::treasury(),
        program_data: Readonly = address::program_data(),
        instructions: Readonly = INSTRUCTIONS_SYSVAR,
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { params }
}

instruction! {
    /// Replaces the market's parameters; running jobs keep theirs.
    MarketUpdate = "market_update" {
        authority: Address,
        params: MarketParams,
    }
    accounts |this| {
        authority: Signer = this.authority,
        market: Writable = address::market(),
        instructions: Readonly = INSTRUCTIONS_SYSVAR,
    }
    data { params }
}

instruction! {
    /// Sets the pause bits; no exit looks at them.
    MarketPause = "market_pause" {
        authority: Address,
        /// See `protocol::market::PAUSE_ALL`.
        flags: u8,
    }
    accounts |this| {
        authority: Signer = this.authority,
        market: Writable = address::market(),
        instructions: Readonly = INSTRUCTIONS_SYSVAR,
    }
    data { flags }
}

instruction! {
    /// Proposes the next market authority; the zero address withdraws a proposal.
    AuthorityPropose = "authority_propose" {
        authority: Address,
        pending: Address,
    }
    accounts |this| {
        authority: Signer = this.authority,
        market: Writable = address::market(),
        instructions: Readonly = INSTRUCTIONS_SYSVAR,
    }
    data { pending }
}

instruction! {
    /// Takes over as the market's authority.
    AuthorityAccept = "authority_accept" {
        pending: Address,
    }
    accounts |this| {
        pending: Signer = this.pending,
        market: Writable = address::market(),
        instructions: Readonly = INSTRUCTIONS_SYSVAR,
    }
    data { }
}

instruction! {
    /// Pays collected fees out.
    TreasuryWithdraw = "treasury_withdraw" {
        authority: Address,
        destination: Address,
        /// Lamports.
        amount: u64,
    }
    accounts |this| {
        authority: Signer = this.authority,
        market: Readonly = address::market(),
        treasury: Writable = address::treasury(),
        destination: Writable = this.destination,
        instructions: Readonly = INSTRUCTIONS_SYSVAR,
    }
    data { amount }
}
