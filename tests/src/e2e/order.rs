//! What a requester asks for.

use anyhow::Result;
use assay_client::{
    outputs::digest,
    protocol::{Address, Digest, terms::JobTerms, text},
};
use bytemuck::Zeroable as _;

use super::broken;

/// An unaudited job, still without its address.
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
        }
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
        Ok(JobTerms {
            ceiling: self.ceiling,
            floor: self.floor,
            collateral: self.collateral,
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
