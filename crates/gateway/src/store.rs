//! The ledger: session keys, vouchers and receipts, in one SQLite file that only its owner can read.
//!
//! It holds the session keys, which can spend what is deposited in their sessions and nothing else. Written with
//! `synchronous = NORMAL`: when a call returns, the death of this process loses nothing. A power cut can lose the last
//! moments; the chain and the providers' standings tell what they were.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

mod breaches;
mod receipts;
mod schema;
mod sessions;

#[cfg(test)]
pub(crate) mod tests;

pub use breaches::Breaches;
pub use receipts::ReceiptRow;
pub use sessions::{SessionRow, State};

/// How long a call waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// Why the ledger does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the ledger failed: {0}; check that the disk has space and is writable")]
    Sqlite(#[from] rusqlite::Error),
    #[error(
        "the ledger {} cannot be opened: {source}; give another place with --ledger", path.display()
    )]
    File { path: PathBuf, source: io::Error },
    #[error(
        "another gateway works with the ledger {}; stop it, or give this one another with --ledger", .0.display()
    )]
    Locked(PathBuf),
    #[error(
        "the ledger has layout {found} and this program knows {known}; run the newer one that wrote it"
    )]
    Newer { found: i64, known: i64 },
    #[error("the ledger holds {0} that cannot be read; restore it from a backup")]
    Corrupt(&'static str),
    #[error("the ledger's thread ended early")]
    Gone,
}

type Call = Box<dyn FnOnce() + Send>;

/// The ledger. Clones share one connection.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    calls: mpsc::Sender<Call>,
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
        private(path).map_err(|source| StoreError::File {
            path: path.to_owned(),
            source,
        })?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        schema::migrate(&mut connection)?;
        Self::over(connection)
    }

    /// Claims the ledger for one gateway.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another has it.
    pub fn lock(path: &Path) -> Result<Lock, StoreError> {
        let failed = |source| StoreError::File {
            path: path.to_owned(),
            source,
        };
        let file = private(&path.with_extension("lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn over(connection: Connection) -> Result<Self, StoreError> {
        let (calls, waiting) = mpsc::channel::<Call>();
        // Ends when the last clone is dropped.
        std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || {
                for call in waiting {
                    // Whoever waits for a call that panics is told that it is gone.
                    let _ = catch_unwind(AssertUnwindSafe(call));
                }
            })
            .map_err(|_| StoreError::Gone)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            calls,
        })
    }

    /// Runs a call on the ledger's own thread, after those asked for before.
    ///
    /// # Errors
    /// The call's own, or [`StoreError::Gone`].
    pub async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        let (done, ended) = oneshot::channel();
        let call: Call = Box::new(move || {
            let _ = done.send(call(&store));
        });
        self.calls.send(call).map_err(|_| StoreError::Gone)?;
        ended.await.map_err(|_| StoreError::Gone)?
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

/// Opens or creates a file that only its owner can use, in folders of the same kind.
fn private(path: &Path) -> io::Result<File> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    // A file that was there before may be open to others.
    let mut permissions = file.metadata()?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    fs::set_permissions(path, permissions)?;
    Ok(file)
}

/// 32 bytes out of a column.
fn bytes32(bytes: &[u8], what: &'static str) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt(what))
}

/// Integers as SQLite keeps them: 64 bits with a sign. Larger ones keep their bits.
const fn stored(value: u64) -> i64 {
    value.cast_signed()
}

const fn loaded(value: i64) -> u64 {
    value.cast_unsigned()
}
