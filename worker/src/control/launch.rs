//! Starting the service beside the worker, and ending it with it.

use std::{path::Path, sync::Arc, time::Duration};

use assay_client::protocol::Address;
use assay_engine::Host;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Control, Written,
    machine::Gauges,
    observer::{Observer, SessionEngines, Sources},
    recent::Recent,
    snapshot::Identity,
};
use crate::{
    chain::RpcChain,
    config::Config,
    driver::{Input, Shared},
    sessions::Sessions,
    store::Store,
};

/// Answers under way at the end get so long.
const ENDING: Duration = Duration::from_secs(2);

/// What the service is started with.
pub struct Launch<'a> {
    pub config: &'a Config,
    pub shared: Arc<Shared>,
    pub driver: mpsc::Sender<Input>,
    pub host: Arc<Host>,
    /// The engines of sessions, where there are any.
    pub sessions: Option<Arc<Host>>,
    /// Sessions themselves, likewise.
    pub served: Option<Arc<Sessions<RpcChain>>>,
    pub chain: Arc<RpcChain>,
    pub recent: Recent,
    pub metrics: PrometheusHandle,
    pub operator: Address,
    pub provider: Address,
}

/// A service that runs; it ends when this is dropped.
pub struct Launched {
    _file: Written,
    serving: JoinHandle<std::io::Result<()>>,
    stop: DropGuard,
}

impl Launch<'_> {
    /// None if the configuration wants none, and where it cannot be had: a taken port costs the page,
    /// not the worker, whose claimed jobs have deadlines.
    pub async fn start(self) -> Option<Launched> {
        let address = match self.config.control.address() {
            Ok(address) => address?,
            Err(error) => {
                tracing::warn!(%error, "no status page, `ps` and `drain`");
                return None;
            }
        };
        let started = async {
            let control = Control::listen(address).await?;
            let handover = control.handover();
            let file = handover.write(&self.config.data_dir)?;
            let journal = Store::open_read_only(&self.config.journal())?;
            anyhow::Ok((control, handover.url, file, journal))
        };
        let (control, url, file, journal) = match started.await {
            Ok(started) => started,
            Err(error) => {
                tracing::warn!(
                    reason = format!("{error:#}"),
                    "no status page, `ps` and `drain`"
                );
                return None;
            }
        };
        tracing::info!(url, "status page: `assay-worker status --open` opens it");
        let observer = Observer::new(Sources {
            shared: self.shared,
            driver: self.driver,
            host: self.host,
            sessions: self.sessions.map(|host| SessionEngines {
                host,
                models: self.config.sessions.models.clone(),
            }),
            served: self.served,
            chain: self.chain,
            journal,
            recent: self.recent,
            identity: Identity {
                authority: self.config.authority.clone(),
                provider: self.provider.to_string(),
                operator: self.operator.to_string(),
                public_url: self.config.api.public_url.clone(),
            },
            metrics: self.metrics,
            gauges: Gauges::new(Path::new(&self.config.data_dir)),
        });
        let stop = CancellationToken::new();
        Some(Launched {
            _file: file,
            serving: tokio::spawn(control.serve(observer, stop.clone())),
            stop: stop.drop_guard(),
        })
    }
}

impl Launched {
    /// Lets answers under way end.
    pub async fn end(self) {
        drop(self.stop);
        match tokio::time::timeout(ENDING, self.serving).await {
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the control service failed"),
            Ok(Err(error)) => tracing::warn!(%error, "the control service failed"),
            Ok(Ok(Ok(()))) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use assay_engine::{EngineConfig, HostConfig};
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::{
        control::{client::Client, snapshot::State},
        core::{Pause, Reason, Snapshot as Seen},
    };

    fn config(folder: &Path, listen: &str) -> Config {
        let mut config = Config {
            authority: Address::new_from_array([1; 32]).to_string(),
            data_dir: folder.to_owned(),
            ..Config::default()
        };
        config.control.listen = listen.into();
        config
    }

    fn launch(config: &Config, driver: mpsc::Sender<Input>) -> Launch<'_> {
        Store::open(&config.journal()).unwrap();
        let engines = HostConfig::new(EngineConfig::default()).unwrap();
        Launch {
            config,
            shared: Arc::default(),
            driver,
            host: Arc::new(Host::new(engines)),
            sessions: None,
            served: None,
            chain: Arc::new(RpcChain::new(&config.chain.endpoints()).unwrap()),
            recent: Recent::default(),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            operator: Address::new_from_array([2; 32]),
            provider: Address::new_from_array([3; 32]),
        }
    }

    #[tokio::test]
    async fn commands_find_the_worker_and_their_orders_reach_its_driver() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "127.0.0.1:0");
        let (driver, mut inputs) = mpsc::channel(1);
        let launch = launch(&config, driver);
        let shared = Arc::clone(&launch.shared);
        let launched = launch.start().await.unwrap();
        let client = Client::find(&config).unwrap();
        let first = client.snapshot().await.unwrap();
        assert_eq!(first.standing.state, State::Starting);
        assert_eq!(
            first.identity.provider,
            Address::new_from_array([3; 32]).to_string()
        );
        assert_eq!(first.chain.endpoints.len(), config.chain.rpc.len());
        assert!(first.machine.memory.is_some() && first.engines.is_empty());

        let answered = tokio::spawn(async move {
            let Some(Input::Drain(reply)) = inputs.recv().await else {
                return false;
            };
            let drained = Arc::new(Seen {
                reasons: vec![Reason {
                    pause: Pause::Drained,
                    since: 5,
                    detail: "asked".into(),
                }],
                idle: true,
                ..Seen::default()
            });
            shared.snapshot.send_replace(Arc::clone(&drained));
            reply.send(Ok(drained)).is_ok()
        });
        let drained = client.drain(true).await.unwrap().standing;
        assert!(answered.await.unwrap());
        assert!(drained.draining && drained.idle && drained.state == State::Draining);
        // The driver is gone: its queue is closed.
        let refused = client.drain(false).await.err().unwrap().to_string();
        assert!(refused.contains("the worker is stopping"), "{refused}");

        launched.end().await;
        assert!(
            Client::find(&config).is_err(),
            "the file goes with the service"
        );
    }

    #[tokio::test]
    async fn taken_port_and_an_empty_setting_cost_the_page_and_not_the_worker() {
        let folder = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for listen in [taken.local_addr().unwrap().to_string(), String::new()] {
            let config = config(folder.path(), &listen);
            assert!(launch(&config, mpsc::channel(1).0).start().await.is_none());
            assert!(std::fs::exists(folder.path().join("control.json")).is_ok_and(|there| !there));
        }
    }
}
