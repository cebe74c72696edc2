//! What transactions did: what was done twice, and which deadlines were missed. A rollback takes back what it knows too.

use std::collections::{BTreeMap, BTreeSet};

use assay_client::{
    address, discriminator,
    instruction::{self, InstructionSpec},
    protocol::{Address, JobData, JobStatus, PanelData, panel::SeatState},
};
use assay_tests::Outcome;
use solana_instruction::Instruction;
use solana_sdk_ids::ed25519_program;

use super::{calendar::Calendar, mail::Mail, mishaps::Census, net::short, view::View};

/// What one party means to do once: its wallet, the step, the job's attempt and level, and for settling the seat, or
/// the session's sum.
pub type Intent = (Address, &'static str, Address, u8, u8, u64);

/// How often an intent was carried out, and how often it failed in a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tries {
    pub accepted: u32,
    pub failed: u32,
}

impl Tries {
    fn count(&mut self, outcome: &Outcome) {
        if outcome.is_accepted() {
            self.accepted += 1;
        } else {
            self.failed += 1;
        }
    }
}

/// A deadline that its provider missed, or a job that it gave back.
#[derive(Clone, Debug)]
pub struct Miss {
    pub provider: Address,
    pub job: Address,
    pub what: &'static str,
    /// When it could have been done.
    pub from_ms: u64,
    pub until_ms: u64,
}

/// What is sent whether or not the disk takes its row.
const OWED: [&str; 3] = ["job_finalize", "panel_reveal", "job_reveal"];

#[derive(Clone, Debug)]
pub struct Trail {
    calendar: Calendar,
    pub tries: BTreeMap<Intent, Tries>,
    pub misses: Vec<Miss>,
    /// What can have no excuse.
    pub wrongs: Vec<String>,
    /// How jobs ended, and by which panels.
    pub census: Census,
    /// Signatures of transactions that did only what is owed.
    pub owed: BTreeSet<[u8; 64]>,
    /// When the last seat of a panel committed.
    committed: BTreeMap<Address, u64>,
}

