//! The operator's key file.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use solana_keypair::Keypair;
use solana_signer::Signer;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(
        "the operator key {path} cannot be read: {source}; make one with `assay-worker init`, or set `operator`"
    )]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "the operator key {path} may be read by others (mode {mode:03o}); run: chmod 600 {path}"
    )]
    Mode { path: PathBuf, mode: u32 },
    #[error(
        "{path} is no keypair file: {reason}; it must be the JSON array of 64 numbers that solana-keygen writes"
    )]
    Parse { path: PathBuf, reason: String },
    #[error("the key file {path} cannot be written: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Reads a key that nobody else can read.
pub fn load(path: &Path) -> Result<Keypair, KeyError> {
    let read = |source| KeyError::Read {
        path: path.to_owned(),
        source,
    };
    check_mode(path).map_err(|error| match error {
        Ok(mode) => KeyError::Mode {
            path: path.to_owned(),
            mode,
        },
        Err(source) => read(source),
    })?;
    let text = fs::read_to_string(path).map_err(read)?;
    let parse = |reason: String| KeyError::Parse {
        path: path.to_owned(),
        reason,
    };
    let bytes: Vec<u8> = serde_json::from_str(&text).map_err(|error| parse(error.to_string()))?;
    Keypair::try_from(bytes.as_slice()).map_err(|error| parse(error.to_string()))
}

/// `Err(Ok(mode))` if others have any right to the file.
#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), Result<u32, std::io::Error>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(Err)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(Ok(mode))
    }
}

#[cfg(not(unix))]
fn check_mode(path: &Path) -> Result<(), Result<u32, std::io::Error>> {
    fs::metadata(path).map(|_| ()).map_err(Err)
}

/// Writes a new key, readable by its owner only, whole or not at all; never overwrites.
pub fn create(path: &Path) -> Result<Keypair, KeyError> {
    let failed = |source| KeyError::Write {
        path: path.to_owned(),
        source,
    };
    let keypair = Keypair::new();
    let text = serde_json::to_string(&keypair.to_bytes().to_vec())
        .map_err(|error| failed(error.into()))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    // Made with mode 0600.
    let mut file = tempfile::Builder::new()
        .prefix(".operator-")
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    file.persist_noclobber(path)
        .map_err(|error| failed(error.error))?;
    tracing::debug!(operator = %keypair.pubkey(), "key written");
    Ok(keypair)
}
