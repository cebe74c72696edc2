//! Which jobs and seats are taken, and what the cores decide by.

use assay_client::budget::LAMPORTS_PER_SIGNATURE;
use assay_protocol::{Lamports, limits::MAX_TERM_LAMPORTS};
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, ModelList};
use crate::core::{AdmissionPolicy, AuditPolicy, BreakerPolicy, Funds, Policy, TrialRun, Window};

/// Most compute units that an instruction of the market takes.
const MOST_UNITS: u64 = 200_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    pub min_price_lamports: u64,
    pub models: ModelList,
    pub max_collateral_lamports: u64,
    /// Most collateral for each lamport of a job's ceiling.
    pub max_collateral_ratio: u32,
    /// The same for jobs that may be audited, which must put up many times their ceiling.
    pub max_audited_ratio: u32,
    /// Take jobs that may be drawn for audit.
    pub audited: bool,
    /// Least number of other providers that could audit such a job now.
    pub min_auditors: usize,
    /// Longest challenge window of a job: until it is over, an unacknowledged job is not paid.
    pub max_challenge_secs: u32,
    /// Least seconds from claim to commit that a job must allow.
    pub min_compute_secs: u32,
    /// Seconds kept back to land a commit; at most a quarter of the job's compute window is.
    pub commit_margin_secs: u32,
    pub exclusive_only: bool,
    /// Jobs claimed and not yet committed. More than engines means risking slashes in a queue.
    pub concurrent_jobs: usize,
    /// Jobs whose files are being fetched.
    pub preparing_jobs: usize,
    pub watched_jobs: usize,
    /// Most of those places that one requester gets, in hundredths.
    pub requester_percent: usize,
    /// Whether a prepared job is run once before it is claimed.
    pub trial_run: TrialRun,
    /// Longest trial; a run never seen to end gets no more engine time than this unpaid.
    pub trial_secs: u32,
    /// What a run is counted as, in hundredths of what was measured.
    pub safety_percent: u32,
    /// Failures of a model, or of several together, after which they are left alone for a while.
    pub breaker_failures: usize,
    /// They count for so long.
    pub breaker_window_secs: u32,
    /// First pause after them; it doubles while the next job fails too.
    pub breaker_pause_secs: u32,
    /// Hours without new work, in UTC: `22:00-07:00`, `sat,sun 09:00-18:00`.
    pub pause: Vec<String>,
    /// Lamports of the operator's key that no new job or seat may touch.
    pub reserve_lamports: u64,
    /// At the first signal, wait this long for acknowledgements of committed jobs.
    pub shutdown_secs: u64,
    /// How long outputs of ended jobs are kept for their requesters, and the bulk of the journal's rows.
    pub retention_hours: u32,
    /// Most bytes of outputs and hints in the journal; above it, those of jobs and audits that ended first go
    /// sooner. What has not ended is never touched.
    pub retention_bytes: u64,
}

/// Seats on the panels that judge other providers' jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    pub enabled: bool,
    /// Least fee of a seat. A seat takes up to seven transactions.
    pub min_fee_lamports: u64,
    /// Seats held at once; each has five fees of the stake in it.
    pub max_seats: usize,
    /// Seconds kept back to land a commitment; at most a quarter of the commit phase is.
    pub margin_secs: u32,
    /// Authorities of providers in the same hands as this one: their jobs are never audited.
    pub siblings: Vec<String>,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            min_price_lamports: 0,
            models: ModelList::Word("any".into()),
            max_collateral_lamports: MAX_TERM_LAMPORTS,
            max_collateral_ratio: 4,
            max_audited_ratio: 400,
            audited: true,
            min_auditors: 2,
            max_challenge_secs: 3_600,
            min_compute_secs: 2,
            commit_margin_secs: 10,
            exclusive_only: false,
            concurrent_jobs: 2,
            preparing_jobs: 4,
            watched_jobs: 10_000,
            requester_percent: 50,
            trial_run: TrialRun::Unknown,
            trial_secs: 60,
            safety_percent: 150,
            breaker_failures: 3,
            breaker_window_secs: 3_600,
            breaker_pause_secs: 600,
            pause: Vec::new(),
            reserve_lamports: 1_000_000,
            shutdown_secs: 30,
            retention_hours: 7 * 24,
            retention_bytes: 8 << 30,
        }
    }
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            min_fee_lamports: 40_000,
            max_seats: 8,
            margin_secs: 60,
            siblings: Vec::new(),
        }
    }
}

