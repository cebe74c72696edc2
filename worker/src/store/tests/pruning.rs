//! What pruning takes and what it leaves.

use super::*;

const LATER: UnixSeconds = UnixSeconds(2_000);

fn body() -> Body {
    Body {
        outputs: vec![1; 5_000],
        hints: vec![2; 500],
        outputs_json: r#"[{"name":"y","dtype":"F32","shape":[1,2]}]"#.into(),
        runtime: "ONNX Runtime 1.31.1, cpu, 1 threads".into(),
        compute_ms: 70,
        energy_mj: Some(9_000),
        ..Body::default()
    }
}

fn transact(store: &Store, number: u8, of: u8, step: Step, end: Option<TransactionEnd>) {
    let sent = SentTransaction {
        signature: [number; 64],
        members: vec![Member {
            job: job(of),
            attempt: 0,
            action: Action::Job(step),
        }],
        bytes: vec![number; 1_000],
        last_valid_block_height: 9,
        quote: Quote {
            fee: 5_100,
            priority_fee: 100,
        },
    };
    store.save_transaction(&sent, NOW).unwrap();
    if let Some(end) = end {
        store.end_transaction(&sent.signature, &end).unwrap();
    }
}

/// One attempt with all that belongs to it, that stands as `report` says.
fn keep(store: &Store, number: u8, report: Report) {
    keep_until(store, number, report, NOW);
}

fn keep_until(store: &Store, number: u8, report: Report, at: UnixSeconds) {
    let claimed = Report::Claimed {
        price: Lamports(500),
    };
    store
        .report(&job(number), 0, &data(), claimed, NOW)
        .unwrap();
    store
        .save_result(&job(number), &result(0, number), &body(), NOW)
        .unwrap();
    store
        .save_acknowledgement(&job(number), 0, &[7; 32], NOW)
        .unwrap();
    let first = number * 10;
    transact(
        store,
        first,
        number,
        Step::Claim,
        Some(TransactionEnd::Expired),
    );
    transact(
        store,
        first + 1,
        number,
        Step::Claim,
        Some(TransactionEnd::Landed),
    );
    transact(
        store,
        first + 2,
        number,
        Step::Commit,
        Some(TransactionEnd::Landed),
    );
    store.report(&job(number), 0, &data(), report, at).unwrap();
}

fn settled() -> Report {
    Report::Settled {
        price: Lamports(500),
        earned: Lamports(490),
    }
}

fn evidence(ended: bool) -> Evidence {
    Evidence {
        job: Box::new(data()),
        panels: [None, None],
        ended,
    }
}

fn bytes(folder: &tempfile::TempDir) -> Vec<(u8, usize)> {
    let journal = rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let mut statement = journal
        .prepare("SELECT signature, bytes FROM transactions ORDER BY signature")
        .unwrap();
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, Vec<u8>>(0)?[0],
            row.get::<_, Vec<u8>>(1)?.len(),
        ))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn ended_job_loses_what_is_bulky_and_keeps_what_it_earned_and_cost() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, 1, settled());
    let (books, totals) = (store.books().unwrap(), store.totals().unwrap());
    let costs = store.costs(UnixSeconds(0)).unwrap();
    assert!(
        store.prune(NOW, u64::MAX).unwrap().is_nothing(),
        "not old yet"
    );
    let pruned = store.prune(LATER, u64::MAX).unwrap();
    assert_eq!((pruned.results, pruned.acknowledgements), (1, 1));
    assert_eq!(pruned.transactions, 3);
    assert_eq!(
        bytes(&folder),
        [(11, 0), (12, 0)],
        "the expired one is gone"
    );
    assert_eq!(store.outputs(&job(1), 0).unwrap(), None);
    assert_eq!(store.hints(&job(1), 0).unwrap(), None);
    assert_eq!(store.acknowledgement(&job(1), 0).unwrap(), None);
    // What answers for the commitment, and the books.
    assert_eq!(store.result(&job(1), 0).unwrap(), Some(result(0, 1)));
    assert!(store.commit_landed(&job(1), 0).unwrap());
    assert_eq!(store.books().unwrap(), books);
    assert_eq!(books[0].energy_mj, Some(9_000));
    assert_eq!(store.totals().unwrap(), totals);
    assert_eq!(store.costs(UnixSeconds(0)).unwrap(), costs);
    assert!(
        store.prune(LATER, u64::MAX).unwrap().is_nothing(),
        "once is enough"
    );
    assert!(store.faults().unwrap().is_empty());
}

#[test]
fn live_jobs_and_pending_transactions_survive_however_old_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, 1, Report::Committed);
    transact(&store, 15, 1, Step::Finalize, None);
    // Nothing was seen of this claim's job yet.
    transact(&store, 25, 2, Step::Claim, Some(TransactionEnd::Landed));
    keep(&store, 3, settled());
    let live = store.live_jobs().unwrap();
    let pending = store.pending_transactions().unwrap();
    let recalled = store.recall(&job(1), 0).unwrap();
    assert_eq!((live.len(), pending.len()), (2, 1));
    store.prune(LATER, u64::MAX).unwrap();
    // As a restart finds it.
    drop(store);
    let store = open(&folder);
    assert_eq!(store.live_jobs().unwrap(), live);
    assert_eq!(live[0].1.acknowledged, Some([7; 32]));
    assert_eq!(store.pending_transactions().unwrap(), pending);
    assert_eq!(store.recall(&job(1), 0).unwrap(), recalled);
    assert_eq!(store.outputs(&job(1), 0).unwrap(), Some(vec![1; 5_000]));
    assert_eq!(store.hints(&job(1), 0).unwrap(), Some(vec![2; 500]));
    let kept: Vec<u8> = bytes(&folder)
        .into_iter()
        .filter(|(_, length)| *length == 1_000)
        .map(|(number, _)| number)
        .collect();
    assert_eq!(kept, [10, 11, 12, 15]);
}

