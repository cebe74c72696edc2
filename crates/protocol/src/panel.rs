//! A panel: auditors that re-execute one job, drawn by lot.
//!
//! A panel lives through four phases: join, commit, reveal, over. Commit and reveal end early when
//! everybody has done it. What happens then is decided by [`crate::verdict`].

use bytemuck::{Pod, Zeroable};

use crate::{
    Address, LAYOUT_VERSION,
    amount::Lamports,
    digest::Digest,
    error::{Error, Result},
    job::JobData,
    limits::MAX_SEATS,
    time::{Seconds, UnixSeconds},
    verdict::SeatOutcome,
};

mod moves;

pub use moves::{Candidate, Joined, SettledSeat};

/// A seat's bond, in audit fees.
pub const BOND_FEES: u8 = 5;
/// A panel is seeded by the first slot hash at or after the convening slot plus this.
pub const TARGET_SLOTS: u64 = 8;
/// A root that means only "the hints were unavailable or of the wrong length".
pub const UNAVAILABLE: [u8; 32] = [0xff; 32];

/// State of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SeatState {
    Empty = 0,
    Joined = 1,
    Committed = 2,
    Revealed = 3,
    Settled = 4,
}

impl SeatState {
    /// The state with this number; [`Error::PanelStateInvalid`] if there is none.
    #[inline]
    pub fn from_byte(byte: u8) -> Result<Self> {
        Ok(match byte {
            0 => Self::Empty,
            1 => Self::Joined,
            2 => Self::Committed,
            3 => Self::Revealed,
            4 => Self::Settled,
            _ => return Err(Error::PanelStateInvalid),
        })
    }

    /// Name in lower case, for tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Joined => "joined",
            Self::Committed => "committed",
            Self::Revealed => "revealed",
            Self::Settled => "settled",
        }
    }
}

/// Status of a panel. Zero is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PanelStatus {
    /// Working; its phase is a matter of time and of who has acted.
    Live = 1,
    /// Level 1 without a verdict: its seats wait for level 2.
    Appealed = 2,
    /// Every payout is fixed; seats may settle.
    Resolved = 3,
}

impl PanelStatus {
    /// The status with this number; [`Error::PanelStateInvalid`] if there is none.
    #[inline]
    pub fn from_byte(byte: u8) -> Result<Self> {
        Ok(match byte {
            1 => Self::Live,
            2 => Self::Appealed,
            3 => Self::Resolved,
            _ => return Err(Error::PanelStateInvalid),
        })
    }

    /// Name in lower case, for tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Appealed => "appealed",
            Self::Resolved => "resolved",
        }
    }
}

/// What may be done on a live panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Auditors join; the lowest scores hold the seats.
    Join,
    /// Seated auditors commit.
    Commit,
    /// Auditors that committed, and the primary, reveal.
    Reveal,
    /// Nothing but the verdict is left.
    Over,
}

/// One seat of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct SeatData {
    /// The auditor's provider account; zero while empty.
    pub provider: Address,
    /// The auditor's generation when it joined.
    pub generation: u64,
    /// Sortition score; the lowest hold the seats.
    pub score: u64,
    /// The commitment, then the root.
    pub digest: [u8; 32],
    /// Lamports fixed by the verdict, moved by seat_settle.
    pub payout: u64,
    /// A [`SeatState`].
    pub state: u8,
    pub reserved: [u8; 7],
}

impl SeatData {
    /// The state; [`Error::PanelStateInvalid`] if the byte is none.
    #[inline]
    pub fn state(&self) -> Result<SeatState> {
        SeatState::from_byte(self.state)
    }

    /// What this seat did, as the verdict counts it. Hints that nobody needs cannot be missing: who says so differs.
    #[inline]
    pub fn outcome(&self, job: &JobData) -> Result<SeatOutcome> {
        Ok(match self.state()? {
            SeatState::Empty => SeatOutcome::Empty,
            SeatState::Joined => SeatOutcome::Joined,
            SeatState::Committed => SeatOutcome::Committed,
            SeatState::Revealed if self.digest == UNAVAILABLE => job.misses_hints(),
            SeatState::Revealed if self.digest == job.root => SeatOutcome::Equal,
            SeatState::Revealed => SeatOutcome::Different,
            SeatState::Settled => return Err(Error::PanelStateInvalid),
        })
    }
}

