//! Who looks when an idle engine's time is over.

use std::sync::{Arc, Weak};

use tokio::time::{Instant, sleep_until};

use super::Inner;

impl Inner {
    /// Sees to it that somebody looks when an idle engine's time is over.
    pub fn sweep(self: &Arc<Self>) {
        let mut floor = self.floor();
        let Some(wakes) = floor.pool.wakes(Instant::now()) else {
            return;
        };
        let asleep = floor.sweep.replace(wakes);
        if asleep.is_none() {
            tokio::spawn(sweeper(Arc::downgrade(self), wakes));
        } else if asleep.is_some_and(|asleep| wakes < asleep) {
            self.wake_sweeper.notify_one();
        } else {
            floor.sweep = asleep;
        }
    }
}

/// Ends when there is nothing more to look for.
async fn sweeper(host: Weak<Inner>, mut wakes: Instant) {
    loop {
        let Some(woken) = host.upgrade().map(|inner| Arc::clone(&inner.wake_sweeper)) else {
            return;
        };
        tokio::select! {
            () = sleep_until(wakes) => {}
            () = woken.notified() => {}
        }
        let Some(inner) = host.upgrade() else { return };
        let ended = {
            let mut floor = inner.floor();
            let now = Instant::now();
            let ended = floor.step(now);
            floor.sweep = floor.pool.wakes(now);
            match floor.sweep {
                Some(next) => wakes = next,
                None => return,
            }
            ended
        };
        drop(ended);
    }
}
