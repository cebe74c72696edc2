//! The configuration, and the key that it names.

use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{folder, report::Report};
use crate::{
    config::{self, Config, ConfigError, Layers},
    core::Window,
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

/// The hours without new work, of which an operator may have forgotten.
pub fn pauses(report: &mut Report, config: &Config, now: i64) {
    let name = "pauses";
    // One that is no window has made the file invalid.
    let windows = config.pauses().unwrap_or_default();
    if windows.is_empty() {
        return report.good(name, "none: new work is taken at all hours");
    }
    let set: Vec<String> = windows.iter().map(Window::to_string).collect();
    let set = set.join(", ");
    match windows.iter().filter_map(|window| window.left(now)).max() {
        Some(left) => report.notice(
            name,
            format!(
                "{set}: no new work for another {} minutes",
                left.div_euclid(60) + 1
            ),
            "policy.pause, if that is not wanted",
        ),
        None => report.good(name, format!("{set}: not now")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::report::State;

    #[test]
    fn pause_that_holds_now_is_pointed_out() {
        let mut config = Config::default();
        let found = |config: &Config, now: i64| {
            let mut report = Report::new(false);
            pauses(&mut report, config, now);
            let check = report.checks.remove(0);
            (check.state, check.finding)
        };
        assert_eq!(found(&config, 0).0, State::Good);
        config.policy.pause = vec!["22:00-07:00".into(), "thu 00:00-06:00".into()];
        let (state, finding) = found(&config, 5 * 3_600);
        assert_eq!(state, State::Notice);
        assert!(finding.ends_with("no new work for another 121 minutes"));
        assert_eq!(found(&config, 8 * 3_600).0, State::Good);
    }
}
