use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "engine") {
        return assay_worker::engine::child_main();
    }
    ExitCode::from(64)
}
