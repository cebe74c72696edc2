//! What is sent when the disk does not take its row.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::BoxFuture;
use rusqlite::Connection;

use super::*;
use crate::store::{Disk, tests::full::Full};

/// Says of its first call that it failed, although it was carried out.
#[derive(Default)]
struct Liar(AtomicBool);

impl Disk for Liar {
    fn before<'a>(&'a self, _: &'a Mutex<Connection>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn after<'a>(&'a self, _: &'a Mutex<Connection>) -> BoxFuture<'a, Result<(), StoreError>> {
        let lied = self.0.swap(true, Ordering::Relaxed);
        Box::pin(async move {
            if lied {
                Ok(())
            } else {
                Err(StoreError::Sqlite(assay_sqlite::Error::Gone))
            }
        })
    }
}

#[tokio::test]
async fn transaction_that_was_not_sent_is_not_left_to_a_restart() {
    let node = Node::start().await;
    node.world().land = Some(land);
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.sqlite");
    let store = Store::open_simulated(&journal, Arc::new(Liar::default())).unwrap();
    let submitter = over(&[&node], store);
    let outcome = submitter.submit(purpose(Step::Commit)).await;
    assert_eq!(outcome, Submitted::Expired, "not sent");
    assert_eq!(node.count("sendTransaction"), 0);
    assert!(submitter.store.pending_transactions().unwrap().is_empty());
    // Another blockhash is asked for: the same bytes would be taken for the ones that were given up.
    submitter.submit(purpose(Step::Commit)).await;
    assert_eq!(node.count("getLatestBlockhash"), 2);
}

#[tokio::test]
async fn full_disk_holds_back_claims_and_no_finalize() {
    let node = Node::start().await;
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.sqlite");
    let disk = Arc::new(Full::default());
    let store = Store::open_simulated(&journal, Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
    let submitter = over(&[&node], store);
    disk.fill(true);
    let outcome = submitter.submit(purpose(Step::Claim)).await;
    assert_eq!(outcome, Submitted::Expired, "not sent");
    assert_eq!(node.count("sendTransaction"), 0);
    let submitting = tokio::spawn({
        let submitter = Arc::clone(&submitter);
        async move { submitter.submit(purpose(Step::Finalize)).await }
    });
    while node.count("sendTransaction") == 0 {
        tokio::task::yield_now().await;
    }
    let sent = node.world().sent[0].clone();
    // There is room again before it lands: it is noted with its end and its fee.
    disk.fill(false);
    land(&mut node.world(), &sent);
    assert_eq!(submitting.await.unwrap(), Submitted::Landed);
    assert!(submitter.store.pending_transactions().unwrap().is_empty());
    let costs = submitter.store.costs(UnixSeconds(0)).unwrap();
    let finalized: Vec<_> = costs.iter().map(|cost| (&*cost.step, cost.fee)).collect();
    assert_eq!(finalized, [("finalize", 5_000)]);
}
