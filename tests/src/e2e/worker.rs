//! A provider's real worker process.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions, Permissions},
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::PathBuf,
};

use anyhow::Result;
use assay_client::protocol::Address;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Process, Provider, Stage, binaries, gateway::Served, root};

/// What tests choose of a worker's configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    pub min_price: u64,
    /// Where to stop dead, for tests of what a crash leaves behind.
    pub halt_at: Option<&'static str>,
    /// Takes only jobs reserved for its provider.
    pub exclusive_only: bool,
    /// Takes seats on panels.
    pub audits: bool,
    /// Runs models with their weights rounded to int8.
    pub cheats: bool,
    /// What it serves to sessions; nothing where this is empty.
    pub sessions: Vec<Served>,
    /// The chain's address, where it is not the chain's own.
    pub rpc: Option<String>,
}

impl Default for Settings {
    /// Tests share a chain, so each worker takes what is meant for it.
    fn default() -> Self {
        Self {
            min_price: 0,
            halt_at: None,
            exclusive_only: true,
            audits: true,
            cheats: false,
            sessions: Vec::new(),
            rpc: None,
        }
    }
}

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    pub process: Process,
}

impl Worker {
    /// Starts the provider's worker and waits until it takes work.
    pub fn start(stage: &Stage, provider: &Provider, settings: &Settings) -> Result<Self> {
        let worker = Self::launch(stage, provider, settings)?;
        worker.wait_ready()?;
        Ok(worker)
    }

    /// Starts the provider's worker.
    pub fn launch(stage: &Stage, provider: &Provider, settings: &Settings) -> Result<Self> {
        let mut command = binaries::worker()?;
        command
            .arg("run")
            .arg("--config")
            .arg(configure(stage, provider, settings)?);
        if let Some(point) = settings.halt_at {
            command.args(["--halt-at", point]);
        }
        command.env("RUST_BACKTRACE", "0").env("NO_COLOR", "1");
        let name = format!("worker of {}", provider.address);
        Ok(Self {
            process: Process::start(&name, &mut command)?,
        })
    }

    /// Waits until it takes work.
    pub fn wait_ready(&self) -> Result<()> {
        let ready = |line: &str| line.contains("ready");
        self.process.wait_line("that it is ready", ready).map(drop)
    }

    /// Waits until these models are loaded and offered to sessions.
    pub fn wait_served(&self, models: &[Served]) -> Result<()> {
        for model in models {
            let name = format!("name={:?}", model.name);
            self.process
                .wait_line(&format!("that it serves {}", model.name), |line| {
                    line.contains("a model is served to sessions") && line.contains(&name)
                })?;
        }
        Ok(())
    }

    /// Waits until it has stopped dead.
    pub fn wait_halt(&self, point: &str) -> Result<()> {
        let said = format!("halted at {point}");
        self.process.wait_line(&said, |line| line == said).map(drop)
    }

    /// Waits for a log line about this job with this text.
    pub fn wait_log(&self, job: &Address, text: &str) -> Result<String> {
        let job = job.to_string();
        self.process
            .wait_line(&format!("{text:?} of job {job}"), |line| {
                line.contains(&job) && line.contains(text)
            })
    }
}

/// Writes key and configuration, as `assay-worker init` would, with short pauses and nothing but this machine.
fn configure(stage: &Stage, provider: &Provider, settings: &Settings) -> Result<PathBuf> {
    write_key(&provider.folder.join("operator.json"), &provider.operator)?;
    let engine = if settings.cheats {
        format!("program = {:?}", binaries::cheap_engine()?)
    } else {
        String::new()
    };
    let served: Vec<String> = settings
        .sessions
        .iter()
        .map(Served::line)
        .collect::<Result<_>>()?;
    // The folders of the served models, and the one where jobs' models lie.
    let files = settings
        .sessions
        .iter()
        .map(|served| root().join(served.file));
    let folders = files.filter_map(|file| file.parent().map(PathBuf::from));
    let folders: BTreeSet<PathBuf> = folders.chain([root().join("models")]).collect();
    let folders: Vec<String> = folders.iter().map(|folder| format!("{folder:?}")).collect();
    let text = format!(
        r#"
authority = "{authority}"
operator = "operator.json"
data_dir = "data"

[chain]
rpc = ["{rpc}"]
websocket = "{websocket}"
poll_ms = 250
look_ms = 100
resend_ms = 1000
requests_per_second = 1000
jump_secs = 0

[api]
listen = "{listen}"
public_url = "http://{public}"

[control]
listen = "127.0.0.1:0"

[policy]
min_price_lamports = {min_price}
exclusive_only = {exclusive_only}
shutdown_secs = 1

[audit]
enabled = {audits}

[engine]
{engine}

[sessions]
enabled = {sessions}
models = [{served}]
poll_secs = 1

[artifacts]
model_dirs = [{folders}]
allow_file = true
allow_private = true
allow_http = true

[log]
filter = "info"
"#,
        authority = provider.authority.pubkey(),
        rpc = settings
            .rpc
            .clone()
            .unwrap_or_else(|| stage.chain.rpc_url()),
        websocket = stage.chain.ws_url(),
        listen = provider.listen,
        public = provider.public,
        min_price = settings.min_price,
        exclusive_only = settings.exclusive_only,
        audits = settings.audits,
        sessions = !served.is_empty(),
        served = served.join(", "),
        folders = folders.join(", "),
    );
    let path = provider.folder.join("worker.toml");
    fs::write(&path, text)?;
    Ok(path)
}

/// A keypair file that only its owner reads.
pub(super) fn write_key(path: &std::path::Path, key: &Keypair) -> Result<()> {
    let numbers = serde_json::to_string(&key.to_bytes().to_vec())?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(numbers.as_bytes())?;
    Ok(())
}
