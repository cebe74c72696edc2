//! `assay-worker run`: builds the roles, connects them, and ends them in order.

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use assay_client::{
    address,
    protocol::{Address, ProviderData},
};
use solana_signer::Signer;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, Api},
    artifacts::{Artifacts, Cache, FetchSettings, NetworkPolicy},
    chain::{
        RpcChain,
        watcher::{self, Hint, Streams},
    },
    config::Config,
    control::{launch::Launch, recent::Recent},
    driver::{Driver, EnergyMeter, Input, Threads},
    halt::Halt,
    keys, metrics,
    sessions::Sessions,
    startup::{self, Expected},
    store::Store,
    wall_clock,
};

pub mod assembly;
mod engines;
mod sensors;
mod sessions;

use assembly::Ground;
use engines::Engines;
use sensors::Sampling;

/// Inputs that may wait for the driver; senders wait when it is full.
const QUEUE: usize = 1_024;
/// Until a chain that did not answer at the start is asked again, the first time.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Runs until told to stop, or until something fails that a restart may mend.
pub async fn run(config: Config, halt: Halt, recent: Recent) -> anyhow::Result<()> {
    let authority = config.authority()?;
    let operator = Arc::new(keys::load(&config.operator)?);
    let _lock = lock(&config.data_dir)?;
    let store = Store::open(&config.journal())?;
    let artifacts = Arc::new(artifacts(&config, &config.data_dir)?);
    let metrics = metrics::install().context("metrics could not be started")?;
    let engines = Engines::start(&config).await?;

    let chain = Arc::new(RpcChain::new(&config.chain.endpoints())?);
    let account = account(&config, &chain, &store, operator.pubkey(), &engines.class).await?;
    let provider = address::provider(&authority);
    let listener = listen(&config).await?;
    tracing::info!(%provider, operator = %operator.pubkey(), stake = account.stake, "provider found");

    let host = Arc::clone(&engines.host);
    let ground = Ground {
        chain,
        store,
        artifacts,
        host: engines.host,
        threads: Threads::Many,
        random: getrandom::fill,
        clock: wall_clock,
        engine: engines.config,
        runtime: engines.runtime,
        class: engines.class,
        operator,
        provider,
        halt,
    };
    let mut parts = assembly::parts(&config, ground)?;
    parts.energy = EnergyMeter::open(&parts.engine)
        .context("the thread that measures energy could not be started")?;
    let (sender, inputs) = mpsc::channel(QUEUE);
    let service = Arc::new(assembly::service(
        &config,
        &parts,
        sender.clone(),
        account.runtime_class,
    ));
    let _sampling = Sampling::start(&config.limits, Arc::clone(&parts.shared), sender.clone())
        .context("the thread that reads the sensors could not be started")?;
    let session_host = engines.sessions.as_ref().map(|(_, host)| Arc::clone(host));
    let sessions = sessions::take_up(&config, &parts, account.generation, engines.sessions)?;
    let control = Launch {
        config: &config,
        shared: Arc::clone(&parts.shared),
        driver: sender.clone(),
        host,
        sessions: session_host,
        served: sessions.clone(),
        chain: Arc::clone(&parts.chain),
        recent,
        metrics,
        operator: parts.operator,
        provider,
    };
    let driver = Driver::new(parts, sender.clone(), inputs);
    let control = control.start().await;
    supervise(&config, driver, listener, (service, sessions), sender).await?;
    if let Some(control) = control {
        control.end().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// The provider's account, once the chain shows it.
async fn account(
    config: &Config,
    chain: &RpcChain,
    store: &Store,
    operator: Address,
    class: &[u8; 32],
) -> anyhow::Result<ProviderData> {
    let owes = !store.live_jobs()?.is_empty() || !store.live_audits()?.is_empty();
    let expected = Expected {
        authority: config.authority()?,
        operator,
        public_url: &config.api.public_url,
        owes,
    };
    chain.check().await;
    let account = startup::wait(chain, &expected, ASK_AGAIN).await?;
    startup::check_class(&account.runtime_class, class, owes)?;
    Ok(account)
}

async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.api.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; set api.listen to a free port"))?;
    tracing::info!(address = %listener.local_addr()?, url = config.api.public_url, "listening");
    Ok(listener)
}

/// Serves, watches and drives. Whatever ends first ends the rest.
async fn supervise(
    config: &Config,
    driver: Driver<RpcChain>,
    listener: TcpListener,
    (service, sessions): (Arc<Api<RpcChain>>, Option<Arc<Sessions<RpcChain>>>),
    sender: mpsc::Sender<Input>,
) -> anyhow::Result<()> {
    let (stop_work, stop_service) = (CancellationToken::new(), CancellationToken::new());
    listen_to_hints(config, &service.chain, sender, &stop_work);
    let paths = sessions.clone().map(crate::sessions::router);
    let serving = tokio::spawn(api::serve(listener, service, paths, stop_service.clone()));
    if let Some(sessions) = &sessions {
        sessions.start(&stop_service);
    }
    let mut driving = tokio::spawn(driver.run(stop_work.clone()));
    let mut signals = Signals::new()?;
    let ended = tokio::select! {
        ended = &mut driving => ended,
        () = signals.next() => {
            stop_work.cancel();
            let patience = Duration::from_secs(config.policy.shutdown_secs);
            let both = async {
                let sessions = sessions::end(sessions.as_ref(), patience);
                let (ended, ()) = tokio::join!(&mut driving, sessions);
                ended
            };
            tokio::select! {
                ended = both => ended,
                () = signals.next() => {
                    tracing::warn!("second signal: stopping at once; the journal takes up at the next start");
                    std::process::exit(130);
                }
            }
        }
    };
    stop_work.cancel();
    stop_service.cancel();
    ended.context("the worker's main task failed")??;
    // Answers under way may end; idle connections must not hold the process.
    if let Ok(served) = tokio::time::timeout(Duration::from_secs(2), serving).await {
        served.context("the HTTP service failed")??;
    }
    Ok(())
}

/// Passes on what websockets tell, where there are any.
fn listen_to_hints(
    config: &Config,
    chain: &RpcChain,
    driver: mpsc::Sender<Input>,
    stop: &CancellationToken,
) {
    let streams = Streams {
        urls: config.chain.websocket.urls(),
        silence: Duration::from_secs(config.chain.silence_secs),
    };
    if streams.urls.is_empty() {
        return;
    }
    let (hints, mut hinted) = mpsc::channel(QUEUE);
    let (watching, chain) = (chain.watching(), chain.clone());
    let newest = move || chain.slot();
    tokio::spawn(watcher::watch(
        streams,
        watching,
        newest,
        hints,
        stop.clone(),
    ));
    tokio::spawn(async move {
        while let Some(hint) = hinted.recv().await {
            let input = match hint {
                Hint::Job(address, job) => Input::Job(address, job),
                Hint::Alive(alive) => Input::Hints(alive),
            };
            if driver.send(input).await.is_err() {
                return;
            }
        }
    });
}

/// Interrupt and termination, whichever comes.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Makes a folder, if there is none, that only its owner can enter.
pub(crate) fn private_folder(path: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    // The journal in it holds the salts of live commitments.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| {
        format!(
            "the data folder {} cannot be made; set data_dir",
            path.display()
        )
    })
}

