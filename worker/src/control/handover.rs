//! How commands of the same user find the service: a file in the data folder that only its owner
//! can read.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

const NAME: &str = "control.json";

/// Where the service is and what opens it. The token is new at each start.
#[derive(Clone, Serialize, Deserialize)]
pub struct Handover {
    pub url: String,
    pub token: String,
    pub process: u32,
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    #[error("{path} cannot be written: {source}; `ps`, `drain` and the page need it")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "no worker answers: there is no {path}; is a worker running with this configuration, and is control.listen set?"
    )]
    Absent { path: PathBuf },
    #[error("{path} cannot be read: {reason}; run this as the user that runs the worker")]
    Read { path: PathBuf, reason: String },
}

impl Handover {
    /// Writes the file, whole or not at all.
    pub fn write(&self, data_dir: &Path) -> Result<Written, HandoverError> {
        let path = data_dir.join(NAME);
        let write = || {
            // Made with mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.persist(&path)?;
            Ok(())
        };
        match write() {
            Ok(()) => Ok(Written(path)),
            Err(source) => Err(HandoverError::Write { path, source }),
        }
    }

    pub fn read(data_dir: &Path) -> Result<Self, HandoverError> {
        let path = data_dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(HandoverError::Absent { path });
            }
            Err(error) => {
                let reason = error.to_string();
                return Err(HandoverError::Read { path, reason });
            }
        };
        serde_json::from_slice(&bytes).map_err(|error| HandoverError::Read {
            path,
            reason: error.to_string(),
        })
    }
}

/// The file; it goes with the service.
pub struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        // A file that stays names a port where nobody answers, which commands say.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handover() -> Handover {
        Handover {
            url: "http://127.0.0.1:1".into(),
            token: "secret".into(),
            process: 7,
            version: "1".into(),
        }
    }

    #[test]
    fn file_is_for_its_owner_and_goes_with_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        // What a killed worker left is replaced.
        std::fs::write(&path, "old").unwrap();
        let written = handover().write(folder.path()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(Handover::read(folder.path()).unwrap().token, "secret");
        drop(written);
        let error = Handover::read(folder.path()).err().unwrap();
        assert!(matches!(error, HandoverError::Absent { .. }));
        assert!(error.to_string().contains("no worker answers"), "{error}");
    }

    #[test]
    fn file_that_is_no_handover_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "{\"url\":1}").unwrap();
        let error = Handover::read(folder.path()).err().unwrap().to_string();
        assert!(error.contains(NAME), "{error}");
    }
}
