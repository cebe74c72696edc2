//! A folder of files named by their sha256, of limited size. The longest unused go first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_protocol::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::metrics;

#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the cache at {path} failed: {source}; check that the disk has space and is writable")]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the cache holds at most {limit} bytes and {size} do not fit beside what is being received or still needed"
    )]
    Full { size: u64, limit: u64 },
    #[error("more bytes came than the {size} that were announced")]
    TooLong { size: u64 },
    #[error("the bytes have sha256 {found}, {expected} was announced")]
    Digest { expected: String, found: String },
    #[error("{digest} was evicted before it could be read; the cache is too small")]
    Vanished { digest: String },
}

/// What the smallest file counts, as on most disks: else millions of tiny ones would fit.
const LEAST: u64 = 4_096;

#[derive(Default)]
struct State {
    /// Size and last use, by digest.
    entries: BTreeMap<[u8; 32], (u64, u64)>,
    /// Never evicted.
    held: BTreeSet<[u8; 32]>,
    /// Bytes of files being received.
    incoming: u64,
    uses: u64,
}

pub struct Cache {
    name: &'static str,
    folder: PathBuf,
    limit: u64,
    state: Mutex<State>,
}

/// A file being received. Dropped unfinished, it leaves nothing behind.
pub struct Incoming<'a> {
    cache: &'a Cache,
    digest: Digest,
    size: u64,
    written: u64,
    hasher: Sha256,
    file: NamedTempFile,
}

impl Cache {
    /// Opens a folder; removes what an earlier process left half received.
    pub fn open(name: &'static str, folder: &Path, limit: u64) -> Result<Self, CacheError> {
        let failed = |source: io::Error| CacheError::Io {
            path: folder.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let mut digest = [0; 32];
            let named = entry
                .file_name()
                .to_str()
                .is_some_and(|name| hex::decode_to_slice(name, &mut digest).is_ok());
            let metadata = entry.metadata().map_err(failed)?;
            if named {
                found.push((metadata.modified().map_err(failed)?, digest, metadata.len()));
            } else if metadata.is_file() {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        found.sort_unstable();
        let mut state = State::default();
        for (_, digest, size) in found {
            state.uses += 1;
            state.entries.insert(digest, (size, state.uses));
        }
        let cache = Self {
            name,
            folder: folder.to_owned(),
            limit,
            state: Mutex::new(state),
        };
        cache.make_room(&mut cache.state(), None);
        Ok(cache)
    }

    /// From now on these, and no others, are kept whatever comes.
    pub fn hold(&self, digests: BTreeSet<[u8; 32]>) {
        self.state().held = digests;
    }

    pub fn contains(&self, digest: &Digest) -> bool {
        self.state().entries.contains_key(&digest.0)
    }

    /// The file's bytes, checked again: a disk can rot.
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CacheError> {
        {
            let mut state = self.state();
            state.uses += 1;
            let uses = state.uses;
            let Some(entry) = state.entries.get_mut(&digest.0) else {
                return Ok(None);
            };
            entry.1 = uses;
        }
        let path = self.path(&digest.0);
        match fs::read(&path) {
            Ok(bytes) if Digest::of(&[&bytes]) == *digest => Ok(Some(bytes)),
            Ok(_) => {
                tracing::warn!(
                    cache = self.name,
                    digest = hex::encode(digest.0),
                    "a cached file has rotted; removed"
                );
                self.remove(&mut self.state(), &digest.0);
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.state().entries.remove(&digest.0);
                Ok(None)
            }
            Err(source) => Err(CacheError::Io { path, source }),
        }
    }

    /// The file itself with its size, for whoever checks the digest: models are too large to be read
    /// for every stranger that asks.
    pub fn open_file(&self, digest: &Digest) -> Result<Option<(fs::File, u64)>, CacheError> {
        if !self.contains(digest) {
            return Ok(None);
        }
        let path = self.path(&digest.0);
        let failed = |source: io::Error| CacheError::Io {
            path: path.clone(),
            source,
        };
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let size = file.metadata().map_err(failed)?.len();
        Ok(Some((file, size)))
    }

    /// Begins to receive a file of this digest and size.
    pub fn incoming(&self, digest: Digest, size: u64) -> Result<Incoming<'_>, CacheError> {
        {
            let mut state = self.state();
            let fits = state.incoming.saturating_add(size) <= self.limit;
            if !fits || !self.make_room(&mut state, Some(size)) {
                return Err(CacheError::Full {
                    size,
                    limit: self.limit,
                });
            }
            state.incoming += size;
        }
        let file = NamedTempFile::new_in(&self.folder).map_err(|source| {
            self.state().incoming -= size;
            CacheError::Io {
                path: self.folder.clone(),
                source,
            }
        })?;
        Ok(Incoming {
            cache: self,
            digest,
            size,
            written: 0,
            hasher: Sha256::new(),
            file,
        })
    }

    /// Evicts until one more file fits; whether it does.
    fn make_room(&self, state: &mut State, size: Option<u64>) -> bool {
        let more = size.map_or(0, |size| size.max(LEAST));
        loop {
            let held: u64 = state
                .entries
                .values()
                .map(|(size, _)| size.max(&LEAST))
                .sum();
            metrics::cache_bytes(self.name, held);
            if held.saturating_add(state.incoming).saturating_add(more) <= self.limit {
                return true;
            }
            let oldest = state
                .entries
                .iter()
                .filter(|(digest, _)| !state.held.contains(*digest))
                .min_by_key(|(_, (_, used))| *used)
                .map(|(digest, _)| *digest);
            // With nothing left to evict, only what is held stands in the way.
            let Some(oldest) = oldest else {
                return state.entries.is_empty();
            };
            self.remove(state, &oldest);
        }
    }

    fn remove(&self, state: &mut State, digest: &[u8; 32]) {
        state.entries.remove(digest);
        if let Err(error) = fs::remove_file(self.path(digest)) {
            tracing::debug!(cache = self.name, %error, "a cached file could not be removed");
        }
    }

    fn path(&self, digest: &[u8; 32]) -> PathBuf {
        self.folder.join(hex::encode(digest))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The index is only a memory of the folder: a stale entry is found out when it is read.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Incoming<'_> {
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CacheError> {
        self.written = self
            .written
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.written > self.size {
            return Err(CacheError::TooLong { size: self.size });
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|source| CacheError::Io {
            path: self.cache.folder.clone(),
            source,
        })
    }

    /// Checks the digest and gives the file its name.
    pub fn finish(mut self) -> Result<(), CacheError> {
        let found: [u8; 32] = std::mem::take(&mut self.hasher).finalize().into();
        if found != self.digest.0 {
            let expected = hex::encode(self.digest.0);
            return Err(CacheError::Digest {
                expected,
                found: hex::encode(found),
            });
        }
        let path = self.cache.path(&found);
        let failed = |source: io::Error| CacheError::Io {
            path: path.clone(),
            source,
        };
        let file = std::mem::replace(
            &mut self.file,
            NamedTempFile::new_in(&self.cache.folder).map_err(failed)?,
        );
        file.persist(&path).map_err(|error| failed(error.error))?;
        let mut state = self.cache.state();
        state.uses += 1;
        let entry = (self.written, state.uses);
        state.entries.insert(found, entry);
        Ok(())
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.state();
        state.incoming = state.incoming.saturating_sub(self.size);
    }
}
