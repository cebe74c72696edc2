//! `assay-worker models show`.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    fs,
};

use anyhow::Context;
use assay_engine::{
    Dimension, EngineError, Host, HostConfig, Model, ModelInfo, TensorInfo, type_name,
};
use assay_protocol::Digest;
use indicatif::HumanBytes;
use serde::Serialize;

use super::{
    Ended, Target, is_allowed, plain, print, print_json,
    registry::{self, Registered},
    shelf::Shelf,
};
use crate::{
    args::Show,
    command::{
        block_on,
        wrap::{COLUMNS, wrap},
    },
    config::Config,
};

/// Columns before a value.
const INDENT: usize = 12;
/// Most characters of one entry of the metadata; all are in the JSON.
const SHOWN: usize = 200;

#[derive(Serialize)]
struct Shown {
    /// Sha256 in hex.
    digest: String,
    /// None where the file is not here.
    size: Option<u64>,
    /// Whether policy.models takes jobs for it.
    allowed: bool,
    /// What the engine says of it.
    interface: Option<Interface>,
    /// Why it is not loaded.
    refused: Option<String>,
    /// Every registration; none if the chain does not answer.
    registered: Option<Vec<Registered>>,
    /// Why the chain does not answer.
    chain: Option<String>,
}

#[derive(Serialize)]
struct Interface {
    inputs: Vec<String>,
    outputs: Vec<String>,
    metadata: BTreeMap<String, String>,
}

pub fn show(config: &Config, flags: &Show) -> Result<(), Ended> {
    let target = Target::read(&flags.model)?;
    let shown = block_on(look(config, &target))?;
    if flags.json {
        print_json(&shown)?;
    } else {
        print(&shown.text())?;
    }
    if shown.refused.is_some() {
        return Err(Ended::Unwell);
    }
    Ok(())
}

async fn look(config: &Config, target: &Target) -> anyhow::Result<Shown> {
    let shelf = Shelf::new(config);
    let (digest, bytes) = match target {
        Target::File(path) => {
            let bytes =
                fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
            (Digest::of(&[&bytes]), Some(bytes))
        }
        Target::Digest(digest) => (*digest, shelf.read(digest)?),
        Target::Address(address) => {
            let digest = registry::at(config, address).await?.digest;
            (digest, shelf.read(&digest)?)
        }
    };
    let size = bytes
        .as_ref()
        .map(Vec::len)
        .map(u64::try_from)
        .transpose()?;
    let (interface, refused) = match bytes.map(|bytes| load(config, bytes)) {
        None => (None, None),
        Some(loading) => match loading.await {
            Ok(info) => (Some(Interface::new(info)), None),
            Err(error) => (None, Some(plain(&format!("{error:#}")))),
        },
    };
    let (registered, chain) = match registry::with(config, &digest).await {
        Ok(registered) => (Some(registered), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    Ok(Shown {
        digest: hex::encode(digest.0),
        size,
        allowed: is_allowed(config, &digest)?,
        interface,
        refused,
        registered,
        chain,
    })
}

async fn load(config: &Config, bytes: Vec<u8>) -> anyhow::Result<ModelInfo> {
    let (resolved, _) = HostConfig::new(config.engine.clone())?.resolve().await?;
    let host = Host::new(resolved);
    let loaded: Result<ModelInfo, EngineError> = host.load(&Model::new(bytes)).await;
    host.kill();
    Ok(loaded?)
}

impl Interface {
    fn new(info: ModelInfo) -> Self {
        Self {
            inputs: info.inputs.iter().map(port).collect(),
            outputs: info.outputs.iter().map(port).collect(),
            metadata: info.metadata,
        }
    }
}

fn port(tensor: &TensorInfo) -> String {
    let shape = tensor.shape.as_ref().map_or("?".to_owned(), |dimensions| {
        let sizes: Vec<String> = dimensions.iter().map(Dimension::to_string).collect();
        format!("[{}]", sizes.join(", "))
    });
    plain(&format!(
        "{}  {} {shape}",
        tensor.name,
        type_name(tensor.dtype)
    ))
}

impl Shown {
    fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        field(out, "digest", &self.digest)?;
        match self.size {
            Some(size) => field(out, "size", &HumanBytes(size).to_string())?,
            None => field(
                out,
                "size",
                "not in the cache; `assay-worker models pull` with the same argument brings it",
            )?,
        }
        let allowed = if self.allowed {
            "yes"
        } else {
            "no: policy.models does not list it"
        };
        field(out, "allowed", allowed)?;
        if let Some(interface) = &self.interface {
            for (label, ports) in [("input", &interface.inputs), ("output", &interface.outputs)] {
                for port in ports {
                    field(out, label, port)?;
                }
            }
            for (key, value) in &interface.metadata {
                let text: String = format!("{key} = {value}").chars().take(SHOWN).collect();
                field(out, "metadata", &plain(&text))?;
            }
        }
        if let Some(reason) = &self.refused {
            field(out, "refused", reason)?;
        }
        if let Some(reason) = &self.chain {
            field(out, "on chain", &format!("not known: {reason}"))?;
        }
        if self.registered.as_ref().is_some_and(Vec::is_empty) {
            field(out, "on chain", "nobody registered it")?;
        }
        for model in self.registered.iter().flatten() {
            registration(out, model)?;
        }
        Ok(())
    }
}

fn registration(out: &mut String, model: &Registered) -> fmt::Result {
    let status = if model.retired { "retired" } else { "active" };
    writeln!(out)?;
    field(out, "on chain", &model.address)?;
    field(out, "name", &format!("{} ({status})", model.name))?;
    field(out, "author", &model.author)?;
    field(out, "profile", &model.profile.join(", "))?;
    if model.uri.is_empty() {
        field(out, "uri", "none; IPFS is asked by digest")
    } else {
        field(out, "uri", &model.uri)
    }
}

/// A label and its value, broken to fit beside it.
fn field(out: &mut String, label: &str, value: &str) -> fmt::Result {
    let mut label = label;
    for line in wrap(value, COLUMNS - INDENT) {
        writeln!(out, "{label:<INDENT$}{line}")?;
        label = "";
    }
    Ok(())
}
