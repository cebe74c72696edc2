//! Audits: the accounts as they were last seen, and what our seats committed to.

use assay_protocol::{Address, Digest, JobData, PanelData, UnixSeconds};
use bytemuck::Pod;
use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError, bytes32, loaded, stored};
use crate::core::{Body, Evidence, PrimaryOpening, Recalled, SavedSeat};

/// One audit, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub job: Address,
    pub evidence: Evidence,
    pub changed_at: i64,
}

/// What a seat of ours committed to, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatRow {
    pub result: SavedSeat,
    pub model_error: Option<String>,
    pub saved_at: i64,
}

const COLUMNS: &str = "job, account, panel1, panel2, ended, changed_at";
const SEAT_COLUMNS: &str =
    "level, attempt, generation, salt, root, commitment, model_error, saved_at";

impl Store {
    /// Writes how an audit stands. Panels are kept beyond their closing.
    pub fn keep_audit(
        &self,
        job: &Address,
        evidence: &Evidence,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        let [first, second] = &evidence.panels;
        let bytes = |panel: &Option<Box<PanelData>>| {
            let panel = panel.as_deref();
            panel.map(|panel| bytemuck::bytes_of(panel).to_vec())
        };
        self.with(|connection| {
            connection.execute(
                "INSERT INTO audits (job, account, panel1, panel2, ended, changed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (job) DO UPDATE SET account = ?2, panel1 = coalesce(?3, panel1),
                     panel2 = coalesce(?4, panel2), ended = ?5, changed_at = ?6",
                params![
                    job.as_ref(),
                    bytemuck::bytes_of(&*evidence.job),
                    bytes(first),
                    bytes(second),
                    evidence.ended,
                    now.0
                ],
            )?;
            Ok(())
        })
    }

