//! One node's view of the chain, with everything that its storms do to it.
//!
//! What is lied about is what `docs/worker.md` says that the worker checks: accounts that are not shown, readings
//! of the past, a time that another endpoint does not confirm, a height that no other endpoint confirms and that
//! is wrong by less than the margin kept for that, signatures that are not known yet, simulations, and sending.
//! Outside of it is what a lone endpoint is believed: contents of accounts that never were, a signature said to be
//! confirmed that is not, one said to be unknown in old blocks too, time off by so little that it could be true, a
//! session that three readings in a row do not show.

use std::time::Duration;

use assay_client::{
    protocol::{Address, JobData, JobStatus, ModelData, PanelData, ProviderData},
    slot_hashes::SlotHashes,
};
use assay_worker::chain::{
    Chain, ChainError, Cost, Height, KnownSession, Sending, SessionsRead, SignatureState,
    Simulation, Snapshot, Wanted,
};
use solana_message::Hash;
use solana_transaction_error::TransactionError;

use super::{
    link::{Life, Place},
    mail::Mail,
    mishaps::{Call, Fault},
    sight::Sight,
    trail,
};

/// The margin that the worker keeps where only one endpoint tells a height, in blocks.
const MARGIN: u64 = 32;
/// Slots that a node may be behind: half a minute.
const BEHIND: u64 = 75;
/// Slots by which a blockhash may be old: some are good for nothing any more.
const OLD: u64 = 200;

pub struct SimChain {
    life: Life,
}

impl SimChain {
    pub fn new(life: Life) -> Self {
        Self { life }
    }

    /// One call: it takes its time, may fail, and may be the last one of its life.
    async fn ask<T>(
        &self,
        call: Call,
        answer: impl FnOnce(&mut Sight<'_>, Option<Fault>) -> T,
    ) -> Result<T, ChainError> {
        let link = &self.life.link;
        self.life.pass(Place::Before(call)).await;
        let fault = link.mishap(call);
        wait(link.draw(5, 80)).await;
        if fault == Some(Fault::Refused) {
            self.life.pass(Place::Before(call)).await;
            return Err(failed(call));
        }
        // Dead by now, it did not ask.
        if !self.life.is_alive() {
            std::future::pending::<()>().await;
        }
        let told = {
            let hidden = link.draw(0, 1_000);
            let behind = if fault == Some(Fault::Stale) {
                link.draw(1, if call == Call::Blockhash { OLD } else { BEHIND })
            } else {
                0
            };
            let mut net = link.sim.net();
            let newest = net.confirmed(link.sim.ms());
            let slot = newest.saturating_sub(behind).max(net.calendar.first_slot);
            let mut sight = Sight {
                view: net.view_at(slot),
                net: &mut net,
                slot,
                hidden: (fault == Some(Fault::Missing))
                    .then(|| usize::try_from(hidden).unwrap_or(0)),
            };
            answer(&mut sight, fault)
        };
        let back = match fault {
            Some(Fault::Slow) => link.draw(500, 20_000),
            Some(_) | None => link.draw(5, 80),
        };
        wait(back).await;
        self.life.pass(Place::After(call)).await;
        if fault == Some(Fault::AnswerLost) {
            return Err(failed(call));
        }
        Ok(told)
    }

    fn draw(&self, low: u64, high: u64) -> u64 {
        self.life.link.draw(low, high)
    }
}

async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn failed(call: Call) -> ChainError {
    ChainError::Rpc {
        request: "simulated",
        endpoint: "simulated".into(),
        reason: format!("{call:?} goes wrong here"),
        refused: None,
    }
}

impl Chain for SimChain {
    async fn snapshot(&self, wanted: &Wanted) -> Result<Snapshot, ChainError> {
        let off = self.draw(100, 100_000).cast_signed();
        let agreed = self.life.link.sim.plan.agreed;
        self.ask(Call::Snapshot, |sight, fault| {
            let mut clock = sight.clock();
            let lies = fault == Some(Fault::WrongTime);
            if lies {
                // Another each time, so that it never insists.
                clock.time.0 += if off % 2 == 0 { off } else { -off };
            }
            let accounts = wanted.jobs.len() + wanted.panels.len();
            let hidden = sight
                .hidden
                .filter(|_| accounts > 0)
                .map(|hidden| hidden % accounts);
            let view = &sight.view;
            let jobs = wanted.jobs.iter().enumerate().map(|(place, address)| {
                let shown = Some(place) != hidden;
                (*address, view.jobs.get(address).copied().filter(|_| shown))
            });
            let panels = wanted.panels.iter().enumerate().map(|(place, address)| {
                let shown = Some(place + wanted.jobs.len()) != hidden;
                (
                    *address,
                    view.panels.get(address).copied().filter(|_| shown),
                )
            });
            Snapshot {
                clock,
                agreed: agreed && !lies,
                provider: view.providers.get(&wanted.provider).copied(),
                operator: view.balances.get(&wanted.operator).copied().unwrap_or(0),
                jobs: jobs.collect(),
                panels: panels.collect(),
            }
        })
        .await
    }

