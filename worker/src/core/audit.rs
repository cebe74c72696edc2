//! What the worker does about jobs that are being judged: as their primary, as an auditor, or to
//! become one.
//!
//! Pure like the rest of the core: readings and the chain's time come in by `handle_*`, effects go
//! out by [`Audits::poll_command`]. What is to be done follows from the newest readings alone, so a
//! restart finds itself by reading; only salts and roots come from the journal. Reveals go before
//! everything else: a commitment that is not opened in time costs a bond, or the collateral.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use assay_protocol::{
    Address, JobData, JobStatus, LAYOUT_VERSION, PanelData, ProviderData, UnixSeconds,
    limits::OPEN_SLOT_AGE,
};

use super::command::{Fresh, PrepareFault, RunFault, Submitted};
use super::{admission::Admission, policy::Identity};

mod brought;
mod case;
mod command;
mod duties;
mod join;
mod look;
mod outlook;
mod policy;
mod seal;
mod tell;
mod trial;

#[cfg(test)]
mod tests;

pub use brought::{Brought, brought};
pub use command::{
    AuditCommand, AuditIntent, AuditReport, AuditStep, Evidence, Examined, PrimaryOpening,
    Recalled, SavedSeat, TryKey,
};
pub use look::AuditCounts;
pub use outlook::{Outlook, outcome, outlooks, resolution};
pub use policy::AuditPolicy;

pub use case::is_newer;
use case::{Case, Files, Recall, SeatWork, Try, back_off, is_judged, of_mut};

/// Longest wait between two tries, as a power of two in seconds; less where a deadline is near.
const PATIENT: u8 = 5;
const URGENT: u8 = 1;
const OPENING: u8 = 3;
/// How long a transaction that landed may stay invisible before its step is looked at again.
const VISIBLE_SECS: i64 = 10;

pub struct Audits {
    me: Identity,
    policy: AuditPolicy,
    account: Option<ProviderData>,
    cases: BTreeMap<Address, Case>,
    /// Of the journal; the next reading decides what they mean. With the slot that first missed
    /// them.
    restored: BTreeMap<Address, Option<u64>>,
    commands: VecDeque<AuditCommand>,
    joining: bool,
    admission: Admission,
    /// Models that failed here: no seats for a while.
    paused_models: BTreeSet<[u8; 32]>,
}

impl Audits {
    pub fn new(me: Identity, policy: AuditPolicy) -> Self {
        Self {
            admission: Admission::new(policy.admission.clone()),
            paused_models: BTreeSet::new(),
            me,
            policy,
            account: None,
            cases: BTreeMap::new(),
            restored: BTreeMap::new(),
            commands: VecDeque::new(),
            joining: false,
        }
    }

    /// Takes over an audit that had not ended when the worker stopped.
    pub fn restore(&mut self, job: Address) {
        self.restored.insert(job, None);
    }

    /// From now on new seats are taken.
    pub fn start(&mut self) {
        self.joining = true;
    }

    /// Takes no new seats until the next start.
    pub fn pause(&mut self) {
        self.joining = false;
    }

    pub fn poll_command(&mut self) -> Option<AuditCommand> {
        self.commands.pop_front()
    }

    pub fn handle_provider(&mut self, account: &ProviderData) {
        self.account = Some(*account);
    }

    /// A reading of a job; older ones than the newest known are ignored.
    pub fn handle_job(&mut self, address: Address, job: &JobData, now: UnixSeconds) {
        let Ok(status) = job.status() else { return };
        if job.version != LAYOUT_VERSION {
            return;
        }
        if let Some(case) = self.cases.get_mut(&address) {
            case.missing_since = None;
            if is_newer(job.sequence, case.job.sequence) {
                case.job = *job;
                case.over_since = None;
            }
        } else {
            // A node that lags shows the time before the audit: the journal knows better.
            let restored = self.restored.get_mut(&address).is_some_and(|missed| {
                *missed = None;
                true
            });
            let known = restored && (is_judged(status) || status.is_terminal());
            if !(known || self.is_for_us(job, status)) {
                return;
            }
            self.restored.remove(&address);
            let mut case = Case::new(*job, now);
            // Its panels are read as those of any audit that is ours; the journal has an older state.
            case.kept = restored.then_some([0; 3]);
            self.cases.insert(address, case);
        }
        self.follow(address, now);
    }

