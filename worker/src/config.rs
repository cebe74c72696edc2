//! What an operator may choose: defaults, then the TOML file, then the environment, then flags.
//! A key that nothing reads is an error, wherever it comes from.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use assay_engine::EngineConfig;
use assay_protocol::Address;
use serde::{Deserialize, Serialize};

mod chain;
mod check;
mod control;
mod layers;
mod limits;
mod policy;
mod sessions;
mod template;

#[cfg(test)]
mod tests;

pub use chain::{ChainConfig, Websockets};
pub use control::ControlConfig;
pub use layers::{Layers, load, parse, read};
pub use limits::LimitsConfig;
pub use policy::{AuditConfig, PolicyConfig};
pub use sessions::{SessionModel, SessionsConfig};
pub use template::TEMPLATE;

/// Why a configuration is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "{path} cannot be read: {source}; write one with `assay-worker init` or name another with --config"
    )]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is no configuration: {reason}")]
    Parse { path: PathBuf, reason: String },
    #[error("{origin} does not name a setting: {reason}")]
    Setting { origin: String, reason: String },
    #[error("{key}: {reason}")]
    Invalid { key: &'static str, reason: String },
}

/// The whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The provider's authority: the cold wallet that registered it.
    pub authority: String,
    /// Keypair file of the operator, the hot key.
    pub operator: PathBuf,
    /// Journal, caches and lock.
    pub data_dir: PathBuf,
    pub chain: ChainConfig,
    pub api: ApiConfig,
    pub control: ControlConfig,
    pub policy: PolicyConfig,
    pub audit: AuditConfig,
    pub limits: LimitsConfig,
    pub artifacts: ArtifactsConfig,
    pub engine: EngineConfig,
    pub sessions: SessionsConfig,
    pub earnings: EarningsConfig,
    pub log: LogConfig,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Where to listen; port 0 takes a free one. Put a TLS proxy before a public address.
    pub listen: SocketAddr,
    /// Url under which requesters reach this worker: the provider's endpoint on chain.
    pub public_url: String,
    /// Longest time for one request, in seconds.
    pub timeout_secs: u64,
    /// Requests answered at the same time, and uploads taken; more wait.
    pub concurrent_requests: usize,
    /// Connections at the same time, in all and from one client; more are closed.
    pub connections: usize,
    pub connections_per_client: usize,
    /// Of one client; more are answered with 429. 0 for no limit.
    pub requests_per_minute: u32,
    /// Header in which a proxy on this machine names its client; empty for none. Without it, clients
    /// behind a proxy are not told apart and not limited.
    pub client_header: String,
    /// Most bytes sent a second in large answers; 0 for no limit. Hints never wait.
    pub upload_bytes_per_sec: u32,
}

/// Which models to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModelList {
    /// The word "any".
    Word(String),
    /// Digests in hex.
    Listed(Vec<String>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArtifactsConfig {
    /// Folders with .onnx files; looked at by digest.
    pub model_dirs: Vec<PathBuf>,
    /// Allows file:// uris, which anyone can put into a job: for a local chain only.
    pub allow_file: bool,
    /// Allows private and loopback addresses in uris: for a local chain only.
    pub allow_private: bool,
    /// Allows http:// besides https://.
    pub allow_http: bool,
    pub model_cache_bytes: u64,
    pub blob_cache_bytes: u64,
    /// Longest time for one source to give one file; what has come by then is kept.
    pub fetch_timeout_secs: u64,
    /// Pieces of one file that are fetched at the same time.
    pub connections: usize,
    /// IPFS gateways, `{cid}` standing for the content's identifier; asked for ipfs:// uris, and for
    /// models without a uri. None: IPFS is not used.
    pub ipfs_gateways: Vec<String>,
}

/// For `assay-worker earnings` alone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarningsConfig {
    /// Power that the machine draws while it runs a model, above what it draws anyway; 0 if nobody
    /// knows.
    pub watts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    pub format: LogFormat,
    /// As in `RUST_LOG`: `info`, `assay_worker=debug,warn`.
    pub filter: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            authority: String::new(),
            operator: "operator.json".into(),
            data_dir: "data".into(),
            chain: ChainConfig::default(),
            api: ApiConfig::default(),
            control: ControlConfig::default(),
            policy: PolicyConfig::default(),
            audit: AuditConfig::default(),
            limits: LimitsConfig::default(),
            artifacts: ArtifactsConfig::default(),
            engine: EngineConfig::default(),
            sessions: SessionsConfig::default(),
            earnings: EarningsConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8_950)),
            public_url: "http://127.0.0.1:8950".into(),
            timeout_secs: 60,
            concurrent_requests: 64,
            connections: 512,
            connections_per_client: 32,
            requests_per_minute: 600,
            client_header: String::new(),
            upload_bytes_per_sec: 0,
        }
    }
}

impl Default for ArtifactsConfig {
    fn default() -> Self {
        Self {
            model_dirs: Vec::new(),
            allow_file: false,
            allow_private: false,
            allow_http: false,
            model_cache_bytes: 20 << 30,
            blob_cache_bytes: 4 << 30,
            fetch_timeout_secs: 600,
            connections: 4,
            ipfs_gateways: vec![
                "https://{cid}.ipfs.dweb.link".into(),
                "https://{cid}.ipfs.w3s.link".into(),
                "https://ipfs.io/ipfs/{cid}".into(),
            ],
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".into(),
        }
    }
}

impl Config {
    /// The provider's authority.
    pub fn authority(&self) -> Result<Address, ConfigError> {
        self.authority.parse().map_err(|_| ConfigError::Invalid {
            key: "authority",
            reason: format!(
                "{:?} is no address; give the wallet that registered the provider (`assay provider list` shows it)",
                self.authority
            ),
        })
    }

    pub fn journal(&self) -> PathBuf {
        self.data_dir.join("journal.sqlite")
    }

    /// Vouchers and receipts of sessions.
    pub fn sessions_file(&self) -> PathBuf {
        self.data_dir.join("sessions.sqlite")
    }

    /// The folder of models as they were optimised.
    pub fn optimised(&self) -> PathBuf {
        self.data_dir.join("optimised")
    }

    pub fn poll_every(&self) -> Duration {
        Duration::from_millis(self.chain.poll_ms)
    }

    /// Paths in a file are meant from the file's folder.
    pub(crate) fn resolve(&mut self, base: &Path) {
        let ours = [&mut self.operator, &mut self.data_dir];
        for path in ours.into_iter().chain(&mut self.artifacts.model_dirs) {
            *path = base.join(&*path);
        }
        let engine = &mut self.engine;
        for path in [&mut engine.library, &mut engine.program]
            .into_iter()
            .flatten()
        {
            *path = base.join(&*path);
        }
    }
}
