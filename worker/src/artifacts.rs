//! Models and inputs by digest: from the caches, from the operator's folders, from uris.
//!
//! Whatever the source, bytes are used only if their sha256 is the one that the chain names and
//! their size the one that was announced. Uris come from strangers: see `network`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use assay_protocol::Digest;
use futures_util::StreamExt;
use url::Url;

mod cache;
mod network;

#[cfg(test)]
mod tests;

pub use cache::{Cache, CacheError, Incoming};
pub use network::{NetworkPolicy, is_public};

/// Why bytes are not at hand.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("the {what} {digest} is not here and no uri says where to get it; {hint}")]
    Missing {
        what: &'static str,
        digest: String,
        hint: &'static str,
    },
    #[error(
        "{source_name} holds other bytes than the chain names: sha256 {found} instead of {expected}"
    )]
    Digest {
        source_name: String,
        expected: String,
        found: String,
    },
    #[error("{source_name} has {found} bytes and {expected} were announced")]
    Size {
        source_name: String,
        expected: u64,
        found: u64,
    },
    #[error("the {what} has {size} bytes and this worker takes at most {limit}")]
    TooLarge {
        what: &'static str,
        size: u64,
        limit: u64,
    },
    #[error("{uri} is not fetched: {reason}")]
    Refused { uri: String, reason: String },
    #[error("{uri} could not be fetched: {reason}")]
    Network { uri: String, reason: String },
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl FetchError {
    /// Whether the same try may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Network { .. } | Self::Cache(_) => true,
            Self::Digest { .. }
            | Self::Size { .. }
            | Self::TooLarge { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// A stable name, for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Digest { .. } => "digest_mismatch",
            Self::Size { .. } => "size_mismatch",
            Self::TooLarge { .. } => "too_large",
            Self::Refused { .. } => "uri_refused",
            Self::Network { .. } => "fetch_failed",
            Self::Cache(_) => "cache_failed",
        }
    }
}

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

/// Where models and inputs come from.
pub struct Artifacts {
    pub models: Cache,
    pub blobs: Cache,
    model_dirs: Vec<PathBuf>,
    network: NetworkPolicy,
    client: reqwest::Client,
    /// Digests of files in the operator's folders, as long as they are unchanged.
    known: Mutex<BTreeMap<PathBuf, (SystemTime, u64, Digest)>>,
}

impl Artifacts {
    pub fn new(
        models: Cache,
        blobs: Cache,
        model_dirs: Vec<PathBuf>,
        network: NetworkPolicy,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let client = network.client(timeout)?;
        Ok(Self {
            models,
            blobs,
            model_dirs,
            network,
            client,
            known: Mutex::default(),
        })
    }

    /// A model's file.
    pub async fn model(&self, wanted: &Wanted) -> Result<Vec<u8>, FetchError> {
        let what = "model";
        check_limit(what, wanted)?;
        for cache in [&self.models, &self.blobs] {
            if let Some(bytes) = cache.get(&wanted.digest)? {
                return sized(bytes, wanted, "the cached model");
            }
        }
        if let Some(bytes) = self.in_folders(wanted) {
            return Ok(bytes);
        }
        let hint =
            "put the file into a folder of artifacts.model_dirs, or register the model with a uri";
        self.fetch(&self.models, what, hint, wanted).await
    }

    /// An input file.
    pub async fn input(&self, wanted: &Wanted) -> Result<Vec<u8>, FetchError> {
        let what = "input";
        check_limit(what, wanted)?;
        if let Some(bytes) = self.blobs.get(&wanted.digest)? {
            return sized(bytes, wanted, "the handed-over input");
        }
        let hint = "the requester hands it over with PUT /v1/blobs";
        self.fetch(&self.blobs, what, hint, wanted).await
    }

    /// The hints of a primary's result. `wanted.size` is what our own outputs need.
    pub async fn hints(&self, wanted: &Wanted) -> Result<Vec<u8>, FetchError> {
        let what = "hints";
        check_limit(what, wanted)?;
        if let Some(bytes) = self.blobs.get(&wanted.digest)? {
            return Ok(bytes);
        }
        let hint = "the primary's worker serves them";
        self.fetch(&self.blobs, what, hint, wanted).await
    }

