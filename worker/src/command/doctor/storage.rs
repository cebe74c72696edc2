//! Folders, disk and journal.

use std::{fs, path::Path};

use super::{Patient, report::Report};
use crate::{
    artifacts::free_disk, command::init::gibibytes, config::Config, core::LEAST_FREE_DISK,
    store::Store,
};

pub fn check(report: &mut Report, patient: &Patient) {
    let config = &patient.config;
    let data = &config.data_dir;
    if data.is_dir() {
        data_folder(report, data);
    } else if data.exists() {
        report.broken(
            "data folder",
            format!("{} is no folder", data.display()),
            "remove it, or set data_dir",
        );
    } else {
        report.skipped(
            "data folder",
            format!("{}: made at the first start", data.display()),
        );
    }
    journal(report, &config.journal());
    let mut may_grow = outputs_to_come(config);
    let artifacts = &config.artifacts;
    for (name, folder, limit) in [
        ("models", data.join("models"), artifacts.model_cache_bytes),
        ("blobs", data.join("blobs"), artifacts.blob_cache_bytes),
        (
            "optimised",
            config.optimised(),
            config.engine.optimised_cache_bytes,
        ),
    ] {
        let (files, bytes) = content(&folder);
        report.good(
            format!("cache: {name}"),
            format!(
                "{files} files, {} of {}",
                gibibytes(bytes),
                gibibytes(limit)
            ),
        );
        may_grow = may_grow.saturating_add(limit.saturating_sub(bytes));
    }
    disk(report, data, may_grow);
    for folder in &config.artifacts.model_dirs {
        let shown = folder.display();
        match fs::read_dir(folder) {
            Ok(entries) => {
                let onnx = |entry: &fs::DirEntry| {
                    entry
                        .path()
                        .extension()
                        .is_some_and(|ending| ending == "onnx")
                };
                let count = entries.flatten().filter(onnx).count();
                report.good("model folder", format!("{shown}: {count} .onnx files"));
            }
            Err(error) => report.broken(
                "model folder",
                format!("{shown} cannot be read: {error}"),
                "make it readable, or take it out of artifacts.model_dirs",
            ),
        }
    }
}

fn data_folder(report: &mut Report, data: &Path) {
    let name = "data folder";
    let shown = data.display();
    if let Some(mode) = open_to_others(data) {
        report.notice(
            name,
            format!("{shown} has mode {mode:03o}: others can read the salts of live commitments"),
            format!("chmod 700 {shown}"),
        );
    }
    // Tried, because modes do not tell of read-only disks and containers.
    match tempfile::Builder::new()
        .prefix(".assay-doctor-")
        .tempfile_in(data)
    {
        Ok(_) => report.good(name, format!("{shown}, writable")),
        Err(error) => report.broken(
            name,
            format!("{shown} cannot be written: {error}"),
            "run as the worker's user, mend the rights, or set data_dir",
        ),
    }
}

/// The mode, if anybody but the owner has rights.
#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<u32> {
    None
}

fn journal(report: &mut Report, path: &Path) {
    let name = "journal";
    if !path.exists() {
        report.skipped(
            name,
            "none yet: the worker has not run with this configuration",
        );
        return;
    }
    let looked = Store::open_read_only(path).and_then(|store| {
        let faults = store.faults()?;
        if !faults.is_empty() {
            return Ok((faults, 0, 0));
        }
        Ok((faults, store.live_jobs()?.len(), store.live_audits()?.len()))
    });
    match looked {
        Ok((faults, jobs, audits)) if faults.is_empty() => {
            let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
            report.good(
                name,
                format!(
                    "whole, {} KiB; {jobs} live jobs, {audits} live audits",
                    size / 1_024
                ),
            );
        }
        Ok((faults, _, _)) => report.broken(
            name,
            format!("damaged: {}", faults.join("; ")),
            "stop the worker and restore a backup; its live commitments cannot be opened without their salts",
        ),
        Err(error) => report.failed(name, &error),
    }
}

/// Bytes that the journal may still take for outputs and hints: those of results that are kept for their
/// requesters, and of everything that may be live at once.
fn outputs_to_come(config: &Config) -> u64 {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let live = count(config.policy.concurrent_jobs).saturating_add(count(config.audit.max_seats));
    let most = live
        .saturating_mul(config.engine.limits.output_bytes)
        .saturating_add(config.policy.retention_bytes);
    let taken = fs::metadata(config.journal()).map_or(0, |metadata| metadata.len());
    most.saturating_sub(taken)
}

/// Files of a cache, and their bytes.
fn content(folder: &Path) -> (usize, u64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        metadata.is_file().then_some(metadata.len())
    });
    sizes.fold((0, 0), |(files, bytes), size| {
        (files + 1, bytes.saturating_add(size))
    })
}

fn disk(report: &mut Report, data: &Path, may_grow: u64) {
    let name = "disk";
    let Some(free) = free_disk(data) else {
        report.skipped(name, "what is free cannot be read");
        return;
    };
    let finding = format!("{} free", gibibytes(free));
    if free < LEAST_FREE_DISK {
        report.broken(
            name,
            finding,
            "make room, or set data_dir to another disk: with so little the worker takes no new work",
        );
    } else if free < may_grow {
        report.notice(
            name,
            format!(
                "{finding}, and caches and kept outputs may take {} more",
                gibibytes(may_grow)
            ),
            "lower artifacts.model_cache_bytes, artifacts.blob_cache_bytes, engine.optimised_cache_bytes or policy.retention_bytes, or make room",
        );
    } else {
        report.good(name, finding);
    }
}
