//! Models as an engine has optimised them, kept on disk.
//!
//! To optimise a model is what most of a load takes, and gives the same graph each time. So the graph
//! is kept under everything that it depends on: the model, ONNX Runtime's library, the processor, the
//! settings. What is kept was written by a process that its model may have taken over. So it is never
//! used for another model, is loaded in the sandbox alone, and must say and compute on a sample what
//! the model did. What does not is dropped, and the model itself is loaded. So is what turns out to load
//! no quicker than the model.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use assay_protocol::Digest;
use tempfile::NamedTempFile;
use tokio::sync::watch;

use super::{engine::Optimised, ps::Hex};
use crate::shared::Shared;

pub use entry::Entry;
pub use key::Key;
pub use laid::Laid;

use entry::Unread;
use times::Times;

mod entry;
mod key;
mod laid;
mod times;

/// What files of the folder end with. Nothing else in it is touched.
const ENDING: &str = ".optimised";
/// What files begin with that are being written.
const UNFINISHED: &str = "unfinished-";
/// What the smallest file counts, as on most disks.
const LEAST: u64 = 4_096;
/// So often a model is kept again whose kept form did not load. By then it is the model.
const TRIES: u8 = 2;
/// Models that are written at the same time; each is held in memory meanwhile.
const AT_ONCE: usize = 2;
/// Models of which that is remembered.
const REMEMBERED: usize = 512;

/// Why a model is not kept, or not as it was.
#[derive(Debug, thiserror::Error)]
pub enum OptimisedError {
    #[error(
        "optimised models cannot be kept in {path}: {source}; check that the disk has space and is writable, or \
         set `engine.optimised_cache_bytes = 0`"
    )]
    Io { path: PathBuf, source: io::Error },
    #[error("it has {size} bytes, and `engine.optimised_cache_bytes` is {limit}")]
    TooLarge { size: u64, limit: u64 },
    #[error("the file is not what was written: {0}")]
    Spoiled(&'static str),
}

/// What there is of a model.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// It was kept, and loaded no quicker.
    GainsNothing,
    /// The disk did not answer in time, and may yet write to where the graph was to be laid.
    Late,
    Kept {
        entry: Box<Entry>,
        /// What the model took to load when it was kept, if that is known.
        cold: Option<Duration>,
    },
}

/// A folder of optimised models, of limited size. The longest unused go first. Several processes may
/// have the same one.
#[derive(Debug)]
pub struct OptimisedModels {
    folder: PathBuf,
    /// Bytes.
    limit: u64,
    /// How often each of these did not load.
    failed: Mutex<BTreeMap<Key, u8>>,
    /// How many are being written.
    writing: watch::Sender<usize>,
}

impl OptimisedModels {
    /// Opens the folder, and makes it if there is none. An error if nothing can be written there.
    pub fn open(folder: &Path, limit: u64) -> Result<Self, OptimisedError> {
        let models = Self {
            folder: folder.to_owned(),
            limit,
            failed: Mutex::default(),
            writing: watch::Sender::default(),
        };
        fs::create_dir_all(folder)
            .and_then(|()| models.unfinished())
            .map_err(|source| models.failed_by(source))?;
        Ok(models)
    }

    /// Bytes of all kept models together, and so of one.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What was kept, if anything was and is this model's. Its graph is laid into the memory that the engine
    /// shares which is to load it, if it shares any.
    pub(super) async fn get(self: &Arc<Self>, key: Key, memory: Option<Arc<Shared>>) -> Found {
        let models = Arc::clone(self);
        let getting = tokio::task::spawn_blocking(move || models.find(&key, memory));
        getting.await.unwrap_or(Found::Nothing)
    }

    fn find(&self, key: &Key, memory: Option<Arc<Shared>>) -> Found {
        let times = Times::read(&self.times_path(key));
        if times.is_some_and(|times| times.gain_nothing()) {
            return Found::GainsNothing;
        }
        let cold = times.map(|times| times.cold());
        let found = self.read(key, memory);
        found.map_or(Found::Nothing, |entry| Found::Kept {
            entry: Box::new(entry),
            cold,
        })
    }

    /// Notes what it took to find and load an entry, in the background. One that gains nothing is dropped.
    pub(super) fn used(self: &Arc<Self>, key: Key, took: Duration) {
        let models = Arc::clone(self);
        let writing = Writing::begin(&models);
        tokio::task::spawn_blocking(move || {
            let _writing = writing;
            models.note_use(&key, took);
        });
    }

    fn note_use(&self, key: &Key, took: Duration) {
        let path = self.times_path(key);
        let Some(mut times) = Times::read(&path) else {
            return;
        };
        times.used(took);
        // Times that cannot be written are the older ones.
        let _: io::Result<()> = times.write(&path);
        if times.gain_nothing() {
            let (model, cold) = (Hex(&key.model), times.cold());
            tracing::debug!(%model, ?took, ?cold, "an optimised model loads no quicker and is dropped");
            self.drop_file(&self.path(key));
        }
    }

