//! The book's rules for panels.

mod end;

use assay_client::{
    address,
    protocol::{
        Address, Error,
        panel::UNAVAILABLE,
        sortition::{panel_seed, score},
    },
};

use super::{
    bench::{Bench, Did, Phase, Seat, Stage},
    seal::{HINTS, Seal, Shown, auditor},
    shadow::{Expected, Job, Outcome, Provider, Shadow, possible, rule},
};

/// Entries of SlotHashes that the program looks through.
const SEARCHED: usize = 64;

/// Who asks for a seat, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Joining {
    pub signer: Address,
    pub provider: Address,
    pub job: Address,
    pub panel: Address,
    pub other: Option<Address>,
    pub evicted: Option<Address>,
    pub ticket: u32,
}

impl Job {
    pub fn open_deadline(&self) -> i64 {
        self.convened + i64::from(self.params.panel_open_secs)
    }

    pub fn has_panel(&self, level: u8) -> bool {
        match level {
            1 => self.opened_panels[0],
            _ => self.opened_panels[1],
        }
    }
}

impl Provider {
    /// How many tickets this much stake that is not unbonding makes.
    fn tickets(staked: u64, job: &Job) -> u64 {
        staked / job.params.ticket_stake
    }
}

impl Shadow {
    pub fn bench(&self, account: &Address) -> Result<Bench, Expected> {
        self.panels.get(account).cloned().ok_or(Expected::Refused)
    }

    pub fn tickets(&self, provider: &Address, job: &Job) -> u64 {
        let free = self.providers.get(provider).map_or(0, |held| held.free);
        Provider::tickets(free + self.reserved(provider), job)
    }

    fn openable(&self, job: &Job) -> Outcome {
        rule(job.is_convened(), Error::JobNotConvened)?;
        rule(!job.has_panel(job.level), Error::PanelAlreadyOpen)?;
        rule(
            self.now <= job.open_deadline(),
            Error::PanelOpenDeadlinePassed,
        )
    }

    pub fn panel_open(
        &mut self,
        payer: Address,
        account: Address,
        level: u8,
        entry: u16,
    ) -> Outcome {
        let mut job = self.job(&account)?;
        possible(job.level == level)?;
        let panel = address::panel(&account, level);
        possible(!self.panels.contains_key(&panel))?;
        // Whatever lies at the address already is a part of the rent, or beyond it.
        let found = self.wallets.remove(&panel).unwrap_or_default();
        self.pay(&payer, self.rents.panel.saturating_sub(found))?;
        let hashes = self.hashes.clone();
        let searched: Vec<_> = hashes.iter().skip(entry.into()).take(SEARCHED).collect();
        rule(!searched.is_empty(), Error::PanelSlotHashMismatch)?;
        self.openable(&job)?;
        let later = searched.iter().take_while(|hash| hash.slot >= job.target);
        let first = later.last().filter(|first| {
            let earlier = searched.iter().any(|hash| hash.slot < job.target);
            first.slot == job.target || earlier
        });
        let first = first.ok_or(Expected::Fact(Error::PanelSlotHashMismatch))?;
        job.opened_panels[usize::from(level) - 1] = true;
        let join = self.now + i64::from(job.params.panel_join_secs);
        let computing = job.args.terms.compute_secs + job.params.panel_commit_secs;
        let commit = join + i64::from(computing);
        let bench = Bench {
            job: account,
            level,
            payer,
            seed: panel_seed(&account, level, &first.hash).0,
            join,
            commit,
            reveal: commit + i64::from(job.params.panel_reveal_secs),
            bond: 5 * job.args.terms.audit_fee,
            size: if level == 1 {
                job.args.terms.panel_size.into()
            } else {
                5
            },
            stage: Stage::Live,
            seats: Vec::new(),
            gift: found.saturating_sub(self.rents.panel),
        };
        self.panels.insert(panel, bench);
        self.jobs.insert(account, job);
        Ok(())
    }

