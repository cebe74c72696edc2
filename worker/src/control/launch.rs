//! Starting the service beside the worker, and ending it with it.

use std::{path::Path, sync::Arc, time::Duration};

use assay_client::protocol::Address;
use assay_engine::Host;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Control, Written,
    machine::Gauges,
    observer::{Observer, Sources},
    recent::Recent,
    snapshot::Identity,
};
use crate::{
    chain::RpcChain,
    config::Config,
    driver::{Input, Shared},
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
    pub chain: Arc<RpcChain>,
    pub recent: Recent,
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
            chain: self.chain,
            journal,
            recent: self.recent,
            identity: Identity {
                authority: self.config.authority.clone(),
                provider: self.provider.to_string(),
                operator: self.operator.to_string(),
                public_url: self.config.api.public_url.clone(),
            },
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
