//! What a run took, told to the driver as soon as it is known.

use std::time::Duration;

use assay_client::protocol::JobData;
use assay_engine::{EngineError, Model, Outcome, RuntimeFault};
use tokio::sync::mpsc;

use super::{Chain, Driver, Effect, Input, machine::Engines};
use crate::core::{Size, Took};

/// What the engines call it.
const RUNNING: &str = "run the model";

/// Measures the runs of one job.
#[derive(Clone)]
pub struct Meter {
    sender: mpsc::Sender<Input>,
    size: Size,
}

impl Meter {
    pub fn new(sender: mpsc::Sender<Input>, job: &JobData) -> Self {
        Self {
            sender,
            size: Size::of(job.model_digest, job.input_bytes),
        }
    }

    /// Tells how long a run took. The engines' own clock is without the wait for a place.
    pub async fn note(
        &self,
        host: &dyn Engines,
        model: &Model,
        ended: &Result<Outcome, EngineError>,
        elapsed: Duration,
    ) {
        let took = match ended {
            Ok(_) | Err(EngineError::Runtime(RuntimeFault::OutputTooLarge { .. })) => {
                let known = host.measured(&model.digest());
                if let Some(load) = known.as_ref().and_then(|known| known.load_ms) {
                    let load = Took::Ended(millis(Duration::from_secs_f64(load / 1_000.0)));
                    self.tell(Size::loading(self.size.model), load).await;
                }
                let sample = known.and_then(|known| known.samples.last().copied());
                let took = sample.map_or(elapsed, |sample| sample.took.min(elapsed));
                Took::Ended(millis(took))
            }
            Err(EngineError::TimedOut { doing, limit }) if *doing == RUNNING => {
                Took::Unfinished(millis(*limit))
            }
            // Says nothing of the time that it would have taken.
            Err(_) => return,
        };
        self.tell(self.size, took).await;
    }

    async fn tell(&self, size: Size, took: Took) {
        let measured = Input::Effect(Effect::Measured(size, took));
        // The driver holds the other end for as long as it lives.
        let _ = self.sender.send(measured).await;
    }
}

/// Whether the run itself took too long, not what came before it.
pub fn is_too_long(error: &EngineError) -> bool {
    matches!(error, EngineError::TimedOut { doing, .. } if *doing == RUNNING)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl<C: Chain> Driver<C> {
    /// Both cores learn of it, and the journal where it is news.
    pub(super) fn measured(&mut self, size: Size, took: Took) {
        let now = self.now;
        self.audits.core.handle_measured(size, took, now);
        let Some(known) = self.core.handle_measured(size, took, now) else {
            return;
        };
        let (store, runtime) = (self.parts.store.clone(), self.parts.runtime.clone());
        tokio::spawn(async move {
            let saving =
                move |store: &crate::store::Store| store.save_measured(&runtime, size, &known);
            if let Err(error) = store.call(saving).await {
                tracing::warn!(%error, "what a run took is not in the journal");
            }
        });
    }
}
