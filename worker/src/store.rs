//! The journal: what must survive a crash, in one SQLite file.
//!
//! Written with `synchronous = FULL`: when a call returns, the disk has it. A result is written
//! once and never changed, a transaction before it is sent. All calls block; asynchronous code
//! goes through [`Store::call`].

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use futures_util::future::BoxFuture;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

mod audits;
mod books;
mod costs;
mod jobs;
mod measurements;
mod notes;
mod pruning;
mod results;
mod schema;
mod transactions;

#[cfg(test)]
mod tests;

pub use audits::{AuditRow, SeatRow};
pub use books::{Booked, Role};
pub use costs::{CostRow, KnownCost};
pub use jobs::{JobRow, Totals};
pub use pruning::Pruned;
pub use results::Delivered;
pub use transactions::{Member, PendingTransaction, Quote, SentTransaction, TransactionEnd};

/// Why the journal does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the journal failed: {0}; check that the disk has space and is writable")]
    Sqlite(#[from] rusqlite::Error),
    #[error(
        "the journal has layout {found} and this worker knows {known}; run the newer worker that wrote it"
    )]
    Newer { found: i64, known: i64 },
    #[error("the journal holds {what} that cannot be read; restore it from a backup")]
    Corrupt { what: &'static str },
    #[error("the journal's thread ended early")]
    Gone,
}

/// The journal. Clones share one connection.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    calls: Calls,
}

type Call = Box<dyn FnOnce() + Send>;

/// How calls of asynchronous code are carried out.
#[derive(Clone)]
enum Calls {
    /// By the journal's own thread, in their order.
    Thread(mpsc::Sender<Call>),
    /// At once, under a disk that may fail.
    Simulated(Arc<dyn Disk>),
}

/// What a simulation does around each call. An error is the call's answer; a future that never
/// ends is a crash.
pub trait Disk: Send + Sync {
    /// Nothing of the call is done yet.
    fn before<'a>(
        &'a self,
        journal: &'a Mutex<Connection>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
    /// All of the call is done, or failed.
    fn after<'a>(&'a self, journal: &'a Mutex<Connection>)
    -> BoxFuture<'a, Result<(), StoreError>>;
}

impl Store {
    /// Opens or creates the journal and brings its layout up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(Self::connect(path)?)
    }

    /// The same without a thread, under a disk that may fail.
    pub fn open_simulated(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        Ok(Self {
            connection: Arc::new(Mutex::new(Self::connect(path)?)),
            calls: Calls::Simulated(disk),
        })
    }

    fn connect(path: &Path) -> Result<Connection, StoreError> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        schema::migrate(&mut connection)?;
        Ok(connection)
    }

    /// Opens a journal for looking only, also while a worker writes to it.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        schema::check(&connection)?;
        Self::over(connection)
    }

    /// What SQLite finds wrong with the file; nothing if it is whole.
    pub fn faults(&self) -> Result<Vec<String>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare("PRAGMA quick_check(10)")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            let found: Vec<String> = rows.collect::<Result<_, _>>()?;
            Ok(found.into_iter().filter(|line| line != "ok").collect())
        })
    }

    fn over(connection: Connection) -> Result<Self, StoreError> {
        let (calls, waiting) = mpsc::channel::<Call>();
        // Ends when the last clone is dropped.
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                for call in waiting {
                    // Whoever waits for a call that panics is told that it is gone.
                    let _ = catch_unwind(AssertUnwindSafe(call));
                }
            })
            .map_err(|_| StoreError::Gone)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            calls: Calls::Thread(calls),
        })
    }

    /// Runs a call on the journal's own thread: downloads and runs cannot keep it waiting.
    pub async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let calls = match &self.calls {
            Calls::Thread(calls) => calls,
            Calls::Simulated(disk) => {
                disk.before(&self.connection).await?;
                let result = call(self);
                disk.after(&self.connection).await?;
                return result;
            }
        };
        let store = self.clone();
        let (done, ended) = oneshot::channel();
        let call: Call = Box::new(move || {
            let _ = done.send(call(&store));
        });
        calls.send(call).map_err(|_| StoreError::Gone)?;
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

/// 32 bytes out of a column.
fn bytes32(bytes: &[u8], what: &'static str) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt { what })
}

/// Integers as SQLite keeps them: 64 bits with a sign. Larger ones keep their bits.
fn stored(value: u64) -> i64 {
    value.cast_signed()
}

fn loaded(value: i64) -> u64 {
    value.cast_unsigned()
}
