//! A child process whose output is read line by line as it comes.

use std::{
    io::{BufRead, BufReader, Read, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use super::PATIENCE;

/// How a process ended and what it wrote.
#[derive(Debug)]
pub struct Exit {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Everything written so far, and whether more can come.
#[derive(Debug, Default)]
struct Written {
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// Streams that have ended.
    ended: u8,
}

#[derive(Debug, Default)]
struct Output {
    written: Mutex<Written>,
    changed: Condvar,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the command with both outputs captured and without input.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let output = Arc::new(Output::default());
        let stdout = child.stdout.take().context("no stdout")?;
        let stderr = child.stderr.take().context("no stderr")?;
        let readers = vec![
            read(stdout, &output, |written| &mut written.stdout),
            read(stderr, &output, |written| &mut written.stderr),
        ];
        Ok(Self {
            name: name.to_owned(),
            child,
            output,
            readers,
        })
    }

    /// Runs the command to its end.
    pub fn run(name: &str, command: &mut Command) -> Result<Exit> {
        Self::start(name, command)?.wait()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line of either output for which `wanted` holds, once there is one.
    pub fn wait_line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut written = self.output.lock();
        loop {
            let lines = written.stderr.iter().chain(&written.stdout);
            if let Some(line) = lines.into_iter().find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let over = written.ended == 2;
            if over || left.is_zero() {
                let why = if over {
                    "it ended first"
                } else {
                    "it took too long"
                };
                bail!("{} never said {what}: {why}\n{}", self.name, tail(&written));
            }
            let (next, _) = self
                .output
                .changed
                .wait_timeout(written, left)
                .unwrap_or_else(PoisonError::into_inner);
            written = next;
        }
    }

    /// What was written so far, for messages.
    pub fn log(&self) -> String {
        tail(&self.output.lock())
    }

    /// What was written to stdout so far.
    pub fn stdout(&self) -> String {
        self.output.lock().stdout.join("\n")
    }

    /// Whether any line so far contains this text.
    pub fn said(&self, text: &str) -> bool {
        let written = self.output.lock();
        written
            .stderr
            .iter()
            .chain(&written.stdout)
            .any(|line| line.contains(text))
    }

    /// Waits until the process ends by itself.
    pub fn wait(mut self) -> Result<Exit> {
        let deadline = Instant::now() + PATIENCE;
        let mut written = self.output.lock();
        while written.ended < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{} does not end\n{}", self.name, tail(&written));
            }
            let (next, _) = self
                .output
                .changed
                .wait_timeout(written, left)
                .unwrap_or_else(PoisonError::into_inner);
            written = next;
        }
        let (stdout, stderr) = (written.stdout.join("\n"), written.stderr.join("\n"));
        drop(written);
        // Both outputs are closed, so the end is near.
        let status = self.child.wait()?;
        Ok(Exit {
            status,
            stdout,
            stderr,
        })
    }

    /// SIGKILL, as the kernel sends it when memory runs out.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, as a service manager sends it; then the end.
    pub fn terminate(self) -> Result<Exit> {
        let id = i32::try_from(self.child.id())?;
        let id = rustix::process::Pid::from_raw(id).context("a process has an id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended cannot be killed, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "{}:\n{}", self.name, self.log());
        }
    }
}

fn read(
    stream: impl Read + Send + 'static,
    output: &Arc<Output>,
    place: fn(&mut Written) -> &mut Vec<String>,
) -> JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(stream.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            place(&mut output.lock()).push(text);
            output.changed.notify_all();
        }
        output.lock().ended += 1;
        output.changed.notify_all();
    })
}

fn tail(written: &Written) -> String {
    let lines = |lines: &[String]| lines[lines.len().saturating_sub(60)..].join("\n");
    format!(
        "--- stdout\n{}\n--- stderr\n{}",
        lines(&written.stdout),
        lines(&written.stderr)
    )
}
