//! Signed transactions, from before they are sent to their end.

use assay_protocol::{Address, UnixSeconds};
use rusqlite::params;

use super::{Store, StoreError, bytes32, loaded, stored};
use crate::core::Action;

/// A transaction about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTransaction {
    pub signature: [u8; 64],
    pub job: Address,
    pub attempt: u8,
    pub action: Action,
    /// The signed bytes; a rebroadcast sends exactly these.
    pub bytes: Vec<u8>,
    pub last_valid_block_height: u64,
}

/// A transaction whose end the journal does not know.
pub type PendingTransaction = SentTransaction;

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionEnd {
    Landed {
        fee: Option<u64>,
        compute_units: Option<u64>,
    },
    Refused {
        error: String,
        fee: Option<u64>,
    },
    Expired,
}

impl Store {
    /// Whether the commitment of an attempt is known to have reached the chain.
    pub fn commit_landed(&self, job: &Address, attempt: u8) -> Result<bool, StoreError> {
        self.with(|connection| {
            let landed = connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM transactions
                 WHERE job = ?1 AND attempt = ?2 AND step = 'commit' AND state = 'landed')",
                params![job.as_ref(), attempt],
                |row| row.get(0),
            )?;
            Ok(landed)
        })
    }

    /// Must return before the transaction is sent.
    pub fn save_transaction(
        &self,
        sent: &SentTransaction,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO transactions (signature, job, attempt, step, bytes, last_valid_block_height,
                     state, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7) ON CONFLICT DO NOTHING",
                params![
                    &sent.signature[..],
                    sent.job.as_ref(),
                    sent.attempt,
                    sent.action.name(),
                    sent.bytes,
                    stored(sent.last_valid_block_height),
                    now.0,
                ],
            )?;
            Ok(())
        })
    }

    pub fn end_transaction(
        &self,
        signature: &[u8; 64],
        end: &TransactionEnd,
    ) -> Result<(), StoreError> {
        let (state, error, fee, units) = match end {
            TransactionEnd::Landed { fee, compute_units } => ("landed", None, *fee, *compute_units),
            TransactionEnd::Refused { error, fee } => ("refused", Some(error.as_str()), *fee, None),
            TransactionEnd::Expired => ("expired", None, None, None),
        };
        self.with(|connection| {
            connection.execute(
                "UPDATE transactions SET state = ?2, error = ?3, fee = ?4, compute_units = ?5
                 WHERE signature = ?1",
                params![
                    &signature[..],
                    state,
                    error,
                    fee.map(stored),
                    units.map(stored)
                ],
            )?;
            Ok(())
        })
    }

    /// Oldest first.
    pub fn pending_transactions(&self) -> Result<Vec<PendingTransaction>, StoreError> {
        let rows = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT signature, job, attempt, step, bytes, last_valid_block_height
                 FROM transactions WHERE state = 'pending' ORDER BY created_at, rowid",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, u8>(2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, Vec<u8>>(4)?,
                    row.get::<_, i64>(5)?,
                ))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        let corrupt = || StoreError::Corrupt {
            what: "a transaction",
        };
        rows.into_iter()
            .map(|(signature, job, attempt, step, bytes, height)| {
                Ok(SentTransaction {
                    signature: signature.try_into().map_err(|_| corrupt())?,
                    job: Address::new_from_array(bytes32(&job, "a transaction")?),
                    attempt,
                    action: Action::from_name(&step).ok_or_else(corrupt)?,
                    bytes,
                    last_valid_block_height: loaded(height),
                })
            })
            .collect()
    }
}
