//! What the core asks for, and the facts it hands over with it.

use std::sync::Arc;

use assay_protocol::{
    Address, Digest, Lamports, UnixSeconds,
    args::{JobCommitArgs, JobFinalizeArgs},
};

use super::{audit::AuditStep, policy::Refusal};

/// One effect. The shell carries it out and answers with the event named in each doc.
#[derive(Clone, Debug)]
pub enum Command {
    /// Fetch and check model and input, load the model. Answer: `handle_prepared`.
    Prepare { job: Address },
    /// Send a transaction. Answer: `handle_submitted`.
    Submit {
        job: Address,
        attempt: u8,
        intent: Intent,
    },
    /// Run a prepared job that is not claimed, and keep its answer for [`Command::Run`]. Answer:
    /// `handle_tried`.
    Try { job: Address, within_secs: u64 },
    /// Run the model, unless its answer is kept. It is of no use after `until`. Answer: `handle_ran`.
    Run {
        job: Address,
        attempt: u8,
        until: UnixSeconds,
    },
    /// Stop a run or trial whose result is of no use. No answer.
    StopRun { job: Address },
    /// Write a result to disk, for good. Answer: `handle_saved`.
    Save {
        job: Address,
        result: SavedResult,
        body: Arc<Body>,
    },
    /// Forget what was prepared, and stop preparing it. No answer.
    Discard { job: Address },
    /// A job is left alone in this attempt. No answer.
    Leave { job: Address, refusal: Refusal },
    /// Money or status moved. No answer.
    Report {
        job: Address,
        attempt: u8,
        report: Report,
    },
}

/// A transaction's purpose; at most one is under way for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Claim { min_price: Lamports },
    Commit(JobCommitArgs),
    Finalize(JobFinalizeArgs),
    Release,
}

impl Intent {
    pub fn step(&self) -> Step {
        match self {
            Self::Claim { .. } => Step::Claim,
            Self::Commit(_) => Step::Commit,
            Self::Finalize(_) => Step::Finalize,
            Self::Release => Step::Release,
        }
    }
}

/// An [`Intent`] without its arguments: what journal, logs and metrics name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Claim,
    Commit,
    Finalize,
    Release,
}

impl Step {
    pub const ALL: [Self; 4] = [Self::Claim, Self::Commit, Self::Finalize, Self::Release];

    pub fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Commit => "commit",
            Self::Finalize => "finalize",
            Self::Release => "release",
        }
    }
}

/// What is sent for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionStep {
    Settle,
    Close,
}

impl SessionStep {
    pub const ALL: [Self; 2] = [Self::Settle, Self::Close];

    pub fn name(self) -> &'static str {
        match self {
            Self::Settle => "session_settle",
            Self::Close => "session_close",
        }
    }
}

/// What any transaction of this worker is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Job(Step),
    Audit(AuditStep),
    Session(SessionStep),
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Self::Job(step) => step.name(),
            Self::Audit(step) => step.name(),
            Self::Session(step) => step.name(),
        }
    }

    /// Whether its deadline costs the collateral or a bond, besides which a fee in vain is nothing.
    pub fn is_owed(self) -> bool {
        match self {
            Self::Job(Step::Commit | Step::Finalize)
            | Self::Audit(AuditStep::Commit | AuditStep::Reveal | AuditStep::RevealPrimary) => true,
            Self::Job(Step::Claim | Step::Release)
            | Self::Audit(
                AuditStep::Open
                | AuditStep::Join
                | AuditStep::Resolve
                | AuditStep::Settle
                | AuditStep::Close,
            )
            | Self::Session(SessionStep::Settle | SessionStep::Close) => false,
        }
    }

    /// Whether it is owed and what it needs is on disk since the commitment: no disk holds it up.
    pub fn needs_no_disk(self) -> bool {
        let commits = matches!(
            self,
            Self::Job(Step::Commit) | Self::Audit(AuditStep::Commit)
        );
        self.is_owed() && !commits
    }

    pub fn from_name(name: &str) -> Option<Self> {
        let jobs = Step::ALL.into_iter().map(Self::Job);
        let audits = AuditStep::ALL.into_iter().map(Self::Audit);
        let sessions = SessionStep::ALL.into_iter().map(Self::Session);
        jobs.chain(audits)
            .chain(sessions)
            .find(|action| action.name() == name)
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It changed the chain; the next reading of the job shows it.
    Landed,
    /// The program refused it, in simulation or on chain; none of its changes exist.
    Refused(Option<assay_protocol::Error>),
    /// It can never land any more, or it could not be built and sent.
    Expired,
}

