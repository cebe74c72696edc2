//! A worker with sessions alone: the service, the stores and the engines of `assay-worker run`, put together by the same
//! functions, over a folder of accounts.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use assay_client::{
    protocol::UnixSeconds,
    session::{OFFER_PATH, Offer, Price},
};
use assay_worker::{
    api,
    artifacts::{Artifacts, Cache, FetchSettings, NetworkPolicy},
    config::{Config, SessionModel, SessionsConfig},
    driver::Threads,
    halt::Halt,
    run::assembly::{self, Ground},
    serving::Serving,
    sessions::{self, SessionStore},
    store::Store,
    wall_clock,
};
use solana_keypair::Keypair;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    accounts::{Accounts, GENERATION, PROVIDER},
    child::{self, Server},
    http::Connection,
    subject::{LIMIT, Subject, host, serving},
};

/// Lamports of each request.
pub const PRICE: u64 = 5_000;
/// What the model is called.
pub const NAME: &str = "subject";

pub fn operator() -> Keypair {
    Keypair::new_from_array([9; 32])
}

/// A worker's process, its folder, and the accounts that it reads.
pub struct Worker {
    pub server: Server,
    pub accounts: Accounts,
    pub folder: TempDir,
}

impl Worker {
    /// Starts one that serves this model, with runs of up to so many requests, and waits until it is loaded.
    pub async fn start(subject: &Subject, batch_size: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        subject.save(folder.path())?;
        let batch_size = batch_size.to_string();
        let digest = hex::encode(subject.digest().0);
        let arguments = [
            "worker".as_ref(),
            folder.path().as_os_str(),
            digest.as_ref(),
            batch_size.as_ref(),
        ];
        let server = Server::start(&arguments)?;
        let mut connection = Connection::open(server.at).await?;
        let mut left = LIMIT.as_millis() / 20;
        while !offers(&mut connection).await? {
            left = left.checked_sub(1).context("the model is not loaded")?;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(Self {
            server,
            accounts: Accounts::new(folder.path()),
            folder,
        })
    }
}

async fn offers(connection: &mut Connection) -> Result<bool> {
    let (_, offer) = connection.get(OFFER_PATH).await?;
    let offer: Offer = serde_json::from_slice(&offer)?;
    Ok(!offer.models.is_empty())
}

/// Where models lie, by digest.
pub fn artifacts(folder: &Path) -> Result<Artifacts> {
    let cache = |name| Cache::open(name, &folder.join(name), 1 << 20);
    let fetch = FetchSettings {
        network: NetworkPolicy::default(),
        gateways: vec![],
        timeout: LIMIT,
        connections: 1,
    };
    let (models, blobs) = (cache("models")?, cache("blobs")?);
    Ok(Artifacts::new(
        models,
        blobs,
        vec![folder.to_owned()],
        fetch,
    )?)
}

/// Serves until it is killed. Says on which port.
pub async fn serve(arguments: &[&str]) -> Result<()> {
    let [folder, digest, batch_size] = arguments else {
        anyhow::bail!("FOLDER DIGEST BATCH_SIZE");
    };
    let folder = Path::new(folder);
    let model = SessionModel {
        model: (*digest).to_owned(),
        name: NAME.to_owned(),
        max_tokens: None,
        price: Price {
            request: PRICE,
            ..Price::default()
        },
    };
    let (digest, batch_size) = (model.digest()?, batch_size.parse()?);
    let config = Config {
        authority: PROVIDER.to_string(),
        sessions: SessionsConfig {
            enabled: true,
            models: vec![model],
            batch_size,
            // There is no chain to settle on.
            value_at_risk_lamports: u64::MAX,
            ..SessionsConfig::default()
        },
        data_dir: folder.to_owned(),
        ..Config::default()
    };
    let artifacts = Arc::new(artifacts(folder)?);
    let host = Arc::new(host(batch_size)?);
    let limits = config.engine.limits.clone();
    let serve = Serving::new(
        serving(digest, batch_size),
        Arc::clone(&host) as _,
        Arc::clone(&artifacts),
        (limits, Threads::Many),
    );
    let ground = Ground {
        chain: Arc::new(Accounts::new(folder)),
        store: Store::open(&config.journal())?,
        artifacts,
        host,
        threads: Threads::Many,
        random: getrandom::fill,
        clock: wall_clock,
        engine: config.engine.clone(),
        runtime: String::new(),
        class: [0; 32],
        operator: Arc::new(operator()),
        provider: PROVIDER,
        halt: Halt::Never,
    };
    let parts = assembly::parts(&config, ground)?;
    let (driver, _inputs) = mpsc::channel(1);
    let service = assembly::service(&config, &parts, driver, [0; 32]);
    let opened = SessionStore::open(&config.sessions_file(), UnixSeconds(wall_clock()))?;
    let sessions = assembly::sessions(&config, &parts, GENERATION, Arc::new(serve), opened)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stop = CancellationToken::new();
    sessions.start(&stop);
    child::says(listener.local_addr()?)?;
    let paths = sessions::router(sessions);
    api::serve(listener, Arc::new(service), Some(paths), stop).await?;
    Ok(())
}
