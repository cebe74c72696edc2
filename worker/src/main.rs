use std::process::ExitCode;

use assay_worker::{
    args::Args,
    command::{self, EX_USAGE},
};
use clap::Parser;

fn main() -> ExitCode {
    // Before anything else: the child has an empty environment and owns its pipes.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == "engine")
    {
        return assay_engine::child_main();
    }
    match Args::try_parse() {
        Ok(args) => command::execute(args),
        Err(error) => {
            let status = if error.use_stderr() {
                ExitCode::from(EX_USAGE)
            } else {
                ExitCode::SUCCESS
            };
            // A closed pipe is no reason to fail.
            let _ = error.print();
            status
        }
    }
}
