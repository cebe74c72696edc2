//! Brings the ledger in line with the chain, which is the truth about a session's money and end.

use assay_client::protocol::{Address, SessionData, SessionStatus, limits::OPEN_SLOT_AGE};

use crate::{
    chain::{Chain, ChainError},
    store::{SessionRow, State, Store, StoreError},
};

/// A session in the ledger, and its account if there is one.
#[derive(Clone, Debug)]
pub struct Known {
    pub row: SessionRow,
    pub chain: Option<SessionData>,
}

/// Why the two could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every session of the wallet on this cluster, with what the chain says of it written into the ledger.
///
/// # Errors
/// When the chain or the ledger does not answer.
pub async fn reconcile(
    store: &Store,
    chain: &dyn Chain,
    cluster: [u8; 32],
) -> Result<Vec<Known>, ReconcileError> {
    let payer = chain.payer();
    // The slot first: an account that is not seen after it cannot be created by a transaction older than it.
    let slot = chain.slot().await?;
    let rows = store
        .call(move |store| store.sessions(&cluster, &payer))
        .await?;
    let live: Vec<Address> = rows
        .iter()
        .filter(|row| row.state.is_live())
        .map(|row| row.address)
        .collect();
    let mut found = chain.sessions(&live).await?.into_iter();
    let mut known = Vec::with_capacity(rows.len());
    for row in rows {
        let chain = if row.state.is_live() {
            found.next().flatten()
        } else {
            None
        };
        let before = row.clone();
        let row = follow(row, chain.as_ref(), slot);
        if row != before {
            let row = row.clone();
            store.call(move |store| write(store, &row)).await?;
        }
        known.push(Known { row, chain });
    }
    Ok(known)
}

/// The session as the chain has it.
pub fn follow(mut row: SessionRow, chain: Option<&SessionData>, slot: u64) -> SessionRow {
    let opening = row.state == State::Opening;
    if let Some(data) = chain {
        row.deposit = data.deposit;
        row.settled = data.settled;
        if data.status == SessionStatus::CloseRequested as u8 {
            row.state = State::Closing;
        } else if opening {
            row.state = State::Open;
        }
    } else if opening && slot > row.open_slot.saturating_add(OPEN_SLOT_AGE) {
        row.state = State::Failed;
        "the transaction that was to open it did not land".clone_into(&mut row.reason);
    } else if !opening && row.state.is_live() {
        row.state = State::Closed;
    }
    row
}

fn write(store: &Store, row: &SessionRow) -> Result<(), StoreError> {
    store.set_chain(&row.address, row.deposit, row.settled)?;
    store.set_state(&row.address, row.state, &row.reason)
}
