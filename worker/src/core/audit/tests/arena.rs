//! A job under judgement, its panels under the market's own rules, and one audits' core for each
//! provider, with a journal that survives and a shell that answers at once.

use std::{collections::BTreeMap, sync::Arc};

use assay_protocol::{
    Address, Digest, JobStatus, Lamports, args::JobFinalizeArgs, job::Finalized, panel::SeatState,
    verdict::Verdict,
};
use bytemuck::Zeroable;

use super::super::*;
use crate::core::{Tried, command::Body};

mod chain;
mod terms;

use terms::{job, policy};

pub const JOB: Address = Address::new_from_array([9; 32]);
pub const PROGRAM: Address = Address::new_from_array([160; 32]);
pub const ROOT: Digest = Digest([5; 32]);
const SALT: [u8; 32] = [44; 32];
const START: i64 = 1_000_000;

/// The provider's account of a node; node 0 is the job's primary.
pub fn provider(node: u8) -> Address {
    Address::new_from_array([100 + node; 32])
}

fn operator(node: u8) -> Address {
    Address::new_from_array([200 + node; 32])
}

/// What a node's engine finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finds {
    Same,
    Other,
    HintsMissing,
    HintsWrong,
    Crash,
}

pub struct Node {
    pub core: Audits,
    pub finds: Finds,
    pub online: bool,
    /// Transactions of these steps expire, so often.
    pub expire: BTreeMap<AuditStep, u32>,
    pub journal: Vec<SavedSeat>,
    pub opening: Option<PrimaryOpening>,
    pub kept: Option<Evidence>,
    pub reports: Vec<&'static str>,
    pub sent: Vec<&'static str>,
    pub runs: u32,
    pub prepare_faults: Vec<PrepareFault>,
    /// How the next trials end, the last one first; the others are answered.
    pub trials: Vec<Tried>,
    me: Identity,
    pub policy: AuditPolicy,
    number: u8,
}

pub struct Arena {
    pub now: i64,
    pub job: JobData,
    pub panels: [Option<PanelData>; 2],
    pub providers: BTreeMap<Address, ProviderData>,
    pub nodes: Vec<Node>,
    slot: u64,
    salts: u64,
}

impl Arena {
    /// A committed job, one primary and so many others, each with ten tickets.
    pub fn new(others: u8) -> Self {
        Self::with(others, |_, _| ())
    }

    pub fn with(others: u8, change: impl Fn(u8, &mut AuditPolicy)) -> Self {
        let mut arena = Self {
            now: START,
            job: job(),
            panels: [None; 2],
            providers: BTreeMap::new(),
            nodes: Vec::new(),
            slot: 1_000,
            salts: 0,
        };
        for number in 0..=others {
            let mut account = ProviderData::zeroed();
            (account.operator, account.generation) = (operator(number), 7);
            (account.stake, account.aged_at) = (100_000, START - 1_000);
            arena.providers.insert(provider(number), account);
            let mut policy = policy();
            change(number, &mut policy);
            let me = Identity {
                program_id: PROGRAM,
                provider: provider(number),
                operator: operator(number),
            };
            let commitment = Digest(arena.job.commitment);
            let opening = PrimaryOpening {
                salt: SALT,
                root: ROOT,
                commitment,
            };
            let mut core = Audits::new(me, policy.clone());
            core.start();
            arena.nodes.push(Node {
                core,
                finds: Finds::Same,
                online: true,
                expire: BTreeMap::new(),
                journal: Vec::new(),
                opening: (number == 0).then_some(opening),
                kept: None,
                reports: Vec::new(),
                sent: Vec::new(),
                runs: 0,
                prepare_faults: Vec::new(),
                trials: Vec::new(),
                me,
                policy,
                number,
            });
        }
        let primary = arena.providers.get_mut(&provider(0)).unwrap();
        primary.reserve(Lamports(20_000)).unwrap();
        arena
    }

    /// The job is drawn: the level-1 panel is convened.
    pub fn audit(&mut self) {
        let args = JobFinalizeArgs {
            worker_secret: [1; 32],
            requester_secret: [2; 32],
            acknowledged: 1,
        };
        let now = UnixSeconds(self.now);
        let audited = self.job.finalize(&JOB, &args, self.slot, now).unwrap();
        assert_eq!(audited, Finalized::Audited);
        self.play();
    }

    /// Its requester objects instead.
    pub fn dispute(&mut self) {
        self.job.committed_at = self.now;
        self.job.dispute(self.slot, UnixSeconds(self.now)).unwrap();
        self.play();
    }

    pub fn status(&self) -> JobStatus {
        self.job.status().unwrap()
    }

    pub fn verdict(&self) -> Option<Verdict> {
        Verdict::from_byte(self.job.verdict)
    }

    pub fn panel(&self, level: usize) -> &PanelData {
        self.panels[level - 1].as_ref().unwrap()
    }

    pub fn seated(&self, level: usize) -> Vec<Address> {
        let seats = self.panel(level).seats.iter();
        let taken = seats.filter(|seat| seat.state != SeatState::Empty as u8);
        taken.map(|seat| seat.provider).collect()
    }

    /// The node that holds this seat.
    pub fn sitter(&mut self, level: usize, seat: usize) -> &mut Node {
        let holder = self.panel(level).seats[seat].provider;
        let node = self
            .nodes
            .iter_mut()
            .find(|node| node.me.provider == holder);
        node.unwrap()
    }

