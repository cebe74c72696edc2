//! One child process and the pipe to it.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use assay_protocol::Digest;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use super::{Deadline, HostConfig, ending, ps::EngineState, roster::Roster, spawner};
use crate::{
    error::EngineError,
    frame::{self, PREAMBLE, Request, Response},
    info::ModelInfo,
    placement::Placement,
    sandbox,
};

/// What an engine needs of the host's environment: to find its libraries and its device. Keys,
/// endpoints and everything else stay behind.
const ENVIRONMENT: [&str; 9] = [
    "CUDA_VISIBLE_DEVICES",
    "DYLD_LIBRARY_PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "NVIDIA_VISIBLE_DEVICES",
    "ORT_DYLIB_PATH",
    "ASSAY_CACHE",
    "TMPDIR",
    "XDG_CACHE_HOME",
];
/// Microsoft's builds of ONNX Runtime start a thread that writes identifiers to disk and sends reports,
/// unless they are told not to before they open.
const NO_REPORTS: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");
/// The last words kept of an engine's standard error.
const LAST_WORDS: usize = 2_000;
/// How long the end of a process that has closed its pipe may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// An engine; dropping it kills it.
pub struct Engine {
    child: Child,
    requests: ChildStdin,
    responses: ChildStdout,
    said: Arc<Mutex<VecDeque<u8>>>,
    listener: JoinHandle<()>,
    max_body: u64,
    /// Whether it has been given a model; what breaks from then on was broken by the model.
    shown: bool,
    /// Of the loaded model; zero before.
    pub digest: Digest,
    pub info: ModelInfo,
    roster: Arc<Roster>,
    number: u64,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.roster.remove(self.number);
    }
}

impl Engine {
    pub fn spawn(config: &HostConfig, roster: &Arc<Roster>) -> Result<Self, EngineError> {
        let failed = |source| EngineError::Spawn {
            program: config.program.clone(),
            source,
        };
        let mut command = Command::new(&config.program);
        command
            .args(&config.arguments)
            .env_clear()
            .envs(
                ENVIRONMENT
                    .iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .env(NO_REPORTS.0, NO_REPORTS.1)
            // As its driver counts devices, and not the fastest first.
            .env("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // A terminal's Ctrl-C is for the host, which lets a running inference finish.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = spawner::spawn(command).map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(requests), Some(responses), Some(stderr)) = pipes else {
            return Err(failed(io::Error::other("its pipes are missing")));
        };
        let said = Arc::default();
        let listener = tokio::spawn(listen(stderr, Arc::clone(&said)));
        // Names and shapes add to the tensors' own bytes.
        let max_body = config.engine.limits.output_bytes.saturating_add(1 << 20);
        let info = ModelInfo {
            inputs: vec![],
            outputs: vec![],
            metadata: BTreeMap::new(),
        };
        let digest = Digest::ZERO;
        let number = roster.add(child.id());
        Ok(Self {
            child,
            requests,
            responses,
            said,
            listener,
            max_body,
            shown: false,
            digest,
            info,
            roster: Arc::clone(roster),
            number,
        })
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Takes the model over that it has just loaded.
    pub fn loaded(&mut self, digest: Digest, info: ModelInfo, placement: Placement) {
        (self.digest, self.info) = (digest, info);
        let now = Instant::now();
        self.roster.change(self.number, |entry| {
            (entry.state, entry.model) = (EngineState::Idle, Some(digest));
            (entry.loaded, entry.used) = (Some(now), now);
            entry.placement = placement;
        });
    }

    /// Says that it runs, or that it has run.
    pub fn running(&self, running: bool) {
        self.roster.change(self.number, |entry| {
            if running {
                entry.state = EngineState::Running;
            } else {
                entry.state = EngineState::Idle;
                entry.used = Instant::now();
                entry.runs = entry.runs.saturating_add(1);
            }
        });
    }

    /// Sends a request and takes its response. After an error the engine is dead.
    pub async fn call(
        &mut self,
        doing: &'static str,
        request: &Request,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<(Response, Vec<u8>), EngineError> {
        self.shown |= !matches!(request, Request::Start { .. });
        sandbox::allow_cpu(self.child.id(), deadline.limit);
        let exchange = exchange(
            &mut self.requests,
            &mut self.responses,
            request,
            body,
            self.max_body,
        );
        let failure = match timeout_at(deadline.at, exchange).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failure)) => failure,
            Err(_) => {
                let _ = self.child.start_kill();
                return Err(EngineError::TimedOut {
                    doing,
                    limit: deadline.limit,
                });
            }
        };
        match failure {
            Failure::Ended => Err(self.crashed(doing).await),
            Failure::Nonsense(reason) => Err(self.nonsense(doing, &reason)),
        }
    }

