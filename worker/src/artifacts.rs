//! Models and inputs by digest: from the caches, from the operator's folders, from uris.
//!
//! Whatever the source, bytes are used only if their sha256 is the one that the chain names and
//! their size the one that was announced. Uris come from strangers: see `network`.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use assay_protocol::Digest;
use url::Url;

mod cache;
mod disk;
mod download;
mod error;
mod ipfs;
mod network;
mod transfers;

#[cfg(test)]
mod tests;

pub use cache::{Cache, CacheError, Incoming};
pub use disk::free_disk;
pub use error::FetchError;
pub use ipfs::{check_gateway, gateway_url};
pub use network::NetworkPolicy;
pub use transfers::Transfer;

use cache::hash;
use download::Downloader;
use error::{check_limit, check_size, missing, named, sized};
use transfers::Transfers;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub digest: Digest,
    /// Announced on chain; anything else is refused.
    pub size: u64,
    /// May be empty.
    pub uri: String,
    /// Most bytes this worker takes.
    pub limit: u64,
}

/// How files are fetched.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    pub network: NetworkPolicy,
    /// Templates of IPFS gateways, asked in this order.
    pub gateways: Vec<String>,
    /// Longest time for one source to give one file.
    pub timeout: Duration,
    /// Pieces of one file that are fetched at the same time.
    pub connections: usize,
}

/// What errors and transfers call a model.
const MODEL: &str = "model";
const MODEL_HINT: &str =
    "put the file into a folder of artifacts.model_dirs, or register the model with a uri";

/// Where models and inputs come from.
pub struct Artifacts {
    pub models: Cache,
    pub blobs: Cache,
    model_dirs: Vec<PathBuf>,
    network: NetworkPolicy,
    gateways: Vec<String>,
    timeout: Duration,
    downloader: Downloader,
    transfers: Transfers,
    /// Digests of files in the operator's folders, as long as they are unchanged.
    known: Mutex<BTreeMap<PathBuf, (SystemTime, u64, Digest)>>,
}

impl Artifacts {
    pub fn new(
        models: Cache,
        blobs: Cache,
        model_dirs: Vec<PathBuf>,
        settings: FetchSettings,
    ) -> Result<Self, reqwest::Error> {
        let FetchSettings {
            network,
            gateways,
            timeout,
            connections,
        } = settings;
        Ok(Self {
            models,
            blobs,
            model_dirs,
            network,
            gateways,
            timeout,
            downloader: Downloader::new(network.client()?, connections),
            transfers: Transfers::default(),
            known: Mutex::default(),
        })
    }

    /// Files on their way at this moment.
    pub fn transfers(&self) -> Vec<Transfer> {
        self.transfers.list()
    }

    /// A model's file.
    pub async fn model(&self, wanted: &Wanted) -> Result<Vec<u8>, FetchError> {
        let what = MODEL;
        check_limit(what, wanted)?;
        for cache in [&self.models, &self.blobs] {
            if let Some(bytes) = cache.get(&wanted.digest)? {
                return sized(bytes, wanted, "the cached model");
            }
        }
        if let Some(bytes) = self.in_folders(&wanted.digest, |size| size == wanted.size) {
            return Ok(bytes);
        }
        self.fetch(&self.models, what, MODEL_HINT, wanted).await?;
        fetched(&self.models, wanted)
    }

    /// Brings a model's file to this machine's disk, if it is not there, and does not read it into memory.
    ///
    /// # Errors
    /// As [`Self::model`].
    pub async fn bring_model(&self, wanted: &Wanted) -> Result<(), FetchError> {
        check_limit(MODEL, wanted)?;
        let digest = &wanted.digest;
        if [&self.models, &self.blobs]
            .iter()
            .any(|cache| cache.contains(digest))
            || self
                .folder_file(digest, |size| size == wanted.size)
                .is_some()
        {
            return Ok(());
        }
        self.fetch(&self.models, MODEL, MODEL_HINT, wanted).await
    }

    /// A model's file that is here, of whatever size up to the limit: one that an operator names by its digest alone.
    ///
    /// # Errors
    /// [`FetchError::Missing`] when it is in no cache and no folder; it is not fetched, since no account tells its size
    /// and where it may be.
    pub fn held_model(&self, digest: Digest, limit: u64) -> Result<Vec<u8>, FetchError> {
        for cache in [&self.models, &self.blobs] {
            if let Some(bytes) = cache.get(&digest)? {
                let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                if size > limit {
                    return Err(FetchError::TooLarge {
                        what: MODEL,
                        size,
                        limit,
                    });
                }
                return Ok(bytes);
            }
        }
        let found = self.in_folders(&digest, |size| size <= limit);
        found.ok_or_else(|| FetchError::Missing {
            what: MODEL,
            digest: hex::encode(digest.0),
            hint: "bring it with `assay-worker models pull`, or put the file into a folder of artifacts.model_dirs",
        })
    }

    /// An input file.
    pub async fn input(&self, wanted: &Wanted) -> Result<Vec<u8>, FetchError> {
        let what = "input";
        check_limit(what, wanted)?;
        if let Some(bytes) = self.blobs.get(&wanted.digest)? {
            return sized(bytes, wanted, "the handed-over input");
        }
        let hint = "the requester hands it over with PUT /v1/blobs";
        self.fetch(&self.blobs, what, hint, wanted).await?;
        fetched(&self.blobs, wanted)
    }

    /// The hints of a primary's result. `wanted.size` is what our own outputs need.
    pub async fn hints(&self, wanted: &Wanted) -> Result<Vec<u8>, FetchError> {
        let what = "hints";
        check_limit(what, wanted)?;
        if let Some(bytes) = self.blobs.get(&wanted.digest)? {
            return Ok(bytes);
        }
        let hint = "the primary's worker serves them";
        self.fetch(&self.blobs, what, hint, wanted).await?;
        fetched(&self.blobs, wanted)
    }

