//! What happens next: mostly sensible, sometimes wrong in one place, sometimes absurd.

mod auditors;
mod court;
mod jobs;
mod mood;
mod parties;
mod sessions;

use assay_client::protocol::{Address, JobStatus, args::JobCreateArgs, market::MarketParams};
use assay_tests::{SOL, World};

pub use mood::Mood;
pub use sessions::SESSIONS;

use super::{
    action::Action,
    dice::Dice,
    shadow::{Job, Provider, Shadow},
};

/// Everybody with a key. Some play several parts.
#[derive(Clone, Debug)]
pub struct Cast {
    pub authorities: Vec<Address>,
    pub operators: Vec<Address>,
    pub requesters: Vec<Address>,
    pub authors: Vec<Address>,
    pub governors: Vec<Address>,
    pub sink: Address,
    /// All of them, and one who has no part.
    pub all: Vec<Address>,
}

impl Cast {
    pub fn new(world: &mut World) -> Self {
        let mut some = |count: usize| (0..count).map(|_| world.wallet()).collect::<Vec<_>>();
        let (mut authorities, mut operators, mut requesters) = (some(15), some(4), some(3));
        let authors = some(2);
        let (everything, stranger, sink) = (some(1)[0], some(1)[0], some(1)[0]);
        for part in [&mut authorities, &mut operators, &mut requesters] {
            part.push(everything);
        }
        let governors = vec![world.authority, stranger];
        let mut all = [
            &authorities[..],
            &operators,
            &requesters,
            &authors,
            &governors,
        ]
        .concat();
        all.sort();
        all.dedup();
        Self {
            authorities,
            operators,
            requesters,
            authors,
            governors,
            sink,
            all,
        }
    }
}

/// A turn of the game: dice over a book.
pub struct Turn<'a> {
    pub dice: &'a mut Dice,
    pub book: &'a Shadow,
    pub cast: &'a Cast,
    /// Jobs that were closed not long ago: some messages come too late.
    pub closed: &'a [(Address, Job)],
    /// Counts creations, so that most addresses are new.
    pub created: u32,
    /// Of audits, in basis points.
    pub rate: u16,
    /// The job that this turn is about, where that is decided.
    pub focus: Option<(Address, Job)>,
}

impl Turn<'_> {
    pub fn roll(&mut self) -> Action {
        if self.dice.percent(6) {
            return self.session();
        }
        if self.dice.percent(55)
            && let Some(action) = self.court()
        {
            return action;
        }
        if self.dice.percent(55)
            && let Some(action) = self.next_step()
        {
            return action;
        }
        let dice = self.dice.below(1_000);
        if dice < 800
            && self.dice.percent(85)
            && !self.book.jobs.values().any(|job| fits(dice, job.status))
        {
            return self.create();
        }
        match dice {
            0..150 => self.create(),
            150..310 => self.claim(),
            310..460 => self.commit(),
            460..610 => self.finalize(),
            610..630 => self.release(),
            630..650 => self.cancel(),
            650..700 => self.expire(),
            700..800 => self.close(),
            _ if self.book.paused != 0 && self.dice.percent(10) => Action::MarketPause {
                signer: self.book.authority,
                flags: 0,
            },
            800..930 => self.party(),
            930..965 => self.model(),
            _ => self.govern(),
        }
    }

    /// The right key, or now and then somebody else's.
    fn key(&mut self, right: Address) -> Address {
        if self.dice.percent(4) {
            *self.dice.pick(&self.cast.all)
        } else {
            right
        }
    }

    /// A job in one of these statuses, or any job, or one that is gone.
    fn job(&mut self, statuses: &[JobStatus]) -> Option<(Address, Job)> {
        if self.focus.is_some() {
            return self.focus;
        }
        let all: Vec<_> = self
            .book
            .jobs
            .iter()
            .map(|(account, job)| (*account, *job))
            .collect();
        let fitting: Vec<_> = all
            .iter()
            .copied()
            .filter(|(_, job)| statuses.contains(&job.status))
            .collect();
        if !self.closed.is_empty() && self.dice.percent(2) {
            return Some(*self.dice.pick(self.closed));
        }
        let odd = fitting.is_empty() || self.dice.percent(10);
        let from = if odd { all } else { fitting };
        (!from.is_empty()).then(|| *self.dice.pick(&from))
    }

    fn some_job(&mut self, statuses: &[JobStatus]) -> (Address, Job) {
        let args = JobCreateArgs {
            open_slot: 0,
            index: 0,
            reserved: [0; 4],
            terms: self.terms(),
        };
        let absent = Job::new(self.cast.requesters[0], [0; 32], args, self.book);
        self.job(statuses)
            .unwrap_or((Address::new_from_array([0x77; 32]), absent))
    }

    fn provider(&mut self) -> (Address, Provider) {
        let all: Vec<_> = self
            .book
            .providers
            .iter()
            .map(|(account, held)| (*account, *held))
            .collect();
        if all.is_empty() {
            let absent = Provider {
                authority: self.cast.authorities[0],
                payer: self.cast.authorities[0],
                operator: self.cast.operators[0],
                class: [0; 32],
                generation: 0,
                free: 0,
                unbonding: 0,
                unbond_at: 0,
                unbond_secs: 0,
                earnings: 0,
                fees: 0,
                aged: 0,
                audits: (0, 0),
                gift: 0,
            };
            return (Address::new_from_array([0x78; 32]), absent);
        }
        *self.dice.pick(&all)
    }

    /// The job's provider, or now and then another one.
    fn holder(&mut self, job: &Job) -> (Address, Provider) {
        let holder = job
            .holder
            .and_then(|(account, _)| Some((account, *self.book.providers.get(&account)?)));
        match holder {
            Some(holder) if !self.dice.percent(5) => holder,
            _ => self.provider(),
        }
    }

    /// An amount up to `most`; now and then nothing, everything, or one too many.
    fn amount(&mut self, most: u64) -> u64 {
        match self.dice.below(20) {
            0 => 0,
            1..4 => most,
            4 => most + 1,
            _ => self.dice.within(0, most),
        }
    }
}

/// Whether a job of this status is what an instruction that these dice choose is for.
fn fits(dice: u64, status: JobStatus) -> bool {
    match dice {
        150..310 | 630..650 => status == JobStatus::Open,
        310..460 | 610..630 => status == JobStatus::Claimed,
        460..610 => status == JobStatus::Committed,
        650..700 => [JobStatus::Open, JobStatus::Claimed, JobStatus::Committed].contains(&status),
        700..800 => status.is_terminal(),
        _ => true,
    }
}

/// Short windows, so that a job's life and a stake's waiting time are short.
pub const PARAMS: MarketParams = MarketParams {
    min_stake: SOL / 10,
    max_ceiling: SOL * 2 / 3,
    max_claim_secs: 600,
    max_compute_secs: 600,
    max_challenge_secs: 600,
    unbond_secs: 95_000,
    stake_age_secs: 10,
    panel_open_secs: 60,
    panel_join_secs: 35,
    panel_commit_secs: 10,
    panel_reveal_secs: 30,
    ..MarketParams::LOCAL
};
