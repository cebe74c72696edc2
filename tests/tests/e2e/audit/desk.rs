//! A requester's command line on a court's chain.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use assay_client::protocol::Address;
use assay_tests::e2e::{Court, Exit, Process, binaries, root};
use serde_json::Value;

/// Where a requester types.
pub struct Desk<'a> {
    court: &'a Court<'a>,
    key: PathBuf,
    folder: PathBuf,
}

impl<'a> Desk<'a> {
    pub fn of(court: &'a Court<'a>) -> Result<Self> {
        let folder = court.stage.folder(&court.requester.address())?;
        let key = court.requester.write_key(&folder)?;
        Ok(Self { court, key, folder })
    }

    pub fn assay(&self, arguments: &[&str]) -> Result<Exit> {
        self.start(arguments)?.wait()
    }

    /// Starts a command that others have to do something for.
    pub fn start(&self, arguments: &[&str]) -> Result<Process> {
        let mut command = binaries::assay()?;
        command
            .current_dir(root())
            .env("HOME", &self.folder)
            .env_remove("ASSAY_URL")
            .env_remove("ASSAY_KEYPAIR")
            .args(["--url", &self.court.stage.chain.rpc_url(), "--yes"])
            .arg("--keypair")
            .arg(&self.key)
            .args(arguments);
        Process::start(&format!("assay {}", arguments.join(" ")), &mut command)
    }

    /// Runs a command that must end with this code, and returns what it says as JSON.
    pub fn json(&self, code: i32, arguments: &[&str]) -> Result<Value> {
        let exit = self.assay(&[arguments, &["--json"]].concat())?;
        assert_eq!(
            exit.status.code(),
            Some(code),
            "assay {arguments:?}\n{}\n{}",
            exit.stdout,
            exit.stderr
        );
        serde_json::from_str(&exit.stdout).context("no JSON")
    }

    /// Pays the court's primary a million lamports for a 3, audited in one case of a hundred, and keeps the result
    /// without acknowledging it; returns the job and the receipt.
    pub fn held(&self) -> Result<(Address, String)> {
        let order = self.order("1%");
        let order: Vec<&str> = order.iter().map(String::as_str).collect();
        let report = self.json(0, &[&order[..], &["--no-acknowledge"]].concat())?;
        assert_eq!(report["ending"], "held", "{report}");
        assert_eq!(report["acknowledged"], false, "{report}");
        let job = report["job"]["address"].as_str().context("an address")?;
        Ok((job.parse()?, self.file("receipt.json")))
    }

    /// The arguments that order a 3 from the court's primary, audited at this rate.
    pub fn order(&self, rate: &str) -> Vec<String> {
        let primary = self.court.primary.address.to_string();
        let (out, receipt) = (self.file("out.safetensors"), self.file("receipt.json"));
        let order = ["job", "run", "--provider", &primary, "-p", "0.001"];
        let what = [
            "-m",
            "models/digits.onnx",
            "-i",
            "models/digits/sample-3.png",
        ];
        let terms = [
            "--min-price",
            "0.001",
            "--audit",
            rate,
            "--audit-fee",
            "0.0015",
        ];
        let files = ["--out", &out, "--receipt", &receipt];
        let all = [&order[..], &what, &terms, &files].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    /// A path among the requester's files.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Re-runs a result here, and files a dispute where it is fraud.
    pub fn verify(&self, code: i32, receipt: &str) -> Result<Value> {
        let files = [
            "-m",
            "models/digits.onnx",
            "-i",
            "models/digits/sample-3.png",
        ];
        self.json(
            code,
            &[&["verify", receipt, "--dispute"], &files[..]].concat(),
        )
    }
}
