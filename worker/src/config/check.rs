//! What a configuration must fulfil besides being one.

use std::collections::BTreeSet;

use assay_protocol::Address;
use axum::http::HeaderName;
use url::Url;

use super::{AuditConfig, Config, ConfigError, ModelList};
use crate::artifacts::check_gateway;

impl Config {
    /// Every check that needs nothing but the configuration: no port and no key is touched.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.authority()?;
        self.policy.models.digests()?;
        self.pauses()?;
        self.audit.authorities()?;
        self.control.address()?;
        self.chain.check()?;
        self.limits.check()?;
        self.sessions.check()?;
        let public = url("api.public_url", &self.api.public_url, &["http", "https"])?;
        if public.query().is_some() || public.fragment().is_some() {
            return invalid(
                "api.public_url",
                "a base url has neither query nor fragment",
            );
        }
        if self.api.public_url.len() > assay_protocol::limits::ENDPOINT_BYTES {
            return invalid(
                "api.public_url",
                "an endpoint on chain has at most 96 characters",
            );
        }
        for gateway in &self.artifacts.ipfs_gateways {
            check_gateway(gateway).map_err(|reason| ConfigError::Invalid {
                key: "artifacts.ipfs_gateways",
                reason,
            })?;
        }
        self.check_numbers()
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        let positive = [
            ("api.timeout_secs", self.api.timeout_secs),
            (
                "artifacts.fetch_timeout_secs",
                self.artifacts.fetch_timeout_secs,
            ),
            (
                "artifacts.model_cache_bytes",
                self.artifacts.model_cache_bytes,
            ),
            (
                "artifacts.blob_cache_bytes",
                self.artifacts.blob_cache_bytes,
            ),
            (
                "policy.concurrent_jobs",
                as_u64(self.policy.concurrent_jobs),
            ),
            ("policy.preparing_jobs", as_u64(self.policy.preparing_jobs)),
            ("policy.watched_jobs", as_u64(self.policy.watched_jobs)),
            (
                "policy.requester_percent",
                as_u64(self.policy.requester_percent),
            ),
            ("policy.trial_secs", u64::from(self.policy.trial_secs)),
            (
                "policy.breaker_failures",
                as_u64(self.policy.breaker_failures),
            ),
            (
                "policy.breaker_pause_secs",
                u64::from(self.policy.breaker_pause_secs),
            ),
            (
                "api.concurrent_requests",
                as_u64(self.api.concurrent_requests),
            ),
            ("api.connections", as_u64(self.api.connections)),
            (
                "api.connections_per_client",
                as_u64(self.api.connections_per_client),
            ),
            ("artifacts.connections", as_u64(self.artifacts.connections)),
            ("engine.concurrency", as_u64(self.engine.concurrency)),
            ("engine.threads", as_u64(self.engine.threads)),
            ("engine.preparing", as_u64(self.engine.preparing)),
        ];
        for (key, value) in positive.into_iter().chain(self.chain.positive()) {
            if value == 0 {
                return invalid(key, "must be at least 1");
            }
        }
        self.client_header()?;
        if (1..65_536).contains(&self.api.upload_bytes_per_sec) {
            return invalid(
                "api.upload_bytes_per_sec",
                "must be 0 for no limit, or at least 65536",
            );
        }
        if self.policy.requester_percent > 100 {
            return invalid("policy.requester_percent", "must be at most 100");
        }
        if !(100..=1_000).contains(&self.policy.safety_percent) {
            return invalid(
                "policy.safety_percent",
                "must be from 100, as measured, to 1000",
            );
        }
        let limits = &self.engine.limits;
        if limits.input_bytes > self.artifacts.blob_cache_bytes {
            return invalid(
                "artifacts.blob_cache_bytes",
                "must hold one input of engine.limits.input_bytes",
            );
        }
        Ok(())
    }
}

impl Config {
    /// Where a proxy names its client; none if it does not.
    pub fn client_header(&self) -> Result<Option<HeaderName>, ConfigError> {
        let name = self.api.client_header.to_ascii_lowercase();
        if name.is_empty() {
            return Ok(None);
        }
        name.parse().map(Some).map_err(|_| ConfigError::Invalid {
            key: "api.client_header",
            reason: format!("{name:?} is no name of a header; write one such as x-forwarded-for"),
        })
    }
}

impl AuditConfig {
    /// Wallets in the same hands as this worker's provider.
    pub(super) fn authorities(&self) -> Result<BTreeSet<Address>, ConfigError> {
        let read = |text: &String| {
            text.parse().map_err(|_| ConfigError::Invalid {
                key: "audit.siblings",
                reason: format!("{text:?} is no address; give authorities in base58"),
            })
        };
        self.siblings.iter().map(read).collect()
    }
}

impl ModelList {
    /// The digests to serve; none for any.
    pub fn digests(&self) -> Result<Option<BTreeSet<[u8; 32]>>, ConfigError> {
        match self {
            Self::Word(word) if word == "any" => Ok(None),
            Self::Word(word) => invalid(
                "policy.models",
                &format!("{word:?} is neither \"any\" nor a list of digests"),
            ),
            Self::Listed(digests) => digests
                .iter()
                .map(|text| digest(text))
                .collect::<Result<_, _>>()
                .map(Some),
        }
    }
}

fn digest(text: &str) -> Result<[u8; 32], ConfigError> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).map_err(|error| ConfigError::Invalid {
        key: "policy.models",
        reason: format!(
            "{text:?} is no sha256 digest in hex: {error}; `sha256sum model.onnx` prints one"
        ),
    })?;
    Ok(digest)
}

pub(super) fn url(key: &'static str, text: &str, schemes: &[&str]) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|error| ConfigError::Invalid {
        key,
        reason: format!("{text:?} is no url: {error}"),
    })?;
    if schemes.contains(&url.scheme()) && url.has_host() {
        Ok(url)
    } else {
        invalid(
            key,
            &format!("{text:?} must begin with {}://", schemes.join(":// or ")),
        )
    }
}

pub(super) fn invalid<T>(key: &'static str, reason: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Invalid {
        key,
        reason: reason.to_owned(),
    })
}

fn as_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
