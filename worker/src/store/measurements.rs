//! How long runs took, and how jobs ended: what a restarted worker must not learn anew.

use assay_protocol::UnixSeconds;
use rusqlite::params;

use super::{Store, StoreError, bytes32, loaded, stored};
use crate::core::{Measured, Outcome, Size};

impl Store {
    /// Keeps what is known of runs of one size under this runtime.
    pub fn save_measured(
        &self,
        runtime: &str,
        size: Size,
        known: &Measured,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO measurements (model_digest, class, runtime, high_ms, low_ms, unfinished_ms,
                     runs, measured_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (model_digest, class, runtime) DO UPDATE SET high_ms = ?4, low_ms = ?5,
                     unfinished_ms = ?6, runs = ?7, measured_at = ?8",
                params![
                    &size.model[..],
                    size.class,
                    runtime,
                    stored(known.high_ms),
                    stored(known.low_ms),
                    stored(known.unfinished_ms),
                    known.runs,
                    known.measured_at,
                ],
            )?;
            Ok(())
        })
    }

    /// Everything known of runs under this runtime, the oldest first.
    pub fn measured(&self, runtime: &str) -> Result<Vec<(Size, Measured)>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT model_digest, class, high_ms, low_ms, unfinished_ms, runs, measured_at
                 FROM measurements WHERE runtime = ?1 ORDER BY measured_at",
            )?;
            let rows = statement.query_map([runtime], |row| {
                let known = Measured {
                    high_ms: loaded(row.get(2)?),
                    low_ms: loaded(row.get(3)?),
                    unfinished_ms: loaded(row.get(4)?),
                    runs: row.get(5)?,
                    measured_at: row.get(6)?,
                };
                Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, known))
            })?;
            rows.map(|row| {
                let (model, class, known) = row?;
                let model = bytes32(&model, "a measured model")?;
                Ok((Size { model, class }, known))
            })
            .collect()
        })
    }

    /// How jobs ended since then, with their models, in order.
    pub fn outcomes(
        &self,
        since: UnixSeconds,
    ) -> Result<Vec<([u8; 32], Outcome, UnixSeconds)>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT model_digest, phase, changed_at FROM jobs
                 WHERE changed_at >= ?1 AND phase IN ('lost', 'faulted', 'committed', 'settled')
                 ORDER BY changed_at, job",
            )?;
            let rows = statement.query_map([since.0], |row| {
                let phase: String = row.get(1)?;
                let outcome = match phase.as_str() {
                    "lost" => Outcome::Lost,
                    "faulted" => Outcome::Fault,
                    _ => Outcome::Good,
                };
                Ok((row.get::<_, Vec<u8>>(0)?, outcome, row.get(2)?))
            })?;
            rows.map(|row| {
                let (model, outcome, at) = row?;
                Ok((bytes32(&model, "a job's model")?, outcome, UnixSeconds(at)))
            })
            .collect()
        })
    }
}
