//! How sessions are served, and what the machine gives them beside its jobs.

use std::{collections::BTreeMap, time::Duration};

use assay_engine::EngineConfig;
use assay_protocol::Digest;

/// What serving is set to.
#[derive(Clone, Debug)]
pub struct ServingConfig {
    /// What is served; nothing else is.
    pub models: Vec<Digest>,
    /// Runs at the same time.
    pub engines: usize,
    /// Rows of one run that several requests share; 1 shares none.
    pub batch_size: usize,
    /// How long a request waits for others to share its run; none shares with those that wait already.
    pub batch_wait: Duration,
    /// Requests that wait for an engine, for each model.
    pub queue: usize,
    /// Tokens of a prompt and its answer together.
    pub max_tokens: usize,
    /// The same of models that have less.
    pub longest: BTreeMap<Digest, usize>,
    /// Longest time of one run.
    pub run_limit: Duration,
}

/// Engines do not grow old while sessions may come.
const KEEP_ALIVE: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The engines of jobs and those of sessions, where a worker has both.
#[derive(Clone, Debug)]
pub struct Shares {
    pub jobs: EngineConfig,
    pub sessions: EngineConfig,
}

impl Shares {
    /// Each may hold half of the memory, so that no request of a session can end an engine with claimed work. Cores are
    /// the system's to share.
    pub fn of(engine: &EngineConfig, serving: &ServingConfig) -> Self {
        let half = (engine.memory() / 2).max(1);
        let jobs = EngineConfig {
            memory_bytes: half,
            ..engine.clone()
        };
        let instances = serving.engines.max(1);
        let sessions = EngineConfig {
            memory_bytes: half,
            concurrency: instances,
            instances,
            warm_models: instances.saturating_mul(serving.models.len().max(1)),
            keep_alive_secs: KEEP_ALIVE.as_secs(),
            spare: false,
            ..engine.clone()
        };
        Self { jobs, sessions }
    }
}

#[cfg(test)]
mod tests {
    use assay_engine::Mode;

    use super::*;

    #[test]
    fn jobs_and_sessions_have_memory_of_their_own_and_jobs_stay_what_they_were() {
        let engine = EngineConfig {
            memory_bytes: 1_000,
            ..EngineConfig::default()
        };
        let serving = ServingConfig {
            models: vec![Digest([1; 32]), Digest([2; 32])],
            engines: 3,
            batch_size: 16,
            batch_wait: Duration::ZERO,
            queue: 8,
            max_tokens: 100,
            longest: BTreeMap::new(),
            run_limit: Duration::from_secs(1),
        };
        let Shares { jobs, sessions } = Shares::of(&engine, &serving);
        assert_eq!((jobs.memory_bytes, sessions.memory_bytes), (500, 500));
        assert_eq!((sessions.concurrency, sessions.warm_models), (3, 6));
        let audited = |config: &EngineConfig| config.settings(Mode::Audited);
        assert_eq!(audited(&jobs), audited(&engine), "the class is the same");
        assert_eq!(jobs.concurrency, engine.concurrency);
    }
}
