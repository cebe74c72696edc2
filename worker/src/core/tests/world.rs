//! A market of one worker: the chain's rules, a journal that survives, a shell that answers late,
//! in any order, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use assay_protocol::{Address, Digest, Error, JobStatus};
use bytemuck::Zeroable;

use super::super::*;
use chain::open_job;
pub use chain::policy;

mod chain;
mod kit;
mod script;

pub const PROVIDER: Address = Address::new_from_array([200; 32]);
const START: i64 = 1_000_000;

pub fn address(number: u8) -> Address {
    Address::new_from_array([number + 1; 32])
}

#[derive(Default)]
pub struct Journal {
    pub results: BTreeMap<(Address, u8), SavedResult>,
    pub acknowledgements: BTreeMap<(Address, u8), [u8; 32]>,
    /// Jobs that were ours and have not ended.
    live: BTreeMap<Address, u8>,
}

enum Event {
    Prepared(Address),
    Tried(Address),
    Ran(Address, u8),
    Saved(Address, u8),
    Submitted(Address, u8, Step, Submitted),
}

pub struct World {
    pub now: i64,
    pub core: Core,
    pub provider: ProviderData,
    pub journal: Journal,
    /// Every commitment that was ever sent, by attempt.
    pub commitments: BTreeMap<(Address, u8), BTreeSet<[u8; 32]>>,
    pub prepare_faults: Vec<PrepareFault>,
    pub run_faults: Vec<RunFault>,
    /// How the next trials end, the last one first; the others are answered.
    pub trials: Vec<Tried>,
    pub tries: u32,
    pub hold_runs: bool,
    pub hold_trials: bool,
    pub hold_preparations: bool,
    /// Runs and trials that are of no use any more.
    pub stopped: Vec<Address>,
    /// Runs that were asked for and not looked at.
    begun: Vec<Address>,
    pub disk_full: bool,
    pub refuse_claims: Option<Error>,
    pub seen: Vec<&'static str>,
    /// What was said of jobs that are not wanted.
    pub left: Vec<(Address, Refusal)>,
    policy: Policy,
    chain: BTreeMap<Address, JobData>,
    old_readings: Vec<(Address, JobData)>,
    events: Vec<Event>,
    transactions: Vec<(Address, u8, Intent)>,
    reports: Vec<(Address, &'static str)>,
    earned: u64,
    nonce: u64,
}

impl World {
    pub fn new(jobs: u8) -> Self {
        Self::with(jobs, |_| (), |_| ())
    }

    pub fn with(jobs: u8, job: impl Fn(&mut JobData), change: impl Fn(&mut Policy)) -> Self {
        let mut policy = policy();
        change(&mut policy);
        let mut provider = ProviderData {
            generation: 77,
            ..ProviderData::zeroed()
        };
        provider.stake = 1_000_000;
        let me = Identity {
            program_id: address(160),
            provider: PROVIDER,
            operator: address(161),
        };
        let mut world = Self {
            now: START,
            core: Core::new(me, policy.clone()),
            provider,
            journal: Journal::default(),
            commitments: BTreeMap::new(),
            prepare_faults: Vec::new(),
            run_faults: Vec::new(),
            trials: Vec::new(),
            tries: 0,
            hold_runs: false,
            hold_trials: false,
            hold_preparations: false,
            stopped: Vec::new(),
            begun: Vec::new(),
            disk_full: false,
            refuse_claims: None,
            seen: Vec::new(),
            left: Vec::new(),
            policy,
            chain: BTreeMap::new(),
            old_readings: Vec::new(),
            events: Vec::new(),
            transactions: Vec::new(),
            reports: Vec::new(),
            earned: 0,
            nonce: 0,
        };
        for number in 0..jobs {
            let mut data = open_job(number);
            job(&mut data);
            world.chain.insert(address(number), data);
        }
        world.tell_provider();
        world.core.start(UnixSeconds(world.now));
        world.tell_jobs();
        world
    }

    pub fn job(&self, number: u8) -> JobData {
        self.chain[&address(number)]
    }

    pub fn status(&self, number: u8) -> JobStatus {
        self.job(number).status().unwrap()
    }

    pub fn reports(&self, number: u8) -> Vec<&'static str> {
        self.reports
            .iter()
            .filter(|(job, _)| *job == address(number))
            .map(|(_, name)| *name)
            .collect()
    }

    pub fn requester_secret(&self, number: u8) -> [u8; 32] {
        [number + 100; 32]
    }

    pub fn tell_provider(&mut self) {
        self.core
            .handle_provider(&self.provider, UnixSeconds(self.now));
    }

    /// Moves the clock and does everything that follows.
    pub fn at(&mut self, now: i64) {
        self.now = now;
        self.core.handle_time(UnixSeconds(now));
        self.drain();
    }

    /// Lets everything happen that waits for nothing but its turn.
    pub fn drain(&mut self) {
        loop {
            self.commands();
            let before = self.transactions.len() + self.events.len();
            while !self.transactions.is_empty() {
                self.land(0);
            }
            let holds = [self.hold_preparations, self.hold_trials, self.hold_runs];
            let (ready, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.events)
                .into_iter()
                .partition(|event| !event.is_held(holds));
            self.events = waiting;
            let progress = before > 0 && !ready.is_empty();
            for event in ready {
                self.deliver(event);
            }
            self.tell_provider();
            self.tell_jobs();
            if !progress && self.commands() == 0 {
                return;
            }
        }
    }