    /// Ends an audit whose job is gone.
    pub fn end_audit(&self, job: &Address, now: UnixSeconds) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute(
                "UPDATE audits SET ended = 1, changed_at = ?2 WHERE job = ?1 AND ended = 0",
                params![job.as_ref(), now.0],
            )?;
            Ok(())
        })
    }

    /// Audits that a restarted core has to look at again.
    pub fn live_audits(&self) -> Result<Vec<Address>, StoreError> {
        self.with(|connection| {
            let mut statement =
                connection.prepare("SELECT job FROM audits WHERE ended = 0 ORDER BY job")?;
            let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
            rows.map(|row| Ok(Address::new_from_array(bytes32(&row?, "an audit")?)))
                .collect()
        })
    }

    /// One audit, or the ones that changed last.
    pub fn audits(&self, job: Option<&Address>, count: u32) -> Result<Vec<AuditRow>, StoreError> {
        let only = job.map(|job| job.as_ref().to_vec());
        let sql = format!(
            "SELECT {COLUMNS} FROM audits WHERE ?1 IS NULL OR job = ?1
             ORDER BY ended, changed_at DESC, job LIMIT ?2"
        );
        self.with(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map(params![only, count], read)?;
            rows.map(|row| row?).collect()
        })
    }

    /// Writes a seat's result, unless there is one already; returns the one that the journal holds.
    /// It is never replaced: its commitment may be on its way to the chain.
    pub fn save_seat(
        &self,
        job: &Address,
        result: &SavedSeat,
        body: &Body,
        now: UnixSeconds,
    ) -> Result<SavedSeat, StoreError> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO seat_results (job, level, attempt, generation, salt, root, commitment,
                     model_error, outputs, outputs_json, runtime, compute_ms, saved_at,
                     energy_mj)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                 ON CONFLICT DO NOTHING",
                params![
                    job.as_ref(),
                    result.level,
                    result.attempt,
                    stored(result.generation),
                    &result.salt[..],
                    &result.root.0[..],
                    &result.commitment.0[..],
                    body.model_error,
                    body.outputs,
                    body.outputs_json,
                    body.runtime,
                    stored(body.compute_ms),
                    now.0,
                    body.energy_mj.map(stored),
                ],
            )?;
            Ok(())
        })?;
        let found = self.seats(job)?.into_iter().map(|row| row.result);
        let same = |seat: &SavedSeat| {
            (seat.level, seat.attempt, seat.generation)
                == (result.level, result.attempt, result.generation)
        };
        found.into_iter().find(same).ok_or(StoreError::Corrupt {
            what: "no seat's result just written",
        })
    }

    /// What our seats in a job's audits committed to.
    pub fn seats(&self, job: &Address) -> Result<Vec<SeatRow>, StoreError> {
        let sql = format!(
            "SELECT {SEAT_COLUMNS} FROM seat_results WHERE job = ?1 ORDER BY level, saved_at"
        );
        self.with(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([job.as_ref()], read_seat)?;
            rows.map(|row| row?).collect()
        })
    }

    /// What opens our commitments of one attempt.
    pub fn recall(&self, job: &Address, attempt: u8) -> Result<Recalled, StoreError> {
        let primary = self.result(job, attempt)?.map(|result| PrimaryOpening {
            salt: result.salt,
            root: result.root,
            commitment: result.commitment,
        });
        let seats = self.seats(job)?.into_iter().map(|row| row.result);
        Ok(Recalled {
            primary,
            seats: seats.filter(|seat| seat.attempt == attempt).collect(),
        })
    }

    /// The outputs that a seat of ours computed; none if there are none, or their time has passed.
    pub fn seat_outputs(&self, job: &Address, level: u8) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|connection| {
            let file = connection.query_row(
                "SELECT outputs FROM seat_results WHERE job = ?1 AND level = ?2
                 ORDER BY attempt DESC, saved_at DESC LIMIT 1",
                params![job.as_ref(), level],
                |row| row.get(0),
            );
            Ok(file.optional()?.flatten())
        })
    }

    /// Hints of a committed result, for the auditors: they are public from the commitment on, also
    /// of a job that could not be found for a while, for its collateral hangs on them.
    pub fn public_hints(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|connection| {
            let file = connection.query_row(
                "SELECT results.hints FROM results JOIN jobs USING (job, attempt)
                 WHERE hints_digest = ?1 AND hints IS NOT NULL
                     AND (phase IN ('committed', 'audited', 'settled', 'faulted', 'unresolved')
                         OR phase = 'gone' AND EXISTS (SELECT 1 FROM members JOIN transactions USING (signature)
                             WHERE members.job = results.job AND state = 'landed'
                             AND members.attempt = results.attempt AND members.step = 'commit'))
                 LIMIT 1",
                [&digest.0[..]],
                |row| row.get(0),
            );
            Ok(file.optional()?)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<AuditRow, StoreError>> {
    let (job, account): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
    let panels: [Option<Vec<u8>>; 2] = [row.get(2)?, row.get(3)?];
    let (ended, changed_at) = (row.get(4)?, row.get(5)?);
    Ok((|| {
        let [first, second] = panels.map(|panel| panel.map(|bytes| pod::<PanelData>(&bytes)));
        Ok(AuditRow {
            job: Address::new_from_array(bytes32(&job, "an audit")?),
            evidence: Evidence {
                job: Box::new(pod::<JobData>(&account)?),
                panels: [
                    first.transpose()?.map(Box::new),
                    second.transpose()?.map(Box::new),
                ],
                ended,
            },
            changed_at,
        })
    })())
}

fn read_seat(row: &Row<'_>) -> rusqlite::Result<Result<SeatRow, StoreError>> {
    let bytes = |column: usize| -> rusqlite::Result<Result<[u8; 32], StoreError>> {
        Ok(bytes32(&row.get::<_, Vec<u8>>(column)?, "a seat's result"))
    };
    let (level, attempt) = (row.get(0)?, row.get(1)?);
    let generation: i64 = row.get(2)?;
    let (salt, root, commitment) = (bytes(3)?, bytes(4)?, bytes(5)?);
    let (model_error, saved_at) = (row.get(6)?, row.get(7)?);
    Ok((|| {
        Ok(SeatRow {
            result: SavedSeat {
                level,
                attempt,
                generation: loaded(generation),
                salt: salt?,
                root: Digest(root?),
                commitment: Digest(commitment?),
            },
            model_error,
            saved_at,
        })
    })())
}

fn pod<T: Pod>(bytes: &[u8]) -> Result<T, StoreError> {
    bytemuck::try_pod_read_unaligned(bytes).map_err(|_| StoreError::Corrupt {
        what: "an account of an audit",
    })
}
