//! `assay-worker models` as an operator meets it, beside a worker and without one.
#![expect(
    clippy::unwrap_used,
    reason = "a test's preparation that fails is a failed test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use assay_client::protocol::{Address, JobData, Lamports, UnixSeconds};
use assay_protocol::Digest;
use assay_worker::{artifacts::Cache, core::Report, store::Store};
use bytemuck::Zeroable as _;
use serde_json::Value;

const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

/// A folder with a configuration whose chain is nowhere.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let toml = format!(
            "authority = {AUTHORITY:?}\n[chain]\nrpc = [\"http://127.0.0.1:9\"]\nwebsocket = \"ws://127.0.0.1:9\"\n"
        );
        fs::write(home.path().join("worker.toml"), toml).unwrap();
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn models(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay-worker"));
        command.arg("models").args(arguments);
        command.current_dir(self.path()).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.models(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What the command says against it.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.models(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        text(&output.stderr)
    }

    fn place(&self, digest: &str) -> PathBuf {
        self.path().join("data/models").join(digest)
    }

    /// Whole files that wait in the folder where they come to.
    fn staged(&self) -> usize {
        fs::read_dir(self.path().join("data/pull/models")).map_or(0, Iterator::count)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../models")
        .join(name)
}

/// Path, bytes and sha256 of a real model.
fn digits() -> (String, Vec<u8>, String) {
    let path = model("digits.onnx").canonicalize().unwrap();
    let bytes = fs::read(&path).unwrap();
    let digest = hex::encode(Digest::of(&[&bytes]).0);
    (path.to_str().unwrap().to_owned(), bytes, digest)
}

#[test]
fn file_is_pulled_listed_shown_and_removed() {
    let home = Home::new();
    let (path, bytes, digest) = digits();
    assert_eq!(home.json(&["list"])["models"], Value::Array(Vec::new()));
    assert_eq!(home.json(&["pull", &path])["state"], "pulled");
    assert_eq!(home.json(&["pull", &path])["state"], "present");
    assert_eq!(home.json(&["pull", &digest])["state"], "present");
    assert_eq!(fs::read(home.place(&digest)).unwrap(), bytes);
    assert_eq!(home.staged(), 0);

    let only_other = format!("policy.models=[\"{}\"]", "0".repeat(64));
    for (set, allowed) in [(None, true), (Some(only_other.as_str()), false)] {
        let mut arguments = vec!["list"];
        arguments.extend(set.iter().flat_map(|set| ["--set", set]));
        let list = home.json(&arguments);
        assert_eq!(list["models"][0]["digest"], digest.as_str());
        assert_eq!(list["models"][0]["size"], bytes.len());
        assert_eq!(list["models"][0]["allowed"], allowed);
        assert_eq!(list["used"], bytes.len());
    }

    let shown = home.json(&["show", &digest]);
    assert_eq!(
        shown["interface"]["inputs"][0],
        "image  f32 [batch, 1, 8, 8]"
    );
    assert!(shown["interface"]["metadata"]["assay.input.image"].is_string());
    assert_eq!(shown["registered"], Value::Null);
    assert!(shown["chain"].as_str().unwrap().contains("chain.rpc"));
    for arguments in [&["list"][..], &["show", &digest], &["show", &path]] {
        let people = text(&home.models(arguments).stdout);
        assert!(people.contains(&digest), "{people}");
        let fits = |line: &str| line.chars().count() <= 80;
        assert!(people.lines().all(fits), "{people}");
    }

    assert_eq!(home.json(&["rm", &digest])["freed"], bytes.len());
    assert!(!home.place(&digest).exists());
    assert!(home.refusal(&["rm", &digest]).contains("models list"));
}

#[test]
fn uri_is_pulled_only_with_the_bytes_of_its_digest() {
    let home = Home::new();
    let (path, bytes, digest) = digits();
    let (uri, size) = (format!("file://{path}"), bytes.len().to_string());
    let allow = ["--set", "artifacts.allow_file=true"];
    let wanted = ["pull", &digest, "--uri", &uri, "--size", &size];
    assert!(home.refusal(&wanted).contains("allow_file"));
    let other = "ab".repeat(32);
    let lie = ["pull", &other, "--uri", &uri, "--size", &size];
    let lie = home.refusal(&[&lie[..], &allow].concat());
    assert!(lie.contains("other bytes"), "{lie}");
    assert_eq!(home.staged(), 0);
    assert!(!home.place(&other).exists() && !home.place(&digest).exists());
    let pulled = home.json(&[&wanted[..], &allow].concat());
    assert_eq!(
        (&pulled["state"], &pulled["allowed"]),
        (&"pulled".into(), &true.into())
    );
    assert_eq!(fs::read(home.place(&digest)).unwrap(), bytes);
    // Without a size the chain is asked, which is nowhere.
    let unknown = home.refusal(&["pull", &other]);
    assert!(
        unknown.contains("--size") && unknown.contains("chain.rpc"),
        "{unknown}"
    );
    for usage in [
        &["pull", "nothing.onnx"][..],
        &["pull", &path, "--size", "5"],
        &["pull", &digest, "--uri", &uri],
        &["rm", "nothing"],
    ] {
        assert_eq!(home.models(usage).status.code(), Some(64), "{usage:?}");
    }
}

#[test]
fn refused_model_is_not_kept_and_its_reason_is_told() {
    let home = Home::new();
    let path = model("odd/external_data.onnx").canonicalize().unwrap();
    let bytes = fs::read(&path).unwrap();
    let digest = hex::encode(Digest::of(&[&bytes]).0);
    let (path, size) = (path.to_str().unwrap(), bytes.len().to_string());
    let uri = format!("file://{path}");
    let fetched = ["pull", &digest, "--uri", &uri, "--size", &size];
    let fetched = [&fetched[..], &["--set", "artifacts.allow_file=true"]].concat();
    for arguments in [&["pull", path][..], &fetched] {
        let refusal = home.refusal(arguments);
        assert!(refusal.contains("lies outside the model file"), "{refusal}");
        assert!(!home.place(&digest).exists());
        assert_eq!(home.staged(), 0);
    }
    let shown = home.models(&["show", path]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stdout).contains("refused"));
}

#[test]
fn pull_beside_a_worker_takes_nothing_from_it_and_is_found() {
    let home = Home::new();
    let (path, bytes, digest) = digits();
    let folder = home.path().join("data/models");
    // As the worker has it: the index in memory, and a file that is about to be received.
    let cache = Cache::open("models", &folder, 200_000).unwrap();
    let old = Digest::of(&[&[7; 5_000]]);
    let mut incoming = cache.incoming(old, 5_000).unwrap();
    incoming.write(&[7; 5_000]).unwrap();
    let receiving = fs::read_dir(&folder).unwrap().count();

    let small = ["--set", "artifacts.model_cache_bytes=10000"];
    let full = home.refusal(&[&["pull", &path][..], &small].concat());
    assert!(
        full.contains("models rm") && full.contains("artifacts.model_cache_bytes"),
        "{full}"
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), receiving);

    assert_eq!(home.json(&["pull", &path])["state"], "pulled");
    incoming.finish().unwrap();
    let bytes_found = cache.get(&Digest::of(&[&bytes])).unwrap();
    assert!(bytes_found.unwrap() == bytes);
    assert!(cache.get(&old).unwrap().is_some());

    fs::remove_file(home.place(&digest)).unwrap();
    let other = fs::File::create(home.path().join("data/pull/lock")).unwrap();
    other.try_lock().unwrap();
    assert!(home.refusal(&["pull", &path]).contains("another"));
    assert!(!home.place(&digest).exists());
}

