use assay_protocol::{Address, Digest, JobData, Lamports, PanelData, UnixSeconds};
use bytemuck::Zeroable;

use super::*;
use crate::core::{Action, Body, Evidence, Report, SavedResult, SavedSeat, Step};

mod admission;
pub mod full;
mod pruning;
mod transactions;

const NOW: UnixSeconds = UnixSeconds(1_000);

fn job(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

fn result(attempt: u8, salt: u8) -> SavedResult {
    SavedResult {
        attempt,
        generation: u64::MAX,
        salt: [salt; 32],
        worker_secret: [2; 32],
        root: Digest([3; 32]),
        hints_digest: Digest([4; 32]),
        commitment: Digest([salt; 32]),
        runtime_class: [6; 32],
    }
}

fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("journal.sqlite")).unwrap()
}

fn data() -> JobData {
    JobData {
        requester: job(9),
        model: job(8),
        price: 500,
        ..JobData::zeroed()
    }
}

#[test]
fn result_is_written_once_and_survives() {
    let folder = tempfile::tempdir().unwrap();
    let body = Body {
        outputs: vec![1, 2, 3],
        hints: vec![4],
        compute_ms: 7,
        ..Body::default()
    };
    let first = open(&folder)
        .save_result(&job(1), &result(0, 1), &body, NOW)
        .unwrap();
    assert_eq!(first, result(0, 1));
    let store = open(&folder);
    let second = store
        .save_result(&job(1), &result(0, 9), &Body::default(), NOW)
        .unwrap();
    assert_eq!(
        second,
        result(0, 1),
        "the salt of a commitment on its way must not change"
    );
    assert_eq!(store.outputs(&job(1), 0).unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(store.hints(&job(1), 0).unwrap(), Some(vec![4]));
    assert_eq!(store.delivered(&job(1), 0).unwrap().unwrap().compute_ms, 7);
    assert_eq!(store.delivered(&job(1), 1).unwrap(), None);
}

#[test]
fn live_jobs_come_back_with_result_and_acknowledgement_until_they_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let claimed = Report::Claimed {
        price: Lamports(500),
    };
    store.report(&job(1), 0, &data(), claimed, NOW).unwrap();
    store.report(&job(2), 1, &data(), claimed, NOW).unwrap();
    store
        .save_result(&job(2), &result(1, 1), &Body::default(), NOW)
        .unwrap();
    store
        .save_acknowledgement(&job(2), 1, &[7; 32], NOW)
        .unwrap();
    store
        .save_acknowledgement(&job(2), 1, &[8; 32], NOW)
        .unwrap();
    let live = open(&folder).live_jobs().unwrap();
    assert_eq!(live.len(), 2);
    assert_eq!((live[0].0, live[0].1.result.is_none()), (job(1), true));
    assert_eq!(
        (live[1].1.attempt, live[1].1.acknowledged),
        (1, Some([7; 32]))
    );
    assert_eq!(live[1].1.result, Some(result(1, 1)));

    let settled = Report::Settled {
        price: Lamports(500),
        earned: Lamports(490),
    };
    store
        .report(&job(2), 1, &data(), settled, UnixSeconds(1_010))
        .unwrap();
    store
        .report(&job(2), 1, &data(), Report::Lost, UnixSeconds(1_020))
        .unwrap();
    store.report_gone(&job(1), 0, UnixSeconds(1_015)).unwrap();
    assert!(store.live_jobs().unwrap().is_empty());
    let row = store.job(&job(2)).unwrap().unwrap();
    assert_eq!(
        (row.phase.as_str(), row.earned, row.claimed_at),
        ("settled", 490, 1_000)
    );
    let totals = store.totals().unwrap();
    assert_eq!(
        (totals.settled, totals.earned, totals.lost, totals.live),
        (1, 490, 0, 0)
    );
    assert_eq!(store.latest_jobs(1).unwrap()[0].job, job(1));
}

#[test]
fn job_believed_gone_comes_back_with_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let report = |report| store.report(&job(1), 0, &data(), report, NOW).unwrap();
    report(Report::Committed);
    store
        .save_result(&job(1), &result(0, 1), &Body::default(), NOW)
        .unwrap();
    report(Report::Gone);
    assert!(store.live_jobs().unwrap().is_empty());
    let kept = store.restored(&job(1), 0).unwrap();
    assert_eq!(kept.result, Some(result(0, 1)));
    report(Report::Committed);
    assert_eq!(store.live_jobs().unwrap().len(), 1);
    report(Report::Faulted);
    report(Report::Committed);
    assert!(
        store.live_jobs().unwrap().is_empty(),
        "other ends are final"
    );
}

