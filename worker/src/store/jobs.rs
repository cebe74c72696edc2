//! Attempts of ours and what became of them.

use assay_protocol::{Address, JobData, UnixSeconds};
use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError, bytes32, loaded, stored};
use crate::core::{Report, Restored};

/// One attempt, for people and for answers over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    pub job: Address,
    pub attempt: u8,
    pub requester: Address,
    pub model: Address,
    pub model_digest: [u8; 32],
    pub price: u64,
    pub earned: u64,
    pub phase: String,
    pub ended: bool,
    pub claimed_at: i64,
    pub changed_at: i64,
}

/// Sums over the whole journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub live: u64,
    pub settled: u64,
    pub lost: u64,
    pub faulted: u64,
    pub earned: u64,
    /// Transaction fees of everything that reached the chain.
    pub fees: u64,
}

const COLUMNS: &str = "job, attempt, requester, model, model_digest, price, earned, phase, ended, \
                       claimed_at, changed_at";

impl Store {
    /// Notes what became of an attempt. Nothing changes it after its end, unless the chain shows an
    /// account again that could not be found.
    pub fn report(
        &self,
        address: &Address,
        attempt: u8,
        job: &JobData,
        report: Report,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        let (price, earned) = match report {
            Report::Claimed { price } => (price.0, 0),
            Report::Settled { price, earned } => (price.0, earned.0),
            Report::Committed
            | Report::Audited
            | Report::Unresolved
            | Report::Lost
            | Report::Faulted
            | Report::SecretsMissing
            | Report::Gone => (job.price, 0),
        };
        self.with(|connection| {
            connection.execute(
                "INSERT INTO jobs (job, attempt, requester, model, model_digest, price, earned, phase,
                     ended, claimed_at, changed_at, collateral, ceiling, fee_bps)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12, ?13)
                 ON CONFLICT (job, attempt) DO UPDATE SET phase = ?8, ended = ?9, earned = ?7, changed_at = ?10
                 WHERE ended = 0 OR phase = 'gone'",
                params![
                    address.as_ref(),
                    attempt,
                    job.requester.as_ref(),
                    job.model.as_ref(),
                    &job.model_digest[..],
                    stored(price),
                    stored(earned),
                    report.name(),
                    report.is_final(),
                    now.0,
                    stored(job.collateral),
                    stored(job.ceiling),
                    job.fee_bps
                ],
            )?;
            Ok(())
        })
    }

    /// What a job that was audited has brought: a verdict may leave less than the price, or more.
    pub fn note_earned(&self, address: &Address, earned: u64) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute(
                "UPDATE jobs SET earned = ?2 WHERE job = ?1 AND phase = 'settled'",
                params![address.as_ref(), stored(earned)],
            )?;
            Ok(())
        })
    }

    /// Ends an attempt whose account is gone and cannot be read any more.
    pub fn report_gone(
        &self,
        address: &Address,
        attempt: u8,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute(
                "UPDATE jobs SET phase = 'gone', ended = 1, changed_at = ?3
                 WHERE job = ?1 AND attempt = ?2 AND ended = 0",
                params![address.as_ref(), attempt, now.0],
            )?;
            Ok(())
        })
    }

    /// What a restarted core has to know: every attempt that has not ended, and every claim that landed and
    /// that no reading has shown yet. A list of our jobs, read once at the start, may leave one out.
    pub fn live_jobs(&self) -> Result<Vec<(Address, Restored)>, StoreError> {
        let attempts = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT job, attempt FROM jobs WHERE ended = 0
                 UNION SELECT members.job, members.attempt FROM members JOIN transactions USING (signature)
                 WHERE members.step = 'claim' AND state = 'landed' AND NOT EXISTS (
                     SELECT 1 FROM jobs WHERE jobs.job = members.job AND jobs.attempt >= members.attempt)
                 ORDER BY 1, 2",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u8>(1)?))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        let mut live = Vec::with_capacity(attempts.len());
        for (job, attempt) in attempts {
            let job = Address::new_from_array(bytes32(&job, "a job's address")?);
            live.push((job, self.restored(&job, attempt)?));
        }
        Ok(live)
    }

    /// What is kept of one attempt, whatever was noted of its end.
    pub fn restored(&self, job: &Address, attempt: u8) -> Result<Restored, StoreError> {
        Ok(Restored {
            attempt,
            result: self.result(job, attempt)?,
            acknowledged: self.acknowledgement(job, attempt)?,
            missing_since: None,
        })
    }

    /// The latest attempt of a job that was ours.
    pub fn job(&self, job: &Address) -> Result<Option<JobRow>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM jobs WHERE job = ?1 ORDER BY attempt DESC LIMIT 1");
        self.with(|connection| {
            let row = connection
                .query_row(&sql, [job.as_ref()], read)
                .optional()?;
            row.transpose()
        })
    }

    /// The attempts that changed last.
    pub fn latest_jobs(&self, count: u32) -> Result<Vec<JobRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM jobs ORDER BY changed_at DESC, job LIMIT ?1");
        self.with(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([count], read)?;
            rows.map(|row| row?).collect()
        })
    }

    pub fn totals(&self) -> Result<Totals, StoreError> {
        self.with(|connection| {
            let fees: i64 = connection.query_row(
                "SELECT coalesce(sum(coalesce(fee, quoted_fee)), 0) FROM transactions
                 WHERE state IN ('landed', 'refused')",
                [],
                |row| row.get(0),
            )?;
            let totals = connection.query_row(
                "SELECT coalesce(sum(ended = 0), 0), coalesce(sum(phase = 'settled'), 0),
                     coalesce(sum(phase = 'lost'), 0), coalesce(sum(phase = 'faulted'), 0),
                     coalesce(sum(earned), 0) FROM jobs",
                [],
                |row| {
                    Ok(Totals {
                        live: loaded(row.get(0)?),
                        settled: loaded(row.get(1)?),
                        lost: loaded(row.get(2)?),
                        faulted: loaded(row.get(3)?),
                        earned: loaded(row.get(4)?),
                        fees: loaded(fees),
                    })
                },
            )?;
            Ok(totals)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<JobRow, StoreError>> {
    let address = |column: usize| -> rusqlite::Result<Result<[u8; 32], StoreError>> {
        Ok(bytes32(&row.get::<_, Vec<u8>>(column)?, "an address"))
    };
    let (job, requester, model, digest) = (address(0)?, address(2)?, address(3)?, address(4)?);
    let (attempt, price, earned) = (row.get(1)?, row.get::<_, i64>(5)?, row.get::<_, i64>(6)?);
    let (phase, ended, claimed_at, changed_at) =
        (row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?);
    Ok((|| {
        Ok(JobRow {
            job: Address::new_from_array(job?),
            attempt,
            requester: Address::new_from_array(requester?),
            model: Address::new_from_array(model?),
            model_digest: digest?,
            price: loaded(price),
            earned: loaded(earned),
            phase,
            ended,
            claimed_at,
            changed_at,
        })
    })())
}
