//! The book's rules for the market's authority, providers and models.

use assay_client::{
    address,
    protocol::{Address, Digest, Error, market::MarketParams},
};

use super::shadow::{Expected, Model, Outcome, Provider, Shadow, possible, rule};

const PAUSE_REGISTRATIONS: u8 = 2;

impl Shadow {
    pub fn market_update(&mut self, signer: Address, params: MarketParams) -> Outcome {
        rule(signer == self.authority, Error::MarketAuthorityMismatch)?;
        // The fuzzer changes nothing else that could be invalid.
        rule(
            params.fee_bps <= 1_000 && params.min_stake > 0,
            Error::MarketParamsInvalid,
        )?;
        self.params = params;
        Ok(())
    }

    pub fn market_pause(&mut self, signer: Address, flags: u8) -> Outcome {
        rule(signer == self.authority, Error::MarketAuthorityMismatch)?;
        rule(flags < 8, Error::MarketParamsInvalid)?;
        self.paused = flags;
        Ok(())
    }

    pub fn authority_propose(&mut self, signer: Address, next: Option<Address>) -> Outcome {
        rule(signer == self.authority, Error::MarketAuthorityMismatch)?;
        self.pending = next;
        Ok(())
    }

    pub fn authority_accept(&mut self, signer: Address) -> Outcome {
        rule(self.pending == Some(signer), Error::MarketPendingMismatch)?;
        self.authority = signer;
        self.pending = None;
        Ok(())
    }

    pub fn treasury_withdraw(&mut self, signer: Address, to: Address, amount: u64) -> Outcome {
        rule(signer == self.authority, Error::MarketAuthorityMismatch)?;
        rule(amount > 0, Error::AmountZero)?;
        rule(amount <= self.collected, Error::TreasuryInsufficient)?;
        self.collected -= amount;
        self.credit(&to, amount);
        Ok(())
    }

    pub fn provider_register(
        &mut self,
        payer: Address,
        authority: Address,
        operator: Address,
        class: [u8; 32],
    ) -> Outcome {
        let account = address::provider(&authority);
        possible(!self.providers.contains_key(&account))?;
        self.pay(&payer, self.rents.provider)?;
        rule(self.paused & PAUSE_REGISTRATIONS == 0, Error::MarketPaused)?;
        rule(
            operator != Address::default(),
            Error::ProviderOperatorMissing,
        )?;
        let provider = Provider {
            authority,
            payer,
            operator,
            class,
            generation: self.slot,
            free: 0,
            unbonding: 0,
            unbond_at: 0,
            unbond_secs: self.params.unbond_secs,
            earnings: 0,
            fees: 0,
            aged: self.now,
            audits: (0, 0),
            gift: 0,
        };
        self.providers.insert(account, provider);
        Ok(())
    }

    /// The provider at this address, if this key is its authority.
    fn held(&mut self, account: &Address, signer: Address) -> Result<&mut Provider, Expected> {
        let provider = self.providers.get_mut(account).ok_or(Expected::Refused)?;
        rule(
            provider.authority == signer,
            Error::ProviderAuthorityMismatch,
        )?;
        Ok(provider)
    }

    pub fn provider_update(
        &mut self,
        account: Address,
        signer: Address,
        operator: Address,
        class: [u8; 32],
    ) -> Outcome {
        let now = self.now;
        let provider = self.held(&account, signer)?;
        rule(
            operator != Address::default(),
            Error::ProviderOperatorMissing,
        )?;
        if provider.class != class {
            provider.aged = now;
        }
        (provider.operator, provider.class) = (operator, class);
        Ok(())
    }

