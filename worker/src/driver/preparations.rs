//! Preparations under way: few at once, and none that nobody waits for any more.

use std::{collections::BTreeMap, sync::Arc};

use assay_client::protocol::Address;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::machine::Threads;

pub struct Preparations {
    /// One for each that may run; one that was cancelled keeps its until it has really ended.
    slots: Arc<Semaphore>,
    /// The latest of each job that is still waited for.
    wanted: BTreeMap<Address, (u64, CancellationToken)>,
    started: u64,
    threads: Threads,
}

impl Preparations {
    pub fn new(at_once: usize, threads: Threads) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS))),
            wanted: BTreeMap::new(),
            started: 0,
            threads,
        }
    }

    /// The preparation of a job on a thread that may block, and its number; none if it was
    /// cancelled. What is `urgent`, because it is claimed, waits for no other.
    pub fn start<T: Send + 'static>(
        &mut self,
        job: Address,
        urgent: bool,
        work: impl Future<Output = T> + Send + 'static,
    ) -> (u64, impl Future<Output = Option<T>> + Send + 'static) {
        self.started += 1;
        let cancel = CancellationToken::new();
        if let Some((_, before)) = self.wanted.insert(job, (self.started, cancel.clone())) {
            before.cancel();
        }
        let (slots, threads) = (Arc::clone(&self.slots), self.threads);
        let preparation = async move {
            let slot = if urgent {
                None
            } else {
                let slot = cancel.run_until_cancelled(slots.acquire_owned()).await?;
                Some(slot.ok()?)
            };
            let ended = threads.run(async move {
                let _slot = slot;
                cancel.run_until_cancelled(work).await
            });
            ended.await.flatten()
        };
        (self.started, preparation)
    }

    /// Whether this one is still waited for; then it is no more.
    pub fn finish(&mut self, job: &Address, number: u64) -> bool {
        let latest = self
            .wanted
            .get(job)
            .is_some_and(|(latest, _)| *latest == number);
        if latest {
            self.wanted.remove(job);
        }
        latest
    }

    pub fn cancel(&mut self, job: &Address) {
        if let Some((_, cancel)) = self.wanted.remove(job) {
            cancel.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn job(number: u8) -> Address {
        Address::new_from_array([number; 32])
    }

    #[tokio::test]
    async fn cancelled_preparation_makes_room_and_is_not_taken() {
        let mut preparations = Preparations::new(1, Threads::Many);
        let (began, begun) = oneshot::channel();
        let (first, hanging) = preparations.start(job(1), false, async move {
            began.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        let hanging = tokio::spawn(hanging);
        begun.await.unwrap();
        let (second, waiting) = preparations.start(job(2), false, async { "second" });
        let mut waiting = tokio::spawn(waiting);
        let (urgent, claimed) = preparations.start(job(3), true, async { "claimed" });
        assert_eq!(claimed.await, Some("claimed"), "waits for no slot");
        assert!(preparations.finish(&job(3), urgent));
        assert!(
            futures_util::poll!(&mut waiting).is_pending(),
            "the only slot is taken"
        );

        preparations.cancel(&job(1));
        assert_eq!(hanging.await.unwrap(), None);
        assert!(!preparations.finish(&job(1), first));
        assert_eq!(waiting.await.unwrap(), Some("second"));
        assert!(preparations.finish(&job(2), second));
        assert!(!preparations.finish(&job(2), second), "taken once");
    }

    #[tokio::test]
    async fn later_preparation_of_a_job_replaces_the_earlier() {
        let mut preparations = Preparations::new(2, Threads::Many);
        let (first, hanging) = preparations.start(job(1), false, std::future::pending::<()>());
        let (second, quick) = preparations.start(job(1), false, async {});
        assert_eq!((hanging.await, quick.await), (None, Some(())));
        assert!(!preparations.finish(&job(1), first));
        assert!(preparations.finish(&job(1), second));
    }
}