#[test]
fn files_are_dropped_after_their_time_and_secrets_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let body = Body {
        outputs: vec![1],
        ..Body::default()
    };
    for number in [1, 2] {
        store
            .report(&job(number), 0, &data(), Report::Committed, NOW)
            .unwrap();
        store
            .save_result(&job(number), &result(0, 1), &body, NOW)
            .unwrap();
    }
    store
        .report(&job(1), 0, &data(), Report::Faulted, NOW)
        .unwrap();
    assert_eq!(
        store.prune(UnixSeconds(1_000), u64::MAX).unwrap().results,
        0
    );
    assert_eq!(
        store.prune(UnixSeconds(1_001), u64::MAX).unwrap().results,
        1
    );
    assert_eq!(store.outputs(&job(1), 0).unwrap(), None);
    assert_eq!(store.outputs(&job(2), 0).unwrap(), Some(vec![1]));
    assert_eq!(store.result(&job(1), 0).unwrap(), Some(result(0, 1)));
}

#[test]
fn journal_of_a_newer_worker_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    drop(open(&folder));
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        Store::open(&path),
        Err(StoreError::Sqlite(assay_sqlite::Error::Newer {
            found: 99,
            ..
        }))
    ));
    assert!(matches!(
        Store::open_read_only(&path),
        Err(StoreError::Sqlite(assay_sqlite::Error::Newer { .. }))
    ));
}

#[test]
fn journal_answers_while_every_thread_that_may_block_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let download = tokio::task::spawn_blocking(move || released.recv());
        let live = store.call(|store| store.live_jobs()).await.unwrap();
        assert!(live.is_empty());
        let panicking = store
            .call(|_| -> Result<(), _> { panic!("on purpose") })
            .await;
        assert!(matches!(
            panicking,
            Err(StoreError::Sqlite(assay_sqlite::Error::Gone))
        ));
        store.call(|store| store.totals()).await.unwrap();
        release.send(()).unwrap();
        download.await.unwrap().unwrap();
    });
}

#[test]
fn audits_come_back_until_they_end_and_keep_closed_panels() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let panel = PanelData {
        level: 1,
        bond: 5,
        ..PanelData::zeroed()
    };
    let mut evidence = Evidence {
        job: Box::new(data()),
        panels: [Some(Box::new(panel)), None],
        ended: false,
    };
    store.keep_audit(&job(1), &evidence, NOW).unwrap();
    store.keep_audit(&job(2), &evidence, NOW).unwrap();
    assert_eq!(open(&folder).live_audits().unwrap(), [job(1), job(2)]);
    evidence.panels = [None, None];
    evidence.ended = true;
    store.keep_audit(&job(1), &evidence, NOW).unwrap();
    store.end_audit(&job(2), NOW).unwrap();
    assert!(store.live_audits().unwrap().is_empty());
    let kept = store.audits(Some(&job(1)), 10).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].evidence.panels[0].as_deref(), Some(&panel));
    assert_eq!(*kept[0].evidence.job, data());
    assert_eq!(store.audits(None, 10).unwrap().len(), 2);
    assert_eq!(store.prune(UnixSeconds(1_000), u64::MAX).unwrap().audits, 0);
    assert_eq!(store.prune(UnixSeconds(1_001), u64::MAX).unwrap().audits, 2);
}

