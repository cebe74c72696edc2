//! What must survive the process's death, in a SQLite file of its own: of each session its account as last seen, its
//! best voucher and its last answer; and what was settled.
//!
//! Written with `synchronous = NORMAL`: it survives the process, and a power cut loses the last moments at most, which
//! the next voucher makes good since each covers everything before it. One thread writes what waits in one transaction.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use assay_client::{
    protocol::{Address, BasisPoints, Lamports, SessionData, UnixSeconds, amount::split_price},
    session::Payment,
};
use assay_sqlite::{Durability, Layout};
use rusqlite::{Connection, Transaction, params};
use tokio::sync::oneshot;

use super::core::{Answered, LostRun, LostRuns};
use crate::store::{Disk, StoreError};

mod kept;

pub use kept::Kept;

/// Writes in one transaction, at most.
const MOST: usize = 256;
/// Transactions after which what is in the write-ahead log is moved to the file, beside the writing.
const CHECKPOINT_EVERY: u32 = 500;
/// Pages of the log at which the writer moves them itself, should it never be idle: 64 MiB.
const LOG_PAGES: u32 = 16_000;

/// Rows of lost runs.
#[expect(clippy::cast_possible_wrap, reason = "it is a few thousand")]
const MOST_LOST: i64 = LostRuns::MOST as i64;

