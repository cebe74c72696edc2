//! The journal: what must survive a crash, in one SQLite file.
//!
//! Written with `synchronous = FULL`: when a call returns, the disk has it. A result is written
//! once and never changed, a transaction before it is sent. All calls block; asynchronous code
//! goes through [`Store::call`].

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use assay_sqlite::{Durability, Thread, loaded, stored};
use futures_util::future::BoxFuture;
use rusqlite::Connection;

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
pub(crate) mod tests;

pub use audits::{AuditRow, SeatRow};
pub use books::{Amounts, Booked, Role};
pub use costs::{CostRow, KnownCost};
pub use jobs::{JobRow, Totals};
pub use pruning::Pruned;
pub use results::Delivered;
pub use transactions::{Member, PendingTransaction, Quote, SentTransaction, TransactionEnd};

/// Why the journal does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the journal {0}")]
    Sqlite(#[from] assay_sqlite::Error),
    #[error("the journal holds {what} that cannot be read; restore it from a backup")]
    Corrupt { what: &'static str },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

/// The journal. Clones share one connection.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    calls: Calls,
}

/// How calls of asynchronous code are carried out.
#[derive(Clone)]
enum Calls {
    /// By the journal's own thread, in their order.
    Thread(Thread),
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
        Ok(assay_sqlite::open(path, schema::LAYOUT, Durability::Power)?)
    }

    /// Opens a journal for looking only, also while a worker writes to it.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        Self::over(assay_sqlite::open_read_only(path, schema::LAYOUT)?)
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
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            calls: Calls::Thread(Thread::start("journal")?),
        })
    }

    /// Runs a call on the journal's own thread: downloads and runs cannot keep it waiting.
    pub async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let thread = match &self.calls {
            Calls::Thread(thread) => thread,
            Calls::Simulated(disk) => {
                disk.before(&self.connection).await?;
                let result = call(self);
                disk.after(&self.connection).await?;
                return result;
            }
        };
        let store = self.clone();
        thread.call(move || call(&store)).await?
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
