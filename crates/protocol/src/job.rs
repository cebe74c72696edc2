//! A job: its terms, a snapshot of everything it needs, its state and its money.

use bytemuck::{Pod, Zeroable};

use crate::{
    Address, LAYOUT_VERSION,
    amount::{Lamports, ramp_price},
    digest::is_zero,
    error::{Error, Result},
    limits::{FINALIZE_GRACE_SECS, INPUT_URI_BYTES, MAX_OUTPUTS, OPEN_SLOT_AGE},
    market::MarketParams,
    model::ModelData,
    status::JobStatus,
    terms::JobTerms,
    time::{Seconds, UnixSeconds},
};

mod audit;
mod moves;
#[cfg(test)]
mod tests;

pub use audit::{Finalized, JobPanels};
pub use moves::{LostClaim, Settlement};

/// Flag: the requester acknowledged the result.
pub const JOB_ACKNOWLEDGED: u8 = 1;
/// Flag: the level-1 panel was opened.
pub const JOB_PANEL_1: u8 = 2;
/// Flag: the level-2 panel was opened.
pub const JOB_PANEL_2: u8 = 4;

/// Account data of a job, after the discriminator. Amounts in lamports, times in unix seconds,
/// windows in seconds. Money fields: `escrow`, `dispute_bond`, `refund_due`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct JobData {
    pub version: u8,
    /// A [`JobStatus`].
    pub status: u8,
    pub bump: u8,
    /// [`JOB_ACKNOWLEDGED`], [`JOB_PANEL_1`], [`JOB_PANEL_2`].
    pub flags: u8,
    pub sequence: u32,
    /// Pays, may cancel and dispute, gets refunds and the rent.
    pub requester: Address,
    /// The model's account.
    pub model: Address,
    /// Current provider's account; zero while open.
    pub provider: Address,
    /// The only provider that may claim; zero for any.
    pub exclusive_provider: Address,
    /// sha256 of the model file, copied from the model.
    pub model_digest: [u8; 32],
    pub input_digest: [u8; 32],
    pub requester_secret_hash: [u8; 32],
    /// Zero until committed.
    pub worker_secret_hash: [u8; 32],
    /// Zero until committed.
    pub commitment: [u8; 32],
    /// sha256 of the hints file; zero until committed.
    pub hints_digest: [u8; 32],
    /// The primary's root, once revealed in an audit.
    pub root: [u8; 32],
    /// Required runtime class, and the one commitments bind; zero for any.
    pub runtime_class: [u8; 32],
    /// Slot named at creation, part of the address.
    pub open_slot: u64,
    /// The provider's generation at claim.
    pub generation: u64,
    /// First slot whose hash may seed the convened panel.
    pub target_slot: u64,
    pub ceiling: u64,
    pub floor: u64,
    pub collateral: u64,
    pub audit_fee: u64,
    pub ticket_stake: u64,
    /// Money field: what the requester locked and nobody has got yet.
    pub escrow: u64,
    /// Price of the current claim; 0 while open.
    pub price: u64,
    /// Money field: a dispute's bond.
    pub dispute_bond: u64,
    /// Money field: a refund the requester's wallet could not take; paid by job_close.
    pub refund_due: u64,
    pub created_at: i64,
    /// Start of the current attempt.
    pub opened_at: i64,
    pub claimed_at: i64,
    pub committed_at: i64,
    pub convened_at: i64,
    pub ended_at: i64,
    /// Part of the address; the requester picks it.
    pub index: u32,
    pub ramp_secs: u32,
    pub claim_secs: u32,
    pub compute_secs: u32,
    pub challenge_secs: u32,
    pub panel_open_secs: u32,
    pub panel_join_secs: u32,
    pub panel_commit_secs: u32,
    pub panel_reveal_secs: u32,
    pub stake_age_secs: u32,
    pub input_bytes: u32,
    pub output_limit: u32,
    /// Seconds of ramp used up by earlier attempts: the price does not fall back.
    pub ramp_used: u32,
    /// The model's comparison profile at creation.
    pub output_profile: [i16; MAX_OUTPUTS],
    pub fee_bps: u16,
    pub audit_bps: u16,
    /// Current attempt, from 0.
    pub attempt: u8,
    pub panel_size: u8,
    /// Convened panel level; 0 for none.
    pub level: u8,
    /// The last panel's [`crate::verdict::Verdict`]; 0 for none.
    pub verdict: u8,
    /// Panels not yet closed.
    pub live_panels: u8,
    pub input_uri_len: u8,
    pub input_uri: [u8; INPUT_URI_BYTES],
    pub reserved: [u8; 34],
}

/// Where a new job stands: its address and the moment.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub requester: Address,
    pub model: Address,
    pub open_slot: u64,
    pub index: u32,
    pub bump: u8,
    pub now: UnixSeconds,
}

