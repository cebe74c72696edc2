//! What a requester is told of an engine's failure. The rest is the operator's, in the log.

use assay_engine::{EngineError, Model, RuntimeFault};

use super::ServeError;

pub(super) fn told(error: &EngineError, model: &Model) -> ServeError {
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
    tracing::warn!(model = hex::encode(model.digest().0), code, %error, "a session's run failed");
    ServeError::Unavailable(format!(
        "the worker could not run the model ({code}); ask again, or another worker"
    ))
}
