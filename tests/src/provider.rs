//! What a provider's authority sends.

use assay_client::{
    address,
    instruction::{
        EarningsWithdraw, ProviderDeregister, ProviderRegister, ProviderUpdate, StakeDeposit,
        StakeUnbond, StakeWithdraw,
    },
    protocol::{Address, args::ProviderArgs, text},
};

use crate::{Call, Outcome, SOL, World};

/// A provider's parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    pub account: Address,
    pub authority: Address,
    pub operator: Address,
    /// Paid the rent.
    pub payer: Address,
}

impl Provider {
    /// A provider of this authority, whose rent it pays itself.
    pub fn of(authority: Address, operator: Address) -> Self {
        Self {
            account: address::provider(&authority),
            authority,
            operator,
            payer: authority,
        }
    }

    /// The arguments it registers with.
    pub fn args(&self) -> ProviderArgs {
        let (endpoint, endpoint_len) = text::write("http://127.0.0.1:7000").expect("short ASCII");
        ProviderArgs {
            operator: self.operator,
            runtime_class: [7; 32],
            endpoint,
            endpoint_len,
        }
    }
}

impl World {
    /// A registered provider with a stake of 10 SOL.
    #[track_caller]
    pub fn do_provider(&mut self) -> Provider {
        let provider = self.do_provider_register();
        self.do_stake_deposit(&provider, 10 * SOL);
        provider
    }

    /// The parties of a provider yet to be registered: funded wallets, the rent paid by a fourth one.
    pub fn new_provider(&mut self) -> Provider {
        let (authority, operator, payer) = (self.wallet(), self.wallet(), self.wallet());
        Provider {
            payer,
            ..Provider::of(authority, operator)
        }
    }

    pub fn provider_register(&self, provider: &Provider) -> Call {
        let Provider {
            payer, authority, ..
        } = *provider;
        ProviderRegister {
            payer,
            authority,
            args: provider.args(),
        }
        .into()
    }

    #[track_caller]
    pub fn do_provider_register(&mut self) -> Provider {
        let provider = self.new_provider();
        self.send(self.provider_register(&provider)).accepted();
        provider
    }

    pub fn provider_update(&self, provider: &Provider, args: ProviderArgs) -> Call {
        ProviderUpdate {
            authority: provider.authority,
            args,
        }
        .into()
    }

    #[track_caller]
    pub fn do_provider_update(&mut self, provider: &Provider, args: ProviderArgs) -> Outcome {
        self.send(self.provider_update(provider, args)).accepted()
    }

    pub fn provider_deregister(&self, provider: &Provider) -> Call {
        ProviderDeregister {
            authority: provider.authority,
            rent_payer: provider.payer,
        }
        .into()
    }

    #[track_caller]
    pub fn do_provider_deregister(&mut self, provider: &Provider) -> Outcome {
        self.send(self.provider_deregister(provider)).accepted()
    }

    pub fn stake_deposit(&self, provider: &Provider, amount: u64) -> Call {
        StakeDeposit {
            authority: provider.authority,
            amount,
        }
        .into()
    }

    #[track_caller]
    pub fn do_stake_deposit(&mut self, provider: &Provider, amount: u64) -> Outcome {
        self.send(self.stake_deposit(provider, amount)).accepted()
    }

    pub fn stake_unbond(&self, provider: &Provider, amount: u64) -> Call {
        StakeUnbond {
            authority: provider.authority,
            amount,
        }
        .into()
    }

    #[track_caller]
    pub fn do_stake_unbond(&mut self, provider: &Provider, amount: u64) -> Outcome {
        self.send(self.stake_unbond(provider, amount)).accepted()
    }

    pub fn stake_withdraw(&self, provider: &Provider, destination: Address) -> Call {
        StakeWithdraw {
            authority: provider.authority,
            destination,
        }
        .into()
    }

    #[track_caller]
    pub fn do_stake_withdraw(&mut self, provider: &Provider, destination: Address) -> Outcome {
        self.send(self.stake_withdraw(provider, destination))
            .accepted()
    }

    pub fn earnings_withdraw(&self, provider: &Provider, destination: Address) -> Call {
        EarningsWithdraw {
            authority: provider.authority,
            destination,
        }
        .into()
    }

    #[track_caller]
    pub fn do_earnings_withdraw(&mut self, provider: &Provider, destination: Address) -> Outcome {
        self.send(self.earnings_withdraw(provider, destination))
            .accepted()
    }
}