    /// Kills the engine for an answer that it should not have given.
    pub fn nonsense(&mut self, doing: &'static str, reason: &str) -> EngineError {
        let _ = self.child.start_kill();
        // A hostile engine chooses these words; do not let it fill a log.
        EngineError::Nonsense {
            doing,
            reason: reason.chars().take(300).collect(),
        }
    }

    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    async fn crashed(&mut self, doing: &'static str) -> EngineError {
        let ended = timeout(GRACE, self.child.wait()).await;
        if ended.is_err() {
            let _ = self.child.start_kill();
        }
        // The process is gone, so its standard error ends too, unless it left children behind.
        let _ = timeout(GRACE, &mut self.listener).await;
        let said = self.last_words();
        let status = match ended {
            Ok(Ok(status)) => return ending::explain(doing, status, said, self.shown),
            Ok(Err(error)) => format!("unknown: {error}"),
            Err(_) => "it closed its pipe and was killed".into(),
        };
        EngineError::Crashed {
            doing,
            status,
            said,
        }
    }

    fn last_words(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = said.iter().copied().collect();
        match String::from_utf8_lossy(&bytes).trim() {
            "" => "nothing".into(),
            words => words.escape_debug().to_string(),
        }
    }
}

enum Failure {
    /// The pipe closed: the process ended, or wants to look as if it had.
    Ended,
    Nonsense(String),
}

async fn exchange(
    to: &mut ChildStdin,
    from: &mut ChildStdout,
    request: &Request,
    body: &[u8],
    max_body: u64,
) -> Result<(Response, Vec<u8>), Failure> {
    let head = frame::head(request, body).map_err(|error| Failure::Nonsense(error.to_string()))?;
    let sent = async {
        to.write_all(&head).await?;
        to.write_all(body).await?;
        to.flush().await
    };
    sent.await.map_err(|_: io::Error| Failure::Ended)?;
    let mut preamble = [0; PREAMBLE];
    from.read_exact(&mut preamble)
        .await
        .map_err(|_| Failure::Ended)?;
    let (header, body) = frame::lengths(&preamble, max_body).map_err(Failure::Nonsense)?;
    let header = take(from, header).await?;
    let body = take(from, body).await?;
    let response: Response =
        serde_json::from_slice(&header).map_err(|error| Failure::Nonsense(error.to_string()))?;
    if header.len() > response.longest() {
        return Err(Failure::Nonsense(format!(
            "{} bytes of words",
            header.len()
        )));
    }
    Ok((response, body))
}

/// Grows with what arrives, so that an announced length alone costs no memory.
async fn take(from: &mut (impl AsyncRead + Unpin), length: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(length).read_to_end(&mut bytes).await;
    match read.ok().and_then(|read| u64::try_from(read).ok()) {
        Some(read) if read == length => Ok(bytes),
        Some(_) | None => Err(Failure::Ended),
    }
}

/// Keeps an engine's standard error from filling its pipe, and its last words for the error.
async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<VecDeque<u8>>>) {
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(piece.iter().take(read));
        let surplus = said.len().saturating_sub(LAST_WORDS);
        said.drain(..surplus);
    }
}
