//! The engines, before any work: which provider, whether one starts, what holds it.

use std::sync::Arc;

use anyhow::Context;
use assay_engine::{
    Class, Confinement, EngineConfig, Host, HostConfig, Mode, OptimisedModels, Probe,
};

use crate::{
    config::Config,
    serving::{ServingConfig, Shares},
};

pub struct Engines {
    pub host: Arc<Host>,
    /// As configured, with a provider instead of `auto`.
    pub config: EngineConfig,
    /// What they say of themselves.
    pub runtime: String,
    pub class: [u8; 32],
    /// Those of sessions, if there are any.
    pub sessions: Option<(ServingConfig, Arc<Host>)>,
}

impl Engines {
    /// Starts one to see that it works.
    pub async fn start(worker: &Config) -> anyhow::Result<Self> {
        let fails = "the inference engine does not start";
        let host = HostConfig::new(worker.engine.clone())?.resolve().await;
        let (mut host, selection) = host.context(fails)?;
        for tried in selection.iter().flat_map(|selection| &selection.tried) {
            tracing::info!("{tried}");
        }
        let sessions = super::sessions::serving(worker)?.map(|serving| {
            let Shares { jobs, sessions } = Shares::of(&host.engine, &serving);
            host.engine = jobs;
            let host = HostConfig {
                engine: sessions,
                ..host.clone()
            };
            (serving, Arc::new(Host::new(host).in_mode(Mode::Fast)))
        });
        let config = host.engine.clone();
        let host = Arc::new(keeping(Host::new(host), worker));
        let Probe {
            runtime,
            confinement,
        } = host.probe().await.context(fails)?;
        let class = Class::of(&config, &runtime)?.digest;
        let (provider, threads) = (config.provider.name(), config.threads);
        tracing::info!(%runtime, provider, threads, class = hex::encode(class), "engine works");
        tell(&confinement);
        Ok(Self {
            host,
            config,
            runtime: format!("{runtime}, {provider}, {threads} threads"),
            class,
            sessions,
        })
    }
}

/// Has models kept on disk as they are optimised, where that is wanted and possible.
fn keeping(host: Host, config: &Config) -> Host {
    let limit = config.engine.optimised_cache_bytes;
    if limit == 0 {
        return host;
    }
    match OptimisedModels::open(&config.optimised(), limit) {
        Ok(models) => host.keeping(models),
        Err(error) => {
            tracing::warn!(%error, "models are optimised at each load");
            host
        }
    }
}

fn tell(confinement: &Confinement) {
    for missing in &confinement.missing {
        tracing::warn!(%missing, "the sandbox is not complete");
    }
    if confinement.is_complete() {
        let parts = confinement.in_force.join(", ");
        tracing::info!(parts, "the sandbox is complete");
    }
}
