//! Chat templates, rendered where they can do no harm.
//!
//! A template is a stranger's program. Its steps can be counted, but a line that doubles a text takes all memory in
//! forty of them, and no template engine stops that. So each rendering has a process: this executable with the argument
//! `template`, which gives up memory and time before it reads what to render, and ends with it.

use std::{
    env, io,
    path::PathBuf,
    process::{ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use assay_package::{Rendering, TextError};
use futures_util::{FutureExt as _, future::BoxFuture};
use rustix::process::{Resource, Rlimit, setrlimit};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    sync::Semaphore,
    time::timeout,
};

/// The argument that makes this executable such a process.
pub const ARGUMENT: &str = "template";
/// Bytes of address space of a process. A chat of 10 MB is rendered in it.
const MEMORY: u64 = 512 << 20;
/// Seconds of processor time, for when nobody is left who would end the process.
const CPU: u64 = 10;
/// Time for an answer. A rendering takes a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that an answer may have more than what was asked: what is written around messages is short, and everything is
/// turned into tokens next.
const ROOM: u64 = 1 << 20;
/// Renderings at the same time; others wait.
const PLACES: usize = 4;

/// Why there is no text.
#[derive(Debug, Error)]
pub enum RenderError {
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(
        "the chat template takes more than {} MiB of memory or {} s, or writes much more than was said",
        MEMORY >> 20,
        PATIENCE.as_secs()
    )]
    Excess,
    #[error("the process that renders chat templates does not start: {0}")]
    Process(#[from] io::Error),
}

/// Renders chat templates.
pub trait Renderer: Send + Sync {
    /// The text, or why there is none.
    fn render(&self, rendering: Rendering) -> BoxFuture<'_, Result<String, RenderError>>;
}

/// Renders each in a process of its own; the next one waits ready. Clones share them.
#[derive(Clone, Debug)]
pub struct Processes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    program: PathBuf,
    spare: Mutex<Option<Child>>,
    places: Semaphore,
}

impl Processes {
    /// Of a program that calls [`child_main`] when it is given [`ARGUMENT`].
    pub fn of(program: PathBuf) -> Self {
        Self(Arc::new(Inner {
            program,
            spare: Mutex::default(),
            places: Semaphore::new(PLACES),
        }))
    }

    /// Of this executable.
    ///
    /// # Errors
    /// When the system does not say where it lies.
    pub fn of_this_executable() -> io::Result<Self> {
        Ok(Self::of(env::current_exe()?))
    }

    async fn run(&self, rendering: &Rendering) -> Result<String, RenderError> {
        let request = serde_json::to_vec(rendering).map_err(io::Error::from)?;
        let _place = self.0.places.acquire().await.map_err(io::Error::other)?;
        let mut child = match self.0.take_spare() {
            Some(child) => child,
            None => self.0.start()?,
        };
        let answered = timeout(PATIENCE, self.0.ask(&mut child, &request)).await;
        // Whatever came of it, dropping the child ends it.
        let answer = answered.ok().and_then(Result::ok);
        let answer = answer.ok_or(RenderError::Excess)?;
        let text: Result<String, TextError> =
            serde_json::from_slice(&answer).map_err(|_| RenderError::Excess)?;
        Ok(text?)
    }
}

impl Renderer for Processes {
    fn render(&self, rendering: Rendering) -> BoxFuture<'_, Result<String, RenderError>> {
        async move { self.run(&rendering).await }.boxed()
    }
}

impl Inner {
    /// The one that waits, if it still does.
    fn take_spare(&self) -> Option<Child> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = spare.take()?;
        matches!(child.try_wait(), Ok(None)).then_some(child)
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .arg(ARGUMENT)
            // The gateway's has keys in it; only the time is told here.
            .env_clear()
            .envs(env::var_os("TZ").map(|zone| ("TZ", zone)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }

    async fn ask(&self, child: &mut Child, request: &[u8]) -> io::Result<Vec<u8>> {
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        input.write_all(request).await?;
        drop(input);
        // While this one works.
        self.place_spare();
        let asked = u64::try_from(request.len()).unwrap_or(u64::MAX);
        let mut answer = Vec::new();
        let bound = asked.saturating_add(ROOM);
        // What is cut is no JSON any more.
        output.take(bound).read_to_end(&mut answer).await?;
        Ok(answer)
    }

    fn place_spare(&self) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_none() {
            // If it does not start, the next rendering tries it again and says why.
            *spare = self.start().ok();
        }
    }
}

/// Renders what comes on standard input. Called by `main` for the hidden subcommand, before anything else is touched.
pub fn child_main() -> ExitCode {
    let answer = || -> io::Result<()> {
        give_up()?;
        let rendering: Rendering = serde_json::from_reader(io::stdin().lock())?;
        serde_json::to_writer(io::stdout().lock(), &rendering.render())?;
        Ok(())
    };
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nothing is rendered: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Other systems than Linux do not hold a process to its address space.
fn give_up() -> io::Result<()> {
    let memory = cfg!(target_os = "linux").then_some((Resource::As, MEMORY));
    for (resource, most) in [(Resource::Core, 0), (Resource::Cpu, CPU)]
        .into_iter()
        .chain(memory)
    {
        setrlimit(
            resource,
            Rlimit {
                current: Some(most),
                maximum: Some(most),
            },
        )?;
    }
    Ok(())
}