    fn read(&self, key: &Key, memory: Option<Arc<Shared>>) -> Option<Entry> {
        let path = self.path(key);
        let read = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(source) => Err(Unread::Io(source)),
            Ok(mut file) => entry::read(key, &mut file, memory).inspect(|_| {
                // An entry whose use cannot be noted is an older one.
                let _: io::Result<()> = file.set_modified(now());
            }),
        };
        let error = match read {
            Ok(entry) => return Some(entry),
            Err(Unread::Io(source)) => self.failed_by(source),
            Err(Unread::Spoiled(reason)) => OptimisedError::Spoiled(reason),
        };
        tracing::warn!(model = %Hex(&key.model), %error, "an optimised model is dropped");
        self.drop_file(&path);
        None
    }

    /// Drops what did not load.
    pub(super) fn reject(&self, key: &Key) {
        self.drop_file(&self.path(key));
        self.count(key, 1);
    }

    fn count(&self, key: &Key, more: u8) {
        let mut failed = self.failed();
        if failed.len() >= REMEMBERED && !failed.contains_key(key) {
            failed.pop_first();
        }
        let times = failed.entry(*key).or_default();
        *times = times.saturating_add(more);
    }

    /// Leaves a model alone that could not be kept.
    pub(super) fn give_up(&self, key: &Key) {
        self.count(key, TRIES);
    }

    /// Whether a model is worth to be kept.
    pub(super) fn wants(&self, key: &Key) -> bool {
        self.failed().get(key).is_none_or(|failed| *failed < TRIES)
    }

    /// Writes in the background: nobody waits for it.
    /// `cold` is what the model took to load as its author made it.
    pub(super) fn keep(self: &Arc<Self>, key: Key, optimised: Optimised, cold: Duration) {
        let model = Hex(&key.model);
        if *self.writing.borrow() >= AT_ONCE {
            tracing::debug!(%model, "the disk is busy: an optimised model is kept another time");
            return;
        }
        let models = Arc::clone(self);
        let writing = Writing::begin(&models);
        tokio::task::spawn_blocking(move || {
            let _writing = writing;
            let model = Hex(&key.model);
            let times = Times::new(count(optimised.graph.len()), cold);
            let written = models.write(&key, &optimised).and_then(|()| {
                let times = times.write(&models.times_path(&key));
                times.map_err(|source| models.failed_by(source))
            });
            match written {
                Ok(()) => tracing::debug!(%model, "an optimised model is kept"),
                Err(error @ OptimisedError::Io { .. }) => {
                    tracing::warn!(%model, %error, "an optimised model is not kept");
                }
                Err(error) => tracing::debug!(%model, %error, "an optimised model is not kept"),
            }
        });
    }

    /// Returns once nothing is being written.
    pub(super) async fn settled(&self) {
        // The sender is this very value, so it is not gone.
        let _ = self
            .writing
            .subscribe()
            .wait_for(|writing| *writing == 0)
            .await;
    }

    fn write(&self, key: &Key, optimised: &Optimised) -> Result<(), OptimisedError> {
        let failed = |source| self.failed_by(source);
        let (before, after) = entry::write(key, optimised)?;
        let pieces = [&before[..], &optimised.graph, &after];
        self.make_room(pieces.iter().map(|piece| count(piece.len())).sum())?;
        let mut file = self.unfinished().map_err(failed)?;
        for piece in pieces {
            file.write_all(piece).map_err(failed)?;
        }
        file.as_file().set_modified(now()).map_err(failed)?;
        file.persist(self.path(key))
            .map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn unfinished(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(UNFINISHED)
            .suffix(ENDING)
            .tempfile_in(&self.folder)
    }

    /// Removes the longest unused until so many bytes fit.
    fn make_room(&self, size: u64) -> Result<(), OptimisedError> {
        let limit = self.limit;
        if size.max(LEAST) > limit {
            return Err(OptimisedError::TooLarge { size, limit });
        }
        let mut files = files(&self.folder).map_err(|source| self.failed_by(source))?;
        files.sort_unstable_by_key(|file| std::cmp::Reverse(file.used));
        let mut held: u64 = files.iter().map(|file| file.size).sum();
        while held.saturating_add(size.max(LEAST)) > limit {
            let Some(oldest) = files.pop() else { break };
            self.drop_file(&oldest.path);
            held = held.saturating_sub(oldest.size);
        }
        Ok(())
    }

    fn times_path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{key}{}", times::ENDING))
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{key}{ENDING}"))
    }

    fn drop_file(&self, path: &Path) {
        // Another process may have been quicker.
        if let Err(error) = fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            let error = self.failed_by(error);
            tracing::warn!(%error, "an optimised model is not removed");
        }
    }

    fn failed_by(&self, source: io::Error) -> OptimisedError {
        let path = self.folder.clone();
        OptimisedError::Io { path, source }
    }

    fn failed(&self) -> MutexGuard<'_, BTreeMap<Key, u8>> {
        // Whole after every statement, so a panic elsewhere does not spoil it.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts among those that are being written until it is dropped.
struct Writing(Arc<OptimisedModels>);

impl Writing {
    fn begin(models: &Arc<OptimisedModels>) -> Self {
        models.writing.send_modify(|writing| *writing += 1);
        Self(Arc::clone(models))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writing.send_modify(|writing| *writing -= 1);
    }
}

/// What is kept of a model in a folder, for whatever runtime and settings: paths and bytes.
pub fn kept_of(folder: &Path, model: &Digest) -> io::Result<Vec<(PathBuf, u64)>> {
    let beginning = Hex(model).to_string();
    let mut found = match files(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        files => files?,
    };
    found.retain(|file| file.name.starts_with(&beginning));
    Ok(found
        .into_iter()
        .map(|file| (file.path, file.size))
        .collect())
}

struct KeptFile {
    name: String,
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

fn files(folder: &Path) -> io::Result<Vec<KeptFile>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // One that is gone by now is none.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if !name.ends_with(ENDING) || !metadata.is_file() {
            continue;
        }
        found.push(KeptFile {
            name,
            path: entry.path(),
            size: metadata.len().max(LEAST),
            used: metadata.modified()?,
        });
    }
    Ok(found)
}

/// When a file was used is compared with other files' alone.
fn now() -> SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "files have times, and no decision but which of them goes first depends on it"
    )]
    SystemTime::now()
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
