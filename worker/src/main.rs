use std::{io::Write, path::Path, process::ExitCode};

use anyhow::Context;
use assay_client::protocol::Address;
use assay_worker::{
    args::{Args, Command},
    config::{self, Config, Layers},
    disputes,
    halt::Halt,
    init, logging, run, status,
};
use clap::Parser;

/// Wrong usage or configuration, as in sysexits.h.
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    // Before anything else: the child has an empty environment and owns its pipes.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == "engine")
    {
        return assay_engine::child_main();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let status = if error.use_stderr() {
                ExitCode::from(EX_USAGE)
            } else {
                ExitCode::SUCCESS
            };
            // A closed pipe is no reason to fail.
            let _ = error.print();
            return status;
        }
    };
    if let Command::Init { authority } = &args.command {
        return end(initialise(&args.config, authority.as_deref()));
    }
    let config = match read_config(&args) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(EX_USAGE);
        }
    };
    match args.command {
        Command::CheckConfig => end(print_config(&config)),
        Command::Run { halt_at } => {
            if let Err(error) = logging::install(&config.log) {
                eprintln!("error: {error}");
                return ExitCode::from(EX_USAGE);
            }
            end(block_on(run::run(config, Halt(halt_at))))
        }
        Command::Status { json, jobs } => end(show_status(&config, json, jobs)),
        Command::Disputes { job, json, count } => match job.map(|job| job.parse()).transpose() {
            Ok(job) => end(show_disputes(&config, job.as_ref(), json, count)),
            Err(_) => {
                eprintln!("error: this is no address; give the job's, in base58");
                ExitCode::from(EX_USAGE)
            }
        },
        Command::Init { .. } | Command::Engine => ExitCode::from(EX_USAGE),
    }
}

fn end(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read_config(args: &Args) -> Result<Config, config::ConfigError> {
    let mut config = config::load(&Layers {
        file: args.config.clone(),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        flags: args.set.clone(),
    })?;
    if let Some(format) = args.log_format {
        config.log.format = format;
    }
    Ok(config)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

fn print_config(config: &Config) -> anyhow::Result<()> {
    let text = toml::to_string(config).context("the configuration cannot be printed")?;
    print(&text)?;
    eprintln!("the configuration is valid; above is what is in force");
    Ok(())
}

fn show_status(config: &Config, json: bool, jobs: u32) -> anyhow::Result<()> {
    let status = block_on(status::read(config, jobs))?;
    if json {
        print(&format!("{}\n", serde_json::to_string_pretty(&status)?))
    } else {
        print(&status.text())
    }
}

fn show_disputes(
    config: &Config,
    job: Option<&Address>,
    json: bool,
    count: u32,
) -> anyhow::Result<()> {
    let disputes = disputes::read(config, job, count)?;
    if json {
        print(&format!("{}\n", serde_json::to_string_pretty(&disputes)?))
    } else {
        print(&disputes.text())
    }
}

fn initialise(config: &Path, authority: Option<&str>) -> anyhow::Result<()> {
    let made = init::init(config, authority)?;
    let how = if made.key_kept { "kept" } else { "written" };
    eprintln!(
        "{} written, {} {how}",
        made.config.display(),
        made.key.display()
    );
    match authority {
        Some(authority) => eprintln!("Next, with the key of {authority}:"),
        None => {
            eprintln!("Next, set `authority` in the file to your cold wallet, and with its key:")
        }
    }
    eprintln!(
        "  assay provider register --operator {} --endpoint <api.public_url>",
        made.operator
    );
    eprintln!("  assay stake deposit <SOL>");
    eprintln!("  assay provider fund 0.05   # the operator's fees");
    eprintln!("  assay-worker run --config {}", made.config.display());
    print(&format!("{}\n", made.operator))
}

fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("stdout cannot be written"),
    }
}
