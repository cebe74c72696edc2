//! What a requester is told of an engine's failure. The rest is the operator's, in the log.

use assay_engine::{EngineError, RuntimeFault};

use super::{Runner, Served};
use crate::serving::ServeError;

/// What engines do while they run a model.
pub(super) const RUNNING: &str = "run the model";

impl Runner {
    /// Why a request that was run alone has no answer.
    pub(super) async fn told(&self, error: &EngineError, served: &Served) -> ServeError {
        match error {
            EngineError::Input(mismatch) => return ServeError::InputMismatch(mismatch.to_string()),
            // What this model makes of this input, at any time.
            EngineError::Runtime(RuntimeFault::OutputTooLarge { .. }) => {
                return ServeError::ModelFailed(error.to_string());
            }
            EngineError::Model(_)
            | EngineError::Runtime(_)
            | EngineError::Spawn { .. }
            | EngineError::Crashed { .. }
            | EngineError::ModelCrashed { .. }
            | EngineError::BrokeOut { .. }
            | EngineError::UsedUpTime { .. }
            | EngineError::TimedOut { .. }
            | EngineError::Nonsense { .. }
            | EngineError::Stopped { .. }
            | EngineError::GaveWay { .. } => {}
        }
        let code = error.code();
        tracing::warn!(model = hex::encode(served.model.digest().0), code, %error, "a session's run failed");
        // It was this input if nothing is wrong with the machine: a new engine loads the model and warms it up, in the
        // memory and the time that are left, and the one that failed held nothing for others.
        if may_be_the_inputs(error) && self.host.load_anew(&served.model).await.is_ok() {
            return ServeError::RunLost(format!(
                "the model did not get to an answer for this input ({code}), with {} s and the memory that a run may \
                 have here; ask for less at once",
                self.limit.as_secs()
            ));
        }
        ServeError::Unavailable(format!(
            "the worker could not run the model ({code}); ask again, or another worker"
        ))
    }
}

/// Whether less at once may do.
pub(super) fn takes_too_much(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::TimedOut { doing: RUNNING, .. }
            | EngineError::UsedUpTime { doing: RUNNING }
            | EngineError::GaveWay { doing: RUNNING }
            | EngineError::Runtime(RuntimeFault::OutOfMemory { .. })
    )
}

/// Whether an input can be what ended the run.
fn may_be_the_inputs(error: &EngineError) -> bool {
    match error {
        EngineError::TimedOut { doing, .. }
        | EngineError::UsedUpTime { doing }
        | EngineError::Crashed { doing, .. }
        | EngineError::ModelCrashed { doing, .. }
        | EngineError::BrokeOut { doing }
        | EngineError::Nonsense { doing, .. } => *doing == RUNNING,
        EngineError::Runtime(
            RuntimeFault::OutOfMemory { .. }
            | RuntimeFault::Device { .. }
            | RuntimeFault::Unexpected { .. },
        ) => true,
        EngineError::Runtime(
            RuntimeFault::LibraryMissing { .. }
            | RuntimeFault::LibraryUnusable { .. }
            | RuntimeFault::ProviderUnavailable { .. }
            | RuntimeFault::Unconfined { .. }
            | RuntimeFault::SandboxTooTight { .. }
            | RuntimeFault::OutputTooLarge { .. }
            // By the kernel or its operator: an input that takes more than it may is ended by us.
            | RuntimeFault::Killed { .. },
        )
        | EngineError::Model(_)
        | EngineError::Input(_)
        | EngineError::Spawn { .. }
        | EngineError::Stopped { .. }
        | EngineError::GaveWay { .. } => false,
    }
}
