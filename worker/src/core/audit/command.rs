//! What the audits' core asks for, and the facts it hands over with it.

use std::sync::Arc;

use assay_protocol::{
    Address, Digest, JobData, JobStatus, PanelData, UnixSeconds,
    args::{JobRevealArgs, PanelCommitArgs, PanelRevealArgs},
};

use crate::core::command::Body;

/// One effect. The shell carries it out and answers with the event named in each doc.
#[derive(Clone, Debug)]
pub enum AuditCommand {
    /// Read what the journal keeps for this attempt. Answer: `handle_recalled`.
    Recall { job: Address, attempt: u8 },
    /// Fetch and check model and input, load the model. Answer: `handle_prepared`.
    Prepare { job: Address },
    /// Run a prepared job once before a seat is asked for, and keep its outcome for
    /// [`AuditCommand::Run`]. Answer: `handle_tried`.
    Try { job: Address, within_secs: u64 },
    /// Run the model, which is of no use after `until`, and fetch the hints, for no longer than
    /// `hints_until`: a primary that serves them slowly must not keep us from committing. Answer:
    /// `handle_ran`.
    Run {
        job: Address,
        level: u8,
        until: UnixSeconds,
        hints_until: UnixSeconds,
    },
    /// Model and input are not needed any more. No answer.
    Discard { job: Address },
    /// Write a seat's result to disk, for good. Answer: `handle_saved`.
    Save {
        job: Address,
        result: SavedSeat,
        body: Arc<Body>,
    },
    /// Write what is known of an audit to disk, so that a restart finds it; done before any later
    /// command. No answer.
    Keep { job: Address, evidence: Evidence },
    /// Send a transaction. Answer: `handle_submitted`.
    Submit { job: Address, intent: AuditIntent },
    /// Money or status moved. No answer.
    Report { job: Address, report: AuditReport },
    /// Files and runs of this job are not needed any more. No answer.
    Forget { job: Address },
}

/// What is kept of an audit: the accounts as they were last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub job: Box<JobData>,
    /// Of levels 1 and 2; kept beyond their closing.
    pub panels: [Option<Box<PanelData>>; 2],
    /// Nothing is left to do.
    pub ended: bool,
}

/// A transaction's purpose. Panels are meant by the job and the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditIntent {
    /// Open the convened panel, or name another slot where the hash is gone.
    Open {
        level: u8,
    },
    Join {
        level: u8,
        ticket: u32,
        /// Whether the level-1 panel must be shown.
        other_panel: bool,
        /// Whoever has to leave its seat.
        evicted: Option<Address>,
    },
    Commit {
        level: u8,
        args: PanelCommitArgs,
    },
    /// Open our seat's commitment.
    Reveal {
        level: u8,
        args: PanelRevealArgs,
    },
    /// Open our commitment as the job's provider.
    RevealPrimary {
        level: u8,
        args: JobRevealArgs,
    },
    Resolve {
        level: u8,
        provider: Address,
        requester: Address,
        /// Which panels were opened.
        panels: [bool; 2],
    },
    Settle {
        level: u8,
        seat: u8,
        provider: Address,
    },
    Close {
        level: u8,
        rent_payer: Address,
    },
}

impl AuditIntent {
    pub fn step(&self) -> AuditStep {
        match self {
            Self::Open { .. } => AuditStep::Open,
            Self::Join { .. } => AuditStep::Join,
            Self::Commit { .. } => AuditStep::Commit,
            Self::Reveal { .. } => AuditStep::Reveal,
            Self::RevealPrimary { .. } => AuditStep::RevealPrimary,
            Self::Resolve { .. } => AuditStep::Resolve,
            Self::Settle { .. } => AuditStep::Settle,
            Self::Close { .. } => AuditStep::Close,
        }
    }

    pub fn level(&self) -> u8 {
        match self {
            Self::Open { level }
            | Self::Join { level, .. }
            | Self::Commit { level, .. }
            | Self::Reveal { level, .. }
            | Self::RevealPrimary { level, .. }
            | Self::Resolve { level, .. }
            | Self::Settle { level, .. }
            | Self::Close { level, .. } => *level,
        }
    }

