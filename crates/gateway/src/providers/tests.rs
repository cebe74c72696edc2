//! Directories over providers on loopback. The clock is moved by hand, and stands for none of the connections.

use std::sync::atomic::Ordering;

use super::*;
use crate::{
    sessions::tests::{FLAT, World, config, provider::MODEL},
    upstream::{Upstream as _, UpstreamError},
};

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Waits for the reading that was just begun, if one was.
async fn settle(directory: &Directory) {
    tokio::task::yield_now().await;
    let _reading = directory.reading.lock().await;
}

#[tokio::test]
async fn list_is_read_again_where_somebody_may_be_missed_but_not_twice_in_two_seconds() {
    let world = World::new();
    let lists = || world.chain.lists.load(Ordering::SeqCst);
    let sessions = world.sessions(config()).await;
    let directory = sessions.directory();
    let first = world.provider(1, FLAT).await;
    let before = directory.offering(&MODEL).await.unwrap();
    assert_eq!((before.len(), lists()), (1, 1));

    let second = world.provider(2, FLAT).await;
    for (wait, read) in [(0, 1), (1_900, 1), (200, 2), (1_900, 2), (200, 3)] {
        pass(Duration::from_millis(wait)).await;
        for _ in 0..3 {
            directory.look_again();
        }
        settle(directory).await;
        assert_eq!(lists(), read, "after another {wait} ms");
    }
    let offering = directory.offering(&MODEL).await.unwrap();
    let accounts: Vec<Address> = offering.iter().map(|one| one.provider.account).collect();
    assert_eq!(accounts, [first.account, second.account]);
    // Whose offer was known was not asked again.
    assert!(Arc::ptr_eq(&offering[0].provider, &before[0].provider));
}

#[tokio::test]
async fn only_who_is_new_is_asked_and_who_is_gone_is_dropped() {
    let world = World::new();
    let _first = world.provider(1, FLAT).await;
    let gone = world.provider(2, FLAT).await;
    let nobody = world
        .chain
        .register(Address::default(), "http://127.0.0.1:1");
    let sessions = world.sessions(config()).await;
    let directory = sessions.directory();
    directory.listed().await.unwrap();
    let before = directory.last();
    assert_eq!(before.offers.len(), 2);

    world.chain.providers.lock().unwrap().remove(1);
    world.chain.providers.lock().unwrap()[0].1.generation += 1;
    pass(Duration::from_secs(2)).await;
    directory.look_again();
    settle(directory).await;
    let after = directory.last();
    assert!(
        !after
            .offers
            .iter()
            .any(|(provider, _)| provider.account == gone.account)
    );
    // Its registration is another, so it was asked again.
    assert_eq!(after.offers[0].0.generation, 6);
    assert_eq!(after.silent, before.silent);
    assert_eq!(after.silent[0].0, nobody);
}

#[tokio::test]
async fn chain_that_is_away_is_not_asked_more_often_either() {
    let world = World::new();
    let lists = || world.chain.lists.load(Ordering::SeqCst);
    let sessions = world.sessions(config()).await;
    let directory = sessions.directory();
    world.provider(1, FLAT).await;
    directory.listed().await.unwrap();
    world.chain.unreachable.store(true, Ordering::SeqCst);
    pass(Duration::from_secs(2)).await;
    for _ in 0..3 {
        directory.look_again();
        settle(directory).await;
        assert_eq!(lists(), 2);
    }
    // Who was known still is.
    assert_eq!(directory.offering(&MODEL).await.unwrap().len(), 1);
}

#[tokio::test]
async fn request_for_what_nobody_offers_finds_who_has_just_registered() {
    let world = World::new();
    let sessions = world.sessions(config()).await;
    let ask = || sessions.run(MODEL, vec![1].into());
    assert!(matches!(ask().await, Err(UpstreamError::ModelUnknown(_))));
    world.provider(1, FLAT).await;
    pass(Duration::from_secs(2)).await;
    assert!(matches!(ask().await, Err(UpstreamError::ModelUnknown(_))));
    settle(sessions.directory()).await;
    ask().await.unwrap();
}

#[tokio::test]
async fn name_that_nobody_offers_is_looked_for_too() {
    let world = World::new();
    let sessions = world.sessions(config()).await;
    assert!(sessions.models().await.unwrap().is_empty());
    world.provider(1, FLAT).await;
    pass(Duration::from_secs(2)).await;
    sessions.look_again();
    settle(sessions.directory()).await;
    assert_eq!(sessions.models().await.unwrap().len(), 1);
}
