//! The way of the documentation, command by command, on a fresh local chain: what a person types first.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use assay_client::{
    account,
    delivery::{Delivery, Received, verify},
    protocol::{Address, JobData},
};
use assay_tests::e2e::{Exit, Process, SOL, binaries, digits, free_place, root};
use safetensors::Dtype;
use serde_json::Value;
use solana_client::rpc_client::RpcClient;
use solana_commitment_config::CommitmentConfig;
use tempfile::TempDir;

/// A local market that was started by its command, and a folder to work in.
struct Desk {
    _localnet: Process,
    folder: TempDir,
    rpc: RpcClient,
    ws_url: String,
    place: SocketAddr,
}

impl Desk {
    fn open() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = at_root(binaries::assay()?, folder.path());
        command
            .args(["localnet", "--port", "0", "--json", "--keys"])
            .arg(folder.path());
        let localnet = Process::start("assay localnet", &mut command)?;
        localnet.wait_line("where it is", |line| line == "}")?;
        let facts: Value = serde_json::from_str(&localnet.stdout())?;
        let text = |name: &str| facts[name].as_str().map(str::to_owned).context("a url");
        let rpc = RpcClient::new_with_commitment(text("rpc_url")?, CommitmentConfig::confirmed());
        Ok(Self {
            _localnet: localnet,
            folder,
            rpc,
            ws_url: text("ws_url")?,
            place: free_place()?,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `assay` with one of the local wallets.
    fn assay(&self, wallet: &str, arguments: &[&str]) -> Result<Exit> {
        let mut command = at_root(binaries::assay()?, self.folder.path());
        let key = self.path(&format!("{wallet}.json"));
        command
            .args(["--url", &self.rpc.url(), "--yes", "--keypair"])
            .arg(key)
            .args(arguments);
        Process::run(&format!("assay {}", arguments.join(" ")), &mut command)
    }

    /// As [`Desk::assay`], and it must succeed; returns its stdout.
    fn done(&self, wallet: &str, arguments: &[&str]) -> Result<String> {
        let exit = self.assay(wallet, arguments)?;
        assert!(
            exit.status.success(),
            "assay {arguments:?}\n{}\n{}",
            exit.stdout,
            exit.stderr
        );
        Ok(exit.stdout)
    }

    /// As [`Desk::assay`], and it must fail with this exit code; returns what it said.
    fn refused(&self, code: i32, arguments: &[&str]) -> Result<String> {
        let exit = self.assay("requester", arguments)?;
        assert_eq!(
            exit.status.code(),
            Some(code),
            "{arguments:?}\n{}\n{}",
            exit.stdout,
            exit.stderr
        );
        Ok(exit.stderr)
    }

    fn address(&self, wallet: &str) -> Result<Address> {
        let path = self.path(&format!("{wallet}.json"));
        let key =
            solana_keypair::read_keypair_file(&path).map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(solana_signer::Signer::pubkey(&key))
    }

    fn balance(&self, wallet: &str) -> Result<u64> {
        Ok(self.rpc.get_balance(&self.address(wallet)?)?)
    }

    fn worker(&self) -> Result<Command> {
        let mut command = binaries::worker()?;
        command.arg("--config").arg(self.path("worker.toml"));
        Ok(command)
    }

    /// One of the worker's commands that need its settings.
    fn set_up(&self, name: &str) -> Result<Command> {
        let mut command = self.worker()?;
        command.arg(name);
        for setting in [
            format!("chain.rpc=[\"{}\"]", self.rpc.url()),
            format!("chain.websocket={}", self.ws_url),
            format!("api.listen={}", self.place),
            format!("api.public_url=http://{}", self.place),
            "control.listen=127.0.0.1:0".to_owned(),
            "artifacts.allow_file=true".to_owned(),
        ] {
            command.args(["--set", &setting]);
        }
        Ok(command)
    }

    /// Registers model and provider and starts the worker, by the commands that `assay localnet` names.
    fn settle_in(&self) -> Result<Process> {
        let uri = format!(
            "file://{}",
            root().canonicalize()?.join("models/digits.onnx").display()
        );
        self.done(
            "provider",
            &["model", "register", "models/digits.onnx", "--uri", &uri],
        )?;
        let authority = self.address("provider")?.to_string();
        let mut init = self.worker()?;
        let init = Process::run(
            "assay-worker init",
            init.args(["init", "--yes", "--authority", &authority])
                .args(["--no-benchmark", "--min-price", "0"]),
        )?;
        assert!(init.status.success(), "{}", init.stderr);
        let (operator, endpoint) = (
            init.stdout.trim().to_owned(),
            format!("http://{}", self.place),
        );
        let register = [
            "provider",
            "register",
            "--operator",
            &operator,
            "--endpoint",
            &endpoint,
        ];
        self.done("provider", &register)?;
        self.done("provider", &["provider", "fund", "0.05"])?;
        self.done("provider", &["stake", "deposit", "1"])?;
        let mut run = self.set_up("run")?;
        let worker = Process::start("assay-worker run", &mut run)?;
        worker.wait_line("that it is ready", |line| line.contains("ready"))?;
        Ok(worker)
    }

    /// Holds that a receipt and its outputs still open what the chain keeps of the job.
    fn assert_receipt(&self, receipt: &Path, outputs: &Path) -> Result<()> {
        let receipt: Value = serde_json::from_slice(&fs::read(receipt)?)?;
        let delivery: Delivery = serde_json::from_value(receipt["delivery"].clone())?;
        let account = self.rpc.get_account(&delivery.job)?;
        let job: JobData = account::decode_owned(&account.owner, &account.data)?;
        let (file, profile) = (
            fs::read(outputs)?,
            assay_client::protocol::OutputProfile(job.output_profile),
        );
        let order: Vec<&str> = delivery
            .outputs
            .iter()
            .map(|output| output.name.as_str())
            .collect();
        let hints = assay_client::outputs::canonical(&file, &order, &profile)?.hints;
        let received = Received {
            delivery: &delivery,
            outputs: &file,
            hints: &hints,
        };
        let verified = verify(&delivery.job, &job, &received)?;
        assert_eq!(receipt["root"], hex::encode(verified.root.0));
        assert_eq!(receipt["commitment"], hex::encode(verified.commitment.0));
        assert_eq!(receipt["price_lamports"], job.price);
        assert_eq!(receipt["job"]["unaudited"], true);
        assert_eq!(receipt["acknowledged"], true);
        Ok(())
    }
}

/// Runs where the documentation's relative paths hold, without this machine's own wallets and settings.
fn at_root(mut command: Command, home: &Path) -> Command {
    command
        .current_dir(root())
        .env("HOME", home)
        .env_remove("ASSAY_URL")
        .env_remove("ASSAY_KEYPAIR");
    command
}

#[test]
fn documented_way_ends_with_a_verified_digit() -> Result<()> {
    let desk = Desk::open()?;
    let before = desk.balance("requester")?;
    let worker = desk.settle_in()?;
    let mut doctor = desk.set_up("doctor")?;
    let examined = Process::run("assay-worker doctor", doctor.arg("--json"))?;
    let examined: Value = serde_json::from_str(&examined.stdout)?;
    for name in ["rpc", "clock", "market", "account", "stake", "landing"] {
        let checks = examined["checks"].as_array().context("checks")?;
        let found = checks.iter().find(|check| check["name"] == name);
        let state = found.map(|check| &check["state"]);
        assert_eq!(state, Some(&Value::from("good")), "{name}: {examined:#}");
    }
    let (out, receipt) = (desk.path("out.safetensors"), desk.path("receipt.json"));
    let (out_text, receipt_text) = (out.display().to_string(), receipt.display().to_string());
    let files = ["--out", &out_text, "--receipt", &receipt_text];

    let run = [
        "job",
        "run",
        "--model",
        "models/digits.onnx",
        "--max-price",
        "0.001",
    ];
    let picture = ["--input", "models/digits/sample-3.png", "--json"];
    let report: Value =
        serde_json::from_str(&desk.done("requester", &[&run[..], &picture, &files].concat())?)?;
    assert_eq!(report["ending"], "settled");
    assert_eq!(report["job"]["unaudited"], true);
    assert_eq!(digits::Prediction::read(&fs::read(&out)?)?.label, 3);
    desk.assert_receipt(&receipt, &out)?;
    let price = report["job"]["price_lamports"]
        .as_u64()
        .context("a price")?;
    assert!((100_000..=1_000_000).contains(&price), "{price}");

    // Every lamport: the price, the network's fee, and the rent, which comes back later.
    let fee = report["transactions"][0]["fee_lamports"]
        .as_u64()
        .context("a fee")?;
    let job: Address = report["job"]["address"]
        .as_str()
        .context("an address")?
        .parse()?;
    let rent = desk.rpc.get_balance(&job)?;
    assert_eq!(desk.balance("requester")?, before - price - fee - rent);

    // The same for a person, from an array; the other formats of an input are other ways to the same file.
    let array = ["--input", "models/digits/sample-0.npy"];
    let exit = desk.assay("requester", &[&run[..], &array, &files].concat())?;
    assert!(exit.status.success(), "{}", exit.stderr);
    assert!(exit.stderr.contains("unaudited"), "{}", exit.stderr);
    assert_eq!(digits::Prediction::read(&fs::read(&out)?)?.label, 0);
    desk.assert_receipt(&receipt, &out)?;

    let jobs: Value = serde_json::from_str(&desk.done("requester", &["job", "list", "--json"])?)?;
    assert_eq!(jobs.as_array().map(Vec::len), Some(2), "{jobs}");
    assert!(
        desk.done("requester", &["job", "show", &job.to_string()])?
            .contains("unaudited")
    );
    assert!(worker.terminate()?.status.success());
    Ok(())
}

#[test]
fn command_line_refuses_what_cannot_work_before_it_costs() -> Result<()> {
    let desk = Desk::open()?;
    let worker = desk.settle_in()?;
    let before = desk.balance("requester")?;
    let small = digits::file(&[("image", Dtype::F32, vec![1, 1, 4, 4], vec![0; 64])])?;
    let small_path = desk.path("small.safetensors");
    fs::write(&small_path, small)?;
    let small_text = small_path.display().to_string();
    let run = |input: &str, more: &[&str]| {
        let usual = [
            "job",
            "run",
            "-m",
            "models/digits.onnx",
            "-p",
            "0.001",
            "-i",
            input,
        ];
        [&usual[..], more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let refused = |code: i32, arguments: &[String]| {
        desk.refused(
            code,
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    };
    let said = refused(1, &run(&small_text, &[]))?;
    assert!(
        said.contains("[1, 1, 4, 4]") && said.contains("model wants"),
        "{said}"
    );
    let said = refused(1, &run("models/digits/train.py", &[]))?;
    assert!(said.contains("inputs are"), "{said}");
    let said = refused(
        1,
        &run("models/digits/sample-3.png", &["--compute-window", "1s"]),
    )?;
    assert!(said.contains("assay market show"), "{said}");
    let said = desk.refused(1, &["model", "register", "models/odd/truncated.onnx"])?;
    assert!(said.to_lowercase().contains("onnx"), "{said}");
    let other = [
        "job",
        "run",
        "-m",
        "models/odd/specials.onnx",
        "-p",
        "0.001",
        "-i",
        &small_text,
    ];
    let said = desk.refused(1, &other)?;
    assert!(said.contains("regist"), "{said}");
    assert!(
        desk.refused(2, &["job", "run", "-m", "digits"])?
            .contains("--input")
    );
    assert_eq!(desk.balance("requester")?, before, "nothing was sent");

    // Without a worker nobody serves it: the money comes back, and the exit code says so.
    assert!(worker.terminate()?.status.success());
    let uri = format!(
        "file://{}",
        root()
            .canonicalize()?
            .join("models/digits/sample-3.safetensors")
            .display()
    );
    let alone = [
        "--claim-window",
        "2s",
        "--ramp",
        "0s",
        "--input-uri",
        &uri,
        "--json",
    ];
    let said = refused(3, &run("models/digits/sample-3.safetensors", &alone))?;
    let jobs: Value = serde_json::from_str(&desk.done("requester", &["job", "list", "--json"])?)?;
    assert_eq!(jobs[0]["status"], "expired", "{jobs}\n{said}");
    let job: Address = jobs[0]["address"].as_str().context("an address")?.parse()?;
    let rent = desk.rpc.get_balance(&job)?;
    let fees = 2 * 5_000;
    assert_eq!(desk.balance("requester")?, before - rent - fees);
    assert!(before < 1_000 * SOL);
    Ok(())
}
