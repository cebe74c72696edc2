//! What was decided and measured is known after a restart.

use super::*;
use crate::core::{Measured, Outcome, Size};

#[test]
fn drain_is_kept_over_a_restart_until_it_is_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(&folder.path().join("journal.sqlite")).unwrap();
    assert_eq!(open().drained().unwrap(), None);
    open().save_drained(true, UnixSeconds(5)).unwrap();
    open().save_drained(true, UnixSeconds(9)).unwrap();
    assert_eq!(open().drained().unwrap(), Some(UnixSeconds(5)));
    open().save_drained(false, UnixSeconds(11)).unwrap();
    assert_eq!(open().drained().unwrap(), None);
}

#[test]
fn measurements_come_back_for_the_runtime_they_were_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let size = |number| Size::of([number; 32], 100);
    let known = |high_ms, measured_at| Measured {
        high_ms,
        low_ms: 1,
        unfinished_ms: u64::MAX,
        runs: 3,
        measured_at,
    };
    let store = open(&folder);
    store.save_measured("cpu", size(1), &known(5, 9)).unwrap();
    store.save_measured("cpu", size(2), &known(6, 8)).unwrap();
    store.save_measured("cuda", size(1), &known(7, 7)).unwrap();
    store.save_measured("cpu", size(1), &known(8, 9)).unwrap();
    drop(store);
    let found = open(&folder).measured("cpu").unwrap();
    assert_eq!(found, [(size(2), known(6, 8)), (size(1), known(8, 9))]);
}

#[test]
fn ends_of_jobs_come_back_in_order_since_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (number, report) in [
        (1, Report::Lost),
        (2, Report::Faulted),
        (3, Report::Committed),
        (4, Report::Claimed { price: Lamports(1) }),
    ] {
        let mut data = data();
        data.model_digest = [number; 32];
        let at = UnixSeconds(100 - i64::from(number));
        store.report(&job(number), 0, &data, report, at).unwrap();
    }
    let found = store.outcomes(UnixSeconds(98)).unwrap();
    let expected = [
        ([2; 32], Outcome::Fault, UnixSeconds(98)),
        ([1; 32], Outcome::Lost, UnixSeconds(99)),
    ];
    assert_eq!(found, expected);
    assert_eq!(store.outcomes(UnixSeconds(0)).unwrap().len(), 3);
}
