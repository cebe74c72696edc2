//! Why bytes are not at hand, and what they are checked for.

use url::Url;

use super::{CacheError, Wanted};

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

pub fn missing(what: &'static str, hint: &'static str, wanted: &Wanted) -> FetchError {
    FetchError::Missing {
        what,
        digest: hex::encode(wanted.digest.0),
        hint,
    }
}

/// The cache's error, with the source that sent the wrong bytes.
pub fn named(source: &Url, error: CacheError) -> FetchError {
    match error {
        CacheError::Digest { expected, found } => FetchError::Digest {
            source_name: source.to_string(),
            expected,
            found,
        },
        other @ (CacheError::Io { .. }
        | CacheError::Full { .. }
        | CacheError::TooLong { .. }
        | CacheError::Vanished { .. }) => other.into(),
    }
}

pub fn sized(bytes: Vec<u8>, wanted: &Wanted, source: &str) -> Result<Vec<u8>, FetchError> {
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

pub fn check_size(source: &Url, found: u64, expected: u64) -> Result<(), FetchError> {
    if found == expected {
        return Ok(());
    }
    Err(FetchError::Size {
        source_name: source.to_string(),
        expected,
        found,
    })
}

pub fn check_limit(what: &'static str, wanted: &Wanted) -> Result<(), FetchError> {
    let Wanted { size, limit, .. } = *wanted;
    if size > limit {
        Err(FetchError::TooLarge { what, size, limit })
    } else {
        Ok(())
    }
}
