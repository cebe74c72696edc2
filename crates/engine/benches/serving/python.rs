//! The same model served by Python: ONNX Runtime behind Starlette and uvicorn.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tokio::net::TcpStream;

use crate::{
    http::{self, Load},
    model::Subject,
    overhead::LIMIT,
    report::{Row, Verdict},
    stats,
    throughput::CALLERS,
};

const LEAST: f64 = 3.0;

/// How Python serves: which handler, what its session may use, and how many processes.
struct Way {
    name: &'static str,
    path: &'static str,
    session: &'static str,
    /// A process for each core, where it is not one process.
    on_every_core: bool,
    /// Whether it is the usual server that the bound speaks of.
    bounded: bool,
}

const WAYS: [Way; 4] = [
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
struct Server {
    child: Child,
    at: SocketAddr,
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

/// Ours and theirs, in each round.
struct Pair {
    ours: Load,
    theirs: Load,
}

pub async fn measure(subject: &Subject, rounds: usize, length: Duration) -> Result<Vec<Row>> {
    let Some(python) = interpreter() else {
        return Ok(vec![Row {
            what: "Python behind uvicorn".into(),
            bound: format!("{LEAST}"),
            value: "`scripts/bootstrap.sh bench` was not run".into(),
            absolute: String::new(),
            verdict: Verdict::NotMeasured,
        }]);
    };
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), &subject.file)?;
    let ours = ours(file.path())?;
    let expected = http::ask(ours.at, "/").await?;
    let mut rows = Vec::new();
    for way in &WAYS {
        let theirs = theirs(&python, file.path(), way).await?;
        let answer = http::ask(theirs.at, way.path).await?;
        // Another number of threads may round differently, so only the size is sure to be the same.
        ensure!(
            answer.len() == expected.len(),
            "Python answers something else"
        );
        let mut pairs = Vec::new();
        for round in 0..=rounds {
            let length = if round == 0 { length / 4 } else { length };
            let loaded = http::load(ours.at, "/", CALLERS, length, Some(&expected)).await?;
            let other = http::load(theirs.at, way.path, CALLERS, length, None).await?;
            // The first round warms up.
            if round > 0 {
                pairs.push(Pair {
                    ours: loaded,
                    theirs: other,
                });
            }
        }
        rows.push(row(subject, way, &pairs));
    }
    Ok(rows)
}

fn row(subject: &Subject, way: &Way, pairs: &[Pair]) -> Row {
    let ratios: Vec<f64> = pairs
        .iter()
        .map(|pair| pair.ours.per_second / pair.theirs.per_second)
        .collect();
    let of = |load: fn(&Pair) -> &Load| {
        let rates: Vec<f64> = pairs.iter().map(|pair| load(pair).per_second).collect();
        let times: Vec<Duration> = pairs
            .iter()
            .flat_map(|pair| load(pair).times.clone())
            .collect();
        let median = stats::quantile_micros(&times, 500) / 1_000.0;
        format!("{:.0}/s, {median:.2} ms", stats::middle(&rates))
    };
    let (ours, theirs) = (of(|pair| &pair.ours), of(|pair| &pair.theirs));
    Row {
        what: format!(
            "HTTP requests a second, {CALLERS} connections, {} model, beside Python and uvicorn: {}",
            subject.name, way.name
        ),
        bound: if way.bounded {
            format!("{LEAST}")
        } else {
            String::new()
        },
        value: stats::spread(&ratios),
        absolute: format!("{ours}; Python {theirs}"),
        verdict: match way.bounded {
            true => Verdict::of(stats::middle(&ratios) >= LEAST),
            false => Verdict::Beside,
        },
    }
}

/// Where `scripts/bootstrap.sh bench` puts it.
fn interpreter() -> Option<PathBuf> {
    let cache = PathBuf::from(env::var_os("ASSAY_CACHE")?);
    let python = cache.join("bench/bin/python");
    python.is_file().then_some(python)
}

fn ours(file: &Path) -> Result<Server> {
    let mut child = Command::new(env::current_exe()?)
        .arg("serve")
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut address = String::new();
    let stdout = child.stdout.take().context("no pipe")?;
    BufReader::new(stdout).read_line(&mut address)?;
    let at = address
        .trim()
        .parse()
        .context("our server does not start")?;
    Ok(Server { child, at })
}

async fn theirs(python: &Path, file: &Path, way: &Way) -> Result<Server> {
    let processes = if way.on_every_core {
        thread::available_parallelism()?.get()
    } else {
        1
    };
    // Not a socket handed over by `--fd`: uvicorn takes it for one of another family and leaves Nagle's
    // algorithm on, which costs each answer 40 ms.
    let at = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/serving/python");
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
    let listens = tokio::time::timeout(LIMIT, listening).await;
    listens.context("Python's server does not listen")?;
    Ok(server)
}
