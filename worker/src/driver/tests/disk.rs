//! A disk that is full, or nearly.

use tokio::sync::watch;

use super::*;
use crate::{
    core::{Pause, Snapshot},
    store::{Disk, tests::full::Full},
};

#[tokio::test]
async fn full_disk_ends_no_worker_and_withholds_no_pay() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Full::default());
    let path = folder.path().join("journal.sqlite");
    let store = Store::open_simulated(&path, Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
    let worker = Worker::on(
        folder,
        store,
        |_| (),
        |world, store, _| {
            // Its window is over in two seconds.
            let job = committed(10, 1_002);
            journal(store, 10, &job);
            world.accounts.insert(address(10), owned(encode(&job)));
        },
    );
    let worker = worker.await;
    let mut snapshot = worker.shared.snapshot.subscribe();
    let seen = async |snapshot: &mut watch::Receiver<Arc<Snapshot>>, committed| {
        let seen = snapshot.wait_for(|now| now.counts.committed == committed);
        drop(seen.await.unwrap());
    };
    seen(&mut snapshot, 1).await;
    disk.fill(true);
    worker.node.world().time = NOW + 3;
    // Nothing of it can be written: neither its transaction nor that it was paid.
    seen(&mut snapshot, 0).await;
    assert_eq!(worker.sent(), [[10]]);
    assert_eq!(worker.phase(10), "committed", "not written yet");
    assert!(!worker.driver.is_finished(), "it goes on");
    disk.fill(false);
    worker.until_settled(&[10]).await;
    worker.end().await;
}

#[tokio::test]
async fn nearly_full_disk_takes_no_new_work() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("journal.sqlite")).unwrap();
    let worker = Worker::on(
        folder,
        store,
        |parts| parts.free_disk = |_| Some(1_000),
        |_, _, _| (),
    );
    let worker = worker.await;
    let mut snapshot = worker.shared.snapshot.subscribe();
    let full = |snapshot: &Arc<Snapshot>| {
        let mut reasons = snapshot.reasons.iter();
        reasons.any(|reason| reason.pause == Pause::DiskFull)
    };
    let told = snapshot.wait_for(full).await.unwrap();
    assert!(!told.accepting);
    drop(told);
    worker.end().await;
}
