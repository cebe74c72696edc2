//! The configuration, and the key that it names.

use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{folder, report::Report};
use crate::{
    config::{self, Config, ConfigError, Layers},
    keys::{self, KeyError},
};

/// What is in force as far as it can be read; the defaults where nothing can.
pub fn check(report: &mut Report, layers: &Layers) -> Config {
    report.good(
        "version",
        format!(
            "assay-worker {}, program {}",
            env!("CARGO_PKG_VERSION"),
            assay_client::PROGRAM_ID
        ),
    );
    let path = layers.file.display();
    let fix = |error: &ConfigError| match error {
        ConfigError::Read { .. } => format!("assay-worker init --config {path}"),
        ConfigError::Parse { .. } | ConfigError::Setting { .. } | ConfigError::Invalid { .. } => {
            format!("correct it in {path}, or where it was set")
        }
    };
    match config::read(layers) {
        Err(error) => {
            report.broken("file", error.to_string(), fix(&error));
            report.notice(
                "file",
                "what follows is checked with the defaults",
                "mend the file first",
            );
            let mut config = Config::default();
            config.resolve(folder(&layers.file));
            config
        }
        Ok(config) => {
            match config.check() {
                Ok(()) => report.good("file", format!("{path}, valid")),
                Err(error) => report.broken("file", error.to_string(), fix(&error)),
            }
            config
        }
    }
}

/// The operator's key.
pub fn key(report: &mut Report, config: &Config) -> Option<Keypair> {
    let name = "operator key";
    let path = config.operator.display();
    match keys::load(&config.operator) {
        Ok(key) => {
            report.good(name, format!("{path}, of {}", key.pubkey()));
            Some(key)
        }
        Err(error) => {
            let fix = match &error {
                KeyError::Read { .. } => {
                    format!("assay-worker init, or set `operator`; it is looked for at {path}")
                }
                KeyError::Mode { .. } => format!("chmod 600 {path}"),
                KeyError::Parse { .. } | KeyError::Write { .. } => {
                    "restore the file, or make another key and register it".to_owned()
                }
            };
            report.broken(name, error.to_string(), fix);
            None
        }
    }
}