/// Account data of a panel, after the discriminator. Money field: `bonds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct PanelData {
    pub version: u8,
    /// A [`PanelStatus`].
    pub status: u8,
    pub bump: u8,
    pub flags: u8,
    pub sequence: u32,
    pub job: Address,
    /// Gets the rent back on close.
    pub rent_payer: Address,
    /// Fixes every ticket's score.
    pub seed: [u8; 32],
    /// Unix seconds.
    pub opened_at: i64,
    pub join_deadline: i64,
    pub commit_deadline: i64,
    pub reveal_deadline: i64,
    /// Money field, lamports: every seat's bond, and from the verdict on every unsettled payout.
    pub bonds: u64,
    /// One seat's bond: five audit fees, in lamports.
    pub bond: u64,
    /// 1 or 2.
    pub level: u8,
    pub size: u8,
    /// Seats taken.
    pub joined: u8,
    /// Seats that committed, revealed ones included.
    pub committed: u8,
    pub revealed: u8,
    pub reserved: [u8; 11],
    pub seats: [SeatData; MAX_SEATS],
}

/// Where a new panel stands.
#[derive(Clone, Copy, Debug)]
pub struct PanelOpening {
    pub job: Address,
    pub rent_payer: Address,
    pub bump: u8,
    pub seed: Digest,
    pub now: UnixSeconds,
}

impl PanelData {
    /// The panel that the job has convened, with its deadlines.
    #[inline]
    pub fn open(&mut self, at: &PanelOpening, job: &JobData) -> Result<()> {
        let join = at.now.after(Seconds(job.panel_join_secs))?;
        let commit = join
            .after(Seconds(job.compute_secs))?
            .after(Seconds(job.panel_commit_secs))?;
        self.version = LAYOUT_VERSION;
        self.status = PanelStatus::Live as u8;
        self.bump = at.bump;
        self.sequence = 1;
        self.job = at.job;
        self.rent_payer = at.rent_payer;
        self.seed = at.seed.0;
        self.opened_at = at.now.0;
        self.join_deadline = join.0;
        self.commit_deadline = commit.0;
        self.reveal_deadline = commit.after(Seconds(job.panel_reveal_secs))?.0;
        self.bond = Lamports(job.audit_fee).times(BOND_FEES)?.0;
        self.level = job.level;
        self.size = job.seats_convened();
        Ok(())
    }

    /// The status; [`Error::PanelStateInvalid`] if the byte is none.
    #[inline]
    pub fn status(&self) -> Result<PanelStatus> {
        PanelStatus::from_byte(self.status)
    }

    /// What may be done now. `primary_revealed`: whether the job's root is known.
    #[inline]
    pub fn phase(&self, now: UnixSeconds, primary_revealed: bool) -> Phase {
        if UnixSeconds(self.join_deadline).allows(now) {
            return Phase::Join;
        }
        if self.committed < self.joined && UnixSeconds(self.commit_deadline).allows(now) {
            return Phase::Commit;
        }
        let waiting = self.revealed < self.committed || !primary_revealed;
        if self.committed != 0 && waiting && UnixSeconds(self.reveal_deadline).allows(now) {
            Phase::Reveal
        } else {
            Phase::Over
        }
    }

    /// [`Error::PanelJobMismatch`] unless this is that job's panel of that level.
    #[inline]
    pub fn require_job(&self, job: &Address, level: u8) -> Result<()> {
        if self.job == *job && self.level == level {
            Ok(())
        } else {
            Err(Error::PanelJobMismatch)
        }
    }

    /// Whether a provider holds a seat here.
    #[inline]
    pub fn seats_provider(&self, provider: &Address) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.state != SeatState::Empty as u8 && seat.provider == *provider)
    }

    /// Whether the account may go: the verdict is in and every seat is settled.
    #[inline]
    pub fn require_closable(&self) -> Result<()> {
        if self.status != PanelStatus::Resolved as u8 {
            return Err(Error::PanelNotResolved);
        }
        let settled = |seat: &SeatData| {
            seat.state == SeatState::Empty as u8 || seat.state == SeatState::Settled as u8
        };
        if self.bonds == 0 && self.seats.iter().all(settled) {
            Ok(())
        } else {
            Err(Error::PanelSeatsUnsettled)
        }
    }

    #[inline]
    fn require_live(&self) -> Result<()> {
        if self.status == PanelStatus::Live as u8 {
            Ok(())
        } else {
            Err(Error::PanelNotLive)
        }
    }
}
