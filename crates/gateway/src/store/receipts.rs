//! Receipts in the ledger.

use assay_client::{
    protocol::Address,
    session::{Receipt, SignedReceipt},
};
use rusqlite::{Row, params};

use super::{Store, StoreError, breaches::forgive, bytes32, doubts::clear, stored};

/// A receipt, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    pub signed: SignedReceipt,
    /// Who was to sign it.
    pub operator: Address,
    /// Unix seconds.
    pub received_at: i64,
}

impl Store {
    /// Keeps an accepted receipt; with it the request is no longer in doubt.
    ///
    /// # Errors
    /// When the file fails, or has one of that number.
    pub fn add_receipt(&self, row: &ReceiptRow) -> Result<(), StoreError> {
        let receipt = &row.signed.receipt;
        self.with(|connection| {
            let transaction = connection.transaction()?;
            transaction
                .prepare_cached(
                    "INSERT INTO receipts (session, sequence, receipt, signature, operator, received_at)
                     VALUES (?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    receipt.session.as_ref(),
                    stored(receipt.sequence),
                    receipt.to_bytes(),
                    row.signed.signature.as_ref(),
                    row.operator.as_ref(),
                    row.received_at
                ])?;
            clear(&transaction, &receipt.session)?;
            forgive(&transaction, &receipt.session)?;
            transaction.commit()?;
            Ok(())
        })
    }

    /// A session's receipts in their order.
    ///
    /// # Errors
    /// When the file fails or is damaged.
    pub fn receipts(&self, session: &Address) -> Result<Vec<ReceiptRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT * FROM receipts WHERE session = ? ORDER BY sequence")?;
            let rows = statement.query_and_then([session.as_ref()], read)?;
            rows.collect()
        })
    }

    /// A session's last receipt.
    ///
    /// # Errors
    /// When the file fails or is damaged.
    pub fn last_receipt(&self, session: &Address) -> Result<Option<ReceiptRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM receipts WHERE session = ? ORDER BY sequence DESC LIMIT 1",
            )?;
            let mut rows = statement.query_and_then([session.as_ref()], read)?;
            rows.next().transpose()
        })
    }
}

fn read(row: &Row<'_>) -> Result<ReceiptRow, StoreError> {
    let corrupt = StoreError::Corrupt("a receipt");
    let message = row.get_ref("receipt")?.as_blob().unwrap_or_default();
    let Some(receipt) = Receipt::from_bytes(message) else {
        return Err(corrupt);
    };
    let signature = row.get_ref("signature")?.as_blob().unwrap_or_default();
    let operator = row.get_ref("operator")?.as_blob().unwrap_or_default();
    Ok(ReceiptRow {
        signed: SignedReceipt {
            receipt,
            signature: signature.try_into().map_err(|_| corrupt)?,
        },
        operator: Address::new_from_array(bytes32(operator, "an operator")?),
        received_at: row.get("received_at")?,
    })
}
