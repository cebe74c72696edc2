//! A gateway: the router of `assay gateway`, its sessions, and its ledger on disk.

use std::{ffi::OsStr, path::Path, sync::Arc};

use anyhow::Result;
use assay_gateway::{
    Config, Sessions,
    api::{Options, Packages, router},
    front::{self, Guard},
    store::Store,
    templates::Processes,
};
use solana_signer::Signer;
use tokio::net::TcpListener;

use crate::{
    accounts::{Accounts, Requester},
    child::{self, Server},
    worker::{PRICE, Worker, operator},
};

/// Starts one with this worker as its only provider.
pub fn start(worker: &Worker) -> Result<Server> {
    let endpoint = format!("http://{}", worker.server.at);
    let arguments: [&OsStr; 3] = [
        "gateway".as_ref(),
        worker.folder.path().as_os_str(),
        endpoint.as_ref(),
    ];
    Server::start(&arguments)
}

/// Serves until it is killed. Says on which port.
pub async fn serve(arguments: &[&str]) -> Result<()> {
    let [folder, endpoint] = arguments else {
        anyhow::bail!("FOLDER ENDPOINT");
    };
    let folder = Path::new(folder);
    let chain = Requester::new(Accounts::new(folder), operator().pubkey(), endpoint)?;
    let path = folder.join("gateway/ledger.sqlite");
    let (store, lock) = (Store::open(&path)?, Store::lock(&path)?);
    // Enough that no request waits for a top-up.
    let deposit = PRICE.saturating_mul(10_000_000);
    let mut config = Config::new(deposit.saturating_mul(64), PRICE, deposit);
    config.bounds.allow_private = true;
    let sessions = Sessions::start(config, Arc::new(chain), store, lock).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let guard = Guard::new(listener.local_addr()?, None)?;
    let packages = Arc::new(Packages::new([])?);
    // Without a package nothing is rendered.
    let renderer = Arc::new(Processes::of_this_executable()?);
    let router = router(Arc::new(sessions), packages, renderer, Options::default());
    child::says(listener.local_addr()?)?;
    front::serve(listener, router, guard, std::future::pending()).await?;
    Ok(())
}
