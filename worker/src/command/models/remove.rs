//! `assay-worker models rm`.

use std::{
    fs::{File, TryLockError},
    io,
};

use anyhow::{Context, anyhow};
use assay_protocol::Digest;
use indicatif::HumanBytes;
use serde::Serialize;

use super::{Ended, digest, print, print_json, shelf::Shelf};
use crate::{args::Remove, config::Config, store::Store};

#[derive(Serialize)]
struct Removed {
    digest: String,
    freed: u64,
    used: u64,
    limit: u64,
}

pub fn remove(config: &Config, flags: &Remove) -> Result<(), Ended> {
    let text = &flags.model;
    let digest = digest(text).ok_or_else(|| {
        Ended::usage(format!(
            "{text:?} is no sha256 of 64 hex digits; `assay-worker models list` shows those in the cache"
        ))
    })?;
    let shelf = Shelf::new(config);
    let Some(held) = shelf.find(&digest)? else {
        let reason = "that model is not in the cache; `assay-worker models list` shows what is";
        return Err(Ended::Failed(anyhow!(reason)));
    };
    // Held to the end: no worker starts meanwhile.
    let worker = worker(config)?;
    if !flags.force {
        let mut reasons = needs(config, &digest)?;
        let listed = config.policy.models.digests()?;
        if listed.is_some_and(|listed| listed.contains(&digest.0)) {
            reasons.push("policy.models lists it: take it out of the list first".to_owned());
        }
        if matches!(worker, Worker::Runs) {
            reasons.push(
                "a worker runs, and may be about to claim a job for it: stop it first".to_owned(),
            );
        }
        if !reasons.is_empty() {
            let reasons = reasons.join("\n  ");
            return Err(Ended::Failed(anyhow!(
                "the model is not removed (--force removes it all the same):\n  {reasons}"
            )));
        }
    }
    let freed = shelf.remove(&held)?;
    let removed = Removed {
        digest: hex::encode(digest.0),
        freed,
        used: shelf.used()?,
        limit: shelf.limit(),
    };
    if flags.json {
        print_json(&removed)?;
    } else {
        print(&format!(
            "{}\n  removed, {} freed; {} of {} used\n",
            removed.digest,
            HumanBytes(removed.freed),
            HumanBytes(removed.used),
            HumanBytes(removed.limit)
        ))?;
    }
    Ok(())
}

/// Who uses the data folder.
enum Worker {
    Runs,
    /// The lock, where there is one to be had.
    Stopped {
        _lock: Option<File>,
    },
}

fn worker(config: &Config) -> anyhow::Result<Worker> {
    let path = config.data_dir.join("lock");
    let failed = || {
        format!(
            "{} cannot be locked; run as the worker's user",
            path.display()
        )
    };
    let lock = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Worker::Stopped { _lock: None });
        }
        opened => opened.with_context(failed)?,
    };
    match lock.try_lock() {
        Ok(()) => Ok(Worker::Stopped { _lock: Some(lock) }),
        Err(TryLockError::WouldBlock) => Ok(Worker::Runs),
        Err(TryLockError::Error(error)) => Err(error).with_context(failed),
    }
}

/// Jobs and audits of the journal that have not ended and are for this model.
fn needs(config: &Config, digest: &Digest) -> anyhow::Result<Vec<String>> {
    let path = config.journal();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let unreadable = || {
        format!(
            "the journal {} does not tell which models are needed; `assay-worker doctor` examines it",
            path.display()
        )
    };
    let store = Store::open_read_only(&path).with_context(unreadable)?;
    let mut reasons = Vec::new();
    for (address, _) in store.live_jobs().with_context(unreadable)? {
        let job = store.job(&address).with_context(unreadable)?;
        if job.is_some_and(|job| job.model_digest == digest.0) {
            reasons.push(format!("the live job {address} needs it: let it end first"));
        }
    }
    for address in store.live_audits().with_context(unreadable)? {
        let audits = store.audits(Some(&address), 1).with_context(unreadable)?;
        if audits
            .iter()
            .any(|audit| audit.evidence.job.model_digest == digest.0)
        {
            reasons.push(format!("the audit of {address} needs it: let it end first"));
        }
    }
    Ok(reasons)
}
