//! What a provider's authority sends.

use assay_protocol::{Address, args::ProviderArgs};

use super::instruction;
use crate::{address, program::SYSTEM_PROGRAM};

instruction! {
    /// Creates a provider without stake.
    ProviderRegister = "provider_register" {
        payer: Address,
        authority: Address,
        args: ProviderArgs,
    }
    accounts |this| {
        payer: WritableSigner = this.payer,
        authority: Signer = this.authority,
        market: Readonly = address::market(),
        provider: Writable = address::provider(&this.authority),
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { args }
}

instruction! {
    /// Changes operator, endpoint or runtime class.
    ProviderUpdate = "provider_update" {
        authority: Address,
        args: ProviderArgs,
    }
    accounts |this| {
        authority: Signer = this.authority,
        provider: Writable = address::provider(&this.authority),
    }
    data { args }
}

instruction! {
    /// Closes an empty provider; its rent goes back to who paid it.
    ProviderDeregister = "provider_deregister" {
        authority: Address,
        rent_payer: Address,
    }
    accounts |this| {
        authority: Signer = this.authority,
        provider: Writable = address::provider(&this.authority),
        rent_payer: Writable = this.rent_payer,
    }
    data { }
}

instruction! {
    /// Adds stake from the authority's wallet.
    StakeDeposit = "stake_deposit" {
        authority: Address,
        /// Lamports.
        amount: u64,
    }
    accounts |this| {
        authority: WritableSigner = this.authority,
        market: Readonly = address::market(),
        provider: Writable = address::provider(&this.authority),
        system_program: Readonly = SYSTEM_PROGRAM,
    }
    data { amount }
}

instruction! {
    /// Starts to take stake out.
    StakeUnbond = "stake_unbond" {
        authority: Address,
        /// Lamports.
        amount: u64,
    }
    accounts |this| {
        authority: Signer = this.authority,
        market: Readonly = address::market(),
        provider: Writable = address::provider(&this.authority),
    }
    data { amount }
}

instruction! {
    /// Takes the unbonded stake out.
    StakeWithdraw = "stake_withdraw" {
        authority: Address,
        destination: Address,
    }
    accounts |this| {
        authority: Signer = this.authority,
        provider: Writable = address::provider(&this.authority),
        destination: Writable = this.destination,
    }
    data { }
}

instruction! {
    /// Takes the earnings out and moves the fees to the treasury.
    EarningsWithdraw = "earnings_withdraw" {
        authority: Address,
        destination: Address,
    }
    accounts |this| {
        authority: Signer = this.authority,
        provider: Writable = address::provider(&this.authority),
        treasury: Writable = address::treasury(),
        destination: Writable = this.destination,
    }
    data { }
}