    pub fn panel_retarget(&mut self, account: Address) -> Outcome {
        let mut job = self.job(&account)?;
        let oldest = self.hashes.last().map(|oldest| oldest.slot);
        let oldest = oldest.ok_or(Expected::Fact(Error::PanelSlotHashRetained))?;
        self.openable(&job)?;
        rule(oldest > job.target, Error::PanelSlotHashRetained)?;
        job.target = self.slot + 8;
        self.jobs.insert(account, job);
        Ok(())
    }

    /// Who may sit at all, whatever the panel says.
    fn eligible(&self, joining: &Joining, job: &Job, provider: &Provider) -> Outcome {
        let terms = &job.args.terms;
        let primary = job.holder.is_some_and(|(held, _)| held == joining.provider);
        rule(!primary, Error::SeatPrimaryRefused)?;
        let classed = [[0; 32], provider.class].contains(&terms.runtime_class);
        rule(classed, Error::ProviderClassMismatch)?;
        let aged = provider.aged + i64::from(job.params.stake_age_secs);
        rule(aged <= job.created, Error::SeatStakeTooYoung)?;
        let tickets = self.tickets(&joining.provider, job);
        rule(
            u64::from(joining.ticket) < tickets,
            Error::SeatTicketInvalid,
        )
    }

    /// Nobody sits on both of a job's panels.
    fn other_panel(&self, joining: &Joining, job: &Job) -> Outcome {
        let needed = job.level == 2 && job.has_panel(1);
        match joining.other {
            Some(other) if needed => {
                let other = self.bench(&other)?;
                let first = other.job == joining.job && other.level == 1;
                rule(first, Error::PanelJobMismatch)?;
                rule(!other.seats(&joining.provider), Error::SeatProviderSeated)
            }
            Some(_) => Err(Expected::Fact(Error::PanelUnexpected)),
            None => rule(!needed, Error::PanelMissing),
        }
    }

    pub fn panel_join(&mut self, joining: Joining) -> Outcome {
        let account = joining.provider;
        let mut provider = *self.providers.get(&account).ok_or(Expected::Refused)?;
        let (job, mut bench) = (self.job(&joining.job)?, self.bench(&joining.panel)?);
        possible(joining.other != Some(joining.panel))?;
        possible(
            joining
                .other
                .is_none_or(|other| self.panels.contains_key(&other)),
        )?;
        possible(joining.evicted != Some(account))?;
        let given = joining.evicted;
        possible(given.is_none_or(|given| self.providers.contains_key(&given)))?;
        rule(
            provider.operator == joining.signer,
            Error::ProviderOperatorMismatch,
        )?;
        let own = bench.job == joining.job && bench.level == job.level;
        rule(own, Error::PanelJobMismatch)?;
        self.eligible(&joining, &job, &provider)?;
        self.other_panel(&joining, &job)?;
        rule(bench.stage == Stage::Live, Error::PanelNotLive)?;
        rule(self.now <= bench.join, Error::PanelNotJoining)?;
        rule(!bench.seats(&account), Error::SeatProviderSeated)?;
        let seat = Seat {
            provider: account,
            generation: provider.generation,
            score: score(&bench.seed, &account, joining.ticket),
            did: Did::Joined,
            seal: None,
            root: None,
            payout: 0,
        };
        let worst = bench.worst().filter(|_| bench.is_full());
        if let Some(worst) = worst {
            rule(
                seat.score < bench.seats[worst].score,
                Error::SeatScoreTooHigh,
            )?;
        }
        rule(
            bench.bond <= provider.free,
            Error::ProviderStakeInsufficient,
        )?;
        provider.free -= bench.bond;
        self.providers.insert(account, provider);
        if let Some(worst) = worst {
            let given = given.ok_or(Expected::Fact(Error::SeatEvictedMissing))?;
            let leaves = bench.seats[worst].provider;
            rule(leaves == given, Error::SeatEvictedMismatch)?;
            let left = self.providers.get_mut(&leaves).ok_or(Expected::Refused)?;
            left.free += bench.bond;
            bench.seats[worst] = seat;
        } else {
            bench.seats.push(seat);
        }
        self.panels.insert(joining.panel, bench);
        Ok(())
    }

