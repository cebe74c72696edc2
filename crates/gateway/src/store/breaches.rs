//! Providers that broke the rules, and how often: they are not asked for ever.

use std::collections::BTreeSet;

use assay_client::protocol::Address;
use rusqlite::{Connection, Row, params};

use super::{Store, StoreError, bytes32};

/// Breaches after which a provider is not asked any more.
const MOST: u32 = 3;
/// Paid answers that make good for one breach.
const FORGIVEN_BY: u32 = 100;

/// A provider's breaches of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaches {
    pub provider: Address,
    /// Those not forgiven.
    pub count: u32,
    /// What the last one was.
    pub reason: String,
}

impl Breaches {
    /// Whether the provider is not asked any more.
    pub const fn is_banned(&self) -> bool {
        self.count >= MOST
    }
}

impl Store {
    /// Counts a breach; the reason is for people.
    ///
    /// # Errors
    /// When the file fails.
    pub fn add_breach(&self, provider: &Address, reason: &str) -> Result<(), StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO breaches (provider, count, answers, reason) VALUES (?, 1, 0, ?)
                     ON CONFLICT DO UPDATE SET count = count + 1, answers = 0, reason = excluded.reason",
                )?
                .execute(params![provider.as_ref(), reason])?;
            Ok(())
        })
    }

    /// Every provider with a breach that is not forgiven.
    ///
    /// # Errors
    /// When the file fails or is damaged.
    pub fn breaches(&self) -> Result<Vec<Breaches>, StoreError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT * FROM breaches WHERE count > 0 ORDER BY provider")?;
            let rows = statement.query_and_then([], read)?;
            rows.collect()
        })
    }

    /// The providers that are not asked any more.
    ///
    /// # Errors
    /// As [`Self::breaches`].
    pub fn banned(&self) -> Result<BTreeSet<Address>, StoreError> {
        let all = self.breaches()?;
        let banned = all.into_iter().filter(Breaches::is_banned);
        Ok(banned.map(|breaches| breaches.provider).collect())
    }

    /// Forgives a provider everything; whether there was anything.
    ///
    /// # Errors
    /// When the file fails.
    pub fn trust(&self, provider: &Address) -> Result<bool, StoreError> {
        self.with(|connection| {
            let gone = connection.execute(
                "DELETE FROM breaches WHERE provider = ?",
                [provider.as_ref()],
            )?;
            Ok(gone > 0)
        })
    }
}

/// Counts a paid answer of this session towards its provider's breaches.
pub(super) fn forgive(connection: &Connection, session: &Address) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE breaches SET count = max(0, count - (answers + 1 >= ?2)), answers = (answers + 1) % ?2
             WHERE provider = (SELECT provider FROM sessions WHERE address = ?1)",
        )?
        .execute(params![session.as_ref(), FORGIVEN_BY])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Breaches, StoreError> {
    let provider = row.get_ref("provider")?.as_blob().unwrap_or_default();
    Ok(Breaches {
        provider: Address::new_from_array(bytes32(provider, "an address")?),
        count: row.get("count")?,
        reason: row.get("reason")?,
    })
}
