//! `assay-worker init`: a configuration and a key, ready to be registered.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay_client::protocol::Address;
use serde::Serialize;
use solana_signer::Signer;

use super::{Ended, benchmark::Measured, print, print_json};
use crate::{
    args,
    config::Config,
    keys::{self, KeyError},
};

mod hardware;
mod measure;
mod price;
mod questions;
mod talk;
mod write;

pub use hardware::{Hardware, gibibytes};

use price::{Costs, Suggestion};
use talk::Talk;

#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("{0} exists already and is left as it is; remove it, or write another with --config")]
    Exists(PathBuf),
    #[error("{path} cannot be written: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the configuration cannot be written: {0}")]
    Template(String),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What was made, and what it rests on.
#[derive(Debug, Serialize)]
struct Made {
    config: PathBuf,
    key: PathBuf,
    /// Whether the key was there before and is kept.
    key_kept: bool,
    operator: String,
    /// Empty: still to be written into the file.
    authority: String,
    hardware: Hardware,
    measured: Vec<Measured>,
    /// Why nothing, or not everything, was measured.
    not_measured: Option<String>,
    costs: Option<Costs>,
    suggestion: Option<Suggestion>,
    min_price_lamports: u64,
    /// What is to be done next, in this order.
    next: Vec<String>,
}

/// Asks, measures, makes both files, and says what comes next.
pub fn show(path: &Path, flags: &args::Init) -> Result<(), Ended> {
    if path.exists() {
        return Err(failed(InitError::Exists(path.to_owned())));
    }
    let talk = Talk::new(flags.yes);
    let mut config = Config::default();
    let hardware = hardware::read(&folder(path).join(&config.data_dir));
    eprintln!("This machine:\n{}", hardware.text());
    questions::place(talk, flags, &mut config)?;
    questions::engine(talk, flags, &hardware, &mut config)?;
    let measurement = measure::measure(flags, &config);
    let priced = questions::price(talk, flags, &measurement, &mut config)?;

    let (key, operator, key_kept) = make(path, &config).map_err(failed)?;
    let made = Made {
        config: path.to_owned(),
        key,
        key_kept,
        operator: operator.to_string(),
        next: next(path, &config, &operator),
        authority: config.authority,
        hardware,
        measured: measurement.measured,
        not_measured: measurement.reason,
        costs: priced.map(|(costs, _)| costs),
        suggestion: priced.map(|(_, suggestion)| suggestion),
        min_price_lamports: config.policy.min_price_lamports,
    };
    if flags.json {
        return Ok(print_json(&made)?);
    }
    let how = if made.key_kept { "kept" } else { "written" };
    eprintln!(
        "\n{} written, {} {how}",
        made.config.display(),
        made.key.display()
    );
    eprintln!("Next:");
    for step in &made.next {
        eprintln!("  {step}");
    }
    Ok(print(&format!("{}\n", made.operator))?)
}

/// Both files. The key comes first: without its configuration it is found and kept the next time.
fn make(path: &Path, config: &Config) -> Result<(PathBuf, Address, bool), InitError> {
    let text = write::fill(config).map_err(InitError::Template)?;
    let write = |source| InitError::Write {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(folder(path)).map_err(write)?;
    let key = folder(path).join(&config.operator);
    let key_kept = key.exists();
    let keypair = if key_kept {
        keys::load(&key)?
    } else {
        keys::create(&key)?
    };
    write::create(path, &text).map_err(|source| {
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            InitError::Exists(path.to_owned())
        } else {
            write(source)
        }
    })?;
    Ok((key, keypair.pubkey(), key_kept))
}

fn next(path: &Path, config: &Config, operator: &Address) -> Vec<String> {
    let authority = if config.authority.is_empty() {
        format!(
            "set `authority` in {} to your cold wallet; with its key:",
            path.display()
        )
    } else {
        format!("with the key of {}:", config.authority)
    };
    vec![
        authority,
        format!(
            "assay provider register --operator {operator} --endpoint {}",
            config.api.public_url
        ),
        "assay stake deposit <SOL>".to_owned(),
        "assay provider fund 0.05   # the operator's fees".to_owned(),
        format!("assay-worker doctor --config {}", path.display()),
        format!("assay-worker run --config {}", path.display()),
    ]
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

fn failed(error: InitError) -> Ended {
    Ended::Failed(error.into())
}

#[cfg(test)]
mod tests;
