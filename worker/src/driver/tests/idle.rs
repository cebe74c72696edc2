//! What an idle worker asks of its node.

use std::collections::BTreeMap;

use super::*;

/// Readings of the chain between two looks at what was asked.
const READINGS: usize = 30;
const READING: &str = "getMultipleAccounts";

impl Worker {
    async fn until_read(&self, times: usize) {
        while self.node.count(READING) < times {
            assert!(!self.driver.is_finished());
            tokio::task::yield_now().await;
        }
    }

    /// What is asked for in so many readings, by method.
    async fn asked_in(&self, readings: usize) -> BTreeMap<String, usize> {
        let before = self.node.world().calls.len();
        self.until_read(self.node.count(READING) + readings).await;
        let mut asked = BTreeMap::new();
        for method in self.node.world().calls.iter().skip(before) {
            *asked.entry(method.clone()).or_default() += 1;
        }
        asked
    }
}

/// Time is not waited for: what a reading and a list ask is counted, and how often they come is the
/// configuration's default, which `pace` keeps to.
#[tokio::test]
async fn idle_worker_asks_at_most_once_in_four_seconds() {
    let worker = Worker::with(|world, _, operator| {
        // Enough for fees, so that it looks for work.
        let account = Account {
            lamports: 1_000_000_000,
            ..owned(vec![])
        };
        world.accounts.insert(operator, account);
    });
    let worker = worker.await;
    let hint = || worker.inputs.try_send(Input::Hints(true)).ok().unwrap();
    hint();
    worker.until_read(READINGS).await;
    let mut idle = worker.asked_in(READINGS).await;
    assert_eq!(idle.remove(READING), Some(READINGS), "one for a reading");
    assert_eq!(idle, BTreeMap::new(), "and nothing besides");
    // A websocket that begins to tell has everything read and listed once.
    hint();
    let mut listed = worker.asked_in(READINGS).await;
    listed.remove(READING);
    let list: usize = listed.values().sum();
    assert_eq!(
        list, 3,
        "open jobs, then judged ones of two kinds: {listed:?}"
    );
    let chain = Config::default().chain;
    let per_second = |every_ms: u64| 1_000.0 / every_ms as f64;
    let asked = per_second(chain.idle_poll_ms) + list as f64 * per_second(chain.idle_list_ms);
    assert!(asked <= 0.25, "{asked} requests a second");
    println!("idle: {asked:.3} requests a second");
    worker.end().await;
}
