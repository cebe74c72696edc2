//! What a requester asks for.

use anyhow::Result;
use assay_client::{
    outputs::digest,
    protocol::{Address, Digest, terms::JobTerms, text},
};
use bytemuck::Zeroable as _;

use super::broken;

/// How a job is audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Chance in basis points.
    pub rate: u16,
    /// Seats of the first panel.
    pub panel: u8,
    /// Lamports for each auditor.
    pub fee: u64,
}

/// A job, still without its address; unaudited unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Order {
    pub model: Address,
    /// The input file's bytes.
    pub input: Vec<u8>,
    /// What the terms say of the input; its own digest unless a test lies.
    pub input_digest: Digest,
    /// Where the input can be fetched; empty if it is handed over.
    pub input_uri: String,
    /// The only provider that may claim; zero for any.
    pub exclusive: Address,
    pub floor: u64,
    pub ceiling: u64,
    pub collateral: u64,
    pub ramp_secs: u32,
    pub claim_secs: u32,
    pub compute_secs: u32,
    pub challenge_secs: u32,
    pub audit: Option<Audit>,
}

impl Order {
    /// Usual terms at a fixed price, with windows that no test waits for.
    pub fn new(model: Address, input: Vec<u8>) -> Self {
        Self {
            model,
            input_digest: digest(&input),
            input,
            input_uri: String::new(),
            exclusive: Address::default(),
            floor: 1_000_000,
            ceiling: 1_000_000,
            collateral: 2_000_000,
            ramp_secs: 0,
            claim_secs: 600,
            compute_secs: 600,
            challenge_secs: 3_600,
            audit: None,
        }
    }

    /// Audited at this rate by two, each for one and a half times the ceiling, with the least collateral that the
    /// local market takes for it.
    pub fn audited(self, rate: u16) -> Self {
        let fee = self.ceiling / 2 * 3;
        let deterring = self.ceiling * 20_000 / u64::from(rate);
        Self {
            collateral: deterring.max(20 * fee),
            audit: Some(Audit {
                rate,
                panel: 2,
                fee,
            }),
            ..self
        }
    }

    /// What its requester locks up.
    pub fn escrow(&self) -> u64 {
        let fees = self
            .audit
            .map_or(0, |audit| audit.fee * u64::from(audit.panel));
        self.ceiling + fees
    }

    /// Reserved for this provider, so that the workers of other tests leave it alone.
    pub fn only(self, provider: &Address) -> Self {
        Self {
            exclusive: *provider,
            ..self
        }
    }

    /// The terms under a secret.
    pub fn terms(&self, secret_hash: &Digest) -> Result<JobTerms> {
        let (input_uri, input_uri_len) = text::write(&self.input_uri).map_err(broken)?;
        let Audit { rate, panel, fee } = self.audit.unwrap_or(Audit {
            rate: 0,
            panel: 0,
            fee: 0,
        });
        Ok(JobTerms {
            ceiling: self.ceiling,
            floor: self.floor,
            collateral: self.collateral,
            audit_fee: fee,
            audit_bps: rate,
            panel_size: panel,
            ramp_secs: self.ramp_secs,
            claim_secs: self.claim_secs,
            compute_secs: self.compute_secs,
            challenge_secs: self.challenge_secs,
            input_bytes: u32::try_from(self.input.len())?,
            output_limit: 1 << 20,
            input_uri_len,
            input_digest: self.input_digest.0,
            requester_secret_hash: secret_hash.0,
            exclusive_provider: self.exclusive,
            input_uri,
            ..JobTerms::zeroed()
        })
    }
}
