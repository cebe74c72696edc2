//! Requests in doubt in the ledger.

use assay_client::protocol::Address;
use rusqlite::{Connection, params};

use super::{Store, StoreError, stored};
use crate::lane::{Doubt, wire::Kind, worth::Worth};

impl Store {
    /// Notes a request, what it is worth and the voucher that goes with it, before any of it is sent.
    ///
    /// # Errors
    /// When the file fails.
    pub fn set_doubt(
        &self,
        address: &Address,
        doubt: &Doubt,
        worth: &Worth,
        paid: u64,
    ) -> Result<(), StoreError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            transaction
                .prepare_cached(
                    "UPDATE sessions SET doubt_sequence = ?, doubt_model = ?, doubt_request = ?, doubt_max_price = ?,
                        paid = max(paid, ?) WHERE address = ?",
                )?
                .execute(params![
                    stored(doubt.sequence),
                    doubt.asked.model.0,
                    doubt.asked.request.0,
                    stored(doubt.max_price),
                    stored(paid),
                    address.as_ref()
                ])?;
            value(&transaction, address, worth)?;
            transaction.commit()?;
            Ok(())
        })
    }

    /// Notes what the request in doubt is worth by what came of it.
    ///
    /// # Errors
    /// When the file fails.
    pub fn set_worth(&self, address: &Address, worth: &Worth) -> Result<(), StoreError> {
        self.with(|connection| value(connection, address, worth))
    }

    /// Notes that the request in doubt was not charged.
    ///
    /// # Errors
    /// When the file fails.
    pub fn clear_doubt(&self, address: &Address) -> Result<(), StoreError> {
        self.with(|connection| clear(connection, address))
    }
}

fn value(connection: &Connection, address: &Address, worth: &Worth) -> Result<(), StoreError> {
    let Worth {
        kind,
        agreed,
        seen,
        most,
    } = worth;
    connection
        .prepare_cached(
            "UPDATE sessions SET doubt_generates = ?, doubt_base = ?, doubt_token = ?, doubt_tokens = ?,
                doubt_seen = ?, doubt_most = ? WHERE address = ?",
        )?
        .execute(params![
            *kind == Kind::Generate,
            stored(agreed.base),
            stored(agreed.token),
            stored(agreed.tokens),
            stored(*seen),
            most.map(stored),
            address.as_ref()
        ])?;
    Ok(())
}

pub(super) fn clear(connection: &Connection, address: &Address) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE sessions SET doubt_sequence = NULL, doubt_model = NULL, doubt_request = NULL,
                doubt_max_price = NULL, doubt_generates = NULL WHERE address = ?",
        )?
        .execute([address.as_ref()])?;
    Ok(())
}