/// One worker for one journal: two would use one salt twice.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    private_folder(data_dir)?;
    let path = data_dir.join("lock");
    let file =
        File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!(
                "another worker uses {}; stop it, or set another data_dir",
                data_dir.display()
            )
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        }
    }
}

/// The caches in this folder, and all sources that the configuration names.
pub(crate) fn artifacts(config: &Config, folder: &Path) -> anyhow::Result<Artifacts> {
    let settings = &config.artifacts;
    let models = Cache::open("models", &folder.join("models"), settings.model_cache_bytes)?;
    let blobs = Cache::open("blobs", &folder.join("blobs"), settings.blob_cache_bytes)?;
    let fetch = FetchSettings {
        network: NetworkPolicy {
            allow_file: settings.allow_file,
            allow_private: settings.allow_private,
            allow_http: settings.allow_http,
        },
        gateways: settings.ipfs_gateways.clone(),
        timeout: Duration::from_secs(settings.fetch_timeout_secs),
        connections: settings.connections,
    };
    Artifacts::new(models, blobs, settings.model_dirs.clone(), fetch)
        .context("the HTTP client could not be built")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::lock;

    #[test]
    fn data_folder_is_made_for_its_owner_only_and_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let held = lock(&data).unwrap();
        let mode = data.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(lock(&data).is_err());
        drop(held);
        lock(&data).unwrap();
    }
}
