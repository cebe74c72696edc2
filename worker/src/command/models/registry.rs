//! What the chain says of models.

use std::time::Duration;

use anyhow::{Context, bail};
use assay_client::protocol::{
    Address, ModelData, OutputProfile, model::MODEL_ACTIVE, profile::Comparison, text,
};
use assay_protocol::Digest;
use serde::Serialize;
use tokio::time::timeout;

use super::plain;
use crate::{
    chain::{Chain, RpcChain},
    config::Config,
};

/// Longest wait for the chain; people wait for this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A registration.
#[derive(Clone, Debug, Serialize)]
pub struct Registered {
    pub address: String,
    pub name: String,
    pub author: String,
    pub retired: bool,
    pub size: u64,
    /// May be empty.
    pub uri: String,
    /// How each output is compared.
    pub profile: Vec<String>,
    #[serde(skip)]
    pub digest: Digest,
}

impl Registered {
    fn new(address: &Address, model: &ModelData) -> Self {
        Self {
            address: address.to_string(),
            name: plain(text::read(&model.name, model.name_len)),
            author: model.author.to_string(),
            retired: model.status != MODEL_ACTIVE,
            size: model.size,
            uri: plain(text::read(&model.uri, model.uri_len)),
            profile: profile(&OutputProfile(model.output_profile)),
            digest: Digest(model.digest),
        }
    }
}

fn profile(profile: &OutputProfile) -> Vec<String> {
    (0..profile.len())
        .filter_map(|position| profile.get(position))
        .map(|comparison| match comparison {
            Comparison::Exact => "exact".to_owned(),
            Comparison::Grid(exponent) => format!("2^{exponent}"),
        })
        .collect()
}

/// The model registered there.
pub async fn at(config: &Config, address: &Address) -> anyhow::Result<Registered> {
    let chain = RpcChain::new(&config.chain.endpoints())?;
    let asked = timeout(PATIENCE, chain.model(address)).await;
    let model = asked
        .context("the chain does not answer in time; check chain.rpc")?
        .context("the chain cannot be asked; check chain.rpc")?;
    match model {
        Some(model) => Ok(Registered::new(address, &model)),
        None => bail!(
            "no model is registered at {address} on this chain; `assay model list` shows those that are, and chain.rpc \
             says which chain is asked"
        ),
    }
}

/// Every registration of a file, the active ones first.
pub async fn with(config: &Config, digest: &Digest) -> anyhow::Result<Vec<Registered>> {
    let chain = RpcChain::new(&config.chain.endpoints())?;
    let asked = timeout(PATIENCE, chain.models_with(&digest.0)).await;
    let models = asked
        .context("the chain does not answer in time; check chain.rpc")?
        .context("the chain cannot be asked; check chain.rpc")?;
    let mut found: Vec<Registered> = models
        .iter()
        .map(|(address, model)| Registered::new(address, model))
        .collect();
    found.sort_by(|one, other| (one.retired, &one.address).cmp(&(other.retired, &other.address)));
    Ok(found)
}
