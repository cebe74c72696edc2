use assay_client::{account::DecodeError, protocol::SessionStatus};
use assay_gateway::store::{SessionRow, State};

use super::*;

fn address(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

fn wallet() -> Address {
    address(2)
}

/// A session in the ledger.
pub fn row(byte: u8, state: State) -> SessionRow {
    SessionRow {
        address: address(byte),
        cluster: [0; 32],
        requester: wallet(),
        provider: address(3),
        generation: 1,
        operator: address(4),
        endpoint: "http://x.example".to_owned(),
        key: [9; 32],
        open_slot: 7,
        index: 0,
        grace_secs: 100,
        deposit: 0,
        settled: 0,
        paid: 0,
        state,
        reason: String::new(),
        created_at: 5,
        doubt: None,
        worth: None,
    }
}

/// The session of this index on chain.
fn on_chain(index: u32) -> Lost {
    let mut data: SessionData = bytemuck::Zeroable::zeroed();
    (data.requester, data.provider) = (wallet(), address(3));
    (data.open_slot, data.index) = (7, index);
    data.status = SessionStatus::Open as u8;
    data.deposit = 50;
    Found {
        address: address::session(&data.requester, &data.provider, 7, index),
        data,
    }
}

fn known(found: &Lost, state: State, chain: Option<SessionData>) -> Known {
    let mut row = row(1, state);
    row.address = found.address;
    Known { row, chain }
}

#[test]
fn sessions_that_the_ledger_does_not_know_are_told_apart_and_named_once() {
    let (one, other) = (on_chain(0), on_chain(1));
    let mut ledger = [known(&one, State::Open, Some(one.data))];
    let listed = vec![Ok(other), Ok(one), Ok(other)];
    let (lost, wrong) = sort(listed, &wallet(), &mut ledger);
    let lost: Vec<Address> = lost.iter().map(|found| found.address).collect();
    assert_eq!(lost, [other.address]);
    assert!(wrong.is_empty());
}

#[test]
fn session_that_the_ledger_takes_for_ended_keeps_its_row() {
    let one = on_chain(0);
    let mut ledger = [known(&one, State::Closed, None)];
    let (lost, wrong) = sort(vec![Ok(one)], &wallet(), &mut ledger);
    assert!(lost.is_empty() && wrong.is_empty());
    let [known] = &ledger;
    assert_eq!((known.row.state, known.row.deposit), (State::Broken, 50));
    assert!(known.chain.is_some());
}

/// A node may show what it likes.
#[test]
fn what_is_not_the_wallets_own_session_is_left_out() {
    let mut foreign = on_chain(0);
    foreign.data.requester = address(8);
    foreign.address = address::session(&address(8), &address(3), 7, 0);
    // Another's account, dressed up as the wallet's.
    let dressed = Found {
        address: foreign.address,
        data: on_chain(0).data,
    };
    let later = Error::Decode {
        address: address(9),
        source: DecodeError::Owner { owner: address(9) },
    };
    let good = on_chain(1);
    let listed = vec![Ok(foreign), Ok(dressed), Err(later), Ok(good)];
    let (lost, wrong) = sort(listed, &wallet(), &mut []);
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].address, good.address);
    assert!(wrong[0].contains("not by this wallet"), "{wrong:?}");
    assert!(wrong[1].contains("belong to"), "{wrong:?}");
    assert!(wrong[2].contains("is owned by"), "{wrong:?}");
    assert_eq!(wrong.len(), 3);
}
