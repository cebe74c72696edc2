//! `assay-worker init` as an operator or a script meets it.
#![expect(
    clippy::unwrap_used,
    reason = "a test's preparation that fails is a failed test"
)]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

const AUTHORITY: &str = "AsyWn5BwMuQy35FtTbSA65vwycbmAuCHPJsgg2jA5Bpc";

fn init(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay-worker"));
    command.arg("init").args(arguments);
    command.current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn price_is_made_of_what_was_measured_and_says_what_was_assumed() {
    let folder = tempfile::tempdir().unwrap();
    let digits = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/digits.onnx");
    let arguments = [
        "--yes",
        "--json",
        "--authority",
        AUTHORITY,
        "--bench-model",
        digits.to_str().unwrap(),
        "--concurrency",
        "1",
        "--watts",
        "100",
        "--sol-price",
        "150",
    ];
    let made = init(folder.path(), &arguments);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let json: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let measured = &json["measured"][0];
    assert!(measured["runs"].as_u64().unwrap() > 0, "{json}");
    assert!(json["not_measured"].is_null(), "{json}");
    let costs = &json["costs"];
    assert_eq!(costs["run_micros"], measured["median_micros"]);
    assert_eq!(costs["watts"], 100_000_000);
    let price = json["suggestion"]["price"].as_u64().unwrap();
    assert!(price >= 15_000, "{json}");
    assert_eq!(json["min_price_lamports"], price);
    let file = std::fs::read_to_string(folder.path().join("worker.toml")).unwrap();
    assert!(
        file.contains(&format!("\nmin_price_lamports = {price}\n")),
        "{file}"
    );

    let talk = text(&made.stderr);
    assert!(
        talk.contains("assumed: Price of a kilowatt hour 0.30"),
        "{talk}"
    );
    assert!(!talk.contains("assumed: Watts"), "it was said: {talk}");
    assert!(talk.contains("energy: "), "{talk}");
}

#[test]
fn machine_that_cannot_compute_yet_still_gets_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay-worker"));
    command.args(["init", "--yes"]).current_dir(folder.path());
    let made = command
        .env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")
        .output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    let talk = text(&made.stderr);
    assert!(talk.contains("! not measured: "), "{talk}");
    assert!(talk.contains("no price is suggested"), "{talk}");
    assert!(folder.path().join("worker.toml").exists());
}

#[test]
fn wrong_answer_is_refused_with_its_reason_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, value, reason) in [
        ("--authority", "me", "base58"),
        ("--rpc", "ftp://a.example", "http://"),
        ("--electricity", "cheap", "above 0"),
        ("--listen", "everywhere", "invalid"),
    ] {
        let digits = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/digits.onnx");
        let model = digits.to_str().unwrap();
        let made = init(
            folder.path(),
            &["--yes", "--bench-model", model, flag, value],
        );
        assert_eq!(made.status.code(), Some(64), "{}", text(&made.stderr));
        assert!(
            text(&made.stderr).contains(reason),
            "{}",
            text(&made.stderr)
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn setting_that_would_not_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for flag in [
        ["--set", "api.listen=127.0.0.1:9999"],
        ["--log-format", "json"],
    ] {
        let refused = init(folder.path(), &flag);
        assert_eq!(refused.status.code(), Some(64));
        let why = text(&refused.stderr);
        assert!(why.contains("`init` takes no --set"), "{why}");
    }
    assert!(folder.path().read_dir().unwrap().next().is_none());
}
