//! A thread of a file's own: what else a program does cannot keep its calls waiting.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
};

use tokio::sync::oneshot;

use crate::Error;

type Call = Box<dyn FnOnce() + Send>;

/// Carries out calls in their order, until its last clone is dropped.
#[derive(Clone)]
pub struct Thread(mpsc::Sender<Call>);

impl Thread {
    /// Starts it.
    ///
    /// # Errors
    /// [`Error::Gone`] when the system has no more threads.
    pub fn start(name: &str) -> Result<Self, Error> {
        let (calls, waiting) = mpsc::channel::<Call>();
        let run = move || {
            for call in waiting {
                // Whoever waits for a call that panics is told that it is gone.
                let _ = catch_unwind(AssertUnwindSafe(call));
            }
        };
        let started = std::thread::Builder::new().name(name.into()).spawn(run);
        started.map(|_| Self(calls)).map_err(|_| Error::Gone)
    }

    /// Carries out a call after those asked for before. It is carried out also if nobody waits for its answer.
    ///
    /// # Errors
    /// [`Error::Gone`] when it panicked.
    pub async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (done, ended) = oneshot::channel();
        let call: Call = Box::new(move || {
            let _ = done.send(call());
        });
        self.0.send(call).map_err(|_| Error::Gone)?;
        ended.await.map_err(|_| Error::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn call_that_panics_is_gone_and_the_next_is_answered() {
        let thread = Thread::start("test").unwrap();
        let panicking = thread.call(|| panic!("on purpose")).await;
        assert!(matches!(panicking, Err::<(), _>(Error::Gone)));
        assert_eq!(thread.call(|| 3).await.unwrap(), 3);
    }
}