    /// Into the cache, from the first source that gives the right bytes. What one source gave before it failed is
    /// not asked of the next.
    async fn fetch(
        &self,
        cache: &Cache,
        what: &'static str,
        hint: &'static str,
        wanted: &Wanted,
    ) -> Result<(), FetchError> {
        let sources = self.sources(what, hint, wanted)?;
        let transfer = self.transfers.begin(what, wanted.digest, wanted.size);
        // Two jobs for one model fetch it once.
        let _turn = transfer.turn().await;
        if cache.contains(&wanted.digest) {
            return Ok(());
        }
        let mut failure = None;
        for source in &sources {
            transfer.comes_from(source);
            let fetched = if source.scheme() == "file" {
                self.copy(source, cache.incoming(wanted.digest, wanted.size)?, wanted)
            } else {
                let partial = cache.partial(wanted.digest, wanted.size)?;
                let fetching = self.downloader.fetch(source, &partial, &transfer);
                let fetched = tokio::time::timeout(self.timeout, fetching).await;
                fetched.unwrap_or_else(|_| Err(self.late(source)))
            };
            match fetched {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::debug!(what, %error, "a source failed");
                    // What may pass is worth another try, whatever the others said.
                    if failure
                        .as_ref()
                        .is_none_or(|last: &FetchError| !last.may_pass())
                    {
                        failure = Some(error);
                    }
                }
            }
        }
        Err(failure.unwrap_or_else(|| missing(what, hint, wanted)))
    }

    /// Where the bytes may be, in the order of asking. Without a uri, a model's digest is one: IPFS
    /// finds content by it. An input without a uri comes from its requester.
    fn sources(
        &self,
        what: &'static str,
        hint: &'static str,
        wanted: &Wanted,
    ) -> Result<Vec<Url>, FetchError> {
        let refused = |reason: String| FetchError::Refused {
            uri: wanted.uri.clone(),
            reason,
        };
        let content = if wanted.uri.is_empty() {
            (what == MODEL)
                .then(|| ipfs::Content::of_digest(&wanted.digest))
                .flatten()
                .ok_or_else(|| missing(what, hint, wanted))?
        } else {
            let url = Url::parse(&wanted.uri).map_err(|error| refused(error.to_string()))?;
            if url.scheme() != "ipfs" {
                self.network.check(&url).map_err(refused)?;
                return Ok(vec![url]);
            }
            if self.gateways.is_empty() {
                let reason = "no gateway is configured (artifacts.ipfs_gateways)";
                return Err(refused(reason.into()));
            }
            ipfs::Content::of_uri(&url).map_err(refused)?
        };
        if self.gateways.is_empty() {
            return Err(missing(what, hint, wanted));
        }
        let at = |gateway: &String| {
            let url = content.at(gateway)?;
            self.network.check(&url)?;
            Ok(url)
        };
        let urls: Result<Vec<Url>, String> = self.gateways.iter().map(at).collect();
        urls.map_err(refused)
    }

    fn late(&self, source: &Url) -> FetchError {
        let seconds = self.timeout.as_secs();
        FetchError::Network {
            uri: source.to_string(),
            reason: format!(
                "not all of it came within {seconds} s (artifacts.fetch_timeout_secs); the next try goes on from there"
            ),
        }
    }

    fn copy(
        &self,
        source: &Url,
        mut incoming: Incoming<'_>,
        wanted: &Wanted,
    ) -> Result<(), FetchError> {
        let path = source.to_file_path().map_err(|()| FetchError::Refused {
            uri: source.to_string(),
            reason: "it is no path of this machine".into(),
        })?;
        let failed = |error: std::io::Error| FetchError::Network {
            uri: source.to_string(),
            reason: error.to_string(),
        };
        let found = std::fs::metadata(&path).map_err(failed)?.len();
        check_size(source, found, wanted.size)?;
        incoming.write(&std::fs::read(&path).map_err(failed)?)?;
        incoming.finish().map_err(|error| named(source, error))
    }

    /// Reads a file of such a size and this digest in the operator's folders.
    fn in_folders(&self, wanted: &Digest, fits: impl Fn(u64) -> bool) -> Option<Vec<u8>> {
        let bytes = std::fs::read(self.folder_file(wanted, fits)?).ok()?;
        (Digest::of(&[&bytes]) == *wanted).then_some(bytes)
    }

    /// Where such a file is.
    fn folder_file(&self, wanted: &Digest, fits: impl Fn(u64) -> bool) -> Option<PathBuf> {
        let files = self
            .model_dirs
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten();
        for path in files.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let Ok(metadata) = std::fs::metadata(&path) else {
                continue;
            };
            let size = metadata.len();
            if !metadata.is_file() || !fits(size) {
                continue;
            }
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let remembered = known
                .get(&path)
                .filter(|(time, known, _)| (*time, *known) == (changed, size));
            let digest = match remembered {
                Some((_, _, digest)) => *digest,
                None => {
                    let Ok(digest) =
                        std::fs::File::open(&path).and_then(|mut file| hash(&mut file))
                    else {
                        continue;
                    };
                    known.insert(path.clone(), (changed, size, Digest(digest)));
                    Digest(digest)
                }
            };
            if digest == *wanted {
                return Some(path);
            }
        }
        None
    }
}

/// What was just fetched.
fn fetched(cache: &Cache, wanted: &Wanted) -> Result<Vec<u8>, FetchError> {
    let bytes = cache
        .get(&wanted.digest)?
        .ok_or_else(|| CacheError::Vanished {
            digest: hex::encode(wanted.digest.0),
        })?;
    sized(bytes, wanted, "the fetched file")
}
