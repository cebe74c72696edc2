//! The status page in Chromium: the real service, shown what a worker would show it, and a script that
//! looks at it as a person does. `tests/page/check.mjs` has the checks.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's preparation that fails is a failed test"
)]

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
};

use assay_worker::control::{
    Control, Handover, Ticket, Unmoved, Worker,
    snapshot::{Snapshot, State},
};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

#[path = "page/shown.rs"]
mod shown;

/// Shows what it is told to, and does as it is ordered.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<(Snapshot, Vec<bool>)>>);

impl Worker for Shown {
    async fn snapshot(&self) -> Snapshot {
        self.0.lock().unwrap().0.clone()
    }

    fn metrics(&self) -> String {
        "assay_worker_jobs 7\n".into()
    }

    async fn drain(&self, draining: bool) -> Result<(), Unmoved> {
        let mut shown = self.0.lock().unwrap();
        shown.1.push(draining);
        shown.0.standing = shown::standing(draining);
        Ok(())
    }
}

struct Running {
    handover: Handover,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

/// The service, and what the script may ask of it.
struct Stage {
    shown: Shown,
    address: SocketAddr,
    running: Running,
    client: reqwest::Client,
    followers: Vec<Response>,
}

impl Stage {
    async fn new() -> Self {
        let shown = Shown::default();
        shown.0.lock().unwrap().0 = shown::usual();
        let (running, address) = start(&shown, "127.0.0.1:0".parse().unwrap()).await;
        Self {
            shown,
            address,
            running,
            // The service closes connections that say nothing, perhaps as one is used again.
            client: reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .build()
                .unwrap(),
            followers: Vec::new(),
        }
    }

    fn show(&self, snapshot: Snapshot) -> Value {
        self.shown.0.lock().unwrap().0 = snapshot;
        Value::Null
    }

    async fn link(&self) -> Value {
        let Handover { url, token, .. } = &self.running.handover;
        let request = self
            .client
            .post(format!("{url}/api/tickets"))
            .bearer_auth(token);
        let ticket: Ticket = request.send().await.unwrap().json().await.unwrap();
        json!(format!("{url}/#ticket={}", ticket.ticket))
    }

    /// Takes every place for followers.
    async fn fill(&mut self) -> Value {
        let Handover { url, token, .. } = &self.running.handover;
        loop {
            let request = self
                .client
                .get(format!("{url}/api/events"))
                .bearer_auth(token);
            let follower = request.send().await.unwrap();
            if follower.status() == 503 {
                return json!(self.followers.len());
            }
            self.followers.push(follower);
        }
    }

    async fn carry_out(&mut self, wish: &str) -> Value {
        match wish {
            "url" => json!(self.running.handover.url),
            "link" => self.link().await,
            "normal" => self.show(shown::usual()),
            "change" => self.show(shown::changed()),
            "empty" => self.show(shown::idle()),
            "hostile" => {
                self.show(shown::hostile());
                json!(shown::HOSTILE)
            }
            "orders" => json!(self.shown.0.lock().unwrap().1),
            "fill" => self.fill().await,
            "free" => {
                self.followers.clear();
                Value::Null
            }
            "stop" => {
                self.running.stop.cancel();
                (&mut self.running.serving).await.unwrap().unwrap();
                json!(shown::CLOCK)
            }
            "start" => {
                (self.running, _) = start(&self.shown, self.address).await;
                Value::Null
            }
            other => panic!("nobody knows how to do {other:?}"),
        }
    }
}

async fn start(shown: &Shown, address: SocketAddr) -> (Running, SocketAddr) {
    let control = Control::listen(address).await.unwrap();
    let (handover, stop) = (control.handover(), CancellationToken::new());
    let address = handover
        .url
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let serving = tokio::spawn(control.serve(shown.clone(), stop.clone()));
    let running = Running {
        handover,
        stop,
        serving,
    };
    (running, address)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn chromium() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let files = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files
        .into_iter()
        .find(|file| file.is_file())
        .expect("Chromium is missing: `scripts/bootstrap.sh page` installs it")
}

/// Installs what the script imports, as the lock file says, unless that was done before.
async fn install(folder: &Path) {
    let lock = fs::read(folder.join("package-lock.json")).unwrap();
    let mark = folder.join("node_modules/.installed");
    if fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return;
    }
    let npm = Command::new("npm")
        .arg("ci")
        .current_dir(folder)
        .output()
        .await;
    let npm = npm.expect("npm is missing: `scripts/bootstrap.sh page` installs it");
    assert!(
        npm.status.success(),
        "npm ci failed: {}",
        String::from_utf8_lossy(&npm.stderr)
    );
    fs::write(mark, lock).unwrap();
}

#[tokio::test]
async fn page_in_chromium_is_live_usable_by_everybody_and_trusts_no_text() {
    let script = root().join("tests/page");
    install(&script).await;
    let out = root().join("target/page");
    fs::create_dir_all(&out).unwrap();
    let profile = tempfile::tempdir().unwrap();
    let mut stage = Stage::new().await;
    assert_eq!(shown::usual().standing.state, State::Accepting);

    let mut node = Command::new("node")
        .arg(script.join("check.mjs"))
        .arg(chromium())
        .arg(profile.path())
        .arg(&out)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is missing: `scripts/bootstrap.sh page` installs it");
    let mut answers = node.stdin.take().unwrap();
    let mut wishes = BufReader::new(node.stdout.take().unwrap()).lines();
    let mut last = String::new();
    while let Some(wish) = wishes.next_line().await.unwrap() {
        if wish != "ok" {
            let answer = stage.carry_out(&wish).await;
            answers
                .write_all(format!("{answer}\n").as_bytes())
                .await
                .unwrap();
        }
        last = wish;
    }
    let status = node.wait().await.unwrap();
    assert!(
        status.success() && last == "ok",
        "see above; the pictures are in {}",
        out.display()
    );
}
