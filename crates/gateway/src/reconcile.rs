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
            store
                .call(move |store| write(store, &row, before.state))
                .await?;
        }
        known.push(Known { row, chain });
    }
    Ok(known)
}

/// The session as the chain has it. A session cannot have been closed before its slot is old; until then a node that shows
/// none is behind, and believing it would leave the deposit where nobody looks for it.
pub fn follow(mut row: SessionRow, chain: Option<&SessionData>, slot: u64) -> SessionRow {
    let opening = row.state == State::Opening;
    if let Some(data) = chain {
        row.deposit = data.deposit;
        row.settled = data.settled;
        if !row.state.is_live() {
            row.state = State::Broken;
            "the ledger took it for ended, and the chain still has it".clone_into(&mut row.reason);
        }
        if data.status == SessionStatus::CloseRequested as u8 {
            row.state = State::Closing;
        } else if opening {
            row.state = State::Open;
        }
    } else if slot > row.open_slot.saturating_add(OPEN_SLOT_AGE) {
        if opening {
            row.state = State::Failed;
            "the transaction that was to open it did not land".clone_into(&mut row.reason);
        } else if row.state.is_live() {
            row.state = State::Closed;
        }
    }
    row
}

/// A state that the chain has not changed is left alone: a request may have found out meanwhile that the provider lies.
fn write(store: &Store, row: &SessionRow, before: State) -> Result<(), StoreError> {
    store.set_chain(&row.address, row.deposit, row.settled)?;
    if row.state == before {
        return Ok(());
    }
    store.set_state(&row.address, row.state, &row.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests;

    fn row(state: State) -> SessionRow {
        SessionRow {
            state,
            ..tests::row(1)
        }
    }

    #[test]
    fn session_that_no_node_shows_is_not_given_up_before_it_can_have_been_closed() {
        let open_slot = row(State::Open).open_slot;
        let young = open_slot + OPEN_SLOT_AGE;
        for state in [State::Opening, State::Open, State::Broken, State::Closing] {
            assert_eq!(follow(row(state), None, young), row(state));
        }
        let old = young + 1;
        assert_eq!(follow(row(State::Opening), None, old).state, State::Failed);
        for state in [State::Open, State::Broken, State::Closing] {
            assert_eq!(follow(row(state), None, old).state, State::Closed);
        }
    }

    #[test]
    fn session_that_ended_in_the_ledger_and_not_on_chain_waits_to_be_closed() {
        let mut chain: SessionData = bytemuck::Zeroable::zeroed();
        chain.deposit = 70;
        for (status, state) in [
            (SessionStatus::Open, State::Broken),
            (SessionStatus::CloseRequested, State::Closing),
        ] {
            chain.status = status as u8;
            for ended in [State::Closed, State::Failed] {
                let followed = follow(row(ended), Some(&chain), 0);
                assert_eq!((followed.state, followed.deposit), (state, 70));
                assert!(followed.reason.contains("still has it"));
            }
        }
    }

    #[test]
    fn state_that_changed_while_the_chain_was_asked_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("ledger.sqlite")).unwrap();
        let read = row(State::Open);
        store.add_session(&read).unwrap();
        store
            .set_state(&read.address, State::Broken, "it lied")
            .unwrap();
        let settled = SessionRow { settled: 5, ..read };
        write(&store, &settled, State::Open).unwrap();
        let kept = store
            .sessions(&settled.cluster, &settled.requester)
            .unwrap();
        let [kept] = kept.as_slice() else {
            panic!("there is one session");
        };
        assert_eq!(
            (kept.state, kept.reason.as_str()),
            (State::Broken, "it lied")
        );
        assert_eq!(kept.settled, 5);
    }
}
