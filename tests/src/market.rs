//! What the market's authority sends.

use assay_client::{
    instruction::{
        AuthorityAccept, AuthorityPropose, MarketInit, MarketPause, MarketUpdate, TreasuryWithdraw,
    },
    protocol::{Address, market::MarketParams},
};

use crate::{Call, Outcome, World};

impl World {
    /// The upgrade authority pays and becomes the market's authority.
    pub fn market_init(&self, params: MarketParams) -> Call {
        let upgrade_authority = self.authority;
        MarketInit {
            payer: upgrade_authority,
            upgrade_authority,
            params,
        }
        .into()
    }

    #[track_caller]
    pub fn do_market_init(&mut self, params: MarketParams) -> Outcome {
        self.send(self.market_init(params)).accepted()
    }

    pub fn market_update(&self, params: MarketParams) -> Call {
        MarketUpdate {
            authority: self.authority,
            params,
        }
        .into()
    }

    #[track_caller]
    pub fn do_market_update(&mut self, params: MarketParams) -> Outcome {
        self.send(self.market_update(params)).accepted()
    }

    pub fn market_pause(&self, flags: u8) -> Call {
        MarketPause {
            authority: self.authority,
            flags,
        }
        .into()
    }

    #[track_caller]
    pub fn do_market_pause(&mut self, flags: u8) -> Outcome {
        self.send(self.market_pause(flags)).accepted()
    }

    pub fn authority_propose(&self, pending: Address) -> Call {
        AuthorityPropose {
            authority: self.authority,
            pending,
        }
        .into()
    }

    #[track_caller]
    pub fn do_authority_propose(&mut self, pending: Address) -> Outcome {
        self.send(self.authority_propose(pending)).accepted()
    }

    pub fn authority_accept(&self, pending: Address) -> Call {
        AuthorityAccept { pending }.into()
    }

    /// Hands the market over; later calls are the new authority's.
    #[track_caller]
    pub fn do_authority_accept(&mut self, pending: Address) -> Outcome {
        let outcome = self.send(self.authority_accept(pending)).accepted();
        self.authority = pending;
        outcome
    }

    pub fn treasury_withdraw(&self, destination: Address, amount: u64) -> Call {
        TreasuryWithdraw {
            authority: self.authority,
            destination,
            amount,
        }
        .into()
    }

    #[track_caller]
    pub fn do_treasury_withdraw(&mut self, destination: Address, amount: u64) -> Outcome {
        self.send(self.treasury_withdraw(destination, amount))
            .accepted()
    }
}
