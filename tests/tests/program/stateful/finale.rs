//! Time alone ends every job, and everybody leaves with all that is theirs.

use assay_client::{address, program::INCINERATOR, protocol::Address};

use super::{
    action::{Action, Channel, Court},
    bench::Did,
    game::Game,
    shadow::{Expected, Job},
};

impl Game {
    pub(super) fn everybody_leaves(&mut self) {
        self.sessions();
        self.cranks();
        self.doors();
        self.nothing_remains();
    }

    #[track_caller]
    fn must(&mut self, action: Action) {
        assert_eq!(self.play(action), Expected::Accepted, "{action:?}");
    }

    fn jobs(&self) -> Vec<(Address, Job)> {
        self.book
            .jobs
            .iter()
            .map(|(account, job)| (*account, *job))
            .collect()
    }

    /// Nobody signs anything from here: at most three attempts, each opened and claimed, then the commitment's window,
    /// or two panels that nobody opens or that have had their time.
    fn cranks(&mut self) {
        for _ in 0..8 {
            self.later(100_000);
            for (job, found) in self.jobs() {
                if found.is_convened() {
                    self.must_resolve(job, &found);
                } else if !found.status.is_terminal() {
                    let provider = found.holder.map(|(account, _)| account);
                    self.must(Action::JobExpire {
                        job,
                        requester: found.requester,
                        provider,
                    });
                }
            }
        }
        self.settlements();
        for (job, found) in self.jobs() {
            assert!(
                found.status.is_terminal(),
                "{job} is still {:?}",
                found.status
            );
            self.must(Action::JobClose {
                job,
                requester: found.requester,
            });
        }
    }

    /// Requesters get out of every session without its provider, also where that is gone.
    fn sessions(&mut self) {
        let all: Vec<_> = self
            .book
            .sessions
            .iter()
            .map(|(at, held)| (*at, *held))
            .collect();
        for (session, held) in &all {
            if held.requested.is_none() {
                self.must(Action::Session(Channel::Request {
                    session: *session,
                    signer: held.requester,
                }));
            }
        }
        self.later(86_401);
        for (session, held) in all {
            self.must(Action::Session(Channel::Close {
                session,
                closer: held.requester,
                provider: None,
                requester: held.requester,
            }));
        }
    }

    fn must_resolve(&mut self, job: Address, found: &Job) {
        let (provider, _) = found.holder.expect("a convened job is held");
        let panels = [1, 2].map(|level| {
            let opened = found.has_panel(level);
            opened.then(|| address::panel(&job, level))
        });
        self.must(Action::Court(Court::Resolve {
            job,
            provider,
            requester: found.requester,
            panels,
        }));
    }

    /// Every seat is paid, in any order, and every panel closed.
    fn settlements(&mut self) {
        let mut unpaid: Vec<(u64, Court)> = Vec::new();
        for (panel, bench) in &self.book.panels {
            for (seat, held) in (0..).zip(&bench.seats) {
                if held.did != Did::Settled {
                    let settle = Court::Settle {
                        panel: *panel,
                        provider: held.provider,
                        seat,
                    };
                    unpaid.push((self.dice.next(), settle));
                }
            }
        }
        unpaid.sort_by_key(|(order, _)| *order);
        for (_, settle) in unpaid {
            self.must(Action::Court(settle));
        }
        let panels = self.book.panels.iter();
        let close = panels.map(|(panel, bench)| Court::Close {
            job: bench.job,
            panel: *panel,
            payer: bench.payer,
        });
        for close in close.collect::<Vec<_>>() {
            self.must(Action::Court(close));
        }
    }

    /// Authorities and authors take everything out; the market's authority cannot keep them.
    fn doors(&mut self) {
        let paused = Action::MarketPause {
            signer: self.book.authority,
            flags: 7,
        };
        self.must(paused);
        let providers: Vec<_> = self
            .book
            .providers
            .iter()
            .map(|(at, held)| (*at, *held))
            .collect();
        for (account, held) in &providers {
            let (account, signer) = (*account, held.authority);
            if held.earnings + held.fees > 0 {
                self.must(Action::EarningsWithdraw {
                    account,
                    signer,
                    to: signer,
                });
            }
            if held.free > 0 {
                self.must(Action::StakeUnbond {
                    account,
                    signer,
                    amount: held.free,
                });
            }
        }
        let models: Vec<_> = self
            .book
            .models
            .iter()
            .map(|(at, model)| (*at, *model))
            .collect();
        for (account, model) in &models {
            if model.retired_at.is_none() {
                self.must(Action::ModelRetire {
                    account: *account,
                    signer: model.author,
                });
            }
        }
        self.later(200_000);
        for (account, held) in providers {
            let signer = held.authority;
            if self.book.stake(&account) > 0 {
                self.must(Action::StakeWithdraw {
                    account,
                    signer,
                    to: signer,
                });
            }
            self.must(Action::ProviderDeregister {
                account,
                signer,
                payer: held.payer,
            });
        }
        for (account, model) in models {
            self.must(Action::ModelClose {
                account,
                signer: model.author,
                payer: model.payer,
            });
        }
        let (signer, amount) = (self.book.authority, self.book.collected);
        if amount > 0 {
            self.must(Action::TreasuryWithdraw {
                signer,
                to: signer,
                amount,
            });
        }
    }

    /// The program holds the rent of its two fixed accounts; every wallet is as the book says; nothing is missing.
    fn nothing_remains(&self) {
        let left: Vec<_> = self
            .world
            .ledger()
            .held()
            .map(|(address, _)| *address)
            .collect();
        let mut fixed = vec![address::market(), address::treasury()];
        fixed.sort();
        assert_eq!(left, fixed);
        assert_eq!(
            self.world.balance(&address::treasury()),
            self.book.rents.treasury
        );
        for (wallet, balance) in &self.book.wallets {
            assert_eq!(self.world.balance(wallet), *balance, "{wallet}");
        }
        let wallets: u128 = self
            .book
            .wallets
            .values()
            .map(|balance| u128::from(*balance))
            .sum();
        let all = wallets + u128::from(self.world.balance(&INCINERATOR));
        assert_eq!(
            all, self.paid_in,
            "every lamport is with somebody or burned"
        );
    }
}
