//! Whole ways of audits: a job brought before a panel, and a panel played as a test wants it.

use assay_client::protocol::{
    JobStatus, UnixSeconds, commitment::secret_hash, panel::UNAVAILABLE, terms::JobTerms,
    verdict::SeatOutcome,
};

use crate::{
    Job, Model, Provider, SOL, World,
    panel::{OTHER_ROOT, ROOT},
};

/// A market with a primary, auditors and a model, all of them old enough to sit.
#[derive(Clone)]
pub struct Court {
    pub world: World,
    pub primary: Provider,
    /// Eight, so that two panels of five never run out of three and five.
    pub auditors: Vec<Provider>,
    pub model: Model,
}

impl Court {
    /// The local market.
    pub fn new() -> Self {
        let mut world = World::new();
        let primary = world.do_provider();
        // Enough collateral for many jobs.
        world.do_stake_deposit(&primary, 90 * SOL);
        let auditors = (0..8).map(|_| world.do_provider()).collect();
        let model = world.do_model_register();
        world.pass(world.market().params.stake_age_secs + 1);
        Self {
            world,
            primary,
            auditors,
            model,
        }
    }

    /// A job that the primary has committed to.
    #[track_caller]
    pub fn committed(&mut self, change: impl FnOnce(&mut JobTerms)) -> Job {
        let job = self.world.new_job(&self.model);
        let job = Job {
            args: job.args,
            ..job
        }
        .with_terms(|terms| {
            *terms = World::audited_terms(&job.secret);
            change(terms);
        });
        self.world.do_job_create_as(&job);
        // Half of the ramp, so that the price is neither the floor nor the ceiling.
        self.world.pass(30);
        self.world.do_job_claim(&job, &self.primary);
        self.world.do_job_commit(&job, &self.primary);
        job
    }

    /// A job that waits for its first panel.
    #[track_caller]
    pub fn drawn(&mut self) -> Job {
        let job = self.committed(|_| {});
        self.world.do_job_finalize(&job, &self.primary);
        assert_eq!(self.world.status(&job), JobStatus::Auditing);
        job
    }

    /// A job that waits for its second panel without having had a first one.
    #[track_caller]
    pub fn disputed(&mut self) -> Job {
        let job = self.committed(|_| {});
        self.world.do_job_dispute(&job);
        assert_eq!(self.world.status(&job), JobStatus::Appealing);
        job
    }

    /// The auditors that come to the job's convened panel: the first to level 1, the last to level 2.
    pub fn bench(&self, job: &Job, seats: usize) -> Vec<Provider> {
        if self.world.job(&job.account).level == 1 {
            self.auditors.iter().take(seats).copied().collect()
        } else {
            self.auditors.iter().rev().take(seats).copied().collect()
        }
    }

    /// Opens the job's convened panel and seats as many auditors as there are outcomes, until none may join any more.
    #[track_caller]
    pub fn seated(&mut self, job: &Job, seats: usize) -> Vec<Provider> {
        let panel = self.world.do_panel_open(job);
        let bench = self.bench(job, seats);
        for auditor in &bench {
            self.world.do_panel_join(job, auditor);
        }
        let deadline = self.world.panel(&panel).join_deadline;
        self.world.pass_deadline(UnixSeconds(deadline));
        bench
    }

    /// Seats auditors that do these things, lets the primary reveal or not, and waits until the panel is over.
    #[track_caller]
    pub fn played(&mut self, job: &Job, outcomes: &[SeatOutcome], primary: bool) -> Vec<Provider> {
        let seats: Vec<SeatOutcome> = outcomes
            .iter()
            .copied()
            .filter(|outcome| *outcome != SeatOutcome::Empty)
            .collect();
        let bench = self.seated(job, seats.len());
        for (auditor, outcome) in bench.iter().zip(&seats) {
            if let Some(root) = committed_root(*outcome) {
                self.world.do_panel_commit(job, auditor, root);
            }
        }
        let panel = self.world.panel(&self.world.panel_of(job));
        if panel.committed < panel.joined {
            self.world.pass_deadline(UnixSeconds(panel.commit_deadline));
        }
        for (auditor, outcome) in bench.iter().zip(&seats) {
            if let (Some(root), true) = (committed_root(*outcome), *outcome >= SeatOutcome::Equal) {
                self.world.do_panel_reveal(job, auditor, root);
            }
        }
        if primary && !self.world.job(&job.account).is_revealed() {
            self.world.do_job_reveal(job);
        }
        let panel = self.world.panel(&self.world.panel_of(job));
        let revealed = self.world.job(&job.account).is_revealed();
        if panel.committed > 0 && (panel.revealed < panel.committed || !revealed) {
            self.world.pass_deadline(UnixSeconds(panel.reveal_deadline));
        }
        bench
    }

    /// Plays the convened panel and lets it speak.
    #[track_caller]
    pub fn judged(&mut self, job: &Job, outcomes: &[SeatOutcome], primary: bool) -> Vec<Provider> {
        let bench = self.played(job, outcomes, primary);
        self.world.do_panel_resolve(job);
        bench
    }

    /// A job whose first panel disagreed: it waits for its second one.
    #[track_caller]
    pub fn dissented(&mut self) -> Job {
        use SeatOutcome::{Different, Equal};
        let job = self.drawn();
        self.judged(&job, &[Equal, Different], true);
        assert_eq!(self.world.status(&job), JobStatus::Appealing);
        job
    }

    /// A job that was audited and settled, its panel not yet paid.
    #[track_caller]
    pub fn confirmed(&mut self) -> (Job, Vec<Provider>) {
        let job = self.drawn();
        let bench = self.judged(&job, &[SeatOutcome::Equal; 2], true);
        assert_eq!(self.world.status(&job), JobStatus::Settled);
        (job, bench)
    }
}

impl Default for Court {
    fn default() -> Self {
        Self::new()
    }
}

/// What an auditor that does this commits to; none where it never commits.
fn committed_root(outcome: SeatOutcome) -> Option<[u8; 32]> {
    match outcome {
        SeatOutcome::Empty | SeatOutcome::Joined => None,
        SeatOutcome::Committed | SeatOutcome::Equal => Some(ROOT),
        SeatOutcome::Different => Some(OTHER_ROOT),
        SeatOutcome::Unavailable => Some(UNAVAILABLE),
    }
}

impl World {
    /// Terms of a job that is always audited, by two: K = 0.1 SOL, a = 0.15 SOL, C = 4 SOL.
    pub fn audited_terms(secret: &[u8; 32]) -> JobTerms {
        JobTerms {
            audit_fee: 15 * SOL / 100,
            collateral: 4 * SOL,
            audit_bps: 10_000,
            panel_size: 2,
            requester_secret_hash: secret_hash(secret).0,
            ..Self::terms(secret)
        }
    }
}