    async fn open_jobs(&self) -> Result<Vec<(Address, JobData)>, ChainError> {
        let open = |job: &JobData| job.status() == Ok(JobStatus::Open);
        self.ask(Call::OpenJobs, |sight, _| sight.jobs(open)).await
    }

    async fn judged_jobs(&self) -> Result<Vec<(Address, JobData)>, ChainError> {
        let judged =
            |job: &JobData| matches!(job.status(), Ok(JobStatus::Auditing | JobStatus::Appealing));
        self.ask(Call::JudgedJobs, |sight, _| sight.jobs(judged))
            .await
    }

    async fn provider_jobs(
        &self,
        provider: &Address,
    ) -> Result<Vec<(Address, JobData)>, ChainError> {
        let theirs = |job: &JobData| job.provider == *provider;
        self.ask(Call::ProviderJobs, |sight, _| sight.jobs(theirs))
            .await
    }

    async fn jobs(&self, jobs: &[Address]) -> Result<Vec<(Address, Option<JobData>)>, ChainError> {
        self.ask(Call::Jobs, |sight, _| {
            let shown = |address: &Address| sight.view.jobs.get(address).copied();
            let hide = sight.hidden.is_some();
            jobs.iter()
                .map(|address| (*address, shown(address).filter(|_| !hide)))
                .collect()
        })
        .await
    }

    async fn panels(
        &self,
        panels: &[Address],
    ) -> Result<Vec<(Address, Option<PanelData>)>, ChainError> {
        self.ask(Call::Panels, |sight, _| {
            let shown = |address: &Address| sight.view.panels.get(address).copied();
            let hide = sight.hidden.is_some();
            panels
                .iter()
                .map(|address| (*address, shown(address).filter(|_| !hide)))
                .collect()
        })
        .await
    }

    async fn sessions(&self, sessions: &[KnownSession]) -> Result<SessionsRead, ChainError> {
        let told = self.ask(Call::Sessions, |sight, _| {
            let hidden = sight.hidden.map(|hidden| hidden % sessions.len().max(1));
            let shown = |(place, (address, _)): (usize, &KnownSession)| {
                let account = sight.view.sessions.get(address).copied();
                (*address, account.filter(|_| Some(place) != hidden))
            };
            let read = sessions.iter().enumerate().map(shown);
            let read: Vec<_> = read.collect();
            (sight.net.rolled(), (sight.slot, read))
        });
        let (rolled, told) = told.await?;
        let mut tabs = self.life.link.sim.tabs();
        for (session, data) in &told.1 {
            if let Some(data) = data {
                tabs.read(session, data.settled, rolled);
            }
        }
        drop(tabs);
        Ok(told)
    }

    async fn providers(&self) -> Result<Vec<(Address, ProviderData)>, ChainError> {
        self.ask(Call::Providers, |sight, _| {
            let all = sight.view.providers.iter();
            let mut found = all
                .map(|(address, provider)| (*address, *provider))
                .collect();
            sight.hide(&mut found);
            found
        })
        .await
    }

    async fn slot_hashes(&self) -> Result<SlotHashes, ChainError> {
        let sim = &self.life.link.sim;
        self.ask(Call::SlotHashes, |sight, _| {
            sight.net.world(sim.ms(), &sim.log).slot_hashes()
        })
        .await
    }

    async fn provider(&self, address: &Address) -> Result<Option<ProviderData>, ChainError> {
        self.ask(Call::Provider, |sight, _| {
            sight.view.providers.get(address).copied()
        })
        .await
    }

    async fn model(&self, address: &Address) -> Result<Option<ModelData>, ChainError> {
        self.ask(Call::Model, |sight, _| {
            sight.view.models.get(address).copied()
        })
        .await
    }

