//! What the end of an engine's process says about why it ended.

use std::process::ExitStatus;

use crate::error::{EngineError, RuntimeFault};

/// Last words of a process that asked for memory and got none: Rust's, C++'s, the C library's.
const NO_MEMORY: [&str; 4] = [
    "memory allocation of",
    "bad_alloc",
    "Cannot allocate memory",
    "out of memory",
];

/// An engine's end, while it was to do something. `shown` is whether it had a model by then: what
/// breaks afterwards was broken by the model. A hostile one chooses its last words, and can make its
/// crash look like a want of memory; it is then tried again elsewhere, which gains it nothing.
pub fn explain(doing: &'static str, status: ExitStatus, said: String, shown: bool) -> EngineError {
    let cause = cause(status);
    match cause {
        Cause::Sandbox if shown => EngineError::BrokeOut { doing },
        Cause::Sandbox => RuntimeFault::SandboxTooTight { said }.into(),
        Cause::Time => EngineError::UsedUpTime { doing },
        Cause::Killed => RuntimeFault::Killed {
            doing: doing.to_owned(),
        }
        .into(),
        Cause::Other if NO_MEMORY.iter().any(|words| said.contains(words)) => {
            RuntimeFault::OutOfMemory {
                reason: format!("the engine had no more while it was to {doing}, and said: {said}"),
            }
            .into()
        }
        Cause::Other => {
            let status = status.to_string();
            if shown {
                EngineError::ModelCrashed {
                    doing,
                    status,
                    said,
                }
            } else {
                EngineError::Crashed {
                    doing,
                    status,
                    said,
                }
            }
        }
    }
}

enum Cause {
    /// A system call that the sandbox does not allow.
    Sandbox,
    /// The limit on processor time.
    Time,
    /// By somebody; by us only after an error that says so.
    Killed,
    Other,
}

#[cfg(unix)]
fn cause(status: ExitStatus) -> Cause {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::Signal;

    match status.signal() {
        Some(signal) if signal == Signal::SYS.as_raw() => Cause::Sandbox,
        Some(signal) if signal == Signal::XCPU.as_raw() => Cause::Time,
        Some(signal) if signal == Signal::KILL.as_raw() => Cause::Killed,
        Some(_) | None => Cause::Other,
    }
}

#[cfg(not(unix))]
fn cause(_: ExitStatus) -> Cause {
    Cause::Other
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::error::Fault;

    #[test]
    fn ends_are_told_apart() {
        // Signal, exit code in the upper byte, last words, whether a model was shown.
        let cases = [
            (31, "nothing", true, "engine_broke_out", Fault::Job),
            (31, "nothing", false, "sandbox_too_tight", Fault::Setup),
            (24, "nothing", true, "engine_used_up_time", Fault::Run),
            (9, "nothing", true, "out_of_memory", Fault::Run),
            (
                6,
                "memory allocation of 64 bytes failed",
                true,
                "out_of_memory",
                Fault::Run,
            ),
            (
                6,
                "what(): std::bad_alloc",
                false,
                "out_of_memory",
                Fault::Run,
            ),
            (6, "assertion failed", true, "model_crashed", Fault::Job),
            (11, "nothing", true, "model_crashed", Fault::Job),
            (11, "nothing", false, "engine_crashed", Fault::Run),
            (3 << 8, "broken", false, "engine_crashed", Fault::Run),
            (3 << 8, "broken", true, "model_crashed", Fault::Job),
        ];
        for (raw, said, shown, code, fault) in cases {
            let status = ExitStatus::from_raw(raw);
            let error = explain("run the model", status, said.into(), shown);
            assert_eq!((error.code(), error.fault()), (code, fault), "{raw} {said}");
        }
    }
}