#[test]
fn job_under_audit_keeps_the_transactions_of_its_audit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, 1, settled());
    let seat = SavedSeat {
        level: 1,
        attempt: 0,
        generation: 1,
        salt: [1; 32],
        root: Digest([2; 32]),
        commitment: Digest([3; 32]),
    };
    store.save_seat(&job(1), &seat, &body(), NOW).unwrap();
    store.keep_audit(&job(1), &evidence(false), NOW).unwrap();
    let pruned = store.prune(LATER, u64::MAX).unwrap();
    assert_eq!((pruned.transactions, pruned.audits), (0, 0));
    assert_eq!(store.live_audits().unwrap(), [job(1)]);
    assert_eq!(store.recall(&job(1), 0).unwrap().seats, [seat]);
    assert!(store.seat_outputs(&job(1), 1).unwrap().is_some());
    store.keep_audit(&job(1), &evidence(true), NOW).unwrap();
    let pruned = store.prune(LATER, u64::MAX).unwrap();
    assert_eq!(pruned.audits, 1);
    assert!(store.seats(&job(1)).unwrap().is_empty());
    // The audit was what kept them.
    assert_eq!(store.prune(LATER, u64::MAX).unwrap().transactions, 0);
    assert_eq!(bytes(&folder), [(11, 0), (12, 0)]);
}

#[test]
fn outputs_beyond_their_bytes_go_with_what_ended_first_and_never_with_what_is_live() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let at = |seconds: i64| UnixSeconds(NOW.0 + seconds);
    for (number, report) in [
        (1, settled()),
        (2, Report::Committed),
        (3, settled()),
        (4, Report::Gone),
        (5, settled()),
    ] {
        keep_until(&store, number, report, at(i64::from(number)));
    }
    let seat = SavedSeat {
        level: 1,
        attempt: 0,
        generation: 1,
        salt: [1; 32],
        root: Digest([2; 32]),
        commitment: Digest([3; 32]),
    };
    for (number, ended) in [(6, false), (7, true)] {
        store.save_seat(&job(number), &seat, &body(), NOW).unwrap();
        store
            .keep_audit(&job(number), &evidence(ended), at(2))
            .unwrap();
    }
    let left = || {
        let results = [1, 2, 3, 4, 5].map(|number| store.outputs(&job(number), 0).unwrap());
        let seats = [6, 7].map(|number| store.seat_outputs(&job(number), 1).unwrap());
        let both = (1_u8..).zip(results.into_iter().chain(seats));
        both.filter(|(_, outputs)| outputs.is_some())
            .map(|(number, _)| number)
            .collect::<Vec<_>>()
    };
    // A result is of 5,000 bytes and 500 of hints, and of their description; a seat's of 5,000.
    let result = u64::try_from(5_500 + body().outputs_json.len()).unwrap();
    let all = 5 * result + 2 * 5_000;
    assert!(store.prune(NOW, all).unwrap().is_nothing());
    assert_eq!(store.prune(NOW, all - 1).unwrap().results, 1);
    assert_eq!(left(), [2, 3, 4, 5, 6, 7]);
    assert_eq!(store.prune(NOW, all - result - 1).unwrap().results, 1);
    assert_eq!(left(), [2, 3, 4, 5, 6]);
    assert_eq!(store.prune(NOW, 0).unwrap().results, 2);
    assert_eq!(left(), [2, 4, 6], "what has not ended");
    assert_eq!(store.result(&job(1), 0).unwrap(), Some(super::result(0, 1)));
    assert!(store.prune(NOW, 0).unwrap().is_nothing(), "once is enough");
}

#[test]
fn job_that_could_not_be_found_keeps_the_secrets_of_its_return() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, 1, Report::Gone);
    store.prune(LATER, u64::MAX).unwrap();
    let restored = store.restored(&job(1), 0).unwrap();
    assert_eq!(restored.result, Some(result(0, 1)));
    assert_eq!(restored.acknowledged, Some([7; 32]));
    store
        .report(&job(1), 0, &data(), Report::Committed, LATER)
        .unwrap();
    assert_eq!(store.live_jobs().unwrap().len(), 1);
}

#[test]
fn pruned_rows_are_found_without_reading_the_whole_journal() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder));
    let journal = rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap();
    for (sql, index) in [
        (
            "SELECT results.rowid FROM results JOIN jobs USING (job, attempt)
             WHERE (outputs IS NOT NULL OR outputs_json <> '') AND ended = 1 AND changed_at < 5",
            "results_bulky",
        ),
        (
            "SELECT rowid FROM transactions WHERE bytes <> x'' AND created_at < 5",
            "transactions_bulky",
        ),
    ] {
        let plan: Vec<String> = journal
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap()
            .query_map([], |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(
            plan.iter().any(|line| line.contains(index)),
            "{sql}: {plan:?}"
        );
    }
}