    async fn balance(&self, address: &Address) -> Result<u64, ChainError> {
        self.ask(Call::Balance, |sight, _| {
            sight.view.balances.get(address).copied().unwrap_or(0)
        })
        .await
    }

    async fn blockhash(&self) -> Result<(Hash, u64), ChainError> {
        self.ask(Call::Blockhash, |sight, _| {
            let (hash, last) = sight.net.blockhash(sight.slot);
            (Hash::new_from_array(hash), last)
        })
        .await
    }

    async fn block_height(&self) -> Result<Height, ChainError> {
        let off = self.draw(0, 2 * MARGIN);
        let agreed = self.life.link.sim.plan.agreed;
        self.ask(Call::Height, |sight, fault| {
            let height = sight.net.height(sight.slot);
            if fault == Some(Fault::WrongHeight) {
                // Up to the margin above the truth, or below it.
                Height {
                    height: (height + off).saturating_sub(MARGIN),
                    agreed: false,
                }
            } else {
                Height { height, agreed }
            }
        })
        .await
    }

    async fn simulate(&self, transaction: &[u8]) -> Result<Simulation, ChainError> {
        let mail = Mail::read(transaction);
        let sim = &self.life.link.sim;
        self.ask(Call::Simulate, |sight, fault| {
            let world = sight.net.world(sim.ms(), &sim.log);
            let outcome = world.preview(mail.payer, mail.instructions);
            let lied = (fault == Some(Fault::WrongSimulation))
                .then_some(TransactionError::ProgramAccountNotFound);
            Simulation {
                error: outcome.error.or(lied),
                units: outcome.compute_units,
                fee: Some(outcome.fee),
            }
        })
        .await
    }

    async fn send(&self, transaction: &[u8], _: u32) -> Result<Sending, ChainError> {
        let mail = Mail::read(transaction);
        let (soon, late) = (self.draw(1, 3), self.draw(4, 40));
        let link = &self.life.link;
        let ms = link.sim.ms();
        self.ask(Call::Send, |sight, fault| {
            link.sim
                .seals
                .lock()
                .expect("held for moments")
                .sent(link.id, &mail, &sight.view);
            if let Some(session) = trail::closed_by(&mail) {
                link.sim.tabs().closes(session, mail.signature, sight.net);
            }
            let known = sight.net.status(&mail.signature).is_some()
                || sight.net.is_processed(&mail.signature, ms);
            match fault {
                Some(Fault::Swallowed) => {}
                Some(Fault::Twice) => {
                    sight.net.deliver(mail.clone(), link.sim.ms(), soon);
                    sight.net.deliver(mail, link.sim.ms(), late);
                }
                Some(Fault::Late) => sight.net.deliver(mail, link.sim.ms(), late),
                Some(_) | None if known => return Sending::AlreadyProcessed,
                Some(_) | None => sight.net.deliver(mail, link.sim.ms(), soon),
            }
            Sending::Accepted
        })
        .await
    }

    async fn signatures(
        &self,
        signatures: &[[u8; 64]],
        search: bool,
    ) -> Result<Vec<Option<SignatureState>>, ChainError> {
        let sim = &self.life.link.sim;
        self.ask(Call::Signatures, |sight, fault| {
            // A node that has all old blocks knows what is in them.
            let unknown = fault == Some(Fault::Unknown) && !search;
            let state = |signature: &[u8; 64]| {
                if unknown {
                    return None;
                }
                match sight.net.status(signature) {
                    Some(status) => Some(SignatureState {
                        error: status.error.clone(),
                        confirmed: true,
                    }),
                    None => sight
                        .net
                        .is_processed(signature, sim.ms())
                        .then_some(SignatureState {
                            error: None,
                            confirmed: false,
                        }),
                }
            };
            signatures.iter().map(state).collect()
        })
        .await
    }

    async fn cost(&self, signature: &[u8; 64]) -> Result<Option<Cost>, ChainError> {
        self.ask(Call::Cost, |sight, fault| {
            let status = sight.net.status(signature);
            let known = status.filter(|_| fault != Some(Fault::NoRecord));
            known.map(|status| Cost {
                fee: status.fee,
                compute_units: Some(status.units),
                rent: status.rent,
            })
        })
        .await
    }

    async fn recent_fees(&self, _: &[Address]) -> Result<Vec<u64>, ChainError> {
        let offers = [0, self.draw(0, 2_000), self.draw(0, 20_000)];
        self.ask(Call::Fees, |_, _| offers.to_vec()).await
    }
}
