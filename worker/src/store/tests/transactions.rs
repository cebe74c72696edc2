//! Transactions from intent to end, and what they cost.

use super::*;

fn member(number: u8, step: Step) -> Member {
    Member {
        job: job(number),
        attempt: 0,
        action: Action::Job(step),
    }
}

pub(super) fn sent(number: u8) -> SentTransaction {
    SentTransaction {
        signature: [number; 64],
        members: vec![member(1, Step::Commit)],
        bytes: vec![number; 300],
        last_valid_block_height: u64::from(number),
        quote: Quote {
            fee: 5_100,
            priority_fee: 100,
        },
    }
}

#[test]
fn transaction_is_pending_until_its_end_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for number in [3, 1, 2] {
        store.save_transaction(&sent(number), NOW).unwrap();
    }
    store
        .end_transaction(&[3; 64], &TransactionEnd::Landed)
        .unwrap();
    assert_eq!(
        open(&folder).pending_transactions().unwrap(),
        [sent(1), sent(2)]
    );
    let refused = TransactionEnd::Refused {
        error: "JobNotOpen".into(),
    };
    store.end_transaction(&[1; 64], &refused).unwrap();
    store
        .end_transaction(&[2; 64], &TransactionEnd::Expired)
        .unwrap();
    assert!(store.pending_transactions().unwrap().is_empty());
    assert_eq!(
        store.totals().unwrap().fees,
        10_200,
        "landed and refused ones are paid for"
    );
}

#[test]
fn what_is_in_a_block_does_not_expire_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.save_transaction(&sent(1), NOW).unwrap();
    for end in [
        TransactionEnd::Expired,
        TransactionEnd::Landed,
        TransactionEnd::Expired,
    ] {
        store.end_transaction(&[1; 64], &end).unwrap();
    }
    assert_eq!(store.totals().unwrap().fees, 5_100);
}

/// The worker may stop between the claim's landing and the reading that shows the job.
#[test]
fn claim_that_landed_is_live_until_the_job_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let claim = SentTransaction {
        members: vec![member(1, Step::Claim)],
        ..sent(1)
    };
    store.save_transaction(&claim, NOW).unwrap();
    let live = || store.live_jobs().unwrap().into_iter().map(|(job, _)| job);
    assert_eq!(live().count(), 0, "it may never land");
    store
        .end_transaction(&claim.signature, &TransactionEnd::Landed)
        .unwrap();
    assert_eq!(live().collect::<Vec<_>>(), [job(1)]);
    let report = |report| store.report(&job(1), 0, &data(), report, NOW).unwrap();
    let price = Lamports(1);
    report(Report::Claimed { price });
    assert_eq!(live().count(), 1);
    report(Report::Lost);
    assert_eq!(live().count(), 0);
}

fn batch(number: u8) -> SentTransaction {
    SentTransaction {
        members: (1..=3).map(|job| member(job, Step::Finalize)).collect(),
        quote: Quote {
            fee: 5_101,
            priority_fee: 101,
        },
        ..sent(number)
    }
}

#[test]
fn batch_comes_back_with_its_members_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.save_transaction(&batch(1), NOW).unwrap();
    // Said twice, written once.
    store.save_transaction(&batch(1), NOW).unwrap();
    assert_eq!(open(&folder).pending_transactions().unwrap(), [batch(1)]);
    let nothing = SentTransaction {
        members: Vec::new(),
        ..sent(2)
    };
    assert!(store.save_transaction(&nothing, NOW).is_err());
}

#[test]
fn costs_of_a_batch_are_shared_and_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.save_transaction(&batch(1), NOW).unwrap();
    assert!(store.costs(NOW).unwrap().is_empty(), "not in a block yet");
    store
        .end_transaction(&[1; 64], &TransactionEnd::Landed)
        .unwrap();
    let costs = store.costs(NOW).unwrap();
    let shares: Vec<_> = costs
        .iter()
        .map(|cost| (cost.job, cost.fee, cost.priority_fee, cost.rent))
        .collect();
    assert_eq!(
        shares,
        [
            (job(1), 1_701, 35, None),
            (job(2), 1_700, 33, None),
            (job(3), 1_700, 33, None)
        ]
    );
    assert_eq!(costs[0].step, "finalize");
    store.record_cost(&[1; 64], &KnownCost::Quoted).unwrap();
    let costs = store.costs(NOW).unwrap();
    assert!(
        costs
            .iter()
            .all(|cost| cost.rent == Some(0) && !cost.recorded)
    );
    assert!(store.costs(UnixSeconds(1_001)).unwrap().is_empty());
}

#[test]
fn books_of_jobs_that_shared_a_transaction_add_up_to_what_was_paid() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.save_transaction(&batch(1), NOW).unwrap();
    store
        .end_transaction(&[1; 64], &TransactionEnd::Landed)
        .unwrap();
    for rent in [6_000_001, -6_000_001] {
        let recorded = KnownCost::Recorded {
            fee: 5_003,
            compute_units: Some(4_000),
            rent,
        };
        store.record_cost(&[1; 64], &recorded).unwrap();
        let books = store.books().unwrap();
        let mut shares: Vec<_> = books
            .iter()
            .map(|one| (one.amounts.fees, one.amounts.rent))
            .collect();
        shares.sort_unstable_by_key(|(fees, _)| std::cmp::Reverse(*fees));
        let third = 2_000_000 * rent.signum();
        let first = third + rent.signum();
        assert_eq!(shares, [(1_669, first), (1_667, third), (1_667, third)]);
        let net: i64 = books.iter().map(|one| one.amounts.net()).sum();
        assert_eq!(net, -5_003 - rent);
    }
}

#[test]
fn cost_is_owed_until_the_chain_has_told_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for number in 1..=4 {
        store.save_transaction(&sent(number), NOW).unwrap();
    }
    let refused = TransactionEnd::Refused {
        error: "JobNotOpen".into(),
    };
    store
        .end_transaction(&[1; 64], &TransactionEnd::Landed)
        .unwrap();
    store.end_transaction(&[2; 64], &refused).unwrap();
    store
        .end_transaction(&[3; 64], &TransactionEnd::Expired)
        .unwrap();
    let owed = |store: &Store| store.owed_costs(NOW, 10).unwrap();
    assert_eq!(owed(&store), [[1; 64], [2; 64]]);
    assert_eq!(store.owed_costs(NOW, 1).unwrap(), [[1; 64]]);
    assert!(store.owed_costs(UnixSeconds(1_001), 10).unwrap().is_empty());
    let recorded = KnownCost::Recorded {
        fee: 6_000,
        compute_units: Some(700),
        rent: -2_000_000,
    };
    store.record_cost(&[1; 64], &recorded).unwrap();
    store.record_cost(&[2; 64], &KnownCost::Quoted).unwrap();
    assert!(owed(&store).is_empty());
    // What the chain has told is not overwritten by a computation.
    store.record_cost(&[1; 64], &KnownCost::Quoted).unwrap();
    let costs = open(&folder).costs(NOW).unwrap();
    assert_eq!(costs.len(), 2, "what expired has cost nothing");
    assert_eq!(
        (
            costs[0].fee,
            costs[0].rent,
            costs[0].recorded,
            costs[0].landed
        ),
        (6_000, Some(-2_000_000), true, true)
    );
    assert_eq!(
        (
            costs[1].fee,
            costs[1].rent,
            costs[1].recorded,
            costs[1].landed
        ),
        (5_100, Some(0), false, false)
    );
    assert_eq!(store.totals().unwrap().fees, 11_100);
}
