//! One audit as this worker knows it.

use std::collections::BTreeMap;

use assay_protocol::{
    Address, JobData, JobStatus, PanelData, UnixSeconds,
    panel::{PanelStatus, Phase, SeatData, SeatState},
};

use crate::core::measured::Size;

use super::{
    command::{AuditStep, Evidence, PrimaryOpening, Recalled, SavedSeat, TryKey},
    outlook::is_final,
};

/// Where the journal's part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recall {
    Unasked,
    Asked,
    Done,
}

/// Where model and input stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    Absent,
    Preparing,
    Ready,
    /// Running once before a seat is asked for.
    Trying,
    /// The same, and the shell has the answer already.
    Tried,
    /// They do not fit: no seat is taken here.
    Refused,
}

/// Where our work for a seat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeatWork {
    Idle,
    Running,
    Saving,
}

/// One kind of transaction of a case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    pub in_flight: bool,
    pub due: UnixSeconds,
    pub failures: u8,
}

/// Waits after a failure: 1, 2, 4 .. seconds, at most 2 ^ `most`.
pub(super) fn back_off(failures: &mut u8, most: u8, now: UnixSeconds) -> UnixSeconds {
    let wait = 1_i64 << (*failures).min(most);
    *failures = failures.saturating_add(1);
    UnixSeconds(now.0.saturating_add(wait))
}

/// What was last reported of a seat of ours, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    None,
    Joined,
    Committed,
    Revealed,
    Settled,
}

#[derive(Debug)]
pub(super) struct Case {
    /// The newest reading, by sequence number.
    pub job: JobData,
    /// Of levels 1 and 2, likewise.
    pub panels: [Option<PanelData>; 2],
    /// The account was there and is gone.
    pub closed: [bool; 2],
    pub recall: Recall,
    /// Not asked again before.
    pub recall_due: UnixSeconds,
    pub opening: Option<PrimaryOpening>,
    pub saved: Vec<SavedSeat>,
    pub files: Files,
    /// Since when a trial runs, and how many seconds it may.
    pub trial: (UnixSeconds, i64),
    /// Next try to prepare, and how many failed.
    pub files_due: UnixSeconds,
    pub files_failures: u8,
    pub work: [SeatWork; 2],
    pub work_due: [UnixSeconds; 2],
    pub work_failures: [u8; 2],
    pub stages: [Stage; 2],
    pub tries: BTreeMap<TryKey, Try>,
    /// Our best ticket and its score, for a seed and a number of tickets.
    pub tickets: Option<([u8; 32], u32, (u32, u64))>,
    /// Since when the convened panel is over.
    pub over_since: Option<UnixSeconds>,
    /// What the journal holds of it: sequence numbers.
    pub kept: Option<[u32; 3]>,
    /// Last level and verdict that were reported.
    pub told: (u8, u8),
    pub secrets_missed: bool,
    pub missing_since: Option<u64>,
}

impl Case {
    pub fn new(job: JobData, now: UnixSeconds) -> Self {
        Self {
            job,
            panels: [None; 2],
            closed: [false; 2],
            recall: Recall::Unasked,
            recall_due: now,
            opening: None,
            saved: Vec::new(),
            files: Files::Absent,
            trial: (now, 0),
            files_due: now,
            files_failures: 0,
            work: [SeatWork::Idle; 2],
            work_due: [now; 2],
            work_failures: [0; 2],
            stages: [Stage::None; 2],
            tries: BTreeMap::new(),
            tickets: None,
            over_since: None,
            kept: None,
            told: (0, 0),
            secrets_missed: false,
            missing_since: None,
        }
    }

    /// Every moment before which something waits.
    pub fn dues(&mut self) -> impl Iterator<Item = &mut UnixSeconds> {
        let tries = self.tries.values_mut().map(|tried| &mut tried.due);
        [&mut self.recall_due, &mut self.files_due]
            .into_iter()
            .chain(&mut self.work_due)
            .chain(tries)
    }

    pub fn status(&self) -> Option<JobStatus> {
        self.job.status().ok()
    }

    pub fn is_judged(&self) -> bool {
        self.status().is_some_and(is_judged)
    }

    pub fn is_terminal(&self) -> bool {
        self.status().is_some_and(JobStatus::is_terminal)
    }

    /// Whether the job and every panel that it had were read after the verdict.
    pub fn shows_its_end(&self) -> bool {
        let shown = |level: &u8| is_final(&self.job, *level, self.panel(*level));
        self.is_terminal() && [1, 2].iter().all(shown)
    }

