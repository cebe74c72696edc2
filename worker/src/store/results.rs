//! Results with the secrets that open their commitments, and the requesters' acknowledgements.

use assay_protocol::{Address, Digest, UnixSeconds};
use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError, bytes32, loaded, stored};
use crate::core::{Body, SavedResult};

/// A result as it is delivered, without its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub result: SavedResult,
    pub model_error: Option<String>,
    pub outputs_json: String,
    pub runtime: String,
    pub compute_ms: u64,
}

const COLUMNS: &str =
    "attempt, generation, salt, worker_secret, root, hints_digest, commitment, runtime_class";

impl Store {
    /// Writes a result, unless the attempt has one already; returns the one that the journal holds.
    /// A result is never replaced: its commitment may be on its way to the chain.
    pub fn save_result(
        &self,
        job: &Address,
        result: &SavedResult,
        body: &Body,
        now: UnixSeconds,
    ) -> Result<SavedResult, StoreError> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO results (job, attempt, generation, salt, worker_secret, root, hints_digest,
                     commitment, runtime_class, model_error, outputs, hints, outputs_json, runtime,
                     compute_ms, saved_at, energy_mj)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
                 ON CONFLICT DO NOTHING",
                params![
                    job.as_ref(),
                    result.attempt,
                    stored(result.generation),
                    &result.salt[..],
                    &result.worker_secret[..],
                    &result.root.0[..],
                    &result.hints_digest.0[..],
                    &result.commitment.0[..],
                    &result.runtime_class[..],
                    body.model_error,
                    body.outputs,
                    body.hints,
                    body.outputs_json,
                    body.runtime,
                    stored(body.compute_ms),
                    now.0,
                    body.energy_mj.map(stored),
                ],
            )?;
            Ok(())
        })?;
        self.result(job, result.attempt)?
            .ok_or(StoreError::Corrupt {
                what: "no result just written",
            })
    }

    pub fn result(&self, job: &Address, attempt: u8) -> Result<Option<SavedResult>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM results WHERE job = ?1 AND attempt = ?2");
        self.with(|connection| {
            let row = connection
                .query_row(&sql, params![job.as_ref(), attempt], read)
                .optional()?;
            row.transpose()
        })
    }

    /// The result of an attempt, as its requester gets it.
    pub fn delivered(&self, job: &Address, attempt: u8) -> Result<Option<Delivered>, StoreError> {
        let Some(result) = self.result(job, attempt)? else {
            return Ok(None);
        };
        self.with(|connection| {
            let delivered = connection.query_row(
                "SELECT model_error, outputs_json, runtime, compute_ms FROM results
                 WHERE job = ?1 AND attempt = ?2",
                params![job.as_ref(), attempt],
                |row| {
                    Ok(Delivered {
                        result,
                        model_error: row.get(0)?,
                        outputs_json: row.get(1)?,
                        runtime: row.get(2)?,
                        compute_ms: loaded(row.get(3)?),
                    })
                },
            )?;
            Ok(Some(delivered))
        })
    }

    /// The outputs file; none if there is no result, or its time of keeping has passed.
    pub fn outputs(&self, job: &Address, attempt: u8) -> Result<Option<Vec<u8>>, StoreError> {
        self.file("outputs", job, attempt)
    }

    /// The hints file, likewise.
    pub fn hints(&self, job: &Address, attempt: u8) -> Result<Option<Vec<u8>>, StoreError> {
        self.file("hints", job, attempt)
    }

    fn file(
        &self,
        column: &str,
        job: &Address,
        attempt: u8,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = format!("SELECT {column} FROM results WHERE job = ?1 AND attempt = ?2");
        self.with(|connection| {
            let file = connection.query_row(&sql, params![job.as_ref(), attempt], |row| row.get(0));
            Ok(file.optional()?.flatten())
        })
    }

    /// Keeps a requester's secret; the first one counts.
    pub fn save_acknowledgement(
        &self,
        job: &Address,
        attempt: u8,
        secret: &[u8; 32],
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO acknowledgements (job, attempt, secret, saved_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
                params![job.as_ref(), attempt, &secret[..], now.0],
            )?;
            Ok(())
        })
    }

    pub fn acknowledgement(
        &self,
        job: &Address,
        attempt: u8,
    ) -> Result<Option<[u8; 32]>, StoreError> {
        let secret: Option<Vec<u8>> = self.with(|connection| {
            let secret = connection.query_row(
                "SELECT secret FROM acknowledgements WHERE job = ?1 AND attempt = ?2",
                params![job.as_ref(), attempt],
                |row| row.get(0),
            );
            Ok(secret.optional()?)
        })?;
        secret
            .map(|secret| bytes32(&secret, "an acknowledgement"))
            .transpose()
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<SavedResult, StoreError>> {
    let bytes = |column: usize| -> rusqlite::Result<Result<[u8; 32], StoreError>> {
        Ok(bytes32(&row.get::<_, Vec<u8>>(column)?, "a result"))
    };
    let (attempt, generation) = (row.get(0)?, row.get::<_, i64>(1)?);
    let (salt, secret, root, hints, commitment, class) = (
        bytes(2)?,
        bytes(3)?,
        bytes(4)?,
        bytes(5)?,
        bytes(6)?,
        bytes(7)?,
    );
    Ok((|| {
        Ok(SavedResult {
            attempt,
            generation: loaded(generation),
            salt: salt?,
            worker_secret: secret?,
            root: Digest(root?),
            hints_digest: Digest(hints?),
            commitment: Digest(commitment?),
            runtime_class: class?,
        })
    })())
}
