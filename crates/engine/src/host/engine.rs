//! One child process and the pipe to it.

use std::{
    collections::VecDeque,
    io,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, ChildStdin, Command},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Deadline, HostConfig,
    control::{Control, Failure, Stream},
    cores::{CORES, Looking},
    ending,
    ps::EngineState,
    roster::Roster,
    spawner,
};
use crate::{
    error::EngineError,
    frame::{Request, Response},
    info::ModelInfo,
    runtime::Runtime,
    sandbox,
    settings::Mode,
    shared::{Shared, Sizes, Written},
};

mod loading;
mod talk;

pub use loading::Optimised;

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
/// Least processor time that is allowed at once.
const AHEAD: Duration = Duration::from_secs(60);
/// How long the end of a process that has closed its pipe may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// An engine; dropping it kills it.
pub struct Engine {
    child: Child,
    /// Never written to: the engine sees by its end that this process is gone.
    _lifeline: Option<ChildStdin>,
    control: Control,
    /// Shared with the threads that copy models.
    shared: Option<Arc<Shared>>,
    /// Where it may write its optimised model, until it has loaded one.
    written: Option<Written>,
    sizes: Sizes,
    said: Arc<Mutex<VecDeque<u8>>>,
    listener: JoinHandle<()>,
    output_limit: u64,
    /// Cores that it uses while it works.
    threads: usize,
    /// The longest that an answer to a run is looked for in a loop; zero for never.
    spin: Duration,
    /// What its last run took.
    last_run: Duration,
    /// Until when it may look for its next request in a loop.
    lingers_until: Option<Instant>,
    /// Whether it has been given a model; what breaks from then on was broken by the model.
    shown: bool,
    /// Until when the processor time that it may use suffices, whatever it does.
    cpu_until: Option<Instant>,
    /// What it said of itself when it started.
    pub runtime: Option<Runtime>,
    /// Of the loaded model.
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
    /// `optimised` bounds the bytes of an optimised model that it may hand out; 0 asks for none.
    pub fn spawn(
        config: &HostConfig,
        roster: &Arc<Roster>,
        mode: Mode,
        optimised: u64,
    ) -> Result<Self, EngineError> {
        let failed = |source| EngineError::Spawn {
            program: config.program.clone(),
            source,
        };
        let mut command = Command::new(spawner::program(&config.program));
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
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let ours = pipe(&mut command).map_err(failed)?;
        // A terminal's Ctrl-C is for the host, which lets a running inference finish.
        #[cfg(unix)]
        command.process_group(0);
        // With the command goes this process's copy of the engine's end of the pipe.
        let mut child = spawner::spawn(command).map_err(failed)?;
        let Some(stderr) = child.stderr.take() else {
            return Err(failed(io::Error::other("its pipes are missing")));
        };
        let (stream, lifeline) = connect(ours, &mut child).map_err(failed)?;
        let said = Arc::default();
        let listener = tokio::spawn(listen(stderr, Arc::clone(&said)));
        // Names and shapes add to the tensors' own bytes.
        let limits = &config.engine.limits;
        let control = Control::new(stream, limits.output_bytes.saturating_add(1 << 20));
        let number = roster.add(child.id());
        Ok(Self {
            child,
            _lifeline: lifeline,
            control,
            shared: None,
            written: None,
            sizes: Sizes {
                optimised,
                ..Sizes::from(limits)
            },
            said,
            listener,
            output_limit: limits.output_bytes,
            threads: config.engine.settings(mode).threads,
            spin: Duration::from_micros(config.engine.spin_us),
            last_run: Duration::ZERO,
            lingers_until: None,
            shown: false,
            cpu_until: None,
            runtime: None,
            info: ModelInfo::default(),
            roster: Arc::clone(roster),
            number,
        })
    }

    pub fn set(&self, state: EngineState) {
        self.roster.change(self.number, |entry| entry.state = state);
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Lets it use the processor until a deadline. Allowed in advance: to ask the kernel before each
    /// short run would take longer than some runs.
    fn allow_cpu(&mut self, limit: Duration) {
        let now = Instant::now();
        let end = now.checked_add(limit);
        if end.is_none_or(|end| self.cpu_until.is_none_or(|until| until < end)) {
            let ahead = limit.saturating_mul(2).max(AHEAD);
            sandbox::allow_cpu(self.child.id(), ahead);
            self.cpu_until = now.checked_add(ahead);
        }
    }

    /// Sends a request and takes its response. After an error the engine is dead.
    pub async fn call(
        &mut self,
        doing: &'static str,
        request: &Request,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<(Response, Vec<u8>), EngineError> {
        self.call_and_look(doing, (request, body), None, deadline)
            .await
    }

    /// The same, but may look for the response in a loop.
    async fn call_and_look(
        &mut self,
        doing: &'static str,
        (request, body): (&Request, &[u8]),
        looking: Option<Looking<'_>>,
        deadline: Deadline,
    ) -> Result<(Response, Vec<u8>), EngineError> {
        self.shown |= !matches!(request, Request::Share { .. } | Request::Start { .. });
        self.allow_cpu(deadline.limit);
        let _cores = CORES.take(self.threads);
        let exchange = self.control.exchange(request, body, looking);
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
    fn nonsense(&mut self, doing: &'static str, reason: &str) -> EngineError {
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

#[cfg(unix)]
type Ours = std::os::unix::net::UnixStream;
#[cfg(not(unix))]
type Ours = ();

/// Gives the command its end of the pipe: a socket for both directions, or two pipes.
#[cfg(unix)]
fn pipe(command: &mut Command) -> io::Result<Ours> {
    let (ours, its) = Ours::pair()?;
    ours.set_nonblocking(true)?;
    command.stdout(std::os::fd::OwnedFd::from(its));
    Ok(ours)
}

#[cfg(not(unix))]
fn pipe(command: &mut Command) -> io::Result<Ours> {
    command.stdout(Stdio::piped());
    Ok(())
}

#[cfg(unix)]
fn connect(ours: Ours, child: &mut Child) -> io::Result<(Stream, Option<ChildStdin>)> {
    Ok((Stream::new(ours), child.stdin.take()))
}

#[cfg(not(unix))]
fn connect((): Ours, child: &mut Child) -> io::Result<(Stream, Option<ChildStdin>)> {
    let missing = || io::Error::other("its pipes are missing");
    let requests = child.stdin.take().ok_or_else(missing)?;
    let responses = child.stdout.take().ok_or_else(missing)?;
    Ok((Stream::new(responses, requests), None))
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
