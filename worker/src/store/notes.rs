//! What the operator decided while the worker ran, and a restart must know.

use assay_protocol::UnixSeconds;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

/// Set while the worker takes no new work because its operator said so.
const DRAINED: &str = "drained";

impl Store {
    /// Notes that the operator wants no new work, or wants it again.
    pub fn save_drained(&self, drained: bool, now: UnixSeconds) -> Result<(), StoreError> {
        self.with(|connection| {
            if drained {
                connection.execute(
                    "INSERT INTO notes (name, value, written_at) VALUES (?1, '', ?2) ON CONFLICT DO NOTHING",
                    params![DRAINED, now.0],
                )?;
            } else {
                connection.execute("DELETE FROM notes WHERE name = ?1", [DRAINED])?;
            }
            Ok(())
        })
    }

    /// Since when the operator wants no new work.
    pub fn drained(&self) -> Result<Option<UnixSeconds>, StoreError> {
        self.with(|connection| {
            let since = connection
                .query_row(
                    "SELECT written_at FROM notes WHERE name = ?1",
                    [DRAINED],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(since.map(UnixSeconds))
        })
    }
}