    /// A reading of a job's panels of levels 1 and 2, made after one of the job.
    pub fn handle_panels(
        &mut self,
        address: Address,
        panels: [Option<&PanelData>; 2],
        now: UnixSeconds,
    ) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let closed = case.is_closed(panels);
        for (level, read) in (1_u8..).zip(panels) {
            let gone = read.is_none() && closed;
            let known = of_mut(&mut case.panels, level);
            match (read, &known) {
                (Some(read), Some(before)) if !is_newer(read.sequence, before.sequence) => {}
                (Some(read), _) => *known = Some(*read),
                // A panel lives until its job has ended and says so; before, the node lags.
                (None, _) => *of_mut(&mut case.closed, level) = gone,
            }
        }
        self.follow(address, now);
    }

    /// A reading at `slot` did not find the job. Gone is what two readings miss: as far apart as an
    /// account lives at least where the audit had not ended, for a seat's bond may hang on it.
    pub fn handle_gone(&mut self, address: Address, slot: u64) {
        if let Some(since) = self.restored.get_mut(&address) {
            let since = *since.get_or_insert(slot);
            if slot > since.saturating_add(OPEN_SLOT_AGE) {
                self.restored.remove(&address);
                self.gone(address);
            }
        }
        if let Some(case) = self.cases.get_mut(&address) {
            if slot <= case.job.open_slot.saturating_add(OPEN_SLOT_AGE) {
                return;
            }
            let since = *case.missing_since.get_or_insert(slot);
            let patience = if case.is_judged() { OPEN_SLOT_AGE } else { 0 };
            if slot > since.saturating_add(patience) {
                self.gone(address);
            }
        }
    }

    fn gone(&mut self, job: Address) {
        // Closed right after its end: what was read last tells how that was.
        if self.cases.get(&job).is_some_and(Case::shows_its_end) {
            return self.end(job);
        }
        self.cases.remove(&job);
        let report = AuditReport::Gone;
        self.commands
            .push_back(AuditCommand::Report { job, report });
        self.commands.push_back(AuditCommand::Forget { job });
    }

    /// Every job that is judged now: whatever is not ours and not among them has ended.
    pub fn handle_listed(&mut self, judged: &BTreeSet<Address>) {
        let over: Vec<Address> = self
            .cases
            .iter()
            .filter(|(address, case)| !self.is_ours(case) && !judged.contains(address))
            .map(|(address, _)| *address)
            .collect();
        for job in over {
            self.end(job);
        }
    }

    /// What the journal keeps; none if it could not be read.
    pub fn handle_recalled(
        &mut self,
        address: Address,
        attempt: u8,
        recalled: Option<Recalled>,
        now: UnixSeconds,
    ) {
        if let Some(case) = self.cases.get_mut(&address)
            && case.job.attempt == attempt
        {
            match recalled {
                Some(recalled) => case.recall(recalled),
                None => {
                    case.recall = Recall::Unasked;
                    case.recall_due = UnixSeconds(now.0.saturating_add(1));
                }
            }
        }
        self.follow(address, now);
    }

    pub fn handle_prepared(
        &mut self,
        address: Address,
        result: Result<(), PrepareFault>,
        now: UnixSeconds,
    ) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        if case.files != Files::Preparing {
            return;
        }
        let seated = case.is_seated(&self.me.provider);
        match result {
            Ok(()) => case.files = Files::Ready,
            // Whoever holds a seat has everything to win by trying on.
            Err(PrepareFault::Never) if !seated => case.files = Files::Refused,
            Err(PrepareFault::Never | PrepareFault::Later) => {
                case.files = Files::Absent;
                case.files_due = back_off(&mut case.files_failures, 2, now);
            }
        }
        self.follow(address, now);
    }

    /// A run ended. `fresh` is drawn for this call and used if there is something to commit to.
    pub fn handle_ran(
        &mut self,
        address: Address,
        level: u8,
        result: Result<Examined, RunFault>,
        fresh: Fresh,
        now: UnixSeconds,
    ) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        if *of_mut(&mut case.work, level) != SeatWork::Running {
            return;
        }
        *of_mut(&mut case.work, level) = SeatWork::Idle;
        self.examined(address, level, result, fresh, now);
        self.follow(address, now);
    }

    /// What the journal holds after the last [`AuditCommand::Save`]; none if it could not be written.
    pub fn handle_saved(
        &mut self,
        address: Address,
        level: u8,
        journaled: Option<SavedSeat>,
        now: UnixSeconds,
    ) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        *of_mut(&mut case.work, level) = SeatWork::Idle;
        match journaled {
            Some(saved) => case.saved.push(saved),
            None => {
                let failures = of_mut(&mut case.work_failures, level);
                let due = back_off(failures, URGENT, now);
                *of_mut(&mut case.work_due, level) = due;
            }
        }
        self.follow(address, now);
    }

    /// Tells how a transaction ended.
    pub fn handle_submitted(
        &mut self,
        address: Address,
        key: TryKey,
        outcome: Submitted,
        now: UnixSeconds,
    ) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        if let Some(tried) = case.tries.get_mut(&key) {
            tried.in_flight = false;
            tried.due = match outcome {
                Submitted::Landed => UnixSeconds(now.0.saturating_add(VISIBLE_SECS)),
                Submitted::Expired | Submitted::Refused(_) => {
                    let most = match key.0 {
                        AuditStep::Commit | AuditStep::Reveal | AuditStep::RevealPrimary => URGENT,
                        // Few places are guessed right at once.
                        AuditStep::Open => OPENING,
                        AuditStep::Join
                        | AuditStep::Resolve
                        | AuditStep::Settle
                        | AuditStep::Close => PATIENT,
                    };
                    back_off(&mut tried.failures, most, now)
                }
            };
        }
        self.follow(address, now);
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now: UnixSeconds) {
        let addresses: Vec<Address> = self.cases.keys().copied().collect();
        for address in addresses {
            self.follow(address, now);
        }
    }

    /// Primary, seated, asked for a seat, or owed a panel's rent.
    fn is_ours(&self, case: &Case) -> bool {
        let seated = case.kept.is_some() || case.is_seated(&self.me.provider);
        case.job.provider == self.me.provider || seated || self.has_lent(case)
    }

    /// Whether a job that is not known is to be followed.
    fn is_for_us(&self, job: &JobData, status: JobStatus) -> bool {
        let room = self.cases.len() < self.policy.watched_jobs;
        let wanted = || room && self.joining && self.wants(job);
        is_judged(status) && (job.provider == self.me.provider || wanted())
    }

    /// Whether it is worth a reading that a stranger shows this job.
    pub fn minds(&self, address: &Address, job: &JobData) -> bool {
        match self.cases.get(address) {
            Some(case) => is_newer(job.sequence, case.job.sequence),
            None => {
                let new = job.status().is_ok_and(|status| self.is_for_us(job, status));
                new || self.restored.contains_key(address)
            }
        }
    }

    fn wants(&self, job: &JobData) -> bool {
        let account = self.account.as_ref();
        account.is_some_and(|account| self.policy.wants(&self.me, account, job))
    }

    fn drop_case(&mut self, job: Address) {
        if self.cases.remove(&job).is_some() {
            self.commands.push_back(AuditCommand::Forget { job });
        }
    }

    /// Notes that a transaction is on its way and asks for it; reveals first of all.
    fn submit(&mut self, address: Address, intent: AuditIntent, now: UnixSeconds) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let tried = case.tries.entry(intent.key()).or_insert(Try {
            in_flight: false,
            due: now,
            failures: 0,
        });
        if tried.in_flight || tried.due > now {
            return;
        }
        tried.in_flight = true;
        let job = address;
        let command = AuditCommand::Submit { job, intent };
        if matches!(intent.step(), AuditStep::Reveal | AuditStep::RevealPrimary) {
            self.commands.push_front(command);
        } else {
            self.commands.push_back(command);
        }
    }
}