    pub fn panel_commit(
        &mut self,
        signer: Address,
        account: Address,
        panel: Address,
        seat: u8,
        seal: Option<Seal>,
    ) -> Outcome {
        let provider = *self.providers.get(&account).ok_or(Expected::Refused)?;
        let mut bench = self.bench(&panel)?;
        // A live panel's job is there: it cannot close before.
        let job = self.job(&bench.job)?;
        rule(provider.operator == signer, Error::ProviderOperatorMismatch)?;
        rule(bench.stage == Stage::Live, Error::PanelNotLive)?;
        let committing = bench.phase(self.now, &job) == Phase::Commit;
        rule(committing, Error::PanelNotCommitting)?;
        rule(seal.is_some(), Error::SeatCommitmentMissing)?;
        rule(seat < 5, Error::SeatIndexInvalid)?;
        let held = bench.seats.get_mut(usize::from(seat));
        let held = held.filter(|held| held.provider == account);
        let held = held.ok_or(Expected::Fact(Error::SeatProviderMismatch))?;
        rule(held.did == Did::Joined, Error::SeatNotJoined)?;
        (held.did, held.seal) = (Did::Committed, seal);
        self.panels.insert(panel, bench);
        Ok(())
    }

    pub fn panel_reveal(
        &mut self,
        account: Address,
        panel: Address,
        seat: u8,
        shown: Shown,
    ) -> Outcome {
        let (job, mut bench) = (self.job(&account)?, self.bench(&panel)?);
        let own = bench.job == account && bench.level == job.level;
        rule(own, Error::PanelJobMismatch)?;
        rule(bench.stage == Stage::Live, Error::PanelNotLive)?;
        let revealing = bench.phase(self.now, &job) == Phase::Reveal;
        rule(revealing, Error::PanelNotRevealing)?;
        rule(seat < 5, Error::SeatIndexInvalid)?;
        let role = auditor(bench.level);
        let held = bench.seats.get_mut(usize::from(seat));
        let held = held.filter(|held| held.did == Did::Committed);
        let held = held.ok_or(Expected::Fact(Error::SeatNotCommitted))?;
        rule(shown.root != [0; 32], Error::RootInvalid)?;
        let seal = Seal {
            job: account,
            attempt: job.attempt,
            role,
            provider: held.provider,
            generation: held.generation,
            shown,
            hints: HINTS,
            class: job.args.terms.runtime_class,
        };
        rule(held.seal == Some(seal), Error::OpeningMismatch)?;
        (held.did, held.root) = (Did::Revealed, Some(shown.root));
        self.panels.insert(panel, bench);
        Ok(())
    }

    pub fn job_reveal(&mut self, account: Address, panel: Address, shown: Shown) -> Outcome {
        let (mut job, bench) = (self.job(&account)?, self.bench(&panel)?);
        rule(job.is_convened(), Error::JobNotConvened)?;
        let own = bench.job == account && bench.level == job.level;
        rule(own, Error::PanelJobMismatch)?;
        rule(job.root.is_none(), Error::JobAlreadyRevealed)?;
        let revealing = bench.phase(self.now, &job) == Phase::Reveal;
        rule(revealing, Error::PanelNotRevealing)?;
        let meaningful = ![[0; 32], UNAVAILABLE].contains(&shown.root);
        rule(meaningful, Error::RootInvalid)?;
        let seal = job.primary_seal(&account, shown);
        rule(job.seal == Some(seal), Error::OpeningMismatch)?;
        job.root = Some(shown.root);
        self.jobs.insert(account, job);
        Ok(())
    }
}

impl Job {
    /// What the primary has to have committed to, for this to open it.
    pub fn primary_seal(&self, account: &Address, shown: Shown) -> Seal {
        let (provider, generation) = self.holder.unwrap_or_default();
        Seal {
            job: *account,
            attempt: self.attempt,
            role: assay_client::protocol::commitment::Role::Primary,
            provider,
            generation,
            shown,
            hints: HINTS,
            class: self.args.terms.runtime_class,
        }
    }
}
