//! What a worker serves to sessions, and a requester's real gateway before it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use assay_client::{
    outputs::digest,
    protocol::{Address, Digest, SessionData},
    session::Price,
};
use serde_json::Value;

use super::{
    Answer, Exit, PATIENCE, Process, Provider, Requester, Stage, binaries, free_place,
    http::runtime, root,
};

/// A model in a worker's offer.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    pub name: &'static str,
    /// Below the checkout.
    pub file: &'static str,
    pub price: Price,
}

impl Served {
    /// The digit classifier, for a price a request.
    pub const DIGITS: Self = Self {
        name: "digits",
        file: "models/digits.onnx",
        price: Price {
            request: 5_000,
            input_kib: 0,
            input_token: 0,
            output_token: 0,
        },
    };
    /// The chat model without a cache, for a price a token.
    pub const CHAT: Self = Self {
        name: "tiny-chat",
        file: "models/packages/tiny-chat/model.onnx",
        price: Price {
            request: 100,
            input_kib: 0,
            input_token: 3,
            output_token: 11,
        },
    };
    /// The same weights with a cache.
    pub const CACHED: Self = Self {
        name: "tiny-chat-cached",
        file: "models/packages/tiny-chat-cached/model.onnx",
        price: Self::CHAT.price,
    };
    /// The embedding model, for a price a request and KiB.
    pub const EMBED: Self = Self {
        name: "tiny-embed",
        file: "models/packages/tiny-embed/model.onnx",
        price: Price {
            request: 50,
            input_kib: 7,
            input_token: 0,
            output_token: 0,
        },
    };
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DIGITS, Self::CHAT, Self::CACHED, Self::EMBED];

    pub fn digest(&self) -> Result<Digest> {
        let path = root().join(self.file);
        let bytes = fs::read(&path).with_context(|| format!("{} is missing", path.display()))?;
        Ok(digest(&bytes))
    }

    /// Its line in a worker's configuration.
    pub(super) fn line(&self) -> Result<String> {
        let Price {
            request,
            input_kib,
            input_token,
            output_token,
        } = self.price;
        Ok(format!(
            "{{ model = \"{}\", name = \"{}\", price = {{ request = {request}, input_kib = {input_kib}, \
             input_token = {input_token}, output_token = {output_token} }} }}",
            hex::encode(self.digest()?.0),
            self.name,
        ))
    }
}

/// A requester that has sessions: its wallet, its ledger, its commands.
pub struct Client<'a> {
    pub stage: &'a Stage,
    pub requester: Requester,
    folder: PathBuf,
    key: PathBuf,
    listen: SocketAddr,
    /// The chain's address, where it is not the chain's own.
    pub rpc: Option<String>,
}

/// What `assay session receipts --verify` finds of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub session: Address,
    pub requests: u64,
    /// Lamports of all receipts.
    pub charged: u64,
    /// Lamports of the best voucher.
    pub paid: u64,
    /// Lamports that the chain has settled.
    pub settled: u64,
}

impl<'a> Client<'a> {
    /// A new wallet with this much, and an empty ledger.
    pub fn new(stage: &'a Stage, lamports: u64) -> Result<Self> {
        let requester = Requester::new(stage, lamports)?;
        let folder = stage.folder(&requester.address())?;
        let key = requester.write_key(&folder)?;
        Ok(Self {
            stage,
            requester,
            folder,
            key,
            listen: free_place()?,
            rpc: None,
        })
    }

