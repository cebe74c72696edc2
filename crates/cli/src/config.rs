//! The Solana CLI's config file: which cluster, which wallet.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

const LOCALHOST: &str = "http://127.0.0.1:8899";

/// What this tool reads of the Solana CLI's config file.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SolanaConfig {
    pub json_rpc_url: Option<String>,
    pub keypair_path: Option<PathBuf>,
}

impl SolanaConfig {
    /// Reads the file; the default file may be missing.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let file = match path {
            Some(path) => path.to_owned(),
            None => match home("solana/cli/config.yml") {
                Some(path) if path.is_file() => path,
                _ => return Ok(Self::default()),
            },
        };
        let text = fs::read_to_string(&file).with_context(|| {
            format!(
                "cannot read the config file {}; check --config",
                file.display()
            )
        })?;
        serde_yaml_ng::from_str(&text).with_context(|| {
            format!(
                "{} is not a config file of the Solana CLI; see `solana config get`",
                file.display()
            )
        })
    }

    /// The cluster's URL: the flag, else the file's, else the local chain.
    pub fn url(&self, flag: Option<&str>) -> Result<String> {
        match flag.or(self.json_rpc_url.as_deref()) {
            None => Ok(LOCALHOST.to_owned()),
            Some(text) => cluster(text),
        }
    }

    /// The wallet's file: the flag, else the file's, else the Solana CLI's default.
    pub fn keypair(&self, flag: Option<&Path>) -> Option<PathBuf> {
        flag.map(Path::to_owned)
            .or_else(|| self.keypair_path.clone())
            .or_else(|| home("solana/id.json"))
    }
}

/// A path below the user's config folder.
pub fn home(below: &str) -> Option<PathBuf> {
    Some(
        PathBuf::from(env::var_os("HOME")?)
            .join(".config")
            .join(below),
    )
}

/// A URL, or the URL that a moniker of the Solana CLI stands for.
fn cluster(text: &str) -> Result<String> {
    Ok(match text {
        "l" | "localhost" => LOCALHOST.to_owned(),
        "d" | "devnet" => "https://api.devnet.solana.com".to_owned(),
        "t" | "testnet" => "https://api.testnet.solana.com".to_owned(),
        "m" | "mainnet-beta" => "https://api.mainnet-beta.solana.com".to_owned(),
        url if url.starts_with("http://") || url.starts_with("https://") => url.to_owned(),
        other => bail!(
            "{other:?} is no cluster: give a URL with http:// or https://, or localhost, devnet, testnet or mainnet-beta"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monikers_and_urls_name_a_cluster() {
        assert_eq!(cluster("localhost").unwrap(), LOCALHOST);
        assert_eq!(cluster("d").unwrap(), "https://api.devnet.solana.com");
        assert_eq!(
            cluster("http://127.0.0.1:9000").unwrap(),
            "http://127.0.0.1:9000"
        );
        assert!(cluster("devnett").is_err());
    }

    #[test]
    fn flags_win_over_the_file() {
        let text = "---\njson_rpc_url: https://x.example\nwebsocket_url: ''\nkeypair_path: /a/id.json\ncommitment: confirmed\n";
        let config: SolanaConfig = serde_yaml_ng::from_str(text).unwrap();
        assert_eq!(config.url(None).unwrap(), "https://x.example");
        assert_eq!(config.url(Some("l")).unwrap(), LOCALHOST);
        assert_eq!(config.keypair(None).unwrap(), Path::new("/a/id.json"));
        assert_eq!(
            config.keypair(Some(Path::new("/b"))).unwrap(),
            Path::new("/b")
        );
        assert_eq!(SolanaConfig::default().url(None).unwrap(), LOCALHOST);
    }

    #[test]
    fn missing_or_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yml");
        let missing = SolanaConfig::load(Some(&path)).unwrap_err();
        assert!(format!("{missing:#}").contains("config.yml"));
        fs::write(&path, "- a\n- b\n").unwrap();
        assert!(SolanaConfig::load(Some(&path)).is_err());
    }
}