    async fn fetch(
        &self,
        cache: &Cache,
        what: &'static str,
        hint: &'static str,
        wanted: &Wanted,
    ) -> Result<Vec<u8>, FetchError> {
        if wanted.uri.is_empty() {
            return Err(FetchError::Missing {
                what,
                digest: hex::encode(wanted.digest.0),
                hint,
            });
        }
        let refused = |reason: String| FetchError::Refused {
            uri: wanted.uri.clone(),
            reason,
        };
        let url = Url::parse(&wanted.uri).map_err(|error| refused(error.to_string()))?;
        self.network.check(&url).map_err(refused)?;
        let incoming = cache.incoming(wanted.digest, wanted.size)?;
        if url.scheme() == "file" {
            let path = url
                .to_file_path()
                .map_err(|()| refused("it is no path of this machine".into()))?;
            self.copy(&path, incoming, wanted)?;
        } else {
            self.download(url, incoming, wanted).await?;
        }
        let bytes = cache.get(&wanted.digest)?;
        bytes.ok_or_else(|| {
            CacheError::Vanished {
                digest: hex::encode(wanted.digest.0),
            }
            .into()
        })
    }

    fn copy(
        &self,
        path: &Path,
        mut incoming: Incoming<'_>,
        wanted: &Wanted,
    ) -> Result<(), FetchError> {
        let failed = |error: std::io::Error| FetchError::Network {
            uri: wanted.uri.clone(),
            reason: error.to_string(),
        };
        let found = std::fs::metadata(path).map_err(failed)?.len();
        check_size(found, wanted)?;
        incoming.write(&std::fs::read(path).map_err(failed)?)?;
        finish(incoming, wanted)
    }

    async fn download(
        &self,
        url: Url,
        mut incoming: Incoming<'_>,
        wanted: &Wanted,
    ) -> Result<(), FetchError> {
        let failed = |reason: String| FetchError::Network {
            uri: wanted.uri.clone(),
            reason,
        };
        let network = |error: reqwest::Error| failed(network::reason(&error));
        let response = self.client.get(url).send().await.map_err(network)?;
        if !response.status().is_success() {
            // Redirects too: a redirect could lead where the uri itself must not.
            return Err(failed(format!("the server answered {}", response.status())));
        }
        if let Some(announced) = response.content_length() {
            check_size(announced, wanted)?;
        }
        let mut received = 0_u64;
        let mut body = response.bytes_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(network)?;
            received = received.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if received > wanted.size {
                return Err(check_size(received, wanted)
                    .err()
                    .unwrap_or_else(|| failed(String::new())));
            }
            incoming.write(&chunk)?;
        }
        check_size(received, wanted)?;
        finish(incoming, wanted)
    }

    /// Looks for a file of the right size and digest in the operator's folders.
    fn in_folders(&self, wanted: &Wanted) -> Option<Vec<u8>> {
        let files = self
            .model_dirs
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten();
        for path in files.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let Ok(metadata) = std::fs::metadata(&path) else {
                continue;
            };
            if !metadata.is_file() || metadata.len() != wanted.size {
                continue;
            }
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let remembered = known
                .get(&path)
                .filter(|(time, size, _)| (*time, *size) == (changed, wanted.size));
            if remembered.is_some_and(|(_, _, digest)| *digest != wanted.digest) {
                continue;
            }
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            let digest = Digest::of(&[&bytes]);
            known.insert(path, (changed, wanted.size, digest));
            if digest == wanted.digest {
                return Some(bytes);
            }
        }
        None
    }
}

fn finish(incoming: Incoming<'_>, wanted: &Wanted) -> Result<(), FetchError> {
    incoming.finish().map_err(|error| match error {
        CacheError::Digest { expected, found } => FetchError::Digest {
            source_name: wanted.uri.clone(),
            expected,
            found,
        },
        other @ (CacheError::Io { .. }
        | CacheError::Full { .. }
        | CacheError::TooLong { .. }
        | CacheError::Vanished { .. }) => other.into(),
    })
}

fn sized(bytes: Vec<u8>, wanted: &Wanted, source: &str) -> Result<Vec<u8>, FetchError> {
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if found == wanted.size {
        return Ok(bytes);
    }
    Err(FetchError::Size {
        source_name: source.to_owned(),
        expected: wanted.size,
        found,
    })
}

fn check_size(found: u64, wanted: &Wanted) -> Result<(), FetchError> {
    if found == wanted.size {
        return Ok(());
    }
    Err(FetchError::Size {
        source_name: wanted.uri.clone(),
        expected: wanted.size,
        found,
    })
}

fn check_limit(what: &'static str, wanted: &Wanted) -> Result<(), FetchError> {
    let Wanted { size, limit, .. } = *wanted;
    if size > limit {
        Err(FetchError::TooLarge { what, size, limit })
    } else {
        Ok(())
    }
}