    pub fn panel(&self, level: u8) -> Option<&PanelData> {
        of(&self.panels, level).as_ref()
    }

    /// The panel that is convened, if it is open.
    pub fn convened(&self) -> Option<&PanelData> {
        self.panel(self.job.level)
    }

    /// A provider's seat on a panel, with its position.
    pub fn seat(&self, level: u8, provider: &Address) -> Option<(u8, &SeatData)> {
        let seats = self.panel(level)?.seats.iter();
        (0_u8..)
            .zip(seats)
            .find(|(_, seat)| seat.state != SeatState::Empty as u8 && seat.provider == *provider)
    }

    pub fn is_seated(&self, provider: &Address) -> bool {
        [1, 2]
            .iter()
            .any(|level| self.seat(*level, provider).is_some())
    }

    /// Whether the panels that a reading missed are closed: the job counts those that are not.
    pub fn is_closed(&self, read: [Option<&PanelData>; 2]) -> bool {
        let opened = |level: &u8| self.job.has_panel(*level);
        let missed = (1_u8..).zip(read).filter(|(_, panel)| panel.is_none());
        let missed = missed.filter(|(level, _)| opened(level)).count();
        let all = [1, 2].iter().filter(|level| opened(level)).count();
        let live = usize::from(self.job.live_panels);
        self.is_terminal() && missed.saturating_add(live) <= all
    }

    /// Whether a seat was asked for and the answer is out, or still to be seen.
    pub fn is_asking(&self, provider: &Address, now: UnixSeconds) -> bool {
        let level = self.job.level;
        let tried = self.tries.get(&(AuditStep::Join, level, 0));
        self.is_judged()
            && self.seat(level, provider).is_none()
            && tried.is_some_and(|tried| tried.in_flight || tried.due > now)
    }

    /// What the convened panel waits for; nothing while there is none.
    pub fn phase(&self, now: UnixSeconds) -> Option<Phase> {
        let panel = self.convened().filter(|_| self.is_judged())?;
        (panel.status() == Ok(PanelStatus::Live)).then(|| panel.phase(now, self.job.is_revealed()))
    }

    /// The journal's result for our seat, if it is for this attempt and registration.
    pub fn result(&self, level: u8, seat: &SeatData) -> Option<&SavedSeat> {
        self.saved.iter().find(|saved| {
            saved.level == level
                && saved.attempt == self.job.attempt
                && saved.generation == seat.generation
        })
    }

    /// Takes over what the journal keeps.
    pub fn recall(&mut self, recalled: Recalled) {
        self.recall = Recall::Done;
        self.opening = recalled.primary;
        for seat in recalled.seats {
            if !self.saved.contains(&seat) {
                self.saved.push(seat);
            }
        }
    }

    /// What is kept of it.
    pub fn evidence(&self, ended: bool) -> Evidence {
        Evidence {
            job: Box::new(self.job),
            panels: self.panels.map(|panel| panel.map(Box::new)),
            ended,
        }
    }

    pub fn sequences(&self) -> [u32; 3] {
        let [first, second] = self
            .panels
            .map(|panel| panel.map_or(0, |panel| panel.sequence));
        [self.job.sequence, first, second]
    }

    /// What its run is measured as.
    pub fn size(&self) -> Size {
        Size::of(self.job.model_digest, self.job.input_bytes)
    }

    /// Whether a run or a transaction of ours has no answer yet.
    pub fn is_at_work(&self) -> bool {
        self.work.iter().any(|work| *work != SeatWork::Idle)
            || self.tries.values().any(|tried| tried.in_flight)
    }
}

/// A level's part of a pair.
pub(super) fn of<T>(pair: &[T; 2], level: u8) -> &T {
    let [first, second] = pair;
    if level == 2 { second } else { first }
}

pub(super) fn of_mut<T>(pair: &mut [T; 2], level: u8) -> &mut T {
    let [first, second] = pair;
    if level == 2 { second } else { first }
}

pub(super) fn is_judged(status: JobStatus) -> bool {
    matches!(status, JobStatus::Auditing | JobStatus::Appealing)
}

/// Whether a sequence number is newer: numbers wrap, less than half the circle ahead is newer.
pub fn is_newer(number: u32, than: u32) -> bool {
    let ahead = number.wrapping_sub(than);
    ahead != 0 && ahead <= u32::MAX / 2
}