    pub fn acknowledge(&mut self, number: u8) {
        let (job, secret) = (address(number), self.requester_secret(number));
        if let Ok(Acknowledgement::New { attempt }) = self.core.check_acknowledgement(&job, &secret)
        {
            self.journal.acknowledgements.insert((job, attempt), secret);
            self.core
                .handle_acknowledged(job, secret, UnixSeconds(self.now));
        }
    }

    fn commands(&mut self) -> usize {
        let mut count = 0;
        while self.command() {
            count += 1;
        }
        count
    }

    fn command(&mut self) -> bool {
        let Some(command) = self.core.poll_command() else {
            return false;
        };
        match command {
            Command::Prepare { job } => {
                self.seen.push("prepare");
                self.events.push(Event::Prepared(job));
            }
            Command::Try { job, .. } => {
                self.tries += 1;
                self.events.push(Event::Tried(job));
            }
            Command::Run { job, attempt, .. } => {
                self.begun.push(job);
                self.events.push(Event::Ran(job, attempt));
            }
            Command::Save { job, result, .. } => {
                let attempt = result.attempt;
                if !self.disk_full {
                    self.journal.results.entry((job, attempt)).or_insert(result);
                }
                self.events.push(Event::Saved(job, attempt));
            }
            Command::Submit {
                job,
                attempt,
                intent,
            } => self.send(job, attempt, intent),
            Command::Report {
                job,
                attempt,
                report,
            } => {
                self.reports.push((job, report.name()));
                if report.is_final() {
                    self.journal.live.remove(&job);
                } else {
                    self.journal.live.insert(job, attempt);
                }
            }
            Command::Leave { job, refusal } => self.left.push((job, refusal)),
            Command::StopRun { job } => self.stopped.push(job),
            Command::Discard { .. } => {}
        }
        true
    }

    fn send(&mut self, job: Address, attempt: u8, intent: Intent) {
        self.seen.push(intent.step().name());
        // A claim of an earlier attempt may still be: the chain lets one of them through.
        assert!(
            !self.transactions.contains(&(job, attempt, intent)),
            "{} for attempt {attempt} of {job} is under way twice",
            intent.step().name()
        );
        if let Intent::Commit(args) = intent {
            let saved = self.journal.results.get(&(job, attempt));
            assert_eq!(
                saved.map(|saved| saved.commitment.0),
                Some(args.commitment),
                "committed, not saved"
            );
            self.commitments
                .entry((job, attempt))
                .or_default()
                .insert(args.commitment);
        }
        self.transactions.push((job, attempt, intent));
    }

    fn deliver(&mut self, event: Event) {
        let now = UnixSeconds(self.now);
        match event {
            Event::Prepared(job) => {
                let result = self.prepare_faults.pop().map_or(Ok(()), Err);
                self.core.handle_prepared(job, result, now);
            }
            Event::Tried(job) => {
                let tried = self.trials.pop().unwrap_or(Tried::Answered);
                self.core.handle_tried(job, tried, now);
            }
            Event::Ran(job, attempt) => {
                let computed = Computed {
                    root: Digest([5; 32]),
                    hints_digest: Digest::of(&[]),
                    body: Arc::default(),
                };
                let result = self.run_faults.pop().map_or(Ok(computed), Err);
                let (salt, worker_secret) = (self.fresh(), self.fresh());
                self.core.handle_ran(
                    job,
                    attempt,
                    result,
                    Fresh {
                        salt,
                        worker_secret,
                    },
                    now,
                );
            }
            Event::Saved(job, attempt) => {
                let journaled = self.journal.results.get(&(job, attempt)).cloned();
                self.core.handle_saved(job, attempt, journaled, now);
            }
            Event::Submitted(job, attempt, step, outcome) => {
                self.core.handle_submitted(job, attempt, step, outcome, now);
            }
        }
    }

    /// A transaction reaches the chain: the market's rules decide, the worker hears of it later.
    fn land(&mut self, position: usize) {
        let (job, attempt, intent) = self.transactions.remove(position);
        let outcome = match self.execute(job, attempt, &intent) {
            Ok(()) => Submitted::Landed,
            Err(error) => Submitted::Refused(Some(error)),
        };
        self.events
            .push(Event::Submitted(job, attempt, intent.step(), outcome));
    }

    fn expire(&mut self, position: usize) {
        let (job, attempt, intent) = self.transactions.remove(position);
        self.events.push(Event::Submitted(
            job,
            attempt,
            intent.step(),
            Submitted::Expired,
        ));
    }

    fn tell_job(&mut self, job: Address) {
        if let Some(data) = self.chain.get(&job) {
            self.core.handle_job(job, data, UnixSeconds(self.now));
        }
    }

    fn tell_jobs(&mut self) {
        let now = UnixSeconds(self.now);
        for (job, data) in &self.chain {
            self.core.handle_job(*job, data, now);
        }
    }

    fn fresh(&mut self) -> [u8; 32] {
        self.nonce += 1;
        Digest::of(&[&self.nonce.to_le_bytes()]).0
    }

    fn pick(&mut self, choices: u8) -> u8 {
        self.fresh()[0] % choices
    }
}
