//! `assay-worker doctor`: what is right and wrong with this machine, and how to mend it.
//!
//! No check stops the others: each is made with what the ones before have found, and says so where
//! that is not enough. Nothing is changed.

use std::{path::Path, time::Duration};

use assay_client::{address, protocol::Address};
use solana_keypair::Keypair;

use super::{Ended, block_on, print_json};
use crate::{
    args,
    chain::{Endpoints, RpcChain},
    config::{Config, Layers},
    wall_clock,
};

mod machine;
mod network;
mod report;
mod service;
mod sessions;
mod settings;
mod standing;
mod storage;

#[cfg(test)]
mod tests;

use report::Report;

/// What the checks have found out so far.
struct Patient {
    config: Config,
    /// None where the configuration names no address.
    authority: Option<Address>,
    operator: Option<Keypair>,
    /// None if there is no endpoint to ask.
    chain: Option<RpcChain>,
    patience: Duration,
}

impl Patient {
    fn provider(&self) -> Option<Address> {
        self.authority.as_ref().map(address::provider)
    }
}

/// Makes every check. Fails if anything is broken.
pub fn show(layers: &Layers, flags: &args::Doctor) -> Result<(), Ended> {
    let mut report = Report::new(!flags.json);
    let patience = Duration::from_secs(flags.patience.max(1));
    block_on(async {
        examine(&mut report, layers, flags.send, patience).await;
        Ok(())
    })?;
    if flags.json {
        print_json(&report)?;
    } else {
        report.print_summary();
    }
    if report.is_broken() {
        return Err(Ended::Unwell);
    }
    Ok(())
}

async fn examine(report: &mut Report, layers: &Layers, send: bool, patience: Duration) {
    report.section("configuration");
    let config = settings::check(report, layers);
    let operator = settings::key(report, &config);
    settings::pauses(report, &config, wall_clock());
    let chain = RpcChain::new(&Endpoints {
        timeout: config.chain.endpoints().timeout.min(patience),
        ..config.chain.endpoints()
    });
    let patient = Patient {
        authority: config.authority().ok(),
        config,
        operator,
        chain: chain.ok(),
        patience,
    };
    report.section("files");
    storage::check(report, &patient);
    report.section("machine");
    let class = machine::check(report, &patient).await;
    report.section("chain");
    let clock = network::check(report, &patient).await;
    report.section("provider");
    standing::check(report, &patient, clock, class, send).await;
    report.section("service");
    let runs = service::check(report, &patient).await;
    report.section("sessions");
    sessions::check(report, &patient, runs).await;
}

/// The folder that a file lies in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}