    /// What tells two intents of one job apart: each is under way at most once.
    pub fn key(&self) -> TryKey {
        let seat = match self {
            Self::Settle { seat, .. } => *seat,
            Self::Open { .. }
            | Self::Join { .. }
            | Self::Commit { .. }
            | Self::Reveal { .. }
            | Self::RevealPrimary { .. }
            | Self::Resolve { .. }
            | Self::Close { .. } => 0,
        };
        (self.step(), self.level(), seat)
    }
}

/// Step, level and seat.
pub type TryKey = (AuditStep, u8, u8);

/// An [`AuditIntent`] without its arguments: what journal, logs and metrics name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditStep {
    Open,
    Join,
    Commit,
    Reveal,
    RevealPrimary,
    Resolve,
    Settle,
    Close,
}

impl AuditStep {
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Join,
        Self::Commit,
        Self::Reveal,
        Self::RevealPrimary,
        Self::Resolve,
        Self::Settle,
        Self::Close,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "panel_open",
            Self::Join => "panel_join",
            Self::Commit => "panel_commit",
            Self::Reveal => "panel_reveal",
            Self::RevealPrimary => "job_reveal",
            Self::Resolve => "panel_resolve",
            Self::Settle => "seat_settle",
            Self::Close => "panel_close",
        }
    }
}

/// What opens the primary's commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrimaryOpening {
    pub salt: [u8; 32],
    pub root: Digest,
    pub commitment: Digest,
}

/// What must survive a crash between a seat's commit and its reveal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSeat {
    pub level: u8,
    pub attempt: u8,
    pub generation: u64,
    pub salt: [u8; 32],
    pub root: Digest,
    pub commitment: Digest,
}

/// What the journal keeps of one attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    pub primary: Option<PrimaryOpening>,
    pub seats: Vec<SavedSeat>,
}

/// What the engine made of a job that is audited.
#[derive(Clone, Debug)]
pub enum Examined {
    /// A root to compare.
    Root { root: Digest, body: Arc<Body> },
    /// The hints could not be had now; another try may get them.
    HintsMissing { body: Arc<Body> },
    /// These are the primary's hints, and not as many as the outputs need.
    HintsWrong { body: Arc<Body> },
}

/// What happened in an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditReport {
    /// Our job is judged by a panel of this level.
    Convened {
        level: u8,
    },
    /// We hold a seat.
    Joined {
        level: u8,
        bond: u64,
    },
    /// A better ticket took our seat; the bond is back.
    Evicted {
        level: u8,
    },
    /// Our seat's commitment is on chain.
    Committed {
        level: u8,
        unavailable: bool,
    },
    Revealed {
        level: u8,
    },
    /// The seat is paid: the bond was `bond`.
    Settled {
        level: u8,
        bond: u64,
        payout: u64,
    },
    /// The seat's panel was settled and closed between two readings: what it paid was not seen.
    ClosedUnseen {
        level: u8,
    },
    /// A panel has spoken about a job that we took part in; `status` is where the job went.
    Verdict {
        verdict: u8,
        status: JobStatus,
    },
    /// Our job's audit is over: what it brought us in the end, pay and slash.
    Defended {
        ours: i64,
    },
    /// The chain holds a commitment of ours whose opening this journal does not have.
    SecretsMissing {
        level: u8,
    },
    /// The account was closed before its end was seen.
    Gone,
}

impl AuditReport {
    /// Name in logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Convened { .. } => "convened",
            Self::Joined { .. } => "joined",
            Self::Evicted { .. } => "evicted",
            Self::Committed { .. } => "committed",
            Self::Revealed { .. } => "revealed",
            Self::Settled { .. } => "settled",
            Self::ClosedUnseen { .. } => "closed_unseen",
            Self::Verdict { .. } => "verdict",
            Self::Defended { .. } => "defended",
            Self::SecretsMissing { .. } => "secrets_missing",
            Self::Gone => "gone",
        }
    }
}
