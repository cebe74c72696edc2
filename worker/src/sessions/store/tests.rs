use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use assay_client::{
    protocol::Digest,
    session::{Receipt, Usage},
};

use super::*;
use crate::sessions::core::tests::{MODEL, NOW, SESSION, account, operator, pays};

fn answered(sequence: u64) -> Answered {
    let receipt = Receipt {
        session: SESSION,
        sequence,
        model: MODEL,
        request: Digest([1; 32]),
        response: Digest([2; 32]),
        price: 40,
        cumulative: 40 * sequence,
        previous: Digest([0; 32]),
    };
    Answered {
        receipt: receipt.sign(&operator()).unwrap(),
        usage: Usage {
            input_bytes: 1,
            input_tokens: 2,
            output_tokens: u64::MAX,
        },
    }
}

fn payment(cumulative: u64) -> Write {
    Write::Payment {
        account: Box::new(account(1_000)),
        payment: pays(cumulative, i64::MAX),
    }
}

fn settled(lamports: u64) -> Write {
    let account = SessionData {
        settled: lamports,
        fee_bps: 500,
        ..account(2_000)
    };
    Write::Account {
        session: SESSION,
        account: Box::new(account),
        at: NOW,
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_the_process_died() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let (store, kept) = SessionStore::open(&path, NOW).unwrap();
    assert!(kept.sessions.is_empty());
    store.write(payment(0)).await.unwrap();
    store.write(Write::Answer(answered(1))).await.unwrap();
    store.write(payment(40)).await.unwrap();
    let income = Income {
        session: SESSION,
        settled: 40,
        gross: 40,
        net: 38,
        at: NOW,
    };
    let seen = settled(40);
    // The same reading after a restart is the same income.
    store.write(seen.clone()).await.unwrap();
    store.write(seen).await.unwrap();

    // Opened beside the living one: nothing was left for a later moment.
    let (other, kept) = SessionStore::open(&path, NOW).unwrap();
    let [(session, channel)] = kept.sessions.as_slice() else {
        panic!("one session was kept");
    };
    assert_eq!(*session, SESSION);
    assert_eq!(channel.payment(), Some(&pays(40, i64::MAX)));
    assert_eq!(channel.last(), Some(&answered(1)));
    assert_eq!(channel.account().deposit, 2_000);
    assert_eq!(super::income(&path, UnixSeconds(0)).unwrap(), [income]);
    assert!(
        super::income(&path, UnixSeconds(NOW.0 + 1))
            .unwrap()
            .is_empty()
    );

    // What a reading had taken for settled, and what a write that failed has left out, are made good.
    for sum in [90, 30, 100] {
        other.write(settled(sum)).await.unwrap();
    }
    let rows = super::income(&path, UnixSeconds(0)).unwrap();
    let rows = rows.iter().map(|row| (row.settled, row.gross));
    assert_eq!(rows.collect::<Vec<_>>(), [(30, 30), (100, 70)]);

    other.write(Write::Forget(SESSION)).await.unwrap();
    let (_, kept) = SessionStore::open(&path, NOW).unwrap();
    assert!(kept.sessions.is_empty());
    assert_eq!(super::income(&path, UnixSeconds(0)).unwrap().len(), 2);
}

/// A worker of before could lose one settlement's row and book the next one from there.
#[tokio::test]
async fn what_an_earlier_worker_left_out_of_a_settlement_is_added_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let (store, _) = SessionStore::open(&path, NOW).unwrap();
    store.write(settled(100)).await.unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("UPDATE income SET gross = 60, net = 57", [])
        .unwrap();
    store.write(settled(100)).await.unwrap();
    let [row] = super::income(&path, UnixSeconds(0)).unwrap()[..] else {
        panic!("one settlement is one row");
    };
    assert_eq!((row.settled, row.gross, row.net), (100, 100, 95));
}

#[tokio::test]
async fn many_writes_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let (store, _) = SessionStore::open(&path, NOW).unwrap();
    store.write(payment(0)).await.unwrap();
    let writes = (1..=2_000).map(|cumulative| store.write(payment(cumulative)));
    for written in futures_util::future::join_all(writes).await {
        written.unwrap();
    }
    let (_, kept) = SessionStore::open(&path, NOW).unwrap();
    assert_eq!(kept.sessions[0].1.paid(), 2_000);
}

#[tokio::test]
async fn lost_runs_are_there_after_a_restart_and_only_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let (store, kept) = SessionStore::open(&path, NOW).unwrap();
    assert_eq!(kept.lost_runs, LostRuns::default());
    let lost = |number: usize| LostRun {
        payer: Address::new_from_array([u8::try_from(number % 200).unwrap(); 32]),
        at: UnixSeconds(i64::try_from(number).unwrap()),
    };
    let all = LostRuns::MOST + 7;
    let writes = (0..all).map(|number| store.write(Write::Lost(lost(number))));
    for written in futures_util::future::join_all(writes).await {
        written.unwrap();
    }
    let (_, kept) = SessionStore::open(&path, NOW).unwrap();
    let newest = LostRuns::new((7..all).map(lost));
    assert!(kept.lost_runs == newest, "there are others");
}

#[test]
fn file_of_a_later_worker_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    drop(SessionStore::open(&path, NOW).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 3).unwrap();
    let refused = SessionStore::open(&path, NOW).map(drop);
    let Err(SessionStoreError::Sqlite(refused)) = refused else {
        panic!("a later layout was taken");
    };
    assert!(matches!(
        *refused,
        assay_sqlite::Error::Newer { found: 3, known: 2 }
    ));
}

#[tokio::test]
async fn file_and_its_log_are_readable_by_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    std::fs::write(&path, b"").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let (store, _) = SessionStore::open(&path, NOW).unwrap();
    store.write(payment(0)).await.unwrap();
    for name in [
        "sessions.sqlite",
        "sessions.sqlite-wal",
        "sessions.sqlite-shm",
    ] {
        let data = std::fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(data.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
