//! `[sessions]`: models served to whoever has a payment channel with this provider.

use std::collections::BTreeSet;

use assay_client::session::Price;
use assay_protocol::{
    Digest,
    limits::{MAX_GRACE_SECS, MIN_GRACE_SECS},
};
use serde::{Deserialize, Serialize};

use super::{ConfigError, check::invalid};

/// Time in which a transaction lands, or expires and another one lands.
const SETTLING_SECS: u64 = 120;

/// Models served to sessions, what they cost, and how much is risked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    pub enabled: bool,
    pub models: Vec<SessionModel>,
    /// Requests at the same time; more are answered with 429.
    pub max_concurrent: usize,
    /// Lamports of vouchers not settled yet at which a session is settled.
    pub value_at_risk_lamports: u64,
    /// Sessions with a shorter grace time are not served.
    pub min_grace_secs: u32,
    /// Vouchers that end sooner than this are not taken.
    pub min_voucher_secs: u32,
    /// Between two readings of the sessions in use.
    pub poll_secs: u64,
    /// A session without requests for so long is settled.
    pub settle_idle_secs: u64,
    /// Tokens of a prompt and its answer together, at most.
    pub max_tokens: u32,
    /// Runs for sessions at the same time.
    pub engines: usize,
    /// Requests in one run, at most.
    pub batch_size: usize,
    /// Microseconds that a request waits for others to share its run; 0 shares with what waits already.
    pub batch_wait_us: u64,
    /// Requests that wait for an engine, for each model; more are answered with 503.
    pub queue: usize,
}

/// A model served to sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionModel {
    /// sha256 of the model's file, in hex.
    pub model: String,
    /// As requesters see it.
    pub name: String,
    #[serde(default)]
    pub price: Price,
    /// Tokens of a prompt and its answer together that the model has room for, where its file does not say so or
    /// [`SessionsConfig::max_tokens`] is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            models: Vec::new(),
            max_concurrent: 64,
            value_at_risk_lamports: 10_000_000,
            min_grace_secs: 86_400,
            min_voucher_secs: 3_600,
            poll_secs: 10,
            settle_idle_secs: 3_600,
            max_tokens: 4_096,
            engines: 1,
            batch_size: 16,
            batch_wait_us: 0,
            queue: 256,
        }
    }
}

impl SessionsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for model in &self.models {
            if !seen.insert(model.digest()?) {
                let reason = format!("{} is listed twice; leave one", model.model);
                return invalid("sessions.models", &reason);
            }
            if model.max_tokens == Some(0) {
                let reason = format!("{} has max_tokens = 0; must be at least 1", model.model);
                return invalid("sessions.models", &reason);
            }
        }
        if self.enabled && self.models.is_empty() {
            return invalid(
                "sessions.models",
                "is empty; list the models to serve, or set sessions.enabled = false",
            );
        }
        let least_one = [
            ("sessions.max_concurrent", self.max_concurrent == 0),
            (
                "sessions.value_at_risk_lamports",
                self.value_at_risk_lamports == 0,
            ),
            ("sessions.settle_idle_secs", self.settle_idle_secs == 0),
            ("sessions.max_tokens", self.max_tokens == 0),
            ("sessions.engines", self.engines == 0),
            ("sessions.batch_size", self.batch_size == 0),
            ("sessions.queue", self.queue == 0),
        ];
        for (key, is_zero) in least_one {
            if is_zero {
                return invalid(key, "must be at least 1");
            }
        }
        if !(MIN_GRACE_SECS..=MAX_GRACE_SECS).contains(&self.min_grace_secs) {
            return invalid(
                "sessions.min_grace_secs",
                &format!(
                    "must be from {MIN_GRACE_SECS} to {MAX_GRACE_SECS}, as the program has it"
                ),
            );
        }
        if self.min_voucher_secs > 86_400 {
            return invalid("sessions.min_voucher_secs", "must be at most 86400");
        }
        if !(1..=600).contains(&self.poll_secs) {
            return invalid("sessions.poll_secs", "must be from 1 to 600");
        }
        // In half of a voucher's time a reading must find that it ends, and a settlement must land.
        let least = self
            .poll_secs
            .saturating_add(SETTLING_SECS)
            .saturating_mul(2);
        if u64::from(self.min_voucher_secs) < least {
            return invalid(
                "sessions.min_voucher_secs",
                &format!(
                    "must be at least {least}, twice sessions.poll_secs and {SETTLING_SECS}: a voucher is settled in the last \
                     half of that time"
                ),
            );
        }
        if self.batch_wait_us > 1_000_000 {
            return invalid(
                "sessions.batch_wait_us",
                "must be at most 1000000: a second",
            );
        }
        Ok(())
    }
}

impl SessionModel {
    /// Tokens of a prompt and its answer together, where `most` is what all models may have.
    pub fn longest(&self, most: u32) -> u32 {
        self.max_tokens.map_or(most, |own| own.min(most))
    }

    /// The sha256 of the model's file.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when it is no hex of 32 bytes.
    pub fn digest(&self) -> Result<Digest, ConfigError> {
        let mut digest = [0; 32];
        hex::decode_to_slice(&self.model, &mut digest).map_err(|error| ConfigError::Invalid {
            key: "sessions.models",
            reason: format!(
                "{:?} is no sha256 digest in hex: {error}; `sha256sum model.onnx` prints one",
                self.model
            ),
        })?;
        Ok(Digest(digest))
    }
}
