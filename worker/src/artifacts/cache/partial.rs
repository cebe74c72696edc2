//! A file that comes in pieces, from several places, and perhaps over several lives of the worker.
//!
//! `<digest>.part` has the bytes, `<digest>.map` one character a piece. The map may say more than the
//! disk kept, after a power cut; nothing is believed before the digest of the whole was checked.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_protocol::Digest;
use sha2::{Digest as _, Sha256};

use super::{Cache, CacheError};

/// Bytes of a piece: large enough that a request for it is worth its round trip.
pub const PIECE_BYTES: u64 = 4 << 20;
const DATA: &str = "part";
const MAP: &str = "map";
const HERE: u8 = b'1';
const MISSING: u8 = b'0';

/// Dropped unfinished, what has come stays for the next try, as long as the cache has room for it.
pub struct Partial<'a> {
    cache: &'a Cache,
    digest: Digest,
    size: u64,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    /// One byte a piece, as in the map's file.
    pieces: Vec<u8>,
    /// Something of it came in an earlier try, perhaps from another source.
    resumed: bool,
    finished: bool,
}

impl Cache {
    /// Begins, or goes on, to receive a file of this digest and size.
    pub fn partial(&self, digest: Digest, size: u64) -> Result<Partial<'_>, CacheError> {
        let before = self.take_partial(&digest.0);
        self.reserve(size).inspect_err(|_| {
            if let Some(size) = before {
                self.keep_partial(digest.0, size);
            }
        })?;
        let opened = open(
            &self.place(&digest.0, DATA),
            &self.place(&digest.0, MAP),
            size,
        );
        let inner = opened.map_err(|source| {
            self.release(size);
            CacheError::Io {
                path: self.folder.clone(),
                source,
            }
        })?;
        Ok(Partial {
            cache: self,
            digest,
            size,
            inner: Mutex::new(inner),
        })
    }

    pub(super) fn place(&self, digest: &[u8; 32], ending: &str) -> PathBuf {
        self.folder
            .join(format!("{}.{ending}", hex::encode(digest)))
    }

    /// Forgets what came of a file.
    pub(super) fn remove_partial(&self, digest: &[u8; 32]) {
        for ending in [MAP, DATA] {
            if let Err(error) = fs::remove_file(self.place(digest, ending))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::debug!(cache = self.name, %error, "a partial file could not be removed");
            }
        }
    }
}

/// The digest of a partial file's name, if it is the one with the bytes.
pub(super) fn of_name(name: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(name.strip_suffix(DATA)?.strip_suffix('.')?, &mut digest).ok()?;
    Some(digest)
}

/// Whether it is a partial file's map.
pub(super) fn is_map(name: &str) -> bool {
    name.strip_suffix(MAP)
        .is_some_and(|name| name.ends_with('.'))
}

fn open(data: &Path, map: &Path, size: u64) -> io::Result<Inner> {
    let count = usize::try_from(size.div_ceil(PIECE_BYTES).max(1)).map_err(io::Error::other)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(data)?;
    let fits = |pieces: &Vec<u8>| {
        pieces.len() == count && pieces.iter().all(|piece| [HERE, MISSING].contains(piece))
    };
    let known = fs::read(map).ok().filter(fits);
    let pieces = match known {
        Some(pieces) if file.metadata()?.len() == size => pieces,
        Some(_) | None => {
            file.set_len(0)?;
            file.set_len(size)?;
            vec![MISSING; count]
        }
    };
    let resumed = pieces.contains(&HERE);
    Ok(Inner {
        file,
        pieces,
        resumed,
        finished: false,
    })
}

impl Partial<'_> {
    /// Pieces that have not come.
    pub fn missing(&self) -> Vec<usize> {
        let inner = self.inner();
        let numbered = inner.pieces.iter().enumerate();
        numbered
            .filter(|(_, piece)| **piece == MISSING)
            .map(|(number, _)| number)
            .collect()
    }

    /// Which bytes a piece has.
    pub fn range(&self, piece: usize) -> Range<u64> {
        let from = u64::try_from(piece)
            .unwrap_or(u64::MAX)
            .saturating_mul(PIECE_BYTES)
            .min(self.size);
        from..from.saturating_add(PIECE_BYTES).min(self.size)
    }

    /// Which piece a byte lies in.
    pub fn piece_at(&self, offset: u64) -> usize {
        usize::try_from(offset / PIECE_BYTES).unwrap_or(usize::MAX)
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the pieces that have come.
    pub fn received(&self) -> u64 {
        let inner = self.inner();
        let here = inner.pieces.iter().enumerate();
        here.filter(|(_, piece)| **piece == HERE)
            .map(|(number, _)| {
                let range = self.range(number);
                range.end - range.start
            })
            .sum()
    }

    /// Whether something of it came in an earlier try.
    pub fn is_resumed(&self) -> bool {
        self.inner().resumed
    }

    /// Writes bytes to their place; those beyond the end are refused.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), CacheError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if offset.saturating_add(length) > self.size {
            return Err(CacheError::TooLong { size: self.size });
        }
        let mut inner = self.inner();
        let seek = inner.file.seek(SeekFrom::Start(offset));
        seek.and_then(|_| inner.file.write_all(bytes))
            .map_err(|source| self.failed(source))
    }

    /// All bytes of a piece have been written.
    pub fn done(&self, piece: usize) -> Result<(), CacheError> {
        let mut inner = self.inner();
        if let Some(piece) = inner.pieces.get_mut(piece) {
            *piece = HERE;
        }
        let map = self.cache.place(&self.digest.0, MAP);
        fs::write(map, &inner.pieces).map_err(|source| self.failed(source))
    }

    /// Checks the digest of the whole and gives the file its name. What is wrong is forgotten, so
    /// that the next try begins anew.
    pub fn finish(&self) -> Result<(), CacheError> {
        let mut inner = self.inner();
        let found = hash(&mut inner.file).map_err(|source| self.failed(source))?;
        let path = self.cache.path(&self.digest.0);
        if found != self.digest.0 {
            inner.pieces.fill(MISSING);
            inner.resumed = false;
            let _ = fs::remove_file(self.cache.place(&self.digest.0, MAP));
            return Err(CacheError::Digest {
                expected: hex::encode(self.digest.0),
                found: hex::encode(found),
            });
        }
        fs::rename(self.cache.place(&self.digest.0, DATA), path)
            .map_err(|source| self.failed(source))?;
        inner.finished = true;
        drop(inner);
        self.cache.remove_partial(&self.digest.0);
        self.cache.insert(self.digest.0, self.size);
        Ok(())
    }

    fn failed(&self, source: io::Error) -> CacheError {
        CacheError::Io {
            path: self.cache.folder.clone(),
            source,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // The worst that a panic elsewhere leaves is a piece that is fetched twice.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        self.cache.release(self.size);
        let (finished, empty) = {
            let inner = self.inner();
            (inner.finished, !inner.pieces.contains(&HERE))
        };
        if finished {
            return;
        }
        if empty {
            self.cache.remove_partial(&self.digest.0);
        } else {
            self.cache.keep_partial(self.digest.0, self.size);
        }
    }
}

pub(crate) fn hash(file: &mut File) -> io::Result<[u8; 32]> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut part = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut part)?;
        let Some(bytes) = part.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(hasher.finalize().into());
        };
        hasher.update(bytes);
    }
}