const LAYOUT: Layout = Layout(&["
    -- account as the program has it; payment, receipt as in their headers.
    CREATE TABLE sessions (
        session BLOB PRIMARY KEY, account BLOB NOT NULL, payment TEXT, receipt TEXT,
        input_bytes INTEGER NOT NULL DEFAULT 0, input_tokens INTEGER NOT NULL DEFAULT 0,
        output_tokens INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    -- Lamports that reached the provider's account, the market's fee included in gross.
    CREATE TABLE income (
        session BLOB NOT NULL, settled INTEGER NOT NULL, gross INTEGER NOT NULL, net INTEGER NOT NULL,
        at INTEGER NOT NULL, PRIMARY KEY (session, settled)
    ) STRICT;
    CREATE INDEX income_at ON income (at);
", "
    -- Runs that used up their time or took their engine along, by who paid; the newest alone are kept.
    CREATE TABLE lost_runs (number INTEGER PRIMARY KEY, payer BLOB NOT NULL, at INTEGER NOT NULL) STRICT;
"]);

/// Why the file does not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionStoreError {
    #[error("sessions.sqlite {0}")]
    Sqlite(Arc<assay_sqlite::Error>),
    #[error("sessions.sqlite holds {what} that cannot be read; restore it from a backup")]
    Corrupt { what: &'static str },
}

impl From<assay_sqlite::Error> for SessionStoreError {
    fn from(error: assay_sqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<rusqlite::Error> for SessionStoreError {
    fn from(error: rusqlite::Error) -> Self {
        assay_sqlite::Error::from(error).into()
    }
}

/// What is kept.
#[derive(Clone, Debug)]
pub enum Write {
    /// A better voucher, before its request is served.
    Payment {
        account: Box<SessionData>,
        payment: Payment,
    },
    /// An answer, before it is given.
    Answer(Answered),
    /// The account as it is known. What of its settlements is not booked yet is income of this moment.
    Account {
        session: Address,
        account: Box<SessionData>,
        at: UnixSeconds,
    },
    Forget(Address),
    /// A run that was lost, before its answer is given.
    Lost(LostRun),
    /// Nothing: to see whether the file can be written again.
    Trial,
}

/// A settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Income {
    pub session: Address,
    /// Lamports settled in all, by which the same settlement is known again.
    pub settled: u64,
    /// Lamports taken from the deposit.
    pub gross: u64,
    /// What of it reached the earnings.
    pub net: u64,
    pub at: UnixSeconds,
}

struct Job {
    write: Write,
    done: oneshot::Sender<Result<(), SessionStoreError>>,
}

/// The file. Clones share its writer.
#[derive(Clone)]
pub struct SessionStore {
    writer: Writer,
    written: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Writer {
    Thread(mpsc::Sender<Job>),
    /// Each write at once and alone, under a disk that may fail.
    Simulated(Arc<Mutex<Connection>>, Arc<dyn Disk>),
}

impl SessionStore {
    /// Opens or creates the file; returns what it holds too.
    ///
    /// # Errors
    /// When it cannot be written, or is of a later layout.
    pub fn open(path: &Path, now: UnixSeconds) -> Result<(Self, Kept), SessionStoreError> {
        let (connection, kept) = take_up(path, now)?;
        let (checkpoints, due) = mpsc::sync_channel::<()>(1);
        let beside = connect(path)?;
        thread("sessions-log", move || {
            while due.recv().is_ok() {
                let moved = beside.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                if let Err(error) = moved {
                    tracing::debug!(%error, "the log of sessions.sqlite stays for now");
                }
            }
        })?;
        let (sender, jobs) = mpsc::channel();
        let written = Arc::new(AtomicBool::new(true));
        let outcome = Arc::clone(&written);
        thread("sessions", move || {
            write_all(connection, &jobs, &checkpoints, &outcome);
            outcome.store(false, Ordering::Relaxed);
        })?;
        let writer = Writer::Thread(sender);
        Ok((Self { writer, written }, kept))
    }

    /// The same without threads, under a disk that may fail.
    ///
    /// # Errors
    /// Those of [`SessionStore::open`].
    pub fn open_simulated(
        path: &Path,
        now: UnixSeconds,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, Kept), SessionStoreError> {
        let (connection, kept) = take_up(path, now)?;
        let connection = Arc::new(Mutex::new(connection));
        let writer = Writer::Simulated(connection, disk);
        let written = Arc::new(AtomicBool::new(true));
        Ok((Self { writer, written }, kept))
    }

    /// Returns once it survives the process.
    ///
    /// # Errors
    /// When it is not written.
    pub async fn write(&self, write: Write) -> Result<(), SessionStoreError> {
        let jobs = match &self.writer {
            Writer::Thread(jobs) => jobs,
            Writer::Simulated(connection, disk) => {
                let gone = |_: StoreError| SessionStoreError::from(assay_sqlite::Error::Gone);
                let outcome = async {
                    disk.before(connection).await.map_err(gone)?;
                    let outcome = {
                        let mut connection =
                            connection.lock().unwrap_or_else(PoisonError::into_inner);
                        write_batch(&mut connection, [&write])
                    };
                    disk.after(connection).await.map_err(gone)?;
                    outcome
                }
                .await;
                self.written.store(outcome.is_ok(), Ordering::Relaxed);
                return outcome;
            }
        };
        let (done, ended) = oneshot::channel();
        let job = Job { write, done };
        jobs.send(job).map_err(|_| assay_sqlite::Error::Gone)?;
        ended.await.map_err(|_| assay_sqlite::Error::Gone)?
    }

    /// Whether the last write was written.
    pub fn is_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }
}

/// Everything that was settled since then, oldest first; also while a worker runs.
///
/// # Errors
/// When the file cannot be read.
pub fn income(path: &Path, since: UnixSeconds) -> Result<Vec<Income>, SessionStoreError> {
    let connection = assay_sqlite::open_read_only(path, LAYOUT)?;
    let mut statement = connection.prepare(
        "SELECT session, settled, gross, net, at FROM income WHERE at >= ?1 ORDER BY at, session, settled",
    )?;
    let rows = statement.query_map([since.0], |row| {
        Ok((
            row.get::<_, Vec<u8>>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, i64>(3)?,
            row.get(4)?,
        ))
    })?;
    rows.map(|row| {
        let (session, settled, gross, net, at) = row?;
        Ok(Income {
            session: kept::address(&session)?,
            settled: settled.cast_unsigned(),
            gross: gross.cast_unsigned(),
            net: net.cast_unsigned(),
            at: UnixSeconds(at),
        })
    })
    .collect()
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), SessionStoreError> {
    let started = std::thread::Builder::new().name(name.into()).spawn(run);
    Ok(started.map(drop).map_err(|_| assay_sqlite::Error::Gone)?)
}

/// The file with its layout up to date, and what it holds.
fn take_up(path: &Path, now: UnixSeconds) -> Result<(Connection, Kept), SessionStoreError> {
    let connection = connect(path)?;
    let kept = Kept::read(&connection, now)?;
    Ok((connection, kept))
}

fn connect(path: &Path) -> Result<Connection, SessionStoreError> {
    let connection = assay_sqlite::open(path, LAYOUT, Durability::Process)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(connection)
}

/// Until the last sender is gone.
fn write_all(
    mut connection: Connection,
    jobs: &mpsc::Receiver<Job>,
    checkpoints: &mpsc::SyncSender<()>,
    outcome: &AtomicBool,
) {
    let mut written = 0_u32;
    while let Ok(first) = jobs.recv() {
        let waiting = std::iter::from_fn(|| jobs.try_recv().ok()).take(MOST);
        let batch: Vec<Job> = std::iter::once(first).chain(waiting).collect();
        let result = write_batch(&mut connection, batch.iter().map(|job| &job.write));
        // Before whoever asked goes on.
        outcome.store(result.is_ok(), Ordering::Relaxed);
        for job in batch {
            // Whoever asked may be gone.
            let _ = job.done.send(result.clone());
        }
        written = written.wrapping_add(1);
        if written.is_multiple_of(CHECKPOINT_EVERY) {
            let _ = checkpoints.try_send(());
        }
    }
}

fn write_batch<'a>(
    connection: &mut Connection,
    batch: impl IntoIterator<Item = &'a Write>,
) -> Result<(), SessionStoreError> {
    let transaction = connection.transaction()?;
    for write in batch {
        apply(&transaction, write)?;
    }
    transaction.commit()?;
    Ok(())
}

fn apply(transaction: &Transaction<'_>, write: &Write) -> Result<(), SessionStoreError> {
    match write {
        Write::Payment { account, payment } => {
            let statement = "INSERT INTO sessions (session, account, payment) VALUES (?1, ?2, ?3)
                ON CONFLICT (session) DO UPDATE SET payment = ?3";
            transaction.prepare_cached(statement)?.execute(params![
                payment.voucher.session.as_ref(),
                bytemuck::bytes_of(account.as_ref()),
                payment.to_header(),
            ])?;
        }
        Write::Answer(Answered { receipt, usage }) => {
            let statement = "UPDATE sessions SET receipt = ?2, input_bytes = ?3, input_tokens = ?4,
                output_tokens = ?5 WHERE session = ?1";
            transaction.prepare_cached(statement)?.execute(params![
                receipt.receipt.session.as_ref(),
                receipt.to_header(),
                usage.input_bytes.cast_signed(),
                usage.input_tokens.cast_signed(),
                usage.output_tokens.cast_signed(),
            ])?;
        }
        Write::Account {
            session,
            account,
            at,
        } => {
            transaction.execute(
                "UPDATE sessions SET account = ?2 WHERE session = ?1",
                params![session.as_ref(), bytemuck::bytes_of(account.as_ref())],
            )?;
            // What an earlier reading took for settled and was not, or is not any more.
            transaction.execute(
                "DELETE FROM income WHERE session = ?1 AND settled > ?2",
                params![session.as_ref(), account.settled.cast_signed()],
            )?;
            book(transaction, session, account, *at)?;
        }
        Write::Forget(session) => {
            let statement = "DELETE FROM sessions WHERE session = ?1";
            transaction.execute(statement, params![session.as_ref()])?;
        }
        Write::Lost(LostRun { payer, at }) => {
            transaction.execute(
                "INSERT INTO lost_runs (payer, at) VALUES (?1, ?2)",
                params![payer.as_ref(), at.0],
            )?;
            transaction.execute(
                "DELETE FROM lost_runs WHERE number <= ?1",
                [transaction.last_insert_rowid().saturating_sub(MOST_LOST)],
            )?;
        }
        // The page that holds it is written, whatever it was.
        Write::Trial => transaction.pragma_update(None, "user_version", LAYOUT.known())?,
    }
    Ok(())
}

/// Books what the chain has settled of a session beyond what is booked, so that a write that failed, or the same one
/// again, changes no sum. Earlier workers may have booked less than the whole of a settlement.
fn book(
    transaction: &Transaction<'_>,
    session: &Address,
    account: &SessionData,
    at: UnixSeconds,
) -> Result<(), SessionStoreError> {
    let booked = transaction.query_row(
        "SELECT coalesce(sum(gross), 0) FROM income WHERE session = ?1",
        params![session.as_ref()],
        |row| row.get::<_, i64>(0),
    )?;
    let gross = account.settled.saturating_sub(booked.cast_unsigned());
    if gross == 0 {
        return Ok(());
    }
    let split = split_price(Lamports(gross), BasisPoints(account.fee_bps));
    let net = split.map_or(0, |split| split.earned.0);
    transaction.execute(
        "INSERT INTO income (session, settled, gross, net, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET gross = gross + excluded.gross, net = net + excluded.net",
        params![
            session.as_ref(),
            account.settled.cast_signed(),
            gross.cast_signed(),
            net.cast_signed(),
            at.0,
        ],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