impl Trail {
    pub fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            tries: BTreeMap::new(),
            misses: Vec::new(),
            wrongs: Vec::new(),
            census: Census::default(),
            owed: BTreeSet::new(),
            committed: BTreeMap::new(),
        }
    }

    /// Takes a transaction over; returns what it was, for the log.
    pub fn enter(
        &mut self,
        slot: u64,
        mail: &Mail,
        outcome: &Outcome,
        [before, after]: [&View; 2],
    ) -> String {
        let ms = self.calendar.made_at(slot);
        let mut acts = mail.instructions.iter().filter_map(Act::of).peekable();
        if acts.peek().is_some() && acts.all(|act| OWED.contains(&act.spec.name)) {
            self.owed.insert(mail.signature);
        }
        let mut line = String::new();
        for instruction in &mail.instructions {
            let Some(act) = Act::of(instruction) else {
                continue;
            };
            let Some((job, data)) = act.job([before, after]) else {
                line.push_str(act.spec.name);
                if let Some(session) = act.account("session") {
                    line = format!("{line} {}", short(session.as_ref()));
                    let sum = sum_of(mail).filter(|_| act.spec.name == "session_settle");
                    let intent = (mail.payer, act.spec.name, session, 0, 0, sum.unwrap_or(0));
                    self.tries.entry(intent).or_default().count(outcome);
                }
                continue;
            };
            let seat = if act.spec.name == "seat_settle" {
                u64::from(act.instruction.data[8])
            } else {
                0
            };
            // A job of level 2 has two panels.
            let level = act
                .panel([before, after])
                .map_or(data.level, |panel| panel.level);
            let intent = (mail.payer, act.spec.name, job, data.attempt, level, seat);
            self.tries.entry(intent).or_default().count(outcome);
            if outcome.is_accepted() {
                self.forget_evicted(job, &data, [before, after]);
                self.judge(ms, act.spec.name, job, [before, after]);
            }
            let status = |view: &View| view.jobs.get(&job).map_or(0, |job| job.status);
            line = format!(
                "{} by {} {} attempt {} level {level} status {}->{}",
                act.spec.name,
                short(mail.payer.as_ref()),
                short(job.as_ref()),
                data.attempt,
                status(before),
                status(after),
            );
        }
        line
    }

    /// Whoever lost its seat to a better ticket may ask for one again.
    fn forget_evicted(&mut self, job: Address, data: &JobData, [before, after]: [&View; 2]) {
        let account = address::panel(&job, data.level);
        let panels = before.panels.get(&account).zip(after.panels.get(&account));
        for seat in panels.iter().flat_map(|(was, _)| &was.seats) {
            let left = panels.is_some_and(|(_, is)| !is.seats_provider(&seat.provider));
            let provider = before.providers.get(&seat.provider).filter(|_| left);
            let Some(operator) = provider.map(|provider| provider.operator) else {
                continue;
            };
            let intent = (operator, "panel_join", job, data.attempt, data.level, 0);
            if let Some(tries) = self.tries.get_mut(&intent) {
                tries.accepted = 0;
            }
        }
    }

    /// Notes what an accepted step says of earlier duties.
    fn judge(&mut self, ms: u64, step: &str, address: Address, [before, after]: [&View; 2]) {
        let Some(job) = before.jobs.get(&address) else {
            return;
        };
        let status = job.status().expect("the program writes known statuses");
        let ended = after.jobs.get(&address).and_then(|job| job.status().ok());
        if let Some(ended) = ended.filter(|ended| ended.is_terminal() && !status.is_terminal()) {
            let level = job.level;
            self.census
                .count(format!("job {} at level {level}", ended.name()));
        }
        let claimed = self.calendar.ms_of(job.claimed_at);
        let mut miss = |provider, what, from_ms, until_ms| {
            self.misses.push(Miss {
                provider,
                job: address,
                what,
                from_ms,
                until_ms,
            });
        };
        match (step, status) {
            ("job_release", _) => miss(job.provider, "job given back", claimed, ms),
            ("job_expire", JobStatus::Claimed) => {
                let until = self
                    .calendar
                    .ms_of(job.compute_deadline().expect("small").0);
                miss(job.provider, "commitment missed", claimed, until);
            }
            ("job_expire", JobStatus::Committed) => {
                let from = self
                    .calendar
                    .ms_of(job.challenge_deadline().expect("small").0);
                miss(job.provider, "finalizing missed", from, ms);
            }
            ("panel_commit", _) => {
                let panel = address::panel(&address, job.level);
                self.committed.insert(panel, ms);
            }
            ("panel_resolve", _) => {
                self.judge_panel(ms, address, job, before);
                if ended == Some(JobStatus::Faulted) && job.is_revealed() {
                    let job = short(address.as_ref());
                    self.wrongs
                        .push(format!("job {job}: an honest provider was faulted"));
                }
            }
            _ => {}
        }
    }

    fn judge_panel(&mut self, ms: u64, address: Address, job: &JobData, before: &View) {
        let account = address::panel(&address, job.level);
        let at = |second: i64| self.calendar.ms_of(second);
        let mut missed = Vec::new();
        match before.panels.get(&account) {
            None => {
                let until = job.panel_open_deadline().expect("small").0;
                missed.push((
                    job.provider,
                    "panel not opened",
                    at(job.convened_at),
                    at(until),
                ));
            }
            Some(panel) => {
                let window = self.reveal_window(ms, &account, panel);
                for seat in &panel.seats {
                    if seat.state == SeatState::Joined as u8 {
                        let (from, until) = (at(panel.join_deadline), at(panel.commit_deadline));
                        missed.push((seat.provider, "seat's commitment missed", from, until));
                    } else if seat.state == SeatState::Committed as u8 {
                        missed.push((seat.provider, "seat's reveal missed", window.0, window.1));
                    }
                }
                if panel.committed > 0 && !job.is_revealed() {
                    missed.push((job.provider, "primary's reveal missed", window.0, window.1));
                }
            }
        }
        let missed = missed
            .into_iter()
            .map(|(provider, what, from_ms, until_ms)| Miss {
                provider,
                job: address,
                what,
                from_ms,
                until_ms,
            });
        self.misses.extend(missed);
    }

    fn reveal_window(&self, ms: u64, account: &Address, panel: &PanelData) -> (u64, u64) {
        let at = |second: i64| self.calendar.ms_of(second);
        let committed = if panel.committed == panel.joined {
            self.committed.get(account).copied().unwrap_or(0)
        } else {
            at(panel.commit_deadline)
        };
        let from = committed.max(at(panel.join_deadline));
        (from, at(panel.reveal_deadline).min(ms))
    }
}

/// The session that a transaction closes, if it is there for that.
pub fn closed_by(mail: &Mail) -> Option<Address> {
    let mut acts = mail.instructions.iter().filter_map(Act::of);
    acts.find(|act| act.spec.name == "session_close")?
        .account("session")
}

/// The sum of the voucher that a transaction proves.
fn sum_of(mail: &Mail) -> Option<u64> {
    let mut instructions = mail.instructions.iter();
    let proof = instructions.find(|instruction| instruction.program_id == ed25519_program::ID)?;
    let sum = proof.data.get(146..154)?.try_into().ok()?;
    Some(u64::from_le_bytes(sum))
}

/// An instruction of the program.
struct Act<'a> {
    spec: &'static InstructionSpec,
    instruction: &'a Instruction,
}

impl<'a> Act<'a> {
    fn of(instruction: &'a Instruction) -> Option<Self> {
        let spec = instruction::ALL.iter().find(|spec| {
            instruction
                .data
                .starts_with(&discriminator::instruction(spec.name))
        })?;
        Some(Self { spec, instruction })
    }

    fn account(&self, name: &str) -> Option<Address> {
        let mut accounts = self.spec.accounts.iter();
        let position = accounts.position(|account| account.name == name)?;
        Some(self.instruction.accounts.get(position)?.pubkey)
    }

    /// The job that it is about, as it was before, or as it is if it is new.
    fn job(&self, views: [&View; 2]) -> Option<(Address, JobData)> {
        let of_panel = || self.panel(views).map(|panel| panel.job);
        let job = self.account("job").or_else(of_panel)?;
        let data = views.iter().find_map(|view| view.jobs.get(&job))?;
        Some((job, *data))
    }

    /// The panel that it is about, likewise.
    fn panel<'v>(&self, views: [&'v View; 2]) -> Option<&'v PanelData> {
        let panel = self.account("panel")?;
        views.iter().find_map(|view| view.panels.get(&panel))
    }
}