    /// `assay` with this wallet and ledger.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = binaries::assay()?;
        let own = || self.stage.chain.rpc_url();
        let rpc = self.rpc.clone().unwrap_or_else(own);
        command
            .args(["--url", &rpc, "--yes", "--keypair"])
            .arg(&self.key)
            .args(arguments)
            .env("ASSAY_LEDGER", self.ledger())
            .env("RUST_BACKTRACE", "0")
            .env("NO_COLOR", "1")
            .current_dir(root());
        Ok(command)
    }

    /// Runs `assay` to its end.
    pub fn run(&self, arguments: &[&str]) -> Result<Exit> {
        let name = format!("assay {}", arguments.join(" "));
        Process::run(&name, &mut self.command(arguments)?)
    }

    /// As [`Client::run`], and it must succeed; returns its JSON.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let exit = self.run(&[arguments, &["--json"]].concat())?;
        ensure!(
            exit.status.success(),
            "assay {arguments:?}\n{}\n{}",
            exit.stdout,
            exit.stderr
        );
        Ok(serde_json::from_str(&exit.stdout)?)
    }

    /// Starts the gateway before these providers and waits until it answers.
    pub fn gateway(&self, providers: &[&Provider], more: &[&str]) -> Result<Gateway> {
        let listen = self.listen.to_string();
        let mut command = self.command(&["gateway", "--listen", &listen, "--max-spend", "1"])?;
        for provider in providers {
            command.args(["--provider", &provider.address.to_string()]);
        }
        for package in ["tiny-chat", "tiny-chat-cached", "tiny-embed"] {
            command
                .arg("--package")
                .arg(root().join("models/packages").join(package));
        }
        let process = Process::start("assay gateway", command.args(more))?;
        process.wait_line("where it listens", |line| line.starts_with("listening on "))?;
        Ok(Gateway {
            process,
            url: format!("http://{listen}"),
        })
    }

    pub fn ledger(&self) -> PathBuf {
        self.folder.join("ledger.sqlite")
    }

    /// Loses the ledger, with the files that SQLite keeps beside it.
    pub fn lose_ledger(&self) -> Result<()> {
        fs::remove_file(self.ledger())?;
        for beside in ["sqlite-wal", "sqlite-shm"] {
            let path = self.ledger().with_extension(beside);
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Every session's books, checked by the command: an error if they do not agree.
    pub fn books(&self) -> Result<Vec<Checked>> {
        let found = self.json(&["session", "receipts", "--verify"])?;
        let found = found.as_array().context("a list of sessions")?;
        found.iter().map(checked).collect()
    }

    /// The session as the chain has it, if it is still there.
    pub fn session(&self, session: &Address) -> Result<Option<SessionData>> {
        self.stage.find(session)
    }
}

fn checked(view: &Value) -> Result<Checked> {
    let number = |name: &str| {
        view.get(name)
            .and_then(Value::as_u64)
            .with_context(|| format!("no {name} in {view}"))
    };
    let session = view.get("session").and_then(Value::as_str);
    Ok(Checked {
        session: session.context("a session")?.parse()?,
        requests: number("requests")?,
        charged: number("charged")?,
        paid: number("paid")?,
        settled: number("settled")?,
    })
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    pub process: Process,
    pub url: String,
}

impl Gateway {
    /// Asks with a JSON body and waits for the whole answer.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let response = self.send(path, body)?;
        runtime().block_on(async {
            Ok(Answer {
                status: response.status().as_u16(),
                body: response.bytes().await?.to_vec(),
            })
        })
    }

    /// As [`Gateway::post`], and it must succeed; returns its JSON.
    pub fn json(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.post(path, body)?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Asks with a JSON body and takes the answer as it comes.
    pub fn stream(&self, path: &str, body: &Value) -> Result<Pieces> {
        Ok(Pieces(self.send(path, body)?))
    }

    fn send(&self, path: &str, body: &Value) -> Result<reqwest::Response> {
        let url = format!("{}{path}", self.url);
        let sent = async {
            let request = reqwest::Client::new().post(url).json(body);
            request.timeout(PATIENCE).send().await
        };
        Ok(runtime().block_on(sent)?)
    }
}

/// An answer under way. Dropping it ends it.
#[derive(Debug)]
pub struct Pieces(reqwest::Response);

impl Pieces {
    /// The next bytes; none at the end, an error where it breaks off.
    pub fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        let piece = runtime().block_on(self.0.chunk())?;
        Ok(piece.map(|bytes| bytes.to_vec()))
    }

    /// Everything that comes, and whether it came to its end.
    pub fn rest(mut self) -> (String, bool) {
        let mut all = Vec::new();
        loop {
            match self.piece() {
                Ok(Some(piece)) => all.extend(piece),
                ended => return (String::from_utf8_lossy(&all).into_owned(), ended.is_ok()),
            }
        }
    }
}

/// Python with the stock clients of Triton, OpenAI and Ollama.
pub fn python() -> Result<PathBuf> {
    let cache = std::env::var_os("ASSAY_CACHE")
        .map(PathBuf::from)
        .context("ASSAY_CACHE is not set; run the tests by `make test`")?;
    let python = cache.join("clients/bin/python");
    ensure!(
        python.is_file(),
        "{} is missing; run `scripts/bootstrap.sh clients`",
        python.display()
    );
    Ok(python)
}

/// Runs a script of `tests/clients` with the stock clients.
pub fn script(name: &str, arguments: &[&str]) -> Result<Exit> {
    let mut command = Command::new(python()?);
    command
        .arg(Path::new("tests/clients").join(name))
        .args(arguments)
        .env("PYTHONUNBUFFERED", "1")
        .current_dir(root());
    Process::run(name, &mut command)
}