    /// Seconds pass one by one, slots two a second, and everybody does what follows.
    pub fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += 1;
            self.slot += 2;
            self.play();
        }
    }

    /// Until the convened panel is in this phase.
    pub fn pass_until(&mut self, what: impl Fn(&Self) -> bool) {
        for _ in 0..300 {
            if what(self) {
                return;
            }
            self.pass(1);
        }
        panic!("does not happen; the job is {}", self.status().name());
    }

    /// Everybody reads and acts until nothing changes any more.
    pub fn play(&mut self) {
        loop {
            let mut acted = false;
            for position in 0..self.nodes.len() {
                acted |= self.turn(position);
            }
            if !acted {
                return;
            }
        }
    }

    /// kill -9 and a new start of one node.
    pub fn restart(&mut self, position: usize) {
        let node = &mut self.nodes[position];
        node.core = Audits::new(node.me, node.policy.clone());
        if node.kept.as_ref().is_some_and(|kept| !kept.ended) {
            node.core.restore(JOB);
        }
        node.core.start();
    }

    fn turn(&mut self, position: usize) -> bool {
        if !self.nodes[position].online {
            return false;
        }
        let (now, me) = (UnixSeconds(self.now), self.nodes[position].me.provider);
        let (job, panels, account) = (self.job, self.panels, self.providers[&me]);
        let core = &mut self.nodes[position].core;
        core.handle_provider(&account);
        let watched = core.live_jobs().contains(&JOB);
        let judged = matches!(
            job.status().unwrap(),
            JobStatus::Auditing | JobStatus::Appealing
        );
        // As the shell: what is ours is read, the rest listed while it is judged.
        if watched || judged {
            core.handle_job(JOB, &job, now);
            core.handle_panels(JOB, panels.each_ref().map(Option::as_ref), now);
        }
        core.handle_listed(&judged.then_some(JOB).into_iter().collect());
        core.handle_time(now);
        let mut acted = false;
        while let Some(command) = self.nodes[position].core.poll_command() {
            acted |= self.carry_out(position, command);
        }
        acted
    }

    fn carry_out(&mut self, position: usize, command: AuditCommand) -> bool {
        let now = UnixSeconds(self.now);
        self.salts += 1;
        let salt = Digest::of(&[&self.salts.to_le_bytes()]).0;
        let node = &mut self.nodes[position];
        match command {
            AuditCommand::Recall { attempt, .. } => {
                let recalled = Recalled {
                    primary: node.opening,
                    seats: node.journal.clone(),
                };
                node.core.handle_recalled(JOB, attempt, Some(recalled), now);
            }
            AuditCommand::Prepare { .. } => {
                node.sent.push("prepare");
                let result = node.prepare_faults.pop().map_or(Ok(()), Err);
                node.core.handle_prepared(JOB, result, now);
            }
            AuditCommand::Try { .. } => {
                node.sent.push("try");
                let tried = node.trials.pop().unwrap_or(Tried::Answered);
                node.core.handle_tried(JOB, tried, now);
            }
            AuditCommand::Run { level, .. } => {
                node.runs += 1;
                let body = Arc::<Body>::default();
                let root = |root| Examined::Root {
                    root,
                    body: Arc::clone(&body),
                };
                let result = match node.finds {
                    Finds::Same => Ok(root(ROOT)),
                    Finds::Other => Ok(root(Digest([66; 32]))),
                    Finds::HintsMissing => Ok(Examined::HintsMissing { body }),
                    Finds::HintsWrong => Ok(Examined::HintsWrong { body }),
                    Finds::Crash => Err(RunFault::Again),
                };
                let fresh = Fresh {
                    salt,
                    worker_secret: [0; 32],
                };
                node.core.handle_ran(JOB, level, result, fresh, now);
            }
            AuditCommand::Save { result, .. } => {
                let level = result.level;
                let known = node
                    .journal
                    .iter()
                    .any(|saved| (saved.level, saved.attempt) == (level, result.attempt));
                assert!(!known, "a result is computed once");
                node.journal.push(result.clone());
                node.core.handle_saved(JOB, level, Some(result), now);
            }
            AuditCommand::Keep { evidence, .. } => {
                node.kept = Some(evidence);
                return false;
            }
            AuditCommand::Submit { intent, .. } => self.submit(position, intent),
            AuditCommand::Report { report, .. } => node.reports.push(report.name()),
            AuditCommand::Discard { .. } => node.sent.push("discard"),
            AuditCommand::Forget { .. } => return false,
        }
        true
    }

    fn submit(&mut self, position: usize, intent: AuditIntent) {
        let now = UnixSeconds(self.now);
        let step = intent.step();
        let node = &mut self.nodes[position];
        node.sent.push(step.name());
        if let AuditIntent::Commit { args, .. } = intent {
            let saved = |seat: &SavedSeat| seat.commitment.0 == args.commitment;
            assert!(node.journal.iter().any(saved), "committed, not saved");
        }
        if matches!(intent, AuditIntent::Join { .. } | AuditIntent::Open { .. }) {
            assert!(node.kept.is_some(), "{} not kept before", step.name());
        }
        let outcome = match node.expire.get_mut(&step) {
            Some(left @ 1..) => {
                *left -= 1;
                Submitted::Expired
            }
            Some(0) | None => match self.execute(position, intent) {
                Ok(()) => Submitted::Landed,
                Err(error) => Submitted::Refused(Some(error)),
            },
        };
        let (job, core) = (self.job, &mut self.nodes[position].core);
        core.handle_job(JOB, &job, now);
        core.handle_submitted(JOB, intent.key(), outcome, now);
    }
}
