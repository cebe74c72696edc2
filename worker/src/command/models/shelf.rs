//! The model cache's folder, looked at from outside: the worker may be using it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::{Context, bail};
use assay_engine::kept_of;
use assay_protocol::Digest;
use indicatif::HumanBytes;

use crate::config::Config;

/// What the smallest file counts, as in the cache.
const LEAST: u64 = 4_096;

pub struct Shelf {
    folder: PathBuf,
    /// Of the same models as they were optimised.
    optimised: PathBuf,
    limit: u64,
}

/// One model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub digest: Digest,
    pub size: u64,
    /// Unix seconds of the file's time.
    pub changed_at: Option<u64>,
}

impl Shelf {
    pub fn new(config: &Config) -> Self {
        Self {
            folder: config.data_dir.join("models"),
            optimised: config.optimised(),
            limit: config.artifacts.model_cache_bytes,
        }
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(hex::encode(digest.0))
    }

    /// Every model, the newest first. A worker that never ran has no folder.
    pub fn models(&self) -> anyhow::Result<Vec<Held>> {
        let mut held = Vec::new();
        for (name, found) in self.files()? {
            if let Some(digest) = super::digest(&name) {
                held.push(Held {
                    digest,
                    size: found.len(),
                    changed_at: changed_at(&found),
                });
            }
        }
        held.sort_by_key(|model| (std::cmp::Reverse(model.changed_at), model.digest.0));
        Ok(held)
    }

    pub fn find(&self, digest: &Digest) -> anyhow::Result<Option<Held>> {
        let models = self.models()?;
        Ok(models.into_iter().find(|model| model.digest == *digest))
    }

    /// The file's bytes, if they are those of the digest.
    pub fn read(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.path(digest);
        match fs::read(&path) {
            Ok(bytes) => Ok((Digest::of(&[&bytes]) == *digest).then_some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| {
                format!(
                    "{} cannot be read; run as the worker's user",
                    path.display()
                )
            }),
        }
    }

    /// What all files count, those that came in part among them.
    pub fn used(&self) -> anyhow::Result<u64> {
        let files = self.files()?;
        Ok(files.iter().map(|(_, found)| found.len().max(LEAST)).sum())
    }

    /// Refuses what could only be kept by removing something that the worker may need.
    pub fn check_room(&self, size: u64) -> anyhow::Result<()> {
        let used = self.used()?;
        if used.saturating_add(size.max(LEAST)) <= self.limit {
            return Ok(());
        }
        bail!(
            "the model has {} and does not fit: {} of the model cache's {} are used; free some with \
             `assay-worker models rm`, or raise artifacts.model_cache_bytes",
            HumanBytes(size),
            HumanBytes(used),
            HumanBytes(self.limit)
        )
    }

    /// Moves a whole, checked file in. It has its name at once or not at all.
    pub fn put(&self, file: &Path, digest: &Digest) -> anyhow::Result<()> {
        let to = self.path(digest);
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::rename(file, &to))
            .with_context(|| {
                format!(
                    "{} cannot be moved to {}; run as the worker's user, with both on one disk",
                    file.display(),
                    to.display()
                )
            })
    }

    /// Removes a model, and what was made of it; bytes that this frees.
    pub fn remove(&self, model: &Held) -> anyhow::Result<u64> {
        let made = kept_of(&self.optimised, &model.digest)
            .with_context(|| format!("{} cannot be read", self.optimised.display()))?;
        let mut files = vec![(self.path(&model.digest), model.size)];
        files.extend(made);
        for (path, _) in &files {
            fs::remove_file(path).with_context(|| {
                format!(
                    "{} cannot be removed; run as the worker's user",
                    path.display()
                )
            })?;
        }
        Ok(files.iter().map(|(_, size)| size).sum())
    }

    fn files(&self) -> anyhow::Result<Vec<(String, fs::Metadata)>> {
        let failed = || {
            format!(
                "the cache {} cannot be read; run as the worker's user, or set data_dir",
                self.folder.display()
            )
        };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(failed)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.with_context(failed)?;
            // The worker may have removed it by now.
            let Ok(found) = entry.metadata() else {
                continue;
            };
            if found.is_file() {
                files.push((entry.file_name().to_string_lossy().into_owned(), found));
            }
        }
        Ok(files)
    }
}

fn changed_at(found: &fs::Metadata) -> Option<u64> {
    let since = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
