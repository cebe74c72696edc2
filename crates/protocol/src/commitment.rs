//! What binds a result to its author, and the secrets that draw audits.

use crate::{Address, digest::Digest};

/// The root every provider commits to when the model fails on the input.
pub fn error_root() -> Digest {
    Digest::of(&[b"assay/error/1"])
}

/// Digest of an empty hints file: what `hints_digest` is when no output is on a grid.
pub fn empty_hints_digest() -> Digest {
    Digest::of(&[])
}

/// Whose result a commitment binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    Primary = 0,
    PanelLevel1 = 1,
    PanelLevel2 = 2,
}

impl Role {
    /// An auditor's, on the panel of this level.
    #[inline]
    pub const fn auditor(level: u8) -> Self {
        if level == 1 {
            Self::PanelLevel1
        } else {
            Self::PanelLevel2
        }
    }
}

/// Everything a commitment binds. Integers little-endian, keys and digests raw.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    pub program_id: &'a Address,
    pub job: &'a Address,
    /// The job's attempt, from 0.
    pub attempt: u8,
    pub role: Role,
    pub provider: &'a Address,
    /// Slot of the provider's registration: a re-created account inherits nothing.
    pub generation: u64,
    /// Fresh and random for every commitment; stops guessing of small results.
    pub salt: &'a [u8; 32],
    pub root: &'a Digest,
    pub hints_digest: &'a Digest,
    /// The job's runtime class; zero where the job accepts any.
    pub runtime_class: &'a [u8; 32],
}

impl Opening<'_> {
    /// The hiding hash that goes on chain.
    pub fn commitment(&self) -> Digest {
        Digest::of(&[
            b"assay/commit/1",
            self.program_id.as_ref(),
            self.job.as_ref(),
            &[self.attempt, self.role as u8],
            self.provider.as_ref(),
            &self.generation.to_le_bytes(),
            self.salt,
            &self.root.0,
            &self.hints_digest.0,
            self.runtime_class,
        ])
    }
}

/// Hash under which a worker's or requester's secret is fixed before the other side's is known.
#[inline]
pub fn secret_hash(secret: &[u8; 32]) -> Digest {
    Digest::of(&[b"assay/secret/1", secret])
}

/// The message a requester's wallet signs to derive its secret for a job; see
/// [`requester_secret`]. Deterministic signatures make it recoverable from the wallet alone.
pub fn requester_secret_message(program_id: &Address, job: &Address) -> [u8; 87] {
    const PREFIX: &[u8; 23] = b"assay/requester-secret/";
    let mut message = [0; 87];
    let (prefix, keys) = message.split_at_mut(PREFIX.len());
    let (program, account) = keys.split_at_mut(32);
    prefix.copy_from_slice(PREFIX);
    program.copy_from_slice(program_id.as_ref());
    account.copy_from_slice(job.as_ref());
    message
}

/// The requester's secret from its wallet's signature over [`requester_secret_message`].
pub fn requester_secret(signature: &[u8; 64]) -> [u8; 32] {
    Digest::of(&[b"assay/requester-secret/1", signature]).0
}

/// Seed of the audit draw; both secrets were fixed by hash before either side knew the other's.
#[inline]
pub fn draw_seed(
    job: &Address,
    attempt: u8,
    worker_secret: &[u8; 32],
    requester_secret: &[u8; 32],
) -> Digest {
    Digest::of(&[
        b"assay/draw/1",
        job.as_ref(),
        &[attempt],
        worker_secret,
        requester_secret,
    ])
}

/// Whether a draw seed selects a job for audit at this rate, in basis points.
#[inline]
pub fn is_drawn(seed: &Digest, audit_bps: u16) -> bool {
    let [a, b, c, d, ..] = seed.0;
    // A u32 times 10,000 stays below 2^46.
    let point = u64::from(u32::from_le_bytes([a, b, c, d])).wrapping_mul(10_000) >> 32;
    point < u64::from(audit_bps)
}
