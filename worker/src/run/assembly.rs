//! The roles as the configuration wants them, on whatever ground: a machine, or a simulation.

use std::{sync::Arc, time::Duration};

use assay_client::{
    delivery::{Models, Policy as PublishedPolicy},
    protocol::Address,
};
use assay_engine::EngineConfig;
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::sync::mpsc;

use crate::{
    api::{Answers, Api, ApiLimits},
    artifacts::{Artifacts, free_disk},
    chain::{
        Chain,
        submitter::{Memory, Submitter, SubmitterConfig},
    },
    config::{Config, ConfigError, ModelList},
    driver::{EnergyMeter, Engines, Input, Parts, Random, Shared, Threads, Times},
    halt::Halt,
    serving::Serve,
    sessions::{self, Kept, SessionStore, Sessions},
    store::Store,
};

/// What the configuration does not say.
pub struct Ground<C> {
    pub chain: Arc<C>,
    pub store: Store,
    pub artifacts: Arc<Artifacts>,
    pub host: Arc<dyn Engines>,
    pub threads: Threads,
    pub random: Random,
    pub clock: fn() -> i64,
    /// As it is really set, after detection.
    pub engine: EngineConfig,
    pub runtime: String,
    pub class: [u8; 32],
    pub operator: Arc<Keypair>,
    pub provider: Address,
    pub halt: Halt,
}

/// Everything that the driver works with. Energy is not measured unless a meter is put in.
pub fn parts<C: Chain>(config: &Config, ground: Ground<C>) -> Result<Parts<C>, ConfigError> {
    Ok(Parts {
        submitter: Arc::new(submitter(config, &ground)),
        operator: ground.operator.pubkey(),
        chain: ground.chain,
        store: ground.store,
        artifacts: ground.artifacts,
        host: ground.host,
        threads: ground.threads,
        random: ground.random,
        clock: ground.clock,
        free_disk,
        engine: ground.engine,
        runtime: ground.runtime,
        class: ground.class,
        energy: EnergyMeter::default(),
        provider: ground.provider,
        policy: config.policy()?,
        audit: config.audit_policy()?,
        min_auditors: config.policy.min_auditors,
        times: times(config),
        shared: Arc::new(Shared::default()),
        halt: ground.halt,
    })
}

/// The HTTP service beside a driver of these parts.
pub fn service<C: Chain>(
    config: &Config,
    parts: &Parts<C>,
    driver: mpsc::Sender<Input>,
    runtime_class: [u8; 32],
) -> Api<C> {
    Api {
        chain: Arc::clone(&parts.chain),
        store: parts.store.clone(),
        artifacts: Arc::clone(&parts.artifacts),
        driver,
        shared: Arc::clone(&parts.shared),
        provider: parts.provider,
        operator: parts.operator,
        runtime_class,
        clock: parts.clock,
        policy: published(config),
        limits: ApiLimits {
            timeout: Duration::from_secs(config.api.timeout_secs),
            concurrent_requests: config.api.concurrent_requests,
            connections: config.api.connections,
            connections_per_client: config.api.connections_per_client,
            requests_per_minute: config.api.requests_per_minute,
            client_header: config.client_header().ok().flatten(),
            blob_bytes: config.engine.limits.input_bytes,
        },
        answers: Answers::new(config.api.upload_bytes_per_sec),
    }
}

/// Sessions beside a driver of these parts, with their file and what was kept in it. `generation` is the provider
/// account's.
pub fn sessions<C: Chain>(
    config: &Config,
    parts: &Parts<C>,
    generation: u64,
    serve: Arc<dyn Serve>,
    (store, kept): (SessionStore, Kept),
) -> Result<Arc<Sessions<C>>, ConfigError> {
    let ground = sessions::Ground {
        chain: Arc::clone(&parts.chain),
        submitter: Arc::clone(&parts.submitter),
        shared: Arc::clone(&parts.shared),
        serve,
        clock: parts.clock,
        provider: parts.provider,
        generation,
        body_bytes: config.engine.limits.input_bytes,
        body_patience: Duration::from_secs(config.api.timeout_secs),
        client_header: config.client_header().ok().flatten(),
    };
    Sessions::new(&config.sessions, ground, store, kept)
}

fn submitter<C: Chain>(config: &Config, ground: &Ground<C>) -> Submitter<C> {
    Submitter {
        chain: Arc::clone(&ground.chain),
        store: ground.store.clone(),
        operator: Arc::clone(&ground.operator),
        provider: ground.provider,
        config: SubmitterConfig {
            max_unit_price: config.chain.max_unit_price,
            fee_percentile: config.chain.fee_percentile,
            look_every: Duration::from_millis(config.chain.look_ms),
            resend_every: Duration::from_millis(config.chain.resend_ms),
        },
        halt: ground.halt,
        memory: Memory::default(),
    }
}

fn times(config: &Config) -> Times {
    Times {
        poll_every: config.poll_every(),
        idle_poll: Duration::from_millis(config.chain.idle_poll_ms),
        idle_list: Duration::from_millis(config.chain.idle_list_ms),
        clock_patience: Duration::from_secs(config.chain.jump_secs),
        shutdown: Duration::from_secs(config.policy.shutdown_secs),
        retention: Duration::from_secs(u64::from(config.policy.retention_hours) * 3_600),
        kept_bytes: config.policy.retention_bytes,
    }
}

fn published(config: &Config) -> PublishedPolicy {
    PublishedPolicy {
        min_price_lamports: config.policy.min_price_lamports,
        models: match &config.policy.models {
            ModelList::Word(_) => Models::Any,
            ModelList::Listed(digests) => Models::Listed(digests.clone()),
        },
        max_input_bytes: config.engine.limits.input_bytes,
        max_model_bytes: config.engine.limits.model_bytes,
    }
}
