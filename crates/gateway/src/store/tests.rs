use std::os::unix::fs::PermissionsExt;

use assay_client::{
    protocol::{Address, Digest},
    session::Receipt,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{ReceiptRow, SessionRow, State, Store, StoreError};
use crate::{
    books,
    lane::{
        Asked, Doubt,
        wire::Kind,
        worth::{Agreed, Worth},
    },
};

fn address(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

fn operator() -> Keypair {
    Keypair::new_from_array([7; 32])
}

pub fn row(byte: u8) -> SessionRow {
    SessionRow {
        address: address(byte),
        cluster: [1; 32],
        requester: address(2),
        provider: address(3),
        generation: u64::MAX,
        operator: operator().pubkey(),
        endpoint: "http://127.0.0.1:1".to_owned(),
        key: [9; 32],
        open_slot: 77,
        index: u32::MAX,
        grace_secs: 86_400,
        deposit: 1_000,
        settled: 0,
        paid: 0,
        state: State::Opening,
        reason: String::new(),
        created_at: 1_700_000_000,
        doubt: None,
        worth: None,
    }
}

fn doubt(sequence: u64) -> Doubt {
    Doubt {
        sequence,
        asked: Asked {
            model: Digest([4; 32]),
            request: Digest([5; 32]),
        },
        max_price: 60,
    }
}

fn worth(seen: u64) -> Worth {
    Worth {
        kind: Kind::Generate,
        agreed: Agreed {
            base: 10,
            token: 5,
            tokens: 10,
            most: 60,
        },
        seen,
        most: (seen > 0).then_some(50),
    }
}

fn receipt(sequence: u64, price: u64, previous: Option<&Receipt>) -> ReceiptRow {
    let receipt = Receipt {
        session: address(10),
        sequence,
        model: Digest([4; 32]),
        request: Digest([5; 32]),
        response: Digest([6; 32]),
        price,
        cumulative: previous.map_or(0, |last| last.cumulative) + price,
        previous: previous.map_or(Digest([0; 32]), Receipt::digest),
    };
    ReceiptRow {
        signed: receipt.sign(&operator()).unwrap(),
        operator: operator().pubkey(),
        received_at: 5,
    }
}

#[test]
fn everything_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below/ledger.sqlite");
    let mut expected = row(10);
    {
        let store = Store::open(&path).unwrap();
        store.add_session(&expected).unwrap();
        store.set_state(&address(10), State::Open, "").unwrap();
        store.set_chain(&address(10), 2_000, 40).unwrap();
        store
            .set_doubt(&address(10), &doubt(1), &worth(0), 0)
            .unwrap();
        let first = receipt(1, 40, None);
        store.add_receipt(&first).unwrap();
        store
            .set_doubt(&address(10), &doubt(2), &worth(0), 40)
            .unwrap();
        store.set_worth(&address(10), &worth(15)).unwrap();
        store.add_session(&row(11)).unwrap();
    }
    let store = Store::open(&path).unwrap();
    expected.state = State::Open;
    (expected.deposit, expected.settled, expected.paid) = (2_000, 40, 40);
    (expected.doubt, expected.worth) = (Some(doubt(2)), Some(worth(15)));
    assert_eq!(
        store.session(&address(10)).unwrap().as_ref(),
        Some(&expected)
    );
    let rows = store.sessions(&[1; 32], &address(2)).unwrap();
    assert_eq!(rows, [expected, row(11)]);
    assert_eq!(store.sessions(&[2; 32], &address(2)).unwrap(), []);
    assert_eq!(
        store.last_receipt(&address(10)).unwrap(),
        Some(receipt(1, 40, None))
    );
    store.clear_doubt(&address(10)).unwrap();
    let cleared = store.session(&address(10)).unwrap().unwrap();
    assert_eq!((cleared.doubt, cleared.worth), (None, None));
}

#[test]
fn ledger_is_readable_by_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway/ledger.sqlite");
    let store = Store::open(&path).unwrap();
    store.add_session(&row(10)).unwrap();
    for file in [
        "ledger.sqlite",
        "ledger.sqlite-wal",
        "ledger.sqlite-shm",
        "",
    ] {
        let path = folder.path().join("gateway").join(file);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn ledger_serves_one_gateway_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let lock = Store::lock(&path).unwrap();
    assert!(matches!(Store::lock(&path), Err(StoreError::Locked(_))));
    drop(lock);
    assert!(Store::lock(&path).is_ok());
}

#[test]
fn receipt_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("ledger.sqlite")).unwrap();
    store.add_session(&row(10)).unwrap();
    store.add_receipt(&receipt(1, 40, None)).unwrap();
    assert!(store.add_receipt(&receipt(1, 50, None)).is_err());
    assert_eq!(
        store.receipts(&address(10)).unwrap(),
        [receipt(1, 40, None)]
    );
}

#[test]
fn books_that_agree_have_no_faults_and_each_lie_has_one() {
    let first = receipt(1, 40, None);
    let second = receipt(2, 30, Some(&first.signed.receipt));
    let session = |paid, settled| SessionRow {
        paid,
        settled,
        ..row(10)
    };
    let good = books::check(&session(40, 40), &[first, second]);
    assert_eq!(good.faults, Vec::<String>::new());
    assert_eq!((good.requests, good.charged), (2, 70));
    let faults = |session: &SessionRow, rows: &[ReceiptRow]| books::check(session, rows).faults;
    let beyond = faults(&session(40, 41), &[first, second]);
    assert!(beyond[0].contains("more than the 40"), "{beyond:?}");
    let unknown = faults(&session(41, 0), &[first, second]);
    assert!(unknown[0].contains("no receipt adds up to"), "{unknown:?}");
    let covered = SessionRow {
        deposit: 50,
        ..session(50, 50)
    };
    assert_eq!(faults(&covered, &[first, second]), Vec::<String>::new());
    assert!(faults(&covered, &[first])[0].contains("no receipt adds up to"));
    let missing = faults(&session(70, 0), &[second]);
    assert!(missing[0].contains("number 2 where 1"), "{missing:?}");
    let mut altered = second;
    altered.signed.receipt.model = Digest([8; 32]);
    let unsigned = faults(&session(40, 0), &[first, altered]);
    assert!(unsigned[0].contains("signature"), "{unsigned:?}");
}

#[test]
fn breach_is_forgiven_by_a_hundred_paid_answers_of_its_provider() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("ledger.sqlite")).unwrap();
    store.add_session(&row(10)).unwrap();
    let (ours, other) = (row(10).provider, address(99));
    for provider in [ours, ours, ours, other, other, other] {
        store.add_breach(&provider, "it lied").unwrap();
    }
    assert_eq!(store.banned().unwrap().len(), 2);
    let mut last: Option<ReceiptRow> = None;
    for number in 1..=100 {
        assert_eq!(store.banned().unwrap().len(), 2);
        let next = receipt(number, 1, last.as_ref().map(|row| &row.signed.receipt));
        store.add_receipt(&next).unwrap();
        last = Some(next);
    }
    assert_eq!(store.banned().unwrap(), [other].into());
    let counts: Vec<u32> = store
        .breaches()
        .unwrap()
        .iter()
        .map(|one| one.count)
        .collect();
    assert_eq!(counts, [2, 3]);
    assert!(store.trust(&other).unwrap() && !store.trust(&other).unwrap());
    assert_eq!(store.banned().unwrap(), [].into());
}
