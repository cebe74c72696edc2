//! Effects in tasks of their own, whose ends come back through the queue.

use super::{Chain, Driver, Effect, Input};

impl<C: Chain> Driver<C> {
    /// Runs an effect whose end comes back through the queue.
    pub(super) fn spawn(&mut self, effect: impl Future<Output = Effect> + Send + 'static) {
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            // The driver holds the other end for as long as it lives.
            let _ = sender.send(Input::Effect(effect.await)).await;
        });
    }

    /// The same for work that reads and hashes large files: on a thread that may block.
    pub(super) fn spawn_heavy(&mut self, effect: impl Future<Output = Effect> + Send + 'static) {
        let (sender, threads) = (self.sender.clone(), self.parts.threads);
        self.tasks.spawn(async move {
            if let Some(effect) = threads.run(effect).await {
                let _ = sender.send(Input::Effect(effect)).await;
            }
        });
    }
}
