//! Drops what nobody needs any more, so that a journal grows by what `earnings` adds up and by little
//! else. What a restart or an audit may still ask for stays.

use assay_protocol::UnixSeconds;
use rusqlite::{Connection, params};

use super::{Store, StoreError};

/// Rows of each kind that one call takes, so that it does not hold up what is due.
const MOST: u32 = 2_000;

/// How many rows lost something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub results: usize,
    pub audits: usize,
    pub transactions: usize,
    pub acknowledgements: usize,
}

impl Pruned {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Of a member of `transactions`: a job or an audit that a restart takes up again.
const LIVE: &str =
    "EXISTS (SELECT 1 FROM members WHERE members.signature = transactions.signature AND (
        EXISTS (SELECT 1 FROM jobs WHERE jobs.job = members.job AND jobs.ended = 0)
        OR EXISTS (SELECT 1 FROM audits WHERE audits.job = members.job AND audits.ended = 0)))";

impl Store {
    /// Drops of what ended before `before`: outputs, hints and their description; audits' accounts and
    /// seats' results; the signed bytes of transactions in a block; transactions that expired;
    /// requesters' secrets. Salts and what was earned, paid and computed stay.
    ///
    /// Of outputs, hints and their description, also what is beyond `most` bytes: of what ended first. What has
    /// not ended counts and stays.
    pub fn prune(&self, before: UnixSeconds, most: u64) -> Result<Pruned, StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let pruned = Pruned {
                results: results(&transaction, before)? + surplus(&transaction, most)?,
                audits: audits(&transaction, before)?,
                transactions: landed(&transaction, before)? + expired(&transaction, before)?,
                acknowledgements: acknowledgements(&transaction, before)?,
            };
            transaction.commit()?;
            Ok(pruned)
        })
    }
}

/// Outputs, hints and their description, of attempts that ended.
fn results(connection: &Connection, before: UnixSeconds) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE results SET outputs = NULL, hints = NULL, outputs_json = '' WHERE rowid IN (
             SELECT results.rowid FROM results JOIN jobs USING (job, attempt)
             WHERE (outputs IS NOT NULL OR outputs_json <> '') AND ended = 1 AND changed_at < ?1 LIMIT ?2)",
        params![before.0, MOST],
    )
}

/// The same of seats and jobs alike, beyond what may be kept.
fn surplus(connection: &Connection, most: u64) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare(
        "WITH kept AS (
             SELECT 'results' AS source, results.rowid AS id, changed_at,
                 -- One that could not be found may come back, and its hints are asked for.
                 coalesce(ended = 1 AND phase <> 'gone', 0) AS ended,
                 coalesce(length(outputs), 0) + coalesce(length(hints), 0) + length(outputs_json) AS size
             FROM results LEFT JOIN jobs USING (job, attempt)
             WHERE outputs IS NOT NULL OR outputs_json <> ''
             UNION ALL
             SELECT 'seat_results', seat_results.rowid, changed_at, coalesce(ended, 0), length(outputs)
             FROM seat_results LEFT JOIN audits USING (job) WHERE outputs IS NOT NULL
         ), summed AS (
             SELECT source, id, ended, sum(size) OVER (
                 ORDER BY ended, changed_at DESC, source, id DESC ROWS UNBOUNDED PRECEDING) AS bytes
             FROM kept
         )
         SELECT source, id FROM summed WHERE ended = 1 AND bytes > ?1 LIMIT ?2",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let surplus = statement
        .query_map(params![most, MOST], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for (source, id) in &surplus {
        let sql = if source == "results" {
            "UPDATE results SET outputs = NULL, hints = NULL, outputs_json = '' WHERE rowid = ?1"
        } else {
            "UPDATE seat_results SET outputs = NULL WHERE rowid = ?1"
        };
        connection.execute(sql, [id])?;
    }
    Ok(surplus.len())
}

/// What they brought is in the books already.
fn audits(connection: &Connection, before: UnixSeconds) -> rusqlite::Result<usize> {
    let old = "SELECT job FROM audits WHERE ended = 1 AND changed_at < ?1 ORDER BY changed_at, job LIMIT ?2";
    connection.execute(
        &format!("DELETE FROM seat_results WHERE job IN ({old})"),
        params![before.0, MOST],
    )?;
    connection.execute(
        &format!("DELETE FROM audits WHERE job IN ({old})"),
        params![before.0, MOST],
    )
}

/// What is in a block is never sent again; its fee and rent stay.
fn landed(connection: &Connection, before: UnixSeconds) -> rusqlite::Result<usize> {
    connection.execute(
        &format!(
            "UPDATE transactions SET bytes = x'' WHERE rowid IN (
                 SELECT rowid FROM transactions
                 WHERE bytes <> x'' AND state IN ('landed', 'refused') AND created_at < ?1 AND NOT {LIVE}
                 LIMIT ?2)"
        ),
        params![before.0, MOST],
    )
}

/// They cost nothing and can never land.
fn expired(connection: &Connection, before: UnixSeconds) -> rusqlite::Result<usize> {
    let old = format!(
        "SELECT signature FROM transactions
         WHERE bytes <> x'' AND state = 'expired' AND created_at < ?1 AND NOT {LIVE}
         ORDER BY rowid LIMIT ?2"
    );
    let mut statement = connection.prepare(&old)?;
    let signatures = statement
        .query_map(params![before.0, MOST], |row| row.get::<_, Vec<u8>>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    for signature in &signatures {
        connection.execute("DELETE FROM members WHERE signature = ?1", [signature])?;
        connection.execute("DELETE FROM transactions WHERE signature = ?1", [signature])?;
    }
    Ok(signatures.len())
}

/// Of jobs whose end was seen; one that could not be found may come back and need it.
fn acknowledgements(connection: &Connection, before: UnixSeconds) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM acknowledgements WHERE rowid IN (
             SELECT acknowledgements.rowid FROM acknowledgements JOIN jobs USING (job, attempt)
             WHERE ended = 1 AND phase <> 'gone' AND changed_at < ?1 LIMIT ?2)",
        params![before.0, MOST],
    )
}