/// What must survive a crash between commit and finalize.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedResult {
    pub attempt: u8,
    pub generation: u64,
    pub salt: [u8; 32],
    pub worker_secret: [u8; 32],
    pub root: Digest,
    pub hints_digest: Digest,
    pub commitment: Digest,
    pub runtime_class: [u8; 32],
}

/// What is delivered. The core carries it from the engine to the journal and never looks inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// A safetensors file; empty after a model error.
    pub outputs: Vec<u8>,
    pub hints: Vec<u8>,
    /// Names, types and shapes as the delivery's JSON, in the model's output order.
    pub outputs_json: String,
    /// Set if the model failed on the input; the text is for people.
    pub model_error: Option<String>,
    pub runtime: String,
    pub compute_ms: u64,
    /// Millijoules that counters of this machine say the run took; none where nothing counts.
    pub energy_mj: Option<u64>,
}

/// What the engine made of a job.
#[derive(Clone, Debug)]
pub struct Computed {
    pub root: Digest,
    pub hints_digest: Digest,
    pub body: Arc<Body>,
}

/// Why a job could not be prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrepareFault {
    /// Nothing will make this job fit: wrong digest, no ONNX model, wrong shapes, too large.
    Never,
    /// Something is not there yet: the input was not handed over, a server is down.
    Later,
}

/// Why a run gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunFault {
    /// This job cannot be answered here.
    Never,
    /// Another try may succeed.
    Again,
}

/// Fresh randomness for one commitment, drawn by the shell for each run.
#[derive(Clone, Copy)]
pub struct Fresh {
    pub salt: [u8; 32],
    pub worker_secret: [u8; 32],
}

/// What happened to a job that was ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    Claimed {
        price: Lamports,
    },
    Committed,
    Settled {
        price: Lamports,
        earned: Lamports,
    },
    /// Drawn for audit or disputed: a panel judges it.
    Audited,
    /// A panel could not decide: nobody is paid for the job, nobody is slashed.
    Unresolved,
    /// Given back, or taken away after its compute deadline.
    Lost,
    Faulted,
    /// The chain holds a commitment whose secrets this journal does not have.
    SecretsMissing,
    /// The account was closed before its end was seen.
    Gone,
}

impl Report {
    /// Name in the journal, in logs and in `202` answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed { .. } => "claimed",
            Self::Committed => "committed",
            Self::Settled { .. } => "settled",
            Self::Audited => "audited",
            Self::Unresolved => "unresolved",
            Self::Lost => "lost",
            Self::Faulted => "faulted",
            Self::SecretsMissing => "secrets_missing",
            Self::Gone => "gone",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        match self {
            Self::Claimed { .. } | Self::Committed | Self::Audited | Self::SecretsMissing => false,
            Self::Settled { .. } | Self::Unresolved | Self::Lost | Self::Faulted | Self::Gone => {
                true
            }
        }
    }
}

/// Why an acknowledgement is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgeError {
    #[error("this worker has no such job")]
    Unknown,
    #[error("the job is not committed; acknowledge after its commitment is on chain")]
    NotCommitted,
    #[error("the secret does not match the job's requester_secret_hash")]
    SecretMismatch,
}

/// What a valid acknowledgement still asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// Save it, then `handle_acknowledged`.
    New { attempt: u8 },
    /// It is known, or the job has ended.
    Known,
}
