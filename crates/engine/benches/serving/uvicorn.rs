//! Python's server: Starlette on uvicorn, the ways to run it, and rows of what is beside it.

use std::{
    env,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::net::TcpStream;

use crate::{
    http::Load,
    report::{Row, Verdict},
    stats,
};

/// How many times as many requests ours is to serve.
const LEAST: f64 = 3.0;

/// For a server to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// How Python serves: which handler, what its session may use, and how many processes.
pub struct Way {
    pub name: &'static str,
    pub path: &'static str,
    pub session: &'static str,
    /// A process for each core, where it is not one process.
    pub on_every_core: bool,
    /// Whether it is the usual server that the bound speaks of.
    pub bounded: bool,
}

pub const WAYS: [Way; 4] = [
    Way {
        name: "one process, on its event loop",
        path: "/direct",
        session: "default",
        on_every_core: false,
        bounded: true,
    },
    Way {
        name: "one process, in its thread pool",
        path: "/pooled",
        session: "default",
        on_every_core: false,
        bounded: true,
    },
    Way {
        name: "one process, in its thread pool, sessions of one thread",
        path: "/pooled",
        session: "one",
        on_every_core: false,
        bounded: true,
    },
    Way {
        name: "a process for each core, sessions of one thread",
        path: "/direct",
        session: "one",
        on_every_core: true,
        bounded: false,
    },
];

/// A server's process, ended with this.
pub struct Server {
    pub child: Child,
    pub at: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A supervisor of several processes ends them when it is asked to; a killed one would not.
        if let Ok(number) = i32::try_from(self.child.id())
            && let Some(pid) = rustix::process::Pid::from_raw(number)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Where `scripts/bootstrap.sh bench` puts it.
pub fn interpreter() -> Option<PathBuf> {
    let cache = PathBuf::from(env::var_os("ASSAY_CACHE")?);
    let python = cache.join("bench/bin/python");
    python.is_file().then_some(python)
}

/// Serves a model by the program in the folder `python` beside this file.
pub async fn start(python: &Path, folder: &str, file: &Path, way: &Way) -> Result<Server> {
    let processes = if way.on_every_core {
        thread::available_parallelism()?.get()
    } else {
        1
    };
    // Not a socket handed over by `--fd`: uvicorn takes it for one of another family and leaves Nagle's
    // algorithm on, which costs each answer 40 ms.
    let at = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let child = Command::new(python)
        .args(["-m", "uvicorn", "server:app", "--app-dir", folder])
        .args(["--port", &at.port().to_string()])
        .args(["--workers", &processes.to_string()])
        .args(["--log-level", "warning", "--no-access-log"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("MODEL", file)
        .env("SESSION", way.session)
        .spawn()
        .with_context(|| format!("{} does not start", python.display()))?;
    let server = Server { child, at };
    let listening = async {
        while TcpStream::connect(at).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let listens = tokio::time::timeout(PATIENCE, listening).await;
    listens.context("Python's server does not listen")?;
    Ok(server)
}

/// Where Python is not there.
pub fn not_measured() -> Row {
    Row {
        what: "Python behind uvicorn".into(),
        bound: format!("{LEAST}"),
        value: "`scripts/bootstrap.sh bench` was not run".into(),
        absolute: String::new(),
        verdict: Verdict::NotMeasured,
    }
}

/// What ours and Python's gave in each round.
pub fn row(what: String, bounded: bool, rounds: &[(&Load, &Load)]) -> Row {
    let ratios: Vec<f64> = rounds
        .iter()
        .map(|(ours, theirs)| ours.per_second / theirs.per_second)
        .collect();
    let (ours, theirs): (Vec<&Load>, Vec<&Load>) = rounds.iter().copied().unzip();
    let (bound, verdict) = if bounded {
        let met = stats::middle(&ratios) >= LEAST;
        (format!("{LEAST}"), Verdict::of(met))
    } else {
        (String::new(), Verdict::Beside)
    };
    Row {
        what,
        bound,
        value: stats::spread(&ratios),
        absolute: format!("{}; Python {}", absolute(&ours), absolute(&theirs)),
        verdict,
    }
}

fn absolute(loads: &[&Load]) -> String {
    let rates: Vec<f64> = loads.iter().map(|load| load.per_second).collect();
    let times: Vec<Duration> = loads.iter().flat_map(|load| load.times.clone()).collect();
    let median = stats::quantile_micros(&times, 500) / 1_000.0;
    format!("{:.0}/s, {median:.2} ms", stats::middle(&rates))
}
