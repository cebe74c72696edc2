//! Runs what waits, on engines of its own.
//!
//! Each run is a task, so that a request that is given up ends no engine: it leaves the queue, or its answer is dropped.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use assay_engine::{Form, Sequence, Step, Tensor};
use bytes::Bytes;
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    ServeError,
    models::Served,
    queue::{Full, Next, Queue, QueueLimits, Turn, Waiting},
};
use crate::{driver::Engines, metrics};

mod failure;
mod run;

use run::Apart;

/// Longest time after which it is worth asking again.
const LONGEST_RETRY: u64 = 60;

/// Seconds after which another generation may have ended.
const MEMORY_RETRY: u64 = 2;

/// The engines of sessions, and who waits for them.
pub struct Runner {
    host: Arc<dyn Engines>,
    /// Of one run.
    limit: Duration,
    engines: usize,
    line: Mutex<Line>,
    /// Microseconds that the last run took.
    took: AtomicU64,
}

struct Line {
    queue: Queue<Asked>,
    /// When somebody looks whether a run has waited long enough for others.
    wakes: Option<Instant>,
}

/// What a run is given.
pub struct Input {
    /// A safetensors file that fits the model.
    pub file: Bytes,
    /// With whom it can share a run; none if with nobody.
    pub form: Option<Form>,
    /// If it is one of a sequence.
    pub step: Option<(Arc<Sequence>, Step)>,
}

/// One request.
struct Asked {
    served: Arc<Served>,
    input: Bytes,
    step: Option<(Arc<Sequence>, Step)>,
    answer: oneshot::Sender<Result<Vec<Tensor>, ServeError>>,
}

impl Asked {
    fn most_rows(&self) -> usize {
        self.served.sharing.most_rows()
    }
}

impl Runner {
    pub fn new(host: Arc<dyn Engines>, limits: QueueLimits, limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            host,
            limit,
            engines: limits.engines.max(1),
            line: Mutex::new(Line {
                queue: Queue::new(limits),
                wakes: None,
            }),
            took: AtomicU64::new(0),
        })
    }

    /// The model's outputs for an input that fits it. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// Any [`ServeError`] but [`ServeError::Unknown`].
    pub async fn run(
        self: &Arc<Self>,
        served: &Arc<Served>,
        input: Input,
        turn: Turn,
    ) -> Result<Vec<Tensor>, ServeError> {
        let (answer, answered) = oneshot::channel();
        let Input { file, form, step } = input;
        let size = file.len();
        let asked = Asked {
            served: Arc::clone(served),
            input: file,
            step,
            answer,
        };
        let model = served.model.digest();
        let pushed = self
            .line()
            .queue
            .push(model, turn, (form, size), asked, Instant::now());
        let ticket = pushed.map_err(|full| self.busy(full))?;
        let mut place = Place {
            runner: Some(self),
            served,
            ticket,
        };
        self.dispatch();
        let answer = answered.await;
        place.runner = None;
        answer.unwrap_or_else(|_| {
            let text = "the run broke off, and nothing is known of its answer; ask again";
            Err(ServeError::Unavailable(text.into()))
        })
    }

    /// Room for what an engine keeps between the runs of a sequence.
    ///
    /// # Errors
    /// [`ServeError::Busy`] if there is too little memory for so many bytes.
    pub fn sequence(&self, bytes: u64) -> Result<Sequence, ServeError> {
        self.host.sequence(bytes).ok_or_else(|| ServeError::Busy {
            text: format!(
                "models and other generations leave no {bytes} bytes of memory for this one; ask for fewer tokens, or \
                 again later"
            ),
            retry_after_secs: MEMORY_RETRY,
        })
    }

    /// How many requests for a model wait.
    pub fn waiting(&self, served: &Served) -> usize {
        self.line().queue.waiting(&served.model.digest())
    }

    /// Has every free engine do what waits.
    fn dispatch(self: &Arc<Self>) {
        // While the runtime ends there is nobody to do it.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        loop {
            let next = {
                let mut line = self.line();
                let next = line.queue.next(Instant::now(), Asked::most_rows);
                if let Next::At(at) = &next {
                    if line.wakes.is_some_and(|wakes| wakes <= *at) {
                        return;
                    }
                    line.wakes = Some(*at);
                }
                next
            };
            match next {
                Next::Run(run) => {
                    let slot = Slot(Arc::clone(self));
                    runtime.spawn(async move { slot.0.go(run).await });
                }
                Next::At(at) => {
                    let runner = Arc::clone(self);
                    runtime.spawn(async move {
                        sleep_until(at).await;
                        runner.line().wakes.take_if(|wakes| *wakes == at);
                        runner.dispatch();
                    });
                    return;
                }
                Next::Nothing => return,
            }
        }
    }

    /// One run: of one request, or of several together.
    async fn go(&self, run: Vec<Waiting<Asked>>) {
        let started = Instant::now();
        let waited = run.iter().map(|one| started.duration_since(one.since));
        metrics::sessions_run(waited);
        let Apart { requests, fewer } = match run.as_slice() {
            [] | [_] => Apart::of(run),
            _ => self.together(run).await,
        };
        let mut is_one_too_much = false;
        for one in requests {
            is_one_too_much |= self.alone(one).await;
        }
        if let Some((served, fewer)) = fewer {
            served.sharing.settle(fewer, is_one_too_much);
        }
        let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.took.store(took, Ordering::Relaxed);
    }

    fn busy(&self, Full(waiting): Full) -> ServeError {
        let took = Duration::from_micros(self.took.load(Ordering::Relaxed));
        let runs = waiting.checked_div(self.engines).unwrap_or(waiting);
        let runs = u32::try_from(runs).unwrap_or(u32::MAX);
        let until = took.saturating_mul(runs).as_secs().saturating_add(1);
        ServeError::Busy {
            text: format!("{waiting} requests wait for this model already; ask again later"),
            retry_after_secs: until.min(LONGEST_RETRY),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Whole after every statement, so a panic elsewhere does not spoil it.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An engine that is taken. Whatever becomes of the run, the next one follows it.
struct Slot(Arc<Runner>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.line().queue.ended();
        self.0.dispatch();
    }
}

/// A place in the queue.
struct Place<'a> {
    /// None once there is an answer.
    runner: Option<&'a Arc<Runner>>,
    served: &'a Served,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(runner) = self.runner {
            let model = self.served.model.digest();
            runner.line().queue.withdraw(&model, self.ticket);
        }
    }
}

#[cfg(test)]
mod tests;
