//! Logs go to stderr: text for people, JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    config::{LogConfig, LogFormat},
    control::recent::Recent,
};

#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("log.filter: {0}; write it as RUST_LOG is written, such as `info,assay_worker=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging was started twice: {0}")]
    Twice(Box<dyn std::error::Error + Send + Sync>),
}

/// Starts logging. `RUST_LOG` wins over the configuration. The newest lines are kept as well.
pub fn install(config: &LogConfig) -> Result<Recent, LoggingError> {
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(filter) if !filter.is_empty() => filter,
        Ok(_) | Err(_) => config.filter.clone(),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match config.format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let recent = Recent::default();
    tracing_subscriber::registry()
        .with(lines.with_filter(EnvFilter::try_new(filter)?))
        .with(recent.layer())
        .try_init()
        .map_err(|error| LoggingError::Twice(Box::new(error)))?;
    Ok(recent)
}
