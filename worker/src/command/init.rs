//! `assay-worker init`: a configuration and a key, ready to be registered.

use std::{fs, path::Path, path::PathBuf};

use assay_client::protocol::Address;
use solana_signer::Signer;

use super::{Ended, print};
use crate::{
    config::{Config, TEMPLATE},
    keys::{self, KeyError},
};

#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("{0:?} is no address; give the wallet that registers the provider, in base58")]
    Authority(String),
    #[error("{0} exists already and is left as it is; remove it, or write another with --config")]
    Exists(PathBuf),
    #[error("{path} cannot be written: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What was made.
pub struct Made {
    pub config: PathBuf,
    pub key: PathBuf,
    pub operator: Address,
    /// Whether the key was there before and is kept.
    pub key_kept: bool,
}

/// Makes both, and says what comes next.
pub fn show(config: &Path, authority: Option<&str>) -> Result<(), Ended> {
    let made = init(config, authority).map_err(anyhow::Error::from)?;
    let how = if made.key_kept { "kept" } else { "written" };
    eprintln!(
        "{} written, {} {how}",
        made.config.display(),
        made.key.display()
    );
    match authority {
        Some(authority) => eprintln!("Next, with the key of {authority}:"),
        None => {
            eprintln!("Next, set `authority` in the file to your cold wallet, and with its key:")
        }
    }
    eprintln!(
        "  assay provider register --operator {} --endpoint <api.public_url>",
        made.operator
    );
    eprintln!("  assay stake deposit <SOL>");
    eprintln!("  assay provider fund 0.05   # the operator's fees");
    eprintln!("  assay-worker run --config {}", made.config.display());
    Ok(print(&format!("{}\n", made.operator))?)
}

pub fn init(config: &Path, authority: Option<&str>) -> Result<Made, InitError> {
    let parsed: Option<Result<Address, _>> = authority.map(str::parse);
    if let (Some(Err(_)), Some(text)) = (parsed, authority) {
        return Err(InitError::Authority(text.to_owned()));
    }
    let folder = config.parent().unwrap_or(Path::new(""));
    let key = folder.join(&Config::default().operator);
    if config.exists() {
        return Err(InitError::Exists(config.to_owned()));
    }
    let write = |source| InitError::Write {
        path: config.to_owned(),
        source,
    };
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).map_err(write)?;
    }
    let key_kept = key.exists();
    let keypair = if key_kept {
        keys::load(&key)?
    } else {
        keys::create(&key)?
    };
    let text = TEMPLATE.replace("{authority}", authority.unwrap_or_default());
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).open(config);
    std::io::Write::write_all(&mut file.map_err(write)?, text.as_bytes()).map_err(write)?;
    Ok(Made {
        config: config.to_owned(),
        key,
        operator: keypair.pubkey(),
        key_kept,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

    #[test]
    fn init_writes_a_valid_configuration_and_a_private_key_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("etc/worker.toml");
        let made = init(&file, Some(AUTHORITY)).unwrap();
        assert!(!made.key_kept);
        let layers = crate::config::Layers {
            file: file.clone(),
            ..Default::default()
        };
        let config = crate::config::load(&layers).unwrap();
        assert_eq!(config.authority().unwrap().to_string(), AUTHORITY);
        assert_eq!(
            keys::load(&config.operator).unwrap().pubkey(),
            made.operator
        );
        assert!(matches!(
            init(&file, Some(AUTHORITY)),
            Err(InitError::Exists(_))
        ));

        fs::remove_file(&file).unwrap();
        let again = init(&file, Some(AUTHORITY)).unwrap();
        assert!(
            again.key_kept && again.operator == made.operator,
            "a key is never overwritten"
        );
        assert!(matches!(
            init(&folder.path().join("x"), Some("me")),
            Err(InitError::Authority(_))
        ));
    }

    #[cfg(unix)]
    #[test]
    fn key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        keys::create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = keys::load(&path).unwrap_err().to_string();
        assert!(
            error.contains(&format!("chmod 600 {}", path.display())),
            "{error}"
        );
        assert!(matches!(keys::create(&path), Err(KeyError::Write { .. })));
    }
}