impl Config {
    /// What the core decides by.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        let bytes = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let policy = &self.policy;
        Ok(Policy {
            min_price: Lamports(policy.min_price_lamports),
            models: policy.models.digests()?,
            max_input_bytes: bytes(self.engine.limits.input_bytes),
            max_output_bytes: bytes(self.engine.limits.output_bytes),
            max_collateral: Lamports(policy.max_collateral_lamports),
            max_collateral_ratio: policy.max_collateral_ratio,
            max_audited_ratio: policy.max_audited_ratio,
            audited: policy.audited,
            max_challenge_secs: policy.max_challenge_secs,
            min_compute_secs: policy.min_compute_secs,
            commit_margin_secs: policy.commit_margin_secs,
            exclusive_only: policy.exclusive_only,
            concurrent_jobs: policy.concurrent_jobs,
            preparing_jobs: policy.preparing_jobs,
            watched_jobs: policy.watched_jobs,
            requester_percent: policy.requester_percent,
            admission: self.admission(),
            breaker: BreakerPolicy {
                failures: policy.breaker_failures,
                window_secs: policy.breaker_window_secs,
                pause_secs: policy.breaker_pause_secs,
            },
            funds: Funds {
                reserve: Lamports(policy.reserve_lamports),
                transaction: self.transaction(),
            },
            limits: self.limits.policy(),
            pauses: self.pauses()?,
        })
    }

    fn admission(&self) -> AdmissionPolicy {
        AdmissionPolicy {
            engines: self.engine.concurrency,
            trial_run: self.policy.trial_run,
            trial_secs: self.policy.trial_secs,
            safety_percent: self.policy.safety_percent,
        }
    }

    /// Hours without new work.
    pub fn pauses(&self) -> Result<Vec<Window>, ConfigError> {
        let read = |text: &String| {
            Window::parse(text).ok_or_else(|| ConfigError::Invalid {
                key: "policy.pause",
                reason: format!(
                    "{text:?} is no window; write \"22:00-07:00\" or \"sat,sun 09:00-18:00\", in UTC"
                ),
            })
        };
        self.policy.pause.iter().map(read).collect()
    }

    /// Most that one transaction costs.
    fn transaction(&self) -> Lamports {
        let offered = self.chain.max_unit_price.saturating_mul(MOST_UNITS) / 1_000_000;
        Lamports(LAMPORTS_PER_SIGNATURE.saturating_add(offered))
    }

    /// What the audits' core decides by.
    pub fn audit_policy(&self) -> Result<AuditPolicy, ConfigError> {
        let policy = self.policy()?;
        let mut admission = self.admission();
        // Whoever made the job wins by auditors that stay silent: what others took tells little.
        if admission.trial_run == TrialRun::Unknown {
            admission.trial_run = TrialRun::Always;
        }
        let mut wallets = self.audit.authorities()?;
        let siblings = wallets.iter().map(assay_client::address::provider);
        let siblings = siblings.collect();
        wallets.insert(self.authority()?);
        Ok(AuditPolicy {
            enabled: self.audit.enabled,
            min_fee: Lamports(self.audit.min_fee_lamports),
            max_seats: self.audit.max_seats,
            margin_secs: self.audit.margin_secs,
            siblings,
            wallets,
            models: policy.models,
            max_input_bytes: policy.max_input_bytes,
            max_output_bytes: policy.max_output_bytes,
            watched_jobs: policy.watched_jobs,
            admission,
        })
    }
}
