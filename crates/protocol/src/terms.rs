//! The terms of a job: what its requester chooses, within what the market allows.

use crate::{
    Address,
    amount::Lamports,
    digest::is_zero,
    error::{Error, Result},
    limits::{INPUT_URI_BYTES, MAX_TERM_LAMPORTS},
    market::MarketParams,
    text,
};

/// Smallest collateral of an audited job, in audit fees: a verdict pays out at most 11.
pub const COLLATERAL_AUDIT_FEES: u8 = 20;

wire! {
    /// What the requester of a job chooses. Lamports, seconds, bytes, basis points.
    pub struct JobTerms {
        /// Most the requester pays; the price rises to it.
        pub ceiling: u64,
        /// Where the price starts.
        pub floor: u64,
        /// Reserved from the provider's stake while it works; the bound of its slashes.
        pub collateral: u64,
        /// Paid to one auditor; 0 without audits.
        pub audit_fee: u64,
        /// From floor to ceiling.
        pub ramp_secs: u32,
        /// How long the job stays open, each attempt.
        pub claim_secs: u32,
        /// From claim to commit.
        pub compute_secs: u32,
        /// How long the requester may object.
        pub challenge_secs: u32,
        /// Size of the input file.
        pub input_bytes: u32,
        /// Most bytes of outputs the requester accepts.
        pub output_limit: u32,
        /// Chance of an audit; 0 is an unaudited job.
        pub audit_bps: u16,
        /// Auditors of the level-1 panel; 0 without audits.
        pub panel_size: u8,
        pub input_uri_len: u8,
        /// Zero.
        pub reserved: [u8; 4],
        /// sha256 of the safetensors input file.
        pub input_digest: [u8; 32],
        /// Fixes the requester's half of the audit draw.
        pub requester_secret_hash: [u8; 32],
        /// Required runtime class; zero for any.
        pub runtime_class: [u8; 32],
        /// The only provider that may claim; zero for any.
        pub exclusive_provider: Address,
        /// Where the input can be fetched, ASCII, zero-padded; empty if it is handed to the worker.
        pub input_uri: [u8; INPUT_URI_BYTES],
    }
}

impl JobTerms {
    /// Whether the job can be drawn for audit.
    #[inline]
    pub fn is_audited(&self) -> bool {
        self.audit_bps != 0 || self.panel_size != 0 || self.audit_fee != 0
    }

    /// What the requester locks: ceiling plus the fees of a level-1 panel.
    #[inline]
    pub fn escrow(&self) -> Result<Lamports> {
        Lamports(self.ceiling).plus(Lamports(self.audit_fee).times(self.panel_size)?)
    }

    /// Checks every term against the market's limits.
    #[inline]
    pub fn check(&self, params: &MarketParams) -> Result<()> {
        self.check_money(params)?;
        self.check_windows(params)?;
        self.check_audit(params)?;
        let bytes = |bytes: u32, limit: u32| bytes >= 1 && bytes <= limit;
        if !bytes(self.input_bytes, params.max_input_bytes)
            || !bytes(self.output_limit, params.max_output_bytes)
            || self.reserved != [0; 4]
        {
            return Err(Error::TermsBytesInvalid);
        }
        if is_zero(&self.requester_secret_hash) {
            return Err(Error::TermsSecretHashMissing);
        }
        if is_zero(&self.input_digest) {
            return Err(Error::TermsInputDigestMissing);
        }
        text::check(&self.input_uri, self.input_uri_len)
    }

    #[inline]
    fn check_money(&self, params: &MarketParams) -> Result<()> {
        if self.ceiling == 0 || self.ceiling > params.max_ceiling {
            return Err(Error::TermsCeilingInvalid);
        }
        if self.floor > self.ceiling {
            return Err(Error::TermsFloorInvalid);
        }
        // Below the ceiling the late slash would not cover what a blocked job is worth, and at zero
        // a provider without stake could block or use up jobs for nothing.
        if self.collateral < self.ceiling || self.collateral > MAX_TERM_LAMPORTS {
            return Err(Error::TermsCollateralInvalid);
        }
        Ok(())
    }

    #[inline]
    fn check_windows(&self, params: &MarketParams) -> Result<()> {
        let within = |secs: u32, min: u32, max: u32| secs >= min && secs <= max;
        if !within(
            self.claim_secs,
            params.min_claim_secs,
            params.max_claim_secs,
        ) {
            return Err(Error::TermsClaimWindowInvalid);
        }
        if self.ramp_secs > self.claim_secs {
            return Err(Error::TermsRampInvalid);
        }
        if !within(
            self.compute_secs,
            params.min_compute_secs,
            params.max_compute_secs,
        ) {
            return Err(Error::TermsComputeWindowInvalid);
        }
        if !within(
            self.challenge_secs,
            params.min_challenge_secs,
            params.max_challenge_secs,
        ) {
            return Err(Error::TermsChallengeWindowInvalid);
        }
        Ok(())
    }

    /// Audited terms: 2 or 3 auditors, a fee between K and 2K, C >= 20 fees, and an expected loss
    /// of cheating, `audit_bps x (C + K)`, of at least `deterrence_bps x K`.
    #[inline]
    fn check_audit(&self, params: &MarketParams) -> Result<()> {
        if !self.is_audited() {
            return Ok(());
        }
        let rate = u64::from(self.audit_bps);
        if rate == 0 || rate > 10_000 || !(2..=3).contains(&self.panel_size) {
            return Err(Error::TermsPanelInvalid);
        }
        if self.audit_fee < self.ceiling
            || self.audit_fee > self.ceiling.saturating_add(self.ceiling)
        {
            return Err(Error::TermsAuditFeeInvalid);
        }
        if Lamports(self.collateral) < Lamports(self.audit_fee).times(COLLATERAL_AUDIT_FEES)? {
            return Err(Error::TermsCollateralInvalid);
        }
        // Both sides are divided by 10_000 with the loss rounded down and the gain rounded up.
        // C + K <= 2^50 and rate <= 10^4 < 2^14: the product stays within 64 bits.
        // K <= 2^49 and deterrence <= 10^6: K / 10_000 * deterrence < 2^56.
        let loss = self
            .collateral
            .wrapping_add(self.ceiling)
            .wrapping_mul(rate)
            / 10_000;
        let deterrence = u64::from(params.deterrence_bps);
        let gain = (self.ceiling / 10_000)
            .wrapping_mul(deterrence)
            .wrapping_add(((self.ceiling % 10_000).wrapping_mul(deterrence)).div_ceil(10_000));
        if loss < gain {
            Err(Error::TermsDeterrenceTooLow)
        } else {
            Ok(())
        }
    }
}
