//! What authorities, authors and the market's governors send.

use assay_client::protocol::{Address, Digest, market::MarketParams};
use assay_tests::SOL;

use super::{PARAMS, Turn};
use crate::program::stateful::action::Action;

impl Turn<'_> {
    pub(super) fn party(&mut self) -> Action {
        let (account, held) = self.provider();
        let signer = self.key(held.authority);
        match self.dice.below(16) {
            0..3 => {
                let authority = *self.dice.pick(&self.cast.authorities);
                let payer = if self.dice.percent(50) {
                    authority
                } else {
                    *self.dice.pick(&self.cast.all)
                };
                let operator = self.operator();
                Action::ProviderRegister {
                    payer,
                    authority,
                    operator,
                    class: self.class(),
                }
            }
            3 => Action::ProviderUpdate {
                account,
                signer,
                operator: self.operator(),
                class: self.class(),
            },
            4 => Action::ProviderDeregister {
                account,
                signer,
                payer: self.key(held.payer),
            },
            5..9 => Action::StakeDeposit {
                account,
                signer,
                amount: self.amount(6 * SOL),
            },
            9..10 => Action::StakeUnbond {
                account,
                signer,
                amount: self.amount(held.free),
            },
            10..13 => Action::StakeWithdraw {
                account,
                signer,
                to: *self.dice.pick(&self.cast.all),
            },
            _ => Action::EarningsWithdraw {
                account,
                signer,
                to: *self.dice.pick(&self.cast.all),
            },
        }
    }

    fn operator(&mut self) -> Address {
        if self.dice.percent(3) {
            Address::default()
        } else {
            *self.dice.pick(&self.cast.operators)
        }
    }

    pub(super) fn model(&mut self) -> Action {
        let all: Vec<_> = self
            .book
            .models
            .iter()
            .map(|(account, model)| (*account, *model))
            .collect();
        let fresh = all.len() < 2 || self.dice.percent(25);
        if fresh {
            let author = *self.dice.pick(&self.cast.authors);
            let digest = Digest::of(&[
                b"model",
                &[u8::try_from(self.dice.below(4)).expect("small")],
            ]);
            return Action::ModelRegister {
                payer: self.key(author),
                author,
                digest,
            };
        }
        let (account, model) = *self.dice.pick(&all);
        let signer = self.key(model.author);
        let active = all
            .iter()
            .filter(|(_, model)| model.retired_at.is_none())
            .count();
        let retire = if active > 2 { 60 } else { 5 };
        if self.dice.percent(retire) {
            Action::ModelRetire { account, signer }
        } else {
            Action::ModelClose {
                account,
                signer,
                payer: self.key(model.payer),
            }
        }
    }

    pub(super) fn govern(&mut self) -> Action {
        let signer = if self.dice.percent(22) {
            *self.dice.pick(&self.cast.all)
        } else {
            self.book.authority
        };
        match self.dice.below(14) {
            0 => Action::MarketInit { signer },
            1..4 => Action::MarketUpdate {
                signer,
                params: self.params(),
            },
            4 => Action::MarketPause {
                signer,
                flags: u8::try_from(self.dice.below(9)).expect("small"),
            },
            5..8 => Action::MarketPause {
                signer: self.book.authority,
                flags: 0,
            },
            8 => {
                let next = *self.dice.pick(&self.cast.governors);
                Action::AuthorityPropose {
                    signer,
                    next: (!self.dice.percent(20)).then_some(next),
                }
            }
            9..11 => {
                let pending = self.book.pending.unwrap_or(self.cast.governors[0]);
                Action::AuthorityAccept {
                    signer: self.key(pending),
                }
            }
            _ => {
                let to = *self.dice.pick(&self.cast.all);
                Action::TreasuryWithdraw {
                    signer,
                    to,
                    amount: self.amount(self.book.collected),
                }
            }
        }
    }

    fn params(&mut self) -> MarketParams {
        MarketParams {
            fee_bps: u16::try_from(self.dice.within(0, 1_010)).expect("small"),
            min_stake: *self.dice.pick(&[1, SOL / 10, SOL]),
            max_ceiling: *self.dice.pick(&[SOL / 2, SOL * 2 / 3]),
            unbond_secs: self.dice.secs(95_000, 100_000),
            ticket_stake: *self.dice.pick(&[SOL / 10, SOL / 4, SOL]),
            stake_age_secs: self.dice.secs(0, 15),
            panel_open_secs: self.dice.secs(20, 90),
            panel_join_secs: self.dice.secs(10, 60),
            panel_commit_secs: self.dice.secs(1, 20),
            panel_reveal_secs: self.dice.secs(5, 60),
            ..PARAMS
        }
    }
}
