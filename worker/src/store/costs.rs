//! What transactions cost: fees, and rent that was lent or came back.

use assay_protocol::{Address, UnixSeconds};
use rusqlite::{Row, params};

use super::{Store, StoreError, bytes32, loaded, stored};

/// Where a cost is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownCost {
    /// Computed from what was signed. Only for steps that move none of the operator's lamports.
    Quoted,
    /// The chain's own record.
    Recorded {
        fee: u64,
        compute_units: Option<u64>,
        /// Lamports lent as rent, below zero if they came back.
        rent: i64,
    },
}

/// What one thing that a transaction did has cost. Transactions that never got into a block cost
/// nothing and are not among them; those that failed in one are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRow {
    pub signature: [u8; 64],
    pub job: Address,
    pub attempt: u8,
    /// As in [`crate::core::Action::name`].
    pub step: String,
    /// False if it failed in its block: paid for nothing.
    pub landed: bool,
    /// Lamports, the priority fee included. A transaction's fee is shared evenly by what it did; the
    /// first takes what is left over, so that the rows add up to what was paid.
    pub fee: u64,
    pub priority_fee: u64,
    /// Lamports lent as rent, below zero if they came back; shared likewise, for what is lent in one
    /// transaction is lent for accounts of one size. None until the chain's record was read.
    pub rent: Option<i64>,
    pub compute_units: Option<u64>,
    /// How many things the transaction did.
    pub members: u64,
    /// Whether the chain's own record was read; else the fee is computed from what was signed.
    pub recorded: bool,
    pub created_at: i64,
}

impl Store {
    /// Notes what a transaction cost that got into a block.
    pub fn record_cost(&self, signature: &[u8; 64], cost: &KnownCost) -> Result<(), StoreError> {
        self.with(|connection| {
            match cost {
                KnownCost::Quoted => connection.execute(
                    "UPDATE transactions SET fee = quoted_fee, rent = 0, cost_from = 'quote'
                     WHERE signature = ?1 AND cost_from IS NULL AND quoted_fee IS NOT NULL",
                    params![&signature[..]],
                )?,
                KnownCost::Recorded {
                    fee,
                    compute_units,
                    rent,
                } => connection.execute(
                    "UPDATE transactions SET fee = ?2, compute_units = ?3, rent = ?4, cost_from = 'chain'
                     WHERE signature = ?1",
                    params![
                        &signature[..],
                        stored(*fee),
                        compute_units.map(stored),
                        rent
                    ],
                )?,
            };
            Ok(())
        })
    }

    /// Transactions in a block whose cost is not known yet, oldest first, and not older than `since`:
    /// nodes forget them some day.
    pub fn owed_costs(&self, since: UnixSeconds, count: u32) -> Result<Vec<[u8; 64]>, StoreError> {
        let rows = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT signature FROM transactions
                 WHERE state IN ('landed', 'refused') AND cost_from IS NULL AND created_at >= ?1
                 ORDER BY created_at, rowid LIMIT ?2",
            )?;
            let rows = statement.query_map(params![since.0, count], |row| row.get(0))?;
            Ok(rows.collect::<Result<Vec<Vec<u8>>, _>>()?)
        })?;
        rows.into_iter().map(|row| signature(&row)).collect()
    }

    /// What everything that was sent since then has cost, oldest first.
    pub fn costs(&self, since: UnixSeconds) -> Result<Vec<CostRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT signature, members.job, members.attempt, members.step, position, state,
                     coalesce(fee, quoted_fee, 0), coalesce(priority_fee, 0), rent, compute_units,
                     (SELECT count(*) FROM members AS all_of WHERE all_of.signature = members.signature),
                     cost_from IS 'chain', created_at
                 FROM members JOIN transactions USING (signature)
                 WHERE state IN ('landed', 'refused') AND created_at >= ?1
                 ORDER BY created_at, transactions.rowid, position",
            )?;
            let rows = statement.query_map([since.0], read)?;
            rows.map(|row| row?).collect()
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<CostRow, StoreError>> {
    let (key, job) = (row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?);
    let (attempt, step, position) = (row.get(2)?, row.get(3)?, row.get::<_, i64>(4)?);
    let state: String = row.get(5)?;
    let (fee, priority) = (row.get::<_, i64>(6)?, row.get::<_, i64>(7)?);
    let (rent, units): (Option<i64>, Option<i64>) = (row.get(8)?, row.get(9)?);
    let members: i64 = row.get(10)?;
    let (recorded, created_at) = (row.get(11)?, row.get(12)?);
    let first = position == 0;
    Ok((|| {
        Ok(CostRow {
            signature: signature(&key)?,
            job: Address::new_from_array(bytes32(&job, "a job's address")?),
            attempt,
            step,
            landed: state == "landed",
            fee: share(loaded(fee), loaded(members), first),
            priority_fee: share(loaded(priority), loaded(members), first),
            rent: rent.map(|rent| share_signed(rent, loaded(members), first)),
            compute_units: units.map(loaded),
            members: loaded(members),
            recorded,
            created_at,
        })
    })())
}

fn share(whole: u64, members: u64, first: bool) -> u64 {
    let members = members.max(1);
    let left_over = if first { whole % members } else { 0 };
    (whole / members).saturating_add(left_over)
}

fn share_signed(whole: i64, members: u64, first: bool) -> i64 {
    let part = share(whole.unsigned_abs(), members, first);
    let part = i64::try_from(part).unwrap_or(i64::MAX);
    part.saturating_mul(whole.signum())
}

fn signature(bytes: &[u8]) -> Result<[u8; 64], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt {
        what: "a transaction's signature",
    })
}
