//! Signed transactions, from before they are sent to their end.

use assay_protocol::{Address, UnixSeconds};
use rusqlite::{Transaction, params};

use super::{Store, StoreError, bytes32, loaded, stored};
use crate::core::Action;

/// One thing that a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub job: Address,
    pub attempt: u8,
    pub action: Action,
}

impl Member {
    /// What tells it from other things that are under way.
    pub fn key(&self) -> (Address, &'static str) {
        (self.job, self.action.name())
    }
}

/// What a transaction costs if it gets into a block, by what was signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// All of it, the priority fee included.
    pub fee: u64,
    pub priority_fee: u64,
}

/// A transaction about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTransaction {
    pub signature: [u8; 64],
    /// In the order of its instructions; several of them share their fate.
    pub members: Vec<Member>,
    /// The signed bytes; a rebroadcast sends exactly these.
    pub bytes: Vec<u8>,
    pub last_valid_block_height: u64,
    pub quote: Quote,
}

/// A transaction whose end the journal does not know.
pub type PendingTransaction = SentTransaction;

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionEnd {
    Landed,
    /// It is in a block, its fee is paid, and it changed nothing.
    Refused {
        error: String,
    },
    Expired,
}

impl Store {
    /// Whether the commitment of an attempt is known to have reached the chain.
    pub fn commit_landed(&self, job: &Address, attempt: u8) -> Result<bool, StoreError> {
        self.with(|connection| {
            let landed = connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM members JOIN transactions USING (signature)
                 WHERE members.job = ?1 AND members.attempt = ?2 AND members.step = 'commit'
                     AND state = 'landed')",
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
        let first = sent.members.first().ok_or(StoreError::Corrupt {
            what: "a transaction for nothing",
        })?;
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let inserted = transaction.execute(
                "INSERT INTO transactions (signature, job, attempt, step, bytes, last_valid_block_height,
                     state, created_at, quoted_fee, priority_fee)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?8, ?9) ON CONFLICT DO NOTHING",
                params![
                    &sent.signature[..],
                    first.job.as_ref(),
                    first.attempt,
                    first.action.name(),
                    sent.bytes,
                    stored(sent.last_valid_block_height),
                    now.0,
                    stored(sent.quote.fee),
                    stored(sent.quote.priority_fee),
                ],
            )?;
            if inserted == 1 {
                save_members(&transaction, sent)?;
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// Notes how it ended. What is in a block does not expire, whatever was noted later.
    pub fn end_transaction(
        &self,
        signature: &[u8; 64],
        end: &TransactionEnd,
    ) -> Result<(), StoreError> {
        let (state, error) = match end {
            TransactionEnd::Landed => ("landed", None),
            TransactionEnd::Refused { error } => ("refused", Some(error.as_str())),
            TransactionEnd::Expired => ("expired", None),
        };
        self.with(|connection| {
            connection.execute(
                "UPDATE transactions SET state = ?2, error = ?3
                 WHERE signature = ?1 AND (state IN ('pending', 'expired') OR ?2 <> 'expired')",
                params![&signature[..], state, error],
            )?;
            Ok(())
        })
    }

    /// Oldest first.
    pub fn pending_transactions(&self) -> Result<Vec<PendingTransaction>, StoreError> {
        let rows = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT signature, bytes, last_valid_block_height, coalesce(quoted_fee, 0),
                     coalesce(priority_fee, 0)
                 FROM transactions WHERE state = 'pending' ORDER BY created_at, rowid",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                    row.get::<_, i64>(4)?,
                ))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        rows.into_iter()
            .map(|(signature, bytes, height, fee, priority_fee)| {
                let signature: [u8; 64] = signature.try_into().map_err(|_| corrupt())?;
                Ok(SentTransaction {
                    signature,
                    members: self.members(&signature)?,
                    bytes,
                    last_valid_block_height: loaded(height),
                    quote: Quote {
                        fee: loaded(fee),
                        priority_fee: loaded(priority_fee),
                    },
                })
            })
            .collect()
    }

    fn members(&self, signature: &[u8; 64]) -> Result<Vec<Member>, StoreError> {
        let rows = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT job, attempt, step FROM members WHERE signature = ?1 ORDER BY position",
            )?;
            let rows = statement.query_map([&signature[..]], |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, u8>(1)?,
                    row.get::<_, String>(2)?,
                ))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        rows.into_iter()
            .map(|(job, attempt, step)| {
                Ok(Member {
                    job: Address::new_from_array(bytes32(&job, "a transaction")?),
                    attempt,
                    action: Action::from_name(&step).ok_or_else(corrupt)?,
                })
            })
            .collect()
    }
}

fn save_members(transaction: &Transaction<'_>, sent: &SentTransaction) -> Result<(), StoreError> {
    for (position, member) in (0_i64..).zip(&sent.members) {
        transaction.execute(
            "INSERT INTO members (signature, position, job, attempt, step) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                &sent.signature[..],
                position,
                member.job.as_ref(),
                member.attempt,
                member.action.name(),
            ],
        )?;
    }
    Ok(())
}

fn corrupt() -> StoreError {
    StoreError::Corrupt {
        what: "a transaction",
    }
}
