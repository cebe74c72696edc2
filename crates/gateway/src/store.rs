//! The ledger: session keys, vouchers and receipts, in one SQLite file that only its owner can read.
//!
//! It holds the session keys, which can spend what is deposited in their sessions and nothing else. Written with
//! `synchronous = NORMAL`: when a call returns, the death of this process loses nothing. A power cut can lose the last
//! moments; the chain and the providers' standings tell what they were.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use assay_sqlite::{Durability, Thread, loaded, private, stored};
use rusqlite::Connection;

mod breaches;
mod doubts;
mod receipts;
mod schema;
mod sessions;

#[cfg(test)]
pub(crate) mod tests;

pub use breaches::Breaches;
pub use receipts::ReceiptRow;
pub use sessions::{SessionRow, State};

/// Why the ledger does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the ledger {0}")]
    Sqlite(#[from] assay_sqlite::Error),
    #[error(
        "another gateway works with the ledger {}; stop it, or give this one another with --ledger", .0.display()
    )]
    Locked(PathBuf),
    #[error("the ledger holds {0} that cannot be read; restore it from a backup")]
    Corrupt(&'static str),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

/// The ledger. Clones share one connection.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    thread: Thread,
}

/// Held by the one gateway that may use the ledger's sessions.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Store {
    /// Opens or creates the ledger, readable by its owner alone, and brings its layout up to date.
    ///
    /// # Errors
    /// When the file cannot be used, or a newer program wrote it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = assay_sqlite::open(path, schema::LAYOUT, Durability::Process)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            thread: Thread::start("ledger")?,
        })
    }

    /// Claims the ledger for one gateway.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another has it.
    pub fn lock(path: &Path) -> Result<Lock, StoreError> {
        let failed = |source| assay_sqlite::Error::File {
            path: path.to_owned(),
            source,
        };
        let file = private(&path.with_extension("lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source).into()),
        }
    }

    /// Runs a call on the ledger's own thread, after those asked for before.
    ///
    /// # Errors
    /// The call's own, or that it is gone.
    pub async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        self.thread.call(move || call(&store)).await?
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // SQLite rolls back what a panic interrupted, so the connection is still good.
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        work(&mut connection)
    }
}

/// Where the ledger lies unless told otherwise; none without a home.
pub fn default_path() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")))?;
    Some(folder.join("assay/gateway/ledger.sqlite"))
}

/// 32 bytes out of a column.
fn bytes32(bytes: &[u8], what: &'static str) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt(what))
}
