//! From four sources to one configuration.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, ConfigError};

/// Environment variables that start so are settings: `ASSAY_WORKER_CHAIN__POLL_MS=500`.
const PREFIX: &str = "ASSAY_WORKER_";
/// Read elsewhere, by the command line.
const NOT_SETTINGS: [&str; 1] = ["ASSAY_WORKER_CONFIG"];

/// What lies over the file.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The TOML file.
    pub file: PathBuf,
    /// The process's environment.
    pub environment: Vec<(String, String)>,
    /// `section.key=value`, from flags.
    pub flags: Vec<String>,
}

/// Reads, merges and checks.
pub fn load(layers: &Layers) -> Result<Config, ConfigError> {
    let config = read(layers)?;
    config.check()?;
    Ok(config)
}

/// The same without the check of the whole: for who explains what is wrong with it.
pub fn read(layers: &Layers) -> Result<Config, ConfigError> {
    let path = &layers.file;
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.clone(),
        source,
    })?;
    merge(&text, layers)
}

/// Merges and checks, with the text of the file at hand.
pub fn parse(text: &str, layers: &Layers) -> Result<Config, ConfigError> {
    let config = merge(text, layers)?;
    config.check()?;
    Ok(config)
}

fn merge(text: &str, layers: &Layers) -> Result<Config, ConfigError> {
    let path = &layers.file;
    let parse = |reason: toml::de::Error| ConfigError::Parse {
        path: path.clone(),
        reason: reason.to_string(),
    };
    // Once alone, so that the error shows the line.
    toml::from_str::<Config>(text).map_err(parse)?;
    let mut table: Table = toml::from_str(text).map_err(parse)?;

    let mut environment = layers.environment.clone();
    environment.sort();
    for (name, value) in &environment {
        let Some(key) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if NOT_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        let key = key.to_ascii_lowercase().replace("__", ".");
        set(&mut table, &key, value, &format!("the variable {name}"))?;
    }
    for flag in &layers.flags {
        let origin = format!("the flag --set {flag}");
        let (key, value) = flag.split_once('=').ok_or_else(|| ConfigError::Setting {
            origin: origin.clone(),
            reason: "write it as section.key=value".into(),
        })?;
        set(&mut table, key.trim(), value.trim(), &origin)?;
    }

    let mut config: Config =
        Value::Table(table)
            .try_into()
            .map_err(|reason: toml::de::Error| ConfigError::Parse {
                path: path.clone(),
                reason: reason.to_string(),
            })?;
    config.resolve(path.parent().unwrap_or(Path::new("")));
    Ok(config)
}

/// Sets one key, if a configuration with it is valid.
fn set(table: &mut Table, key: &str, text: &str, origin: &str) -> Result<(), ConfigError> {
    let mut tried = Vec::new();
    for value in readings(text) {
        let mut next = table.clone();
        let placed = place(&mut next, key, value);
        let read: Result<Config, _> = Value::Table(next.clone()).try_into();
        match read {
            Ok(_) if placed => {
                *table = next;
                return Ok(());
            }
            Ok(_) => tried.push(format!("`{key}` lies under a setting that has no parts")),
            Err(reason) => tried.push(reason.message().to_owned()),
        }
    }
    let reason = tried.first().cloned().unwrap_or_default();
    Err(ConfigError::Setting {
        origin: origin.to_owned(),
        reason,
    })
}

/// What the text may mean: TOML, or a word without its quotation marks.
fn readings(text: &str) -> Vec<Value> {
    let toml = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"));
    let word = Value::String(text.to_owned());
    toml.into_iter().chain([word]).collect()
}

fn place(table: &mut Table, key: &str, value: Value) -> bool {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
            true
        }
        Some((section, rest)) => {
            let part = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            part.as_table_mut()
                .is_some_and(|part| place(part, rest, value))
        }
    }
}
