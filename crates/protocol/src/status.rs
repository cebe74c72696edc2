//! The job's status and the one table of its transitions.

use crate::error::{Error, Result};

/// Status of a job. Zero is no status: an uninitialised account never passes for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum JobStatus {
    /// Waiting for a provider; the price rises.
    Open = 1,
    /// A provider computes; its collateral is reserved.
    Claimed = 2,
    /// A result is committed and delivered off chain.
    Committed = 3,
    /// Drawn for audit: the level-1 panel works.
    Auditing = 4,
    /// Dissent or dispute: the level-2 panel decides.
    Appealing = 5,
    /// Ended: the provider was paid.
    Settled = 6,
    /// Ended: the provider lost its collateral, the requester has everything back.
    Faulted = 7,
    /// Ended by its requester before anybody claimed.
    Cancelled = 8,
    /// Ended unserved; the requester has everything back.
    Expired = 9,
    /// Ended without a verdict; nobody is slashed.
    Unresolved = 10,
}

use JobStatus::{
    Appealing, Auditing, Cancelled, Claimed, Committed, Expired, Faulted, Open, Settled, Unresolved,
};

/// Every transition there is. Nothing else happens to a job.
pub const TRANSITIONS: &[(JobStatus, JobStatus)] = &[
    (Open, Claimed),
    (Open, Cancelled),
    (Open, Expired),
    (Claimed, Open),
    (Claimed, Committed),
    (Claimed, Expired),
    (Committed, Settled),
    (Committed, Auditing),
    (Committed, Appealing),
    (Committed, Faulted),
    (Auditing, Settled),
    (Auditing, Faulted),
    (Auditing, Appealing),
    (Appealing, Settled),
    (Appealing, Faulted),
    (Appealing, Unresolved),
];

impl JobStatus {
    /// Every status, in order of number.
    pub const ALL: [Self; 10] = [
        Open, Claimed, Committed, Auditing, Appealing, Settled, Faulted, Cancelled, Expired,
        Unresolved,
    ];

    /// The status with this number; [`Error::JobStatusInvalid`] if there is none.
    #[inline]
    pub fn from_byte(byte: u8) -> Result<Self> {
        Ok(match byte {
            1 => Open,
            2 => Claimed,
            3 => Committed,
            4 => Auditing,
            5 => Appealing,
            6 => Settled,
            7 => Faulted,
            8 => Cancelled,
            9 => Expired,
            10 => Unresolved,
            _ => return Err(Error::JobStatusInvalid),
        })
    }

    /// Whether the table holds `(self, next)`.
    #[inline]
    pub fn can_become(self, next: Self) -> bool {
        TRANSITIONS.contains(&(self, next))
    }

    /// Whether the job has ended.
    #[inline]
    pub fn is_terminal(self) -> bool {
        matches!(self, Settled | Faulted | Cancelled | Expired | Unresolved)
    }

    /// Name in lower case, for tables, JSON and filters.
    pub const fn name(self) -> &'static str {
        match self {
            Open => "open",
            Claimed => "claimed",
            Committed => "committed",
            Auditing => "auditing",
            Appealing => "appealing",
            Settled => "settled",
            Faulted => "faulted",
            Cancelled => "cancelled",
            Expired => "expired",
            Unresolved => "unresolved",
        }
    }
}