    pub fn provider_deregister(
        &mut self,
        account: Address,
        signer: Address,
        payer: Address,
    ) -> Outcome {
        let busy = self.live(&account).next().is_some() || self.seats(&account) > 0;
        let provider = *self.held(&account, signer)?;
        rule(provider.payer == payer, Error::RentPayerMismatch)?;
        rule(!busy, Error::ProviderHasLiveWork)?;
        rule(
            provider.free + provider.unbonding == 0,
            Error::ProviderHasStake,
        )?;
        rule(
            provider.earnings + provider.fees == 0,
            Error::ProviderHasEarnings,
        )?;
        self.credit(&payer, self.rents.provider + provider.gift);
        self.providers.remove(&account);
        Ok(())
    }

    pub fn stake_deposit(&mut self, account: Address, signer: Address, amount: u64) -> Outcome {
        let (stake, least, now) = (self.stake(&account), self.params.min_stake, self.now);
        let provider = self.held(&account, signer)?;
        rule(amount > 0, Error::AmountZero)?;
        rule(stake + amount >= least, Error::ProviderStakeBelowMinimum)?;
        provider.free += amount;
        provider.aged = now;
        self.pay(&signer, amount)
    }

    pub fn stake_unbond(&mut self, account: Address, signer: Address, amount: u64) -> Outcome {
        let (now, wait) = (self.now, self.params.unbond_secs);
        let provider = self.held(&account, signer)?;
        rule(amount > 0, Error::AmountZero)?;
        rule(amount <= provider.free, Error::ProviderStakeInsufficient)?;
        provider.free -= amount;
        provider.unbonding += amount;
        provider.unbond_at = now + i64::from(wait.min(provider.unbond_secs));
        Ok(())
    }

    pub fn stake_withdraw(&mut self, account: Address, signer: Address, to: Address) -> Outcome {
        let now = self.now;
        let provider = self.held(&account, signer)?;
        rule(provider.unbonding > 0, Error::ProviderNothingUnbonding)?;
        rule(now > provider.unbond_at, Error::ProviderStillUnbonding)?;
        let amount = std::mem::take(&mut provider.unbonding);
        self.credit(&to, amount);
        Ok(())
    }

    pub fn earnings_withdraw(&mut self, account: Address, signer: Address, to: Address) -> Outcome {
        let provider = self.held(&account, signer)?;
        rule(
            provider.earnings + provider.fees > 0,
            Error::ProviderNothingEarned,
        )?;
        let (earnings, fees) = (
            std::mem::take(&mut provider.earnings),
            std::mem::take(&mut provider.fees),
        );
        self.collected += fees;
        self.credit(&to, earnings);
        Ok(())
    }

    pub fn model_register(&mut self, payer: Address, author: Address, digest: Digest) -> Outcome {
        let account = address::model(&author, &digest);
        possible(!self.models.contains_key(&account))?;
        self.pay(&payer, self.rents.model)?;
        rule(self.paused & PAUSE_REGISTRATIONS == 0, Error::MarketPaused)?;
        let model = Model {
            author,
            payer,
            retired_at: None,
            gift: 0,
        };
        self.models.insert(account, model);
        Ok(())
    }

    pub fn model_retire(&mut self, account: Address, signer: Address) -> Outcome {
        let now = self.now;
        let model = self.models.get_mut(&account).ok_or(Expected::Refused)?;
        rule(model.author == signer, Error::ModelAuthorMismatch)?;
        rule(model.retired_at.is_none(), Error::ModelRetired)?;
        model.retired_at = Some(now);
        Ok(())
    }

    pub fn model_close(&mut self, account: Address, signer: Address, payer: Address) -> Outcome {
        let model = *self.models.get(&account).ok_or(Expected::Refused)?;
        rule(model.author == signer, Error::ModelAuthorMismatch)?;
        rule(model.payer == payer, Error::RentPayerMismatch)?;
        let retired_at = model
            .retired_at
            .ok_or(Expected::Fact(Error::ModelNotRetired))?;
        let free = self.now > retired_at + i64::from(self.params.unbond_secs);
        rule(free, Error::ModelStillInUse)?;
        self.credit(&payer, self.rents.model + model.gift);
        self.models.remove(&account);
        Ok(())
    }
}