impl JobData {
    /// A new open job with every parameter it will ever need. Terms must have been checked.
    #[inline]
    pub fn open(
        &mut self,
        at: &Opening,
        terms: &JobTerms,
        params: &MarketParams,
        model: &ModelData,
    ) {
        self.version = LAYOUT_VERSION;
        self.status = JobStatus::Open as u8;
        self.bump = at.bump;
        self.sequence = 1;
        self.requester = at.requester;
        self.model = at.model;
        self.exclusive_provider = terms.exclusive_provider;
        self.model_digest = model.digest;
        self.input_digest = terms.input_digest;
        self.requester_secret_hash = terms.requester_secret_hash;
        self.runtime_class = terms.runtime_class;
        self.open_slot = at.open_slot;
        self.ceiling = terms.ceiling;
        self.floor = terms.floor;
        self.collateral = terms.collateral;
        self.audit_fee = terms.audit_fee;
        self.ticket_stake = params.ticket_stake;
        self.created_at = at.now.0;
        self.opened_at = at.now.0;
        self.index = at.index;
        self.ramp_secs = terms.ramp_secs;
        self.claim_secs = terms.claim_secs;
        self.compute_secs = terms.compute_secs;
        self.challenge_secs = terms.challenge_secs;
        self.panel_open_secs = params.panel_open_secs;
        self.panel_join_secs = params.panel_join_secs;
        self.panel_commit_secs = params.panel_commit_secs;
        self.panel_reveal_secs = params.panel_reveal_secs;
        self.stake_age_secs = params.stake_age_secs;
        self.input_bytes = terms.input_bytes;
        self.output_limit = terms.output_limit;
        self.output_profile = model.output_profile;
        self.fee_bps = params.fee_bps;
        self.audit_bps = terms.audit_bps;
        self.panel_size = terms.panel_size;
        self.input_uri_len = terms.input_uri_len;
        self.input_uri = terms.input_uri;
    }

    /// The status; [`Error::JobStatusInvalid`] if the byte is none.
    #[inline]
    pub fn status(&self) -> Result<JobStatus> {
        JobStatus::from_byte(self.status)
    }

    /// Whether the result can never be drawn for audit; shown wherever the job is.
    #[inline]
    pub fn is_unaudited(&self) -> bool {
        self.audit_bps == 0
    }

    /// Last moment to claim.
    #[inline]
    pub fn claim_deadline(&self) -> Result<UnixSeconds> {
        UnixSeconds(self.opened_at).after(Seconds(self.claim_secs))
    }

    /// Last moment to commit.
    #[inline]
    pub fn compute_deadline(&self) -> Result<UnixSeconds> {
        UnixSeconds(self.claimed_at).after(Seconds(self.compute_secs))
    }

    /// Last moment for the requester to object.
    #[inline]
    pub fn challenge_deadline(&self) -> Result<UnixSeconds> {
        UnixSeconds(self.committed_at).after(Seconds(self.challenge_secs))
    }

    /// Last moment to finalize.
    #[inline]
    pub fn finalize_deadline(&self) -> Result<UnixSeconds> {
        self.challenge_deadline()?
            .after(Seconds(FINALIZE_GRACE_SECS))
    }

    /// What a claim at `now` would be paid.
    #[inline]
    pub fn price_at(&self, now: UnixSeconds) -> Result<Lamports> {
        let elapsed = now
            .since(UnixSeconds(self.opened_at))
            .saturating_add(self.ramp_used);
        ramp_price(
            Lamports(self.floor),
            Lamports(self.ceiling),
            elapsed,
            self.ramp_secs,
        )
    }

    /// Lamports this account holds for its parties beyond rent.
    #[inline]
    pub fn money(&self) -> Result<Lamports> {
        Lamports(self.escrow)
            .plus(Lamports(self.dispute_bond))?
            .plus(Lamports(self.refund_due))
    }

    /// Whether the terms admit this provider.
    #[inline]
    pub fn require_eligible(&self, provider: &Address, runtime_class: &[u8; 32]) -> Result<()> {
        if self.exclusive_provider != Address::default() && self.exclusive_provider != *provider {
            return Err(Error::ProviderNotInvited);
        }
        self.require_class(runtime_class)
    }

    /// Whether the terms admit results of this runtime class, the primary's or an auditor's.
    #[inline]
    pub fn require_class(&self, runtime_class: &[u8; 32]) -> Result<()> {
        if is_zero(&self.runtime_class) || self.runtime_class == *runtime_class {
            Ok(())
        } else {
            Err(Error::ProviderClassMismatch)
        }
    }

    /// Whether this is the provider that holds the job, and not a later account of its address.
    #[inline]
    pub fn require_provider(&self, provider: &Address, generation: u64) -> Result<()> {
        if self.provider == *provider && self.generation == generation {
            Ok(())
        } else {
            Err(Error::JobProviderMismatch)
        }
    }

    /// Whether the account may go: ended, its panels closed, its address out of reach.
    #[inline]
    pub fn require_closable(&self, slot: u64) -> Result<()> {
        if !self.status()?.is_terminal() {
            return Err(Error::JobNotTerminal);
        }
        if self.live_panels != 0 {
            return Err(Error::JobPanelsLive);
        }
        if slot.saturating_sub(self.open_slot) <= OPEN_SLOT_AGE {
            return Err(Error::JobSlotTooRecent);
        }
        Ok(())
    }
}

/// Whether `open_slot` may name a new account at `slot`: neither in the future nor old enough
/// that an account of the same address may have been closed already.
#[inline]
pub fn check_open_slot(open_slot: u64, slot: u64) -> Result<()> {
    match slot.checked_sub(open_slot) {
        Some(age) if age <= OPEN_SLOT_AGE => Ok(()),
        _ => Err(Error::JobSlotInvalid),
    }
}