#[test]
fn result_of_a_seat_is_written_once_and_recalled_by_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let seat = |level: u8, attempt: u8, salt: u8| SavedSeat {
        level,
        attempt,
        generation: u64::MAX,
        salt: [salt; 32],
        root: Digest([2; 32]),
        commitment: Digest([salt; 32]),
    };
    let body = Body {
        outputs: vec![7],
        ..Body::default()
    };
    let save = |seat| store.save_seat(&job(1), &seat, &body, NOW).unwrap();
    assert_eq!(save(seat(1, 0, 1)), seat(1, 0, 1));
    assert_eq!(
        save(seat(1, 0, 9)),
        seat(1, 0, 1),
        "its commitment may be on its way"
    );
    save(seat(2, 0, 3));
    save(seat(1, 1, 4));
    store
        .save_result(&job(1), &result(0, 5), &body, NOW)
        .unwrap();
    let recalled = open(&folder).recall(&job(1), 0).unwrap();
    assert_eq!(recalled.seats, [seat(1, 0, 1), seat(2, 0, 3)]);
    assert_eq!(recalled.primary.unwrap().salt, result(0, 5).salt);
    assert_eq!(store.recall(&job(1), 1).unwrap().primary, None);
    assert_eq!(store.seat_outputs(&job(1), 2).unwrap(), Some(vec![7]));
    assert_eq!(store.seat_outputs(&job(2), 1).unwrap(), None);
}

#[test]
fn hints_are_public_from_the_commitment_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let body = Body {
        hints: vec![4, 5],
        ..Body::default()
    };
    let claimed = Report::Claimed {
        price: Lamports(500),
    };
    store.report(&job(1), 0, &data(), claimed, NOW).unwrap();
    store
        .save_result(&job(1), &result(0, 1), &body, NOW)
        .unwrap();
    let digest = result(0, 1).hints_digest;
    assert_eq!(store.public_hints(&digest).unwrap(), None);
    for report in [Report::Committed, Report::Audited] {
        store.report(&job(1), 0, &data(), report, NOW).unwrap();
        assert_eq!(store.public_hints(&digest).unwrap(), Some(vec![4, 5]));
    }
    // Nor are they withheld because nodes could not find the job.
    store.report_gone(&job(1), 0, NOW).unwrap();
    assert_eq!(store.public_hints(&digest).unwrap(), None);
    let commit = transactions::sent(7);
    store.save_transaction(&commit, NOW).unwrap();
    store
        .end_transaction(&commit.signature, &TransactionEnd::Landed)
        .unwrap();
    assert_eq!(store.public_hints(&digest).unwrap(), Some(vec![4, 5]));
    let settled = Report::Settled {
        price: Lamports(500),
        earned: Lamports(490),
    };
    store.report(&job(1), 0, &data(), settled, NOW).unwrap();
    store.note_earned(&job(1), 77).unwrap();
    assert_eq!(store.job(&job(1)).unwrap().unwrap().earned, 77);
}

/// A journal as the first released layout left it is brought up to date with everything in it.
#[test]
fn journal_of_an_earlier_worker_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let store = open(&folder);
    store
        .report(&job(1), 0, &data(), Report::Committed, NOW)
        .unwrap();
    drop(store);
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "DROP TABLE audits; DROP TABLE seat_results; DROP INDEX results_hints; DROP TABLE members;
         DROP INDEX results_bulky; DROP INDEX transactions_bulky; ALTER TABLE results DROP COLUMN energy_mj;
         DROP TABLE notes; DROP TABLE brought; DROP TABLE measurements;
         ALTER TABLE jobs DROP COLUMN collateral; ALTER TABLE jobs DROP COLUMN ceiling;
         ALTER TABLE jobs DROP COLUMN fee_bps;
         ALTER TABLE transactions DROP COLUMN quoted_fee; ALTER TABLE transactions DROP COLUMN priority_fee;
         ALTER TABLE transactions DROP COLUMN rent; ALTER TABLE transactions DROP COLUMN cost_from;
         INSERT INTO transactions (signature, job, attempt, step, bytes, last_valid_block_height, state, fee,
             created_at)
         VALUES (zeroblob(64), zeroblob(32), 2, 'claim', x'00', 7, 'pending', NULL, 900),
                (randomblob(64), zeroblob(32), 2, 'commit', x'00', 7, 'landed', 5000, 900);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let store = open(&folder);
    assert_eq!(store.live_jobs().unwrap().len(), 1);
    assert!(store.audits(None, 10).unwrap().is_empty());
    let pending = store.pending_transactions().unwrap();
    let claim = Member {
        job: Address::default(),
        attempt: 2,
        action: Action::Job(Step::Claim),
    };
    assert_eq!((pending.len(), &*pending[0].members), (1, &[claim][..]));
    assert!(store.commit_landed(&Address::default(), 2).unwrap());
    let costs = store.costs(UnixSeconds(0)).unwrap();
    assert_eq!((costs.len(), costs[0].fee, costs[0].rent), (1, 5_000, None));
}
