//! A folder of files named by their sha256, of limited size. The longest unused go first.

use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_protocol::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::metrics;

mod checked;
mod partial;
mod shelf;

pub(super) use partial::hash;
pub use partial::{PIECE_BYTES, Partial};
use shelf::Shelf;

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
/// Most files, however small: strangers may hand over a byte at a time.
const MOST_FILES: usize = 65_536;

#[derive(Default)]
struct State {
    entries: Shelf,
    /// Never evicted.
    held: BTreeSet<[u8; 32]>,
    /// Their bytes were what their names say in this process.
    checked: BTreeSet<[u8; 32]>,
    /// What has come in part and nobody receives now; evicted first.
    partials: Shelf,
    /// Bytes of files being received.
    incoming: u64,
    uses: u64,
}

impl State {
    fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
}

pub struct Cache {
    name: &'static str,
    folder: PathBuf,
    limit: u64,
    most_files: usize,
    state: Mutex<State>,
    /// Held by whoever reads a file only to check it.
    checking: Mutex<()>,
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
    /// Opens a folder. What an earlier process left half received is gone on with, where it came in
    /// pieces, and removed elsewhere.
    pub fn open(name: &'static str, folder: &Path, limit: u64) -> Result<Self, CacheError> {
        let failed = |source: io::Error| CacheError::Io {
            path: folder.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let metadata = entry.metadata().map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let mut digest = [0; 32];
            let whole = hex::decode_to_slice(name, &mut digest).is_ok();
            let part = partial::of_name(name);
            if whole || part.is_some() {
                let changed = metadata.modified().map_err(failed)?;
                found.push((
                    changed,
                    part.is_some(),
                    part.unwrap_or(digest),
                    metadata.len(),
                ));
            } else if metadata.is_file() && !partial::is_map(name) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        found.sort_unstable();
        let mut state = State::default();
        for (_, part, digest, size) in found {
            let used = state.next_use();
            let kept = if part {
                &mut state.partials
            } else {
                &mut state.entries
            };
            kept.insert(digest, size, used);
        }
        let cache = Self {
            name,
            folder: folder.to_owned(),
            limit,
            most_files: MOST_FILES,
            state: Mutex::new(state),
            checking: Mutex::default(),
        };
        cache.make_room(&mut cache.state(), None);
        Ok(cache)
    }

    /// From now on these, and no others, are kept whatever comes.
    pub fn hold(&self, digests: BTreeSet<[u8; 32]>) {
        self.state().held = digests;
    }

    pub fn contains(&self, digest: &Digest) -> bool {
        self.is_known(&mut self.state(), &digest.0)
    }

    fn is_known(&self, state: &mut State, digest: &[u8; 32]) -> bool {
        state.entries.contains(digest) || self.adopt(state, digest)
    }

    /// Takes up a file that another process put into the folder, if there is room for it. Whether its
    /// name is true is found out when it is read, as for any other file.
    fn adopt(&self, state: &mut State, digest: &[u8; 32]) -> bool {
        let Ok(found) = fs::symlink_metadata(self.path(digest)) else {
            return false;
        };
        let size = found.len();
        if !found.is_file() || !self.admits(state, size) {
            return false;
        }
        let used = state.next_use();
        state.entries.insert(*digest, size, used);
        true
    }

    /// The file's bytes, checked again: a disk can rot.
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CacheError> {
        {
            let mut state = self.state();
            if !self.is_known(&mut state, &digest.0) {
                return Ok(None);
            }
            let used = state.next_use();
            state.entries.touch(&digest.0, used);
        }
        let path = self.path(&digest.0);
        match fs::read(&path) {
            Ok(bytes) if Digest::of(&[&bytes]) == *digest => Ok(Some(bytes)),
            Ok(_) => {
                self.has_rotted(digest);
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.state().entries.remove(&digest.0);
                Ok(None)
            }
            Err(source) => Err(CacheError::Io { path, source }),
        }
    }

    fn has_rotted(&self, digest: &Digest) {
        tracing::warn!(
            cache = self.name,
            digest = hex::encode(digest.0),
            "a cached file has rotted; removed"
        );
        self.remove(&mut self.state(), &digest.0);
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
        self.reserve(size)?;
        let file = NamedTempFile::new_in(&self.folder).map_err(|source| {
            self.release(size);
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

    /// Keeps room for a file that is being received.
    fn reserve(&self, size: u64) -> Result<(), CacheError> {
        let mut state = self.state();
        if !self.admits(&mut state, size) {
            return Err(CacheError::Full {
                size,
                limit: self.limit,
            });
        }
        state.incoming += size;
        Ok(())
    }

    /// Makes room for one more file; whether there is.
    fn admits(&self, state: &mut State, size: u64) -> bool {
        let fits = state.incoming.saturating_add(size) <= self.limit;
        fits && self.make_room(state, Some(size))
    }

    fn release(&self, size: u64) {
        let mut state = self.state();
        state.incoming = state.incoming.saturating_sub(size);
    }

    fn insert(&self, digest: [u8; 32], size: u64) {
        let mut state = self.state();
        let used = state.next_use();
        state.entries.insert(digest, size, used);
        state.checked.insert(digest);
    }

    /// The size of what has come of it, which from now on counts as being received.
    fn take_partial(&self, digest: &[u8; 32]) -> Option<u64> {
        self.state().partials.remove(digest)
    }

    fn keep_partial(&self, digest: [u8; 32], size: u64) {
        let mut state = self.state();
        let used = state.next_use();
        state.partials.insert(digest, size, used);
    }

    /// Evicts until one more file fits; whether it does.
    fn make_room(&self, state: &mut State, size: Option<u64>) -> bool {
        let more = size.map_or(0, |size| size.max(LEAST));
        let files = usize::from(size.is_some());
        let fits = loop {
            let kept = state.entries.bytes().saturating_add(state.partials.bytes());
            let few = state.entries.len() + state.partials.len() + files <= self.most_files;
            let bytes = kept.saturating_add(state.incoming).saturating_add(more);
            if few && bytes <= self.limit {
                break true;
            }
            let partial = state.partials.oldest(|_| true);
            if let Some(digest) = partial {
                state.partials.remove(&digest);
                self.remove_partial(&digest);
                continue;
            }
            let oldest = state.entries.oldest(|digest| !state.held.contains(digest));
            // With nothing left to evict, only what is held stands in the way.
            let Some(oldest) = oldest else {
                break state.entries.len() == 0;
            };
            self.remove(state, &oldest);
        };
        let kept = state.entries.bytes().saturating_add(state.partials.bytes());
        metrics::cache_bytes(self.name, kept);
        fits
    }

    fn remove(&self, state: &mut State, digest: &[u8; 32]) {
        state.entries.remove(digest);
        state.checked.remove(digest);
        if let Err(error) = fs::remove_file(self.path(digest)) {
            tracing::debug!(cache = self.name, %error, "a cached file could not be removed");
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
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
        self.cache.insert(found, self.written);
        Ok(())
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        self.cache.release(self.size);
    }
}

#[cfg(test)]
mod tests;