#[test]
fn model_that_is_needed_is_removed_by_force_alone() {
    let home = Home::new();
    let (path, bytes, digest) = digits();
    home.json(&["pull", &path]);
    let listed = format!("policy.models=[\"{digest}\"]");
    let refusal = home.refusal(&["rm", &digest, "--set", &listed]);
    assert!(refusal.contains("policy.models lists it"), "{refusal}");

    let lock = fs::File::create(home.path().join("data/lock")).unwrap();
    lock.try_lock().unwrap();
    let refusal = home.refusal(&["rm", &digest]);
    assert!(refusal.contains("a worker runs"), "{refusal}");
    drop(lock);

    let store = Store::open(&home.path().join("data/journal.sqlite")).unwrap();
    let job = Address::new_from_array([7; 32]);
    let mut account = JobData::zeroed();
    account.model_digest = Digest::of(&[&bytes]).0;
    let claimed = Report::Claimed { price: Lamports(1) };
    store
        .report(&job, 0, &account, claimed, UnixSeconds(1))
        .unwrap();
    let refusal = home.refusal(&["rm", &digest]);
    assert!(refusal.contains(&format!("live job {job}")), "{refusal}");
    assert!(home.place(&digest).exists());
    assert_eq!(home.json(&["rm", &digest, "--force"])["used"], 0);
    assert!(!home.place(&digest).exists());

    home.json(&["pull", &path]);
    let settled = Report::Settled {
        price: Lamports(1),
        earned: Lamports(1),
    };
    store
        .report(&job, 0, &account, settled, UnixSeconds(2))
        .unwrap();
    assert_eq!(home.json(&["rm", &digest])["freed"], bytes.len());
}
