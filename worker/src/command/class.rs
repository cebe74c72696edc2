//! `assay-worker class`: the runtime class of this machine, as set up.

use assay_engine::{Class, Host, HostConfig, Selection};
use serde::Serialize;

use super::{Ended, block_on, print, print_json};
use crate::config::Config;

/// Everything, for scripts.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    class: Class,
    provider: &'static str,
    /// What was tried; none where the configuration names a provider.
    selection: Option<Selection>,
}

/// The digest goes to stdout, so that it can be put into `assay provider register`; the facts that
/// it stands for go to stderr.
pub fn show(config: &Config, json: bool) -> Result<(), Ended> {
    let told = block_on(tell(config))?;
    if json {
        return Ok(print_json(&told)?);
    }
    for tried in told.selection.iter().flat_map(|selection| &selection.tried) {
        eprintln!("{tried}");
    }
    eprint!("{}", told.class.text);
    Ok(print(&format!("{}\n", hex::encode(told.class.digest)))?)
}

async fn tell(config: &Config) -> anyhow::Result<Told> {
    let (host, selection) = HostConfig::new(config.engine.clone())?.resolve().await?;
    let engine = host.engine.clone();
    let runtime = Host::new(host).probe().await?.runtime;
    Ok(Told {
        class: Class::of(&engine, &runtime)?,
        provider: engine.provider.name(),
        selection,
    })
}
